"""Which beads are work that may begin now, and why another is not. Pure functions of the records and `now`.

A bead is ready when it is work (its type is something to do, and it is no template, wisp, or pinned), open, not deferred, and nothing
holds it: no blocker that is not closed, no parent (or parent's parent) that is itself held, no open child if it is an epic.
Only `closed` lets go; submitted does not. What is not known (a bead of elsewhere, a missing one) holds: fail closed. What is kept
never waits for a wisp below it: other clones do not have that one.
The functions look at all the records that they are given at once and never recurse: chains may be of any length.
"""

from __future__ import annotations

from gastown_hooks.core import clock, jsons
from gastown_hooks.core.late import late
from gastown_hooks.core.record import is_wisp as is_wisp
from gastown_hooks.core.record import kind as kind
from gastown_hooks.core.record import priority as priority
from gastown_hooks.core.record import status as status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import graph, waits
    from gastown_hooks.rules.graph import Edge
else:
    graph, waits = late("gastown_hooks.rules.graph"), late("gastown_hooks.rules.waits")

# Records of the town itself: they are looked after, never picked up as work.
NOT_WORK = frozenset(("merge-request", "gate", "molecule", "message", "agent", "role", "rig", "convoy", "event", "slot",
                      "external"))  # external: what is known of another project's bead
# Kept out of a plain list too.
HIDDEN = NOT_WORK - {"molecule", "convoy"}
# States of work that others may hold back.
_UNDONE = frozenset(("open", "in_progress", "blocked", "hooked"))
# What `_unfit` and `_deferred_until` look at, besides the type and the status.
_PLAIN = ("blocks", "parent-child")  # such a one is known: it holds what it blocks while it is not over
_UNUSUAL = frozenset(("pinned", "ephemeral", "wisp_type", "is_template", "labels", "defer_until"))
# Fields on which nobody's readiness hangs.
QUIET = frozenset(("title", "description", "design", "acceptance_criteria", "notes", "assignee", "claim_fence", "estimated_minutes",
                   "external_ref", "comments", "started_at", "due_at", "updated_at", "updated_by"))
# A conditional blocker lets go when its close_reason tells a failure.
FAILURES = ("failed", "rejected", "wontfix", "won't fix", "canceled", "cancelled", "abandoned", "blocked", "error", "timeout",
            "aborted")


class Reason:
    """Why a bead is not ready: a `rule`, the `bead` that holds it (or ""), and a sentence without its end."""

    __slots__ = ("bead", "rule", "text")

    def __init__(self, rule: str, text: str, bead: str = "") -> None:
        self.rule, self.text, self.bead = rule, text, bead

    def __repr__(self) -> str:
        return f"Reason({self.rule}: {self.text})"

    def __str__(self) -> str:
        return self.text


def ready(records: Mapping[str, Record], now: int, *, wisps: bool = False) -> list[Record]:
    """The beads that may begin now: by priority, then the older one, then by id. `wisps`: those too."""
    family = graph.children(records)
    held = _held(records, family, now)
    found = [record for bead_id, record in records.items()
             if status(record) == "open" and bead_id not in held and unfit(record, now, wisps=wisps) is None
             and not _open_children(records, family, record)]
    return sorted(found, key=in_order)


def ready_among(records: Mapping[str, Record], names: Iterable[str], now: int) -> list[Record]:
    """What `ready` lists of these beads; of the others only those are looked at that the answer depends on."""
    family = graph.children(records)
    since = {name: when(records, family, name)[0] for name in names if name in records}
    return sorted((records[name] for name, at in since.items() if at is not None and at <= now), key=in_order)


def when(records: Mapping[str, Record], family: Mapping[str, list[str]], bead_id: str) -> tuple[int | None, tuple[int, int | None] | None]:
    """If no record changes: the time from which on `ready` lists the bead (0: now; None: no time brings it), and from when until when
    `blocked` does (no end: no time brings it; None: never).

    Looks only at the beads that the answer depends on: the parents above it, their blockers, an epic's children.
    """
    record = records[bead_id]
    state = status(record)
    if state not in _UNDONE:
        return None, None
    is_plain = record.keys().isdisjoint(_UNUSUAL)  # most are: one call for many
    begin = 0 if is_plain else _deferred_until(record)
    if begin is None or (kind(record) in NOT_WORK if is_plain else _unfit(record) is not None):
        return None, None
    end = 0
    if record.get("dependencies"):
        found = graph.targets(record)
        if _is_held(records, family, record, found):
            return None, (begin, None)
        for one in _above(records, bead_id, [name for name, how in found if how == graph.PARENT]):
            until = _deferred_until(one)
            if until is None or _is_held(records, family, one, graph.targets(one)):
                return None, (begin, None)
            end = max(end, until)
    may_begin = state == "open" and not _open_children(records, family, record)
    return max(begin, end) if may_begin else None, (begin, end) if begin < end else None


def effect(old: Record | None, new: Record, alone: Callable[[], bool]) -> str | None:
    """What one bead's change does to what `ready` lists, where the bead tells: it "stays" as it was, "leaves", or "comes" (a new one that
    depends on nothing: since `when`). None: others may be moved by it. `alone`: whether no edge leads to it."""
    if old is None:
        return "comes" if not new.get("dependencies") and alone() else None
    is_alike = _loud(old) == _loud(new)
    is_quiet = is_alike and (status(old) == status(new) or _UNDONE.issuperset((status(old), status(new))))
    if not is_quiet and not (alone() and not any(graph.parents(one) for one in (old, new) if one.get("dependencies"))):
        return None
    if status(new) != "open":
        return "leaves"
    return "stays" if is_alike and status(old) == "open" else None


def _loud(record: Record) -> Record:
    return {key: value for key, value in record.items() if key not in QUIET and key != "status"}


def reached(records: graph.Linked, changed: Iterable[str]) -> list[str]:
    """The beads, at least, whose readiness hangs on the state of these."""
    parents = {parent for name in changed for parent in graph.parents(records[name])}
    found = [*(other for name in changed for other, _ in records.above.get(name, ())),
             *(other for name in parents for other, kind in records.above.get(name, ()) if kind == "waits-for"),
             *(other for name in parents for other in records.watchers(name))]
    seen = set(found)
    for name in found:
        new = [child for child in records.family.get(name, ()) if child not in seen]
        seen.update(new)
        found += new
    return [*found, *parents]


def _above(records: Mapping[str, Record], bead_id: str, above: list[str]) -> Iterator[Record]:
    """The parents above a bead, which `above` begins with, that can hold it: those that are over pass nothing on."""
    seen = {bead_id}
    for one in above:
        if one not in seen and one in records and not _over(records[one]):
            seen.add(one)
            yield records[one]
            above += graph.parents(records[one])


def watched(record: Record) -> list[str]:
    """The beads whose state, and whose children's, the bead's own readiness hangs on, besides its dependencies."""
    return [spawner for edge in graph.edges(record) if edge.kind == "waits-for" and (spawner := _gate(edge)[1])]


def in_order(record: Record) -> tuple[int, int, str]:
    """The sort key: priority, creation, id."""
    return priority(record), _created(record), record["id"]


def explain(records: Mapping[str, Record], bead_id: str, now: int, *, wisps: bool = False) -> list[Reason]:
    """Every reason why the bead is not ready; none means it is. `wisps`: that it is one is none."""
    return list(_reasons(records, bead_id, now, wisps))


def hindrance(records: Mapping[str, Record], bead_id: str, now: int, *, wisps: bool = False) -> Reason | None:
    """The first of them; the others are not looked for."""
    return next(_reasons(records, bead_id, now, wisps), None)


def _reasons(records: Mapping[str, Record], bead_id: str, now: int, wisps: bool) -> Iterator[Reason]:
    record = records[bead_id]
    if status(record) != "open":
        yield Reason("status", f"its status is {status(record)}")
    why = unfit(record, now, wisps=wisps)
    if why is not None:
        yield why
    yield from _blockers(records, graph.Family(records), bead_id, now)


def blockers(records: Mapping[str, Record], bead_id: str, now: int) -> list[Reason]:
    """What other beads hold it: its own blockers, those of the parents above it, an epic's open children."""
    return list(_blockers(records, graph.Family(records), bead_id, now))


def _blockers(records: Mapping[str, Record], family: Mapping[str, list[str]], bead_id: str, now: int) -> Iterator[Reason]:
    yield from _own_blockers(records, family, records[bead_id])
    for child in _open_children(records, family, records[bead_id]):
        yield Reason("child", f"its child {child} is {status(records[child])}", child)
    seen, queue = {bead_id}, graph.parents(records[bead_id])
    for parent in queue:
        if parent in seen or parent not in records or _over(records[parent]):
            continue
        seen.add(parent)
        for reason in [*_own_blockers(records, family, records[parent]), *_deferral(records[parent], now)]:
            yield Reason("parent", f"its parent {parent} is held: {reason.text}", reason.bead or parent)
        queue += graph.parents(records[parent])


def blocked(records: Mapping[str, Record], now: int, *, wisps: bool = False) -> list[tuple[Record, list[Reason]]]:
    """The beads that are work and not over, but held by others, with the reasons; in order of urgency."""
    family = graph.children(records)
    held = _held(records, family, now)
    waiting = [records[bead_id] for bead_id in held
               if status(records[bead_id]) in _UNDONE and unfit(records[bead_id], now, wisps=wisps) is None]
    pairs = [(record, list(_blockers(records, family, record["id"], now))) for record in sorted(waiting, key=in_order)]
    return [(record, reasons) for record, reasons in pairs if reasons]


def unfit(record: Record, now: int, *, wisps: bool = False) -> Reason | None:
    """Why the bead itself is nothing to pick up, whatever the others are."""
    return _unfit(record, wisps) or next(iter(_deferral(record, now)), None)


def _unfit(record: Record, wisps: bool = False) -> Reason | None:
    """The same, but for what time changes."""
    if kind(record) in NOT_WORK:
        return Reason("type", f"a {kind(record)} is not work")
    if record.get("pinned") or status(record) == "pinned":
        return Reason("pinned", "it is pinned")
    if not wisps and is_wisp(record):
        return Reason("wisp", "it is a wisp")
    labels = record.get("labels")
    if record.get("is_template") or (isinstance(labels, list) and "template" in labels):
        return Reason("template", "it is a template")
    return None


def _deferral(record: Record, now: int) -> list[Reason]:
    if status(record) == "deferred":
        return [Reason("deferred", "it is deferred")]
    until = _deferred_until(record)
    if until is None:
        return [Reason("deferred", "its defer_until is no time")]
    return [Reason("deferred", f"it is deferred until {record['defer_until']}")] if until > now else []


def _deferred_until(record: Record) -> int | None:
    """0 when it is not deferred; None: no time ends it."""
    if status(record) == "deferred":
        return None
    until = record.get("defer_until")
    try:
        return max(0, clock.parse(until)) if until else 0
    except (ValueError, TypeError, AttributeError, IndexError):
        return None


def _over(record: Record) -> bool:
    """Closed, or deleted: it can hold nothing any more."""
    return status(record) in ("closed", "tombstone")


def _created(record: Record) -> int:
    try:
        return clock.parse(record.get("created_at", ""))
    except (ValueError, TypeError, AttributeError):
        return 0


def _held(records: Mapping[str, Record], family: Mapping[str, list[str]], now: int) -> set[str]:
    """The beads held by a blocker of their own or of a parent above; parents that are over pass nothing on."""
    queue = [bead_id for bead_id, record in records.items()
             if not _over(record) and next(_own_blockers(records, family, record), None) is not None]
    held = set(queue)
    queue += [bead_id for bead_id, record in records.items()
              if bead_id not in held and bead_id in family and not _over(record) and _deferral(record, now)]
    for parent in queue:
        for child in family.get(parent, ()):
            if child not in held and not _over(records[child]):
                held.add(child)
                queue.append(child)
    return held


def _open_children(records: Mapping[str, Record], family: Mapping[str, list[str]], record: Record) -> list[str]:
    if kind(record) != "epic":
        return []
    return [child for child in family.get(record["id"], ()) if not _over(records[child]) and _counts(records[child], record)]


def _counts(child: Record, waiting: Record) -> bool:
    """Whether a bead may wait for this child of it, or of what it waits for."""
    return is_wisp(waiting) or not is_wisp(child)


def _own_blockers(records: Mapping[str, Record], family: Mapping[str, list[str]], record: Record) -> Iterator[Reason]:
    for edge in graph.edges(record):
        if edge.kind in graph.BLOCKING:
            yield from _held_by(records, family, record, edge)


def _is_held(records: Mapping[str, Record], family: Mapping[str, list[str]], record: Record, found: list[tuple[str, str]]) -> bool:
    """Whether there are `_own_blockers`. `found`: its edges."""
    unclear = False
    for name, how in found:
        target = records.get(name)
        if how == "blocks" and target is not None and not _over(target):
            return True
        unclear = unclear or (how in graph.BLOCKING and (target is None or how not in _PLAIN))
    return unclear and next(_own_blockers(records, family, record), None) is not None


def _held_by(records: Mapping[str, Record], family: Mapping[str, list[str]], record: Record, edge: Edge) -> list[Reason]:
    target = records.get(edge.target)
    if target is None:
        return [Reason("unknown", f"{edge.target} is not known here", edge.target)]
    if edge.kind == graph.PARENT:
        return []
    if edge.kind == "waits-for":
        return _waits(records, family, record, edge, target)
    if edge.kind == "conditional-blocks" and status(target) == "closed":
        reason = str(target.get("close_reason") or "").lower()
        if any(word in reason for word in FAILURES):
            return []
        return [Reason("condition", f"{edge.target} closed without the failure that this bead is for", edge.target)]
    return [] if _over(target) else [_still(edge.kind, target)]


def _still(rule: str, target: Record) -> Reason:
    """What is not over holds; of another project's bead also how that is known."""
    note = f" ({target['note']})" if kind(target) == "external" else ""
    if kind(target) == "gate":
        note = f" (a gate: {waits.words(target)})"
    return Reason("unknown" if status(target) == "unknown" else rule, f"{target['id']} is {status(target)}{note}", target["id"])


def _waits(records: Mapping[str, Record], family: Mapping[str, list[str]], record: Record, edge: Edge, target: Record) -> list[Reason]:
    """Fan-in: all (or any) of the children of a bead; without children, the bead itself."""
    gate, spawner = _gate(edge)
    below = [records[child] for child in family.get(spawner or edge.target, ()) if _counts(records[child], record)]
    if not below:
        return [] if _over(target) else [_still("waits-for", target)]
    left = [child for child in below if not _over(child)]
    if gate == "any-children":
        left = [] if len(left) < len(below) else left
    return [_still("waits-for", child) for child in left]


def _gate(edge: Edge) -> tuple[str, str]:
    found = edge.raw.get("metadata")
    try:
        found = jsons.loads(found) if isinstance(found, str) and found else found
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return "all-children", ""
    return str(found.get("gate") or "all-children"), str(found.get("spawner_id") or "")
