"""`bd duplicate --of` and `bd supersede --with`: one command, two words."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.work import links


def command(option: str, kind: str, said: str, help: str, short_help: str) -> click.Command:
    @click.command(short_help=short_help, help=help)
    @click.argument("bead_id", metavar="ID")
    @click.option(option, "other", required=True, metavar="ID", help="The bead that stays.")
    @common.dry_run_option
    @common.json_option
    def cli(bead_id: str, other: str, dry_run: bool, as_json: bool) -> None:
        where = _shared.world()
        old, new = (next(iter(_shared.located(where, [text]))) for text in (bead_id, other))
        after, = links.replace(where, [(old, new)], kind, clock.now(), dry_run=dry_run)
        if as_json:
            common.emit_json(after)
        else:
            common.say(f"{'Would be closed:' if dry_run else '✓ Closed'} {old}, {said} {new}")
    return cli
