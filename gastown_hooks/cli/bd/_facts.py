"""Numbers of a ledger in words and as JSON, as the bd commands show them. Imported at commands without click: lean."""

from __future__ import annotations

from gastown_hooks.cli.bd._words import brief
from gastown_hooks.cli.plain import emit_json, say, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

GROUPS = ("status", "priority", "type", "assignee", "label")
_LINES = (("Total", "total_issues"), ("Open", "open_issues"), ("In progress", "in_progress_issues"), ("Closed", "closed_issues"),
          ("Blocked", "blocked_issues"), ("Deferred", "deferred_issues"), ("Ready", "ready_issues"), ("Deleted", "tombstone_issues"),
          ("Pinned", "pinned_issues"), ("Epics that may be closed", "epics_eligible_for_closure"))


def say_stats(summary: Mapping[str, Any], activity: Mapping[str, int] | None, as_json: bool) -> None:
    if as_json:
        emit_json({"summary": summary, **({} if activity is None else {"recent_activity": activity})})
        return
    for name, key in _LINES:
        if summary[key] or key in ("total_issues", "open_issues", "ready_issues"):
            say(f"{name + ':':26}{summary[key]}")
    if summary["average_lead_time_hours"]:
        say(f"{'Average lead time:':26}{summary['average_lead_time_hours']} hours")
    if activity is not None:
        say(f"Last {activity['hours_tracked']} hours: {activity['issues_created']} created, {activity['issues_closed']} closed, "
            f"{activity['issues_updated']} changed")


def say_count(count: int, as_json: bool) -> None:
    if as_json:
        emit_json({"count": count})
    else:
        say(str(count))


def say_counts(total: int, counts: Mapping[str, int], as_json: bool) -> None:
    """How many there are of each group."""
    if as_json:
        emit_json({"total": total, "groups": [{"group": name, "count": counts[name]} for name in sorted(counts)]})
        return
    say(f"Total: {total}\n")
    for name in sorted(counts):
        say(f"{name}: {counts[name]}")


def say_labels(counts: Mapping[str, int], as_json: bool) -> None:
    if as_json:
        emit_json([{"label": label, "count": counts[label]} for label in sorted(counts)])
    elif counts:
        table([(label, counts[label]) for label in sorted(counts)], ("label", "beads"))
    else:
        say("No labels")


def say_epics(found: list[dict[str, Any]], eligible_only: bool, as_json: bool) -> None:
    """`found`: as statistics.epics gives them."""
    found = [row for row in found if row["eligible_for_close"] or not eligible_only]
    if as_json:
        emit_json(found)
        return
    for row in found:
        share = 100 * row["closed_children"] // (row["total_children"] or 1)
        say(f"{brief(row['epic'])}\n   {row['closed_children']}/{row['total_children']} children closed ({share}%)"
            + (" - may be closed: bd epic close-eligible" if row["eligible_for_close"] else ""))
    if not found:
        say("No open epics" if not eligible_only else "No epic may be closed")
