"""The steps of a molecule (or the children of an epic): their order, and which one comes next for whom. Pure."""

from __future__ import annotations

from gastown_hooks.core.late import late
from gastown_hooks.rules import graph, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    import heapq
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import waits
else:
    heapq, waits = late("heapq"), late("gastown_hooks.rules.waits")

_WHOLES = ("molecule", "epic")
_FEW = 200  # steps: to sort them again takes less time than to import a heap


class Next:
    """What follows in a molecule: the step, if any, and in `why` what was passed over or why there is none."""

    __slots__ = ("complete", "molecule", "step", "why")

    def __init__(self, molecule: str | None, step: Record | None, complete: bool, why: list[str]) -> None:
        self.molecule, self.step, self.complete, self.why = molecule, step, complete, why


class Resumed:
    """A step that may begin since its gate closed, and what it is a step of (without a molecule: itself)."""

    __slots__ = ("gate", "step", "whole")

    def __init__(self, whole: Record, gate: Record, step: Record) -> None:
        self.whole, self.gate, self.step = whole, gate, step


def whole_of(records: Mapping[str, Record], step: str) -> str | None:
    """The molecule or epic that a bead is a step of: the nearest above it, else its parent."""
    above, seen = graph.parents(records[step]), {step}
    first = next(iter(above), None)
    for one in above:
        if one in seen or one not in records:
            continue
        seen.add(one)
        if ready.kind(records[one]) in _WHOLES:
            return one
        above += graph.parents(records[one])
    return first


def in_order(records: Mapping[str, Record], steps: Iterable[str]) -> list[str]:
    """The steps so that each comes after what it waits for, and else by their numbers; those in a circle last."""
    names = sorted(set(steps), key=_number)
    rank = {name: place for place, name in enumerate(names)}
    needs = graph.needs(records, names)
    waiting: dict[str, list[str]] = {}
    for name, targets in needs.items():
        for target in targets:
            waiting.setdefault(target, []).append(name)
    free = sorted(rank[name] for name in names if not needs[name])
    found: dict[str, None] = {}
    while free:
        name = names[free.pop(0) if len(names) < _FEW else heapq.heappop(free)]
        found[name] = None
        for other in waiting.get(name, ()):
            needs[other].discard(name)
            if not needs[other] and len(names) < _FEW:
                free = sorted([*free, rank[other]])
            elif not needs[other]:
                heapq.heappush(free, rank[other])
    return [*found, *(name for name in names if name not in found)]


def waves(records: Mapping[str, Record], names: Iterable[str]) -> list[list[str]]:
    """The beads by the longest chain of what they wait for: those of one wave wait for none of the same."""
    level: dict[str, int] = {}
    for name in in_order(records, names):
        below = [level[edge.target] for edge in graph.edges(records[name]) if edge.kind in graph.BLOCKING and edge.target in level]
        level[name] = 1 + max(below, default=0)
    found: list[list[str]] = [[] for _ in range(max(level.values(), default=0))]
    for name, number in level.items():
        found[number - 1].append(name)
    return found


def following(records: Mapping[str, Record], closed: str, actor: str, now: int) -> Next:
    """What comes for this actor after a step: its own that is begun, else the first that is ready, no gate and nobody else's."""
    whole = whole_of(records, closed)
    if whole is None or whole not in records:
        return Next(None, None, False, [f"{closed} is no step of a molecule: it has no parent"])
    state = graph.statuses(records, graph.descendants(records, whole))
    left = in_order(records, [name for name, status in state.items() if status not in ("closed", "tombstone")])
    begun = [records[name] for name in left if state[name] in ("in_progress", "hooked")]
    own = next((step for step in begun if step.get("assignee") == actor), None)
    if own or not left:
        return Next(whole, own, not left, [])
    why: list[str] = []
    for name in left:
        step = records[name]
        passed = _passed_over(records, step, actor, now)
        if passed is None:
            return Next(whole, step, False, why)
        why.append(f"{step['id']}: {passed}")
    return Next(whole, None, False, why)


def resumed(records: Mapping[str, Record], gates: Iterable[Record], now: int) -> list[Resumed]:
    """The steps that these of the beads held, as closed gates, and that may begin, the most urgent first; not of a molecule that somebody
    has on the hook."""
    above = graph.dependents(records)
    found: dict[str, Resumed] = {}
    for gate in gates:
        if ready.kind(gate) != "gate" or ready.status(gate) != "closed":
            continue
        for name, kind in above.get(gate["id"], ()):
            whole = records.get(whole_of(records, name) or name, records[name])
            if kind not in graph.BLOCKING or kind == graph.PARENT or ready.status(whole) == "hooked":
                continue
            last = found.get(name)
            if (last is None or str(last.gate.get("closed_at")) < str(gate.get("closed_at"))) and ready.hindrance(
                    records, name, now, wisps=True) is None:
                found[name] = Resumed(whole, gate, records[name])
    return sorted(found.values(), key=lambda one: ready.in_order(one.step))


def groups(records: Mapping[str, Record], whole: str) -> dict[str, list[str]]:
    """The steps that are not over, by what may be done side by side: `group-1` first."""
    left = [name for name in graph.descendants(records, whole) if ready.status(records[name]) not in ("closed", "tombstone")]
    return {f"group-{number}": wave for number, wave in enumerate(waves(records, left), 1)}


def standing(records: Mapping[str, Record], whole: str, now: int) -> dict[str, dict[str, Any]]:
    """Of each step: whether it is ready, its group, what it waits for, and which steps wait for it."""
    above, names = graph.dependents(records), set(graph.descendants(records, whole))
    group = {name: number for number, wave in groups(records, whole).items() for name in wave}
    size = {number: len(wave) for number, wave in groups(records, whole).items()}
    return {name: {
        "step_id": name, "status": ready.status(records[name]), "is_ready": ready.hindrance(records, name, now, wisps=True) is None,
        "parallel_group": group.get(name, ""), "can_parallel": size.get(group.get(name, ""), 0) > 1,
        "blocked_by": list(dict.fromkeys(reason.bead for reason in ready.blockers(records, name, now) if reason.bead))
        if name in group else [],
        "blocks": [other for other, kind in above.get(name, ()) if kind in graph.BLOCKING - {graph.PARENT} and other in names]}
        for name in in_order(records, names)}


def _passed_over(records: Mapping[str, Record], step: Record, actor: str, now: int) -> str | None:
    if ready.kind(step) == "gate":
        return f"a gate that waits for {waits.words(step)}"
    if step.get("assignee") not in (None, "", actor):
        return f"{step['assignee']} has it"
    reason = ready.hindrance(records, step["id"], now, wisps=True)
    return reason.text if reason else None


def _number(bead_id: str) -> list[tuple[int, int, str]]:
    """`gp-a.10` after `gp-a.9`."""
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in bead_id.split(".")]
