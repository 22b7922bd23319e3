"""`bd rename`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.work import rename


@click.command(short_help="Give a bead another id.")
@click.argument("old")
@click.argument("new")
@common.dry_run_option
@common.json_option
def cli(old: str, new: str, dry_run: bool, as_json: bool) -> None:
    """Give a bead another id; the children numbered below it, edges, and texts that name it follow.

    \b
    Examples:
      bd rename gp-abc12 gp-login
    """
    where = _shared.world()
    (name, ledger), = _shared.located(where, [old]).items()
    names = rename.one(where, ledger, name, new, clock.now(), dry_run=dry_run)
    say_renamed(names, dry_run, as_json)
    if not names and not as_json:
        common.say(f"✓ {name} is {new} already")


def say_renamed(names: dict[str, str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        common.emit_json({"renamed": names, "count": len(names), "dry_run": dry_run})
        return
    for old, new in names.items():
        common.say(f"{'Would rename' if dry_run else '✓ Renamed'} {old} to {new}")
