"""`bd epic status|close-eligible`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common, fast_facts
from gastown_hooks.cli.bd import _facts, _shared
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock
from gastown_hooks.rules import statistics
from gastown_hooks.work import beads
from gastown_hooks.work.world import World


@click.group(cls=Group, short_help="How far epics are.")
def cli() -> None:
    """Show how far epics are, and close those whose children are all closed."""


def _progress(where: World) -> list[dict[str, Any]]:
    own = _shared.everything(where.shown())
    return statistics.epics(own, where.around(own))


@cli.command(short_help="Show how many children of each epic are closed.")
@click.option("--eligible-only", is_flag=True, help="Only those that may be closed.")
@common.json_option
def status(eligible_only: bool, as_json: bool) -> None:
    """Show the open epics, and how many of their children are closed.

    \b
    Examples:
      bd epic status
      bd epic status --eligible-only
    """
    _facts.say_epics(_progress(_shared.world()), eligible_only, as_json)


@cli.command("close-eligible", short_help="Close the epics whose children are all closed.")
@common.dry_run_option
@common.json_option
def close_eligible(dry_run: bool, as_json: bool) -> None:
    """Close every epic that has children and all of them closed; what else speaks against a close is asked as by bd close.

    \b
    Examples:
      bd epic close-eligible --dry-run
      bd epic close-eligible
    """
    where = _shared.world()
    wanted = fast_facts.done_epics()
    if wanted is None:
        wanted = [row["epic"]["id"] for row in _progress(where) if row["eligible_for_close"]]
    now = clock.now()
    after = _shared.change(where, wanted, lambda ledger, names, dry: beads.close(
        ledger, where.caller, now, names, "All children closed", dry_run=dry), dry_run)
    if as_json:
        common.emit_json({"closed": [record["id"] for record in after], "count": len(after), "dry_run": dry_run})
        return
    for record in after:
        common.say(f"{'Would close' if dry_run else '✓ Closed'} {record['id']}: {common.cleaned(record.get('title', ''))}")
    if not after:
        common.say("No epic may be closed")
