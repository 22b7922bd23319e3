"""`bd archive`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit, _shared
from gastown_hooks.core import clock
from gastown_hooks.work import ageing


@click.command(short_help="Move old closed beads out of the way.")
@click.option("-d", "--days", type=common.COUNT, default=90, show_default=True, help="Closed, and not changed since, for so many.")
@click.option("--at-least", type=click.IntRange(min=1), default=1, show_default=True, help="Do nothing for fewer than so many beads.")
@common.dry_run_option
@common.json_option
def cli(days: int, at_least: int, dry_run: bool, as_json: bool) -> None:
    """Move old closed beads from issues.jsonl to .beads/archive/YEAR.jsonl, which is in git as well.

    Every command still finds them, and they still let go of what waited for them. A bead that others need (one that is not closed depends
    on it, tracks it or is its child) stays. Whoever changes one, or bd restore, brings it back, for another so many days.

    \b
    Examples:
      bd archive --dry-run
      bd archive --days 180 --at-least 100
    """
    where = _shared.world()
    gone = ageing.shelve(where, where.home(), clock.now(), days, at_least=at_least, dry_run=dry_run)
    _edit.report(gone, "Archived", dry_run=dry_run, as_json=as_json)
    if not as_json and not gone:
        common.say("Nothing to archive")
