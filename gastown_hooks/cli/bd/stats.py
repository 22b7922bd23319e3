"""`bd stats`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _track
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import ready, statistics, track

_LINES = (("Total", "total_issues"), ("Open", "open_issues"), ("In progress", "in_progress_issues"), ("Closed", "closed_issues"),
          ("Blocked", "blocked_issues"), ("Deferred", "deferred_issues"), ("Ready", "ready_issues"), ("Deleted", "tombstone_issues"),
          ("Pinned", "pinned_issues"), ("Epics that may be closed", "epics_eligible_for_closure"))


@click.command(short_help="Show the ledger in numbers.")
@click.option("-a", "--assigned", is_flag=True, help="Only your own beads.")
@click.option("--no-activity", is_flag=True, help="Without the last 24 hours.")
@click.option("--actor", metavar="WHO", help="How this identity's work went; * stands for any part: 'gp/polecats/*'.")
@click.option("--tag", "tags", multiple=True, metavar="SKILL", help="How work with this label went (repeat: all of them).")
@click.option("--group-by", "group", type=click.Choice(list(track.GROUPS)),
              help="How work went by actor, agent program, model or tag.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@common.json_option
def cli(assigned: bool, no_activity: bool, actor: str | None, tags: tuple[str, ...], group: str | None, prefix: str | None,
        as_json: bool) -> None:
    """Show how many beads are open, ready, blocked, closed, how long they took, and what happened in the last 24 hours. The town's own
    records are left out.

    With --actor, --tag or --group-by: how the work of those who did it went. A task is landed, closed (without a merge request), or was
    returned by the merge queue; first try: done, never sent back, and no validation speaks against it.

    \b
    Examples:
      bd stats
      bd stats --assigned --json
      bd stats --actor 'greenplace/polecats/*' --tag go --group-by model
    """
    if actor is not None or tags or group is not None:
        if assigned or no_activity:
            raise BadInput("--assigned and --no-activity do not go with --actor, --tag or --group-by", next="bd stats --help")
        _track.show(actor or "", tags, group or "actor", prefix, as_json)
        return
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
