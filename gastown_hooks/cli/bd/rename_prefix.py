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
@click.option("--repair", is_flag=True, help="Also those that have neither the old prefix nor this one, such as imported ones.")
@common.dry_run_option
@common.json_option
def cli(new: str, repair: bool, dry_run: bool, as_json: bool) -> None:
    """Give every bead of this repository, and all that come, another prefix; edges and texts that name them follow. Back to the old one
    works the same way. In --repair a bead keeps what comes behind the last hyphen, or where that is taken its whole id.

    \b
    Examples:
      bd rename-prefix web --dry-run
      bd rename-prefix web
      bd rename-prefix web --repair
    """
    where = _shared.world()
    new = new.removesuffix("-")
    names = rename.prefix(where, where.home(), new, clock.now(), repair=repair, dry_run=dry_run)
    say_renamed(names, dry_run, as_json)
    if not as_json:
        common.say(f"{'Would name' if dry_run else '✓'} new beads {new}-…")
