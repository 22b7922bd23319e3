"""A ledger in numbers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.rules import filters, graph, ready

Record = dict[str, Any]
HOURS = 24


def summary(own: Mapping[str, Record], known: Mapping[str, Record], now: int) -> dict[str, Any]:
    """`own`: the beads to count; `known`: those and what they depend on elsewhere."""
    states = Counter(ready.status(record) for record in own.values())
    leads = [closed - created for record in own.values() if ready.status(record) == "closed"
             and (closed := filters.instant(record, "closed_at")) and (created := filters.instant(record, "created_at"))]
    return {
        "total_issues": sum(states.values()) - states["tombstone"], "open_issues": states["open"],
        "in_progress_issues": states["in_progress"] + states["hooked"], "closed_issues": states["closed"],
        "blocked_issues": sum(record["id"] in own for record, _ in ready.blocked(known, now)), "deferred_issues": states["deferred"],
        "ready_issues": sum(record["id"] in own for record in ready.ready(known, now)), "tombstone_issues": states["tombstone"],
        "pinned_issues": states["pinned"] + sum(bool(r.get("pinned")) and ready.status(r) != "pinned" for r in own.values()),
        "epics_eligible_for_closure": sum(row["eligible_for_close"] for row in epics(own, known)),
        "average_lead_time_hours": round(sum(leads) / len(leads) / (3600 * clock.SECOND), 1) if leads else 0}


def epics(own: Mapping[str, Record], known: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Each epic that is not closed, the most urgent first: {epic,total_children,closed_children,eligible_for_close}."""
    family = graph.children(known)
    found = []
    for epic in sorted(own.values(), key=ready.in_order):
        if ready.kind(epic) == "epic" and ready.status(epic) not in ("closed", "tombstone"):
            below = [known[child] for child in family.get(epic["id"], ())]
            closed = sum(ready.status(child) == "closed" for child in below)
            found.append({"epic": epic, "total_children": len(below), "closed_children": closed,
                          "eligible_for_close": bool(below) and closed == len(below)})
    return found


def activity(own: Mapping[str, Record], now: int) -> dict[str, int]:
    """What the records themselves say about the last day."""
    since = now - HOURS * 3600 * clock.SECOND

    def recent(key: str) -> int:
        return sum((filters.instant(record, key) or 0) >= since for record in own.values())
    created, closed, updated = recent("created_at"), recent("closed_at"), recent("updated_at")
    return {"hours_tracked": HOURS, "issues_created": created, "issues_closed": closed, "issues_updated": updated,
            "total_changes": created + closed + updated}
