"""A ledger in numbers. Pure."""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.rules import filters, graph, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gastown_hooks.core.record import Record

_HOURS = 24


def summary(own: Mapping[str, Record], known: Mapping[str, Record], now: int) -> dict[str, Any]:
    """`own`: the beads to count; `known`: those and what they depend on elsewhere."""
    states: dict[str, int] = {}
    for record in own.values():
        states[ready.status(record)] = states.get(ready.status(record), 0) + 1
    leads = [closed - created for record in own.values() if ready.status(record) == "closed"
             and (closed := filters.instant(record, "closed_at")) and (created := filters.instant(record, "created_at"))]
    return in_words(
        states, blocked=sum(record["id"] in own for record, _ in ready.blocked(known, now)),
        ready=sum(record["id"] in own for record in ready.ready(known, now)),
        pinned=sum(bool(r.get("pinned")) and ready.status(r) != "pinned" for r in own.values()),
        eligible=sum(row["eligible_for_close"] for row in epics(own, known)), leads=sum(leads), closed=len(leads))


def in_words(states: Mapping[str, int], *, blocked: int, ready: int, pinned: int, eligible: int, leads: int, closed: int) -> dict[str, Any]:
    """The numbers by their names. `pinned`: those of another status; `leads`: how long `closed` beads took in all."""
    def of(*names: str) -> int:
        return sum(states.get(name, 0) for name in names)
    return {
        "total_issues": sum(states.values()) - of("tombstone"), "open_issues": of("open"),
        "in_progress_issues": of("in_progress", "hooked"), "closed_issues": of("closed"), "blocked_issues": blocked,
        "deferred_issues": of("deferred"), "ready_issues": ready, "tombstone_issues": of("tombstone"),
        "pinned_issues": of("pinned") + pinned, "epics_eligible_for_closure": eligible,
        "average_lead_time_hours": round(leads / closed / (3600 * clock.SECOND), 1) if closed else 0}


def epics(own: Mapping[str, Record], known: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Each epic that is not closed, the most urgent first: {epic,total_children,closed_children,eligible_for_close}."""
    family = graph.children(known)
    found = []
    for epic in sorted(own.values(), key=ready.in_order):
        if ready.kind(epic) == "epic" and ready.status(epic) not in ("closed", "tombstone"):
            below = [known[child] for child in family.get(epic["id"], ())]
            closed = sum(ready.status(child) == "closed" for child in below)
            found.append(progress(epic, len(below), closed))
    return found


def progress(epic: Record, total: int, closed: int) -> dict[str, Any]:
    return {"epic": epic, "total_children": total, "closed_children": closed, "eligible_for_close": bool(total) and closed == total}


def activity(own: Mapping[str, Record], now: int) -> dict[str, int]:
    """What the records themselves say about the last day."""
    def recent(key: str) -> int:
        return sum((filters.instant(record, key) or 0) >= begin(now) for record in own.values())
    return activity_of(recent("created_at"), recent("closed_at"), recent("updated_at"))


def begin(now: int) -> int:
    """When the last day began."""
    return now - _HOURS * 3600 * clock.SECOND


def activity_of(created: int, closed: int, updated: int) -> dict[str, int]:
    return {"hours_tracked": _HOURS, "issues_created": created, "issues_closed": closed, "issues_updated": updated,
            "total_changes": created + closed + updated}
