"""`bd stats`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.rules import ready, statistics

_LINES = (("Total", "total_issues"), ("Open", "open_issues"), ("In progress", "in_progress_issues"), ("Closed", "closed_issues"),
          ("Blocked", "blocked_issues"), ("Deferred", "deferred_issues"), ("Ready", "ready_issues"), ("Deleted", "tombstone_issues"),
          ("Pinned", "pinned_issues"), ("Epics that may be closed", "epics_eligible_for_closure"))


@click.command(short_help="Show the ledger in numbers.")
@click.option("-a", "--assigned", is_flag=True, help="Only your own beads.")
@click.option("--no-activity", is_flag=True, help="Without the last 24 hours.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@common.json_option
def cli(assigned: bool, no_activity: bool, prefix: str | None, as_json: bool) -> None:
    """Show how many beads are open, ready, blocked, closed, how long they took, and what happened in the last 24 hours. The town's own
    records are left out.

    \b
    Examples:
      bd stats
      bd stats --assigned --json
    """
    now, where = clock.now(), _shared.world()
    every = _shared.everything(where.shown(prefix))
    own = {bead_id: record for bead_id, record in every.items() if ready.kind(record) not in ready.HIDDEN
           and (not assigned or record.get("assignee") == where.caller.actor)}
    summary = statistics.summary(own, where.around(every), now)
    recent = {} if no_activity else {"recent_activity": statistics.activity(own, now)}
    if as_json:
        common.emit_json({"summary": summary, **recent})
        return
    for name, key in _LINES:
        if summary[key] or key in ("total_issues", "open_issues", "ready_issues"):
            common.say(f"{name + ':':26}{summary[key]}")
    if summary["average_lead_time_hours"]:
        common.say(f"{'Average lead time:':26}{summary['average_lead_time_hours']} hours")
    for day in recent.values():
        common.say(f"Last {day['hours_tracked']} hours: {day['issues_created']} created, {day['issues_closed']} closed, "
                   f"{day['issues_updated']} changed")
