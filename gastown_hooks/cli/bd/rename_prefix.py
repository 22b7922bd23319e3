"""`bd rename-prefix`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.cli.bd.rename import say_renamed
from gastown_hooks.core import clock
from gastown_hooks.work import rename


@click.command(short_help="Give all beads another prefix.")
@click.argument("new")
@common.dry_run_option
@common.json_option
def cli(new: str, dry_run: bool, as_json: bool) -> None:
    """Give every bead of this repository, and all that come, another prefix; edges and texts that name them follow.

    \b
    Examples:
      bd rename-prefix web --dry-run
      bd rename-prefix web
    """
    where = _shared.world()
    new = new.removesuffix("-")
    names = rename.prefix(where, where.home(), new, clock.now(), dry_run=dry_run)
    say_renamed(names, dry_run, as_json)
    if not as_json:
        common.say(f"{'Would name' if dry_run else '✓'} new beads {new}-…")
