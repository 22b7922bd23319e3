"""Convoys: what a tracked bead is up to, when a convoy has landed, what it could start next. Pure.

A convoy is a bead of type convoy in the town's ledger; its `tracks` dependencies name beads of any rig and hold nothing back. Its
`metadata`: `notify` (addresses), `launched` ({by, at, agent}: the town starts its beads as they become ready), `epic` (whose children
it follows), `untold` (it closed, and its subscribers are not told yet).
"""

from __future__ import annotations

from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import claims, graph, ready, requests, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gastown_hooks.core.record import Record

    Records = Mapping[str, Record]
    Requests = Mapping[tuple[str, int], requests.Request]

TYPE, TRACKS, LABEL = "convoy", "tracks", "gt:convoy"
OVER = ("closed", states.TOMBSTONE)
LANDED, CLOSED, WORKING, SUBMITTED, SENT_BACK, CONFLICT, BLOCKED, READY = (
    "landed", "closed", "working", "submitted", "sent back", "conflict", "blocked", "ready")
_OF_REQUEST = {requests.QUEUED: SUBMITTED, requests.WAITING: SUBMITTED, requests.FAILED: SENT_BACK, requests.CONFLICT: CONFLICT}


@dataclass(frozen=True, slots=True)
class Tracked:
    """One bead of a convoy: its `state` in a word, and why it is not ready where something holds it."""

    id: str
    title: str
    kind: str
    state: str
    worker: str = ""
    request: str = ""
    waits_for: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.state in (LANDED, *OVER)


def is_convoy(record: Record) -> bool:
    return ready.kind(record) == TYPE and ready.status(record) != states.TOMBSTONE


def is_open(record: Record) -> bool:
    return is_convoy(record) and ready.status(record) not in OVER


def data(convoy: Record) -> Record:
    """The convoy's metadata; what another program put there instead counts as none."""
    found = convoy.get("metadata")
    return found if isinstance(found, dict) else {}


def tracked(convoy: Record) -> list[str]:
    """The ids that the convoy tracks, each once, in the order they were added."""
    return list(dict.fromkeys(edge.target for edge in graph.edges(convoy) if edge.kind == TRACKS))


def following(convoys: Iterable[Record]) -> dict[str, list[str]]:
    """Bead to the open ones among these that track it."""
    found: dict[str, list[str]] = {}
    for convoy in filter(is_open, convoys):
        for bead in tracked(convoy):
            found.setdefault(bead, []).append(convoy["id"])
    return found


def followers(records: Records, bead_id: str) -> list[str]:
    """The open convoys among these beads that track this one."""
    return [name for name, kind in graph.dependents(records).get(bead_id, ()) if kind == TRACKS and is_open(records[name])]


def has_landed(convoy: Record, records: Records) -> bool:
    """Whether it tracks something, and all of it is closed. What is not known is not closed."""
    beads = tracked(convoy)
    return bool(beads) and all(bead in records and ready.status(records[bead]) in OVER for bead in beads)


def children_of(records: Records, epic: str) -> list[str]:
    """The work below an epic, in order of urgency; epics between are no work of their own."""
    below = [records[bead] for bead in graph.descendants(records, epic)]
    return [bead["id"] for bead in sorted(below, key=ready.in_order) if ready.kind(bead) not in (*ready.NOT_WORK, "epic")]


def startable(convoys: Iterable[Record], may_begin: Iterable[Record]) -> list[Record]:
    """What the town may start of them: ready and never assigned. What came back once is for somebody to judge."""
    wanted = following(convoys)
    return [bead for bead in may_begin if bead["id"] in wanted and not bead.get("assignee") and not claims.fence(bead)]


def by_claim(records: Iterable[Record]) -> dict[tuple[str, int], requests.Request]:
    """The unsettled merge requests, by bead and fence."""
    return {(one.source, one.fence): one for one in requests.usable(requests.among(records))}


def look(bead_id: str, records: Records, open_requests: Requests, now: int) -> Tracked:
    """What the bead is up to."""
    bead = records.get(bead_id)
    if bead is None:
        return Tracked(bead_id, "", "task", "unknown", waits_for=["it is not known here"])
    held = [] if ready.status(bead) in OVER else [str(reason) for reason in ready.blockers(records, bead_id, now)]
    return seen(bead, held, open_requests)


def seen(bead: Record, held: list[str], open_requests: Requests) -> Tracked:
    """What a bead is up to that these others hold."""
    request = open_requests.get((bead["id"], claims.fence(bead)))
    return Tracked(bead["id"], str(bead.get("title") or ""), ready.kind(bead), _state(bead, request, held), str(bead.get("assignee") or ""),
                   request.id if request else "", held or ([request.reason] if request and request.reason else []))


def _state(bead: Record, request: requests.Request | None, held: list[str]) -> str:
    status = ready.status(bead)
    if status in OVER:
        return LANDED if status == "closed" and states.needs_landing(bead) else status
    if request is not None:
        return _OF_REQUEST.get(request.state, request.state)
    if status in claims.CLAIMED:
        return WORKING
    return status if status != "open" else BLOCKED if held else READY


def counts(beads: Iterable[Tracked]) -> dict[str, Any]:
    """How many are in each state."""
    found: dict[str, Any] = {}
    for bead in beads:
        found[bead.state] = found.get(bead.state, 0) + 1
    return found
