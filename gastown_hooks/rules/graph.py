"""The edges between beads: what they mean, cycles, trees. Pure; no recursion, so a chain of any length is fine.

An edge is stored on the dependent: `{issue_id, depends_on_id, type}`. Four kinds hold work back (BLOCKING). Whether a new edge
would be a deadlock is asked of two moments of each bead, its start and its end: who blocks ends before the other starts; a
child starts no earlier than its parent may and the parent ends after its children. So "a child blocks what blocks its own
parent" is found as well as a plain circle.
"""

from __future__ import annotations

from gastown_hooks.core import record
from gastown_hooks.core.late import late
from gastown_hooks.core.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    import itertools
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from gastown_hooks.core.record import Record

    Moment = tuple[str, bool]  # (bead, False its start | True its end)
else:
    itertools = late("itertools")

REPLIES = "replies-to"
PARENT = "parent-child"
_PARENTS = (PARENT, "parent_child")
BLOCKING = frozenset(("blocks", "conditional-blocks", "waits-for", PARENT))
REPLACING = frozenset(("duplicates", "supersedes"))  # the bead was closed for the other one
KINDS = ("blocks", PARENT, "conditional-blocks", "waits-for", "related", "relates-to", "discovered-from", "tracks", "duplicates",
         "supersedes", REPLIES, "caused-by", "validates", "until", "attests", "authored-by", "assigned-to", "approved-by",
         "delegated-from")


class Edge:
    """One dependency: what the bead depends on, how, and the stored object."""

    __slots__ = ("kind", "raw", "target")

    def __init__(self, kind: str, target: str, raw: dict[str, Any]) -> None:
        self.kind, self.target, self.raw = kind, target, raw


def edges(record: Record) -> Sequence[Edge]:
    """The record's dependencies; one that leads nowhere is passed over."""
    found = record.get("dependencies")
    if not found:
        return ()
    return [Edge(str(raw.get("type") or "blocks").replace("_", "-"), target, raw) for raw in found if (target := raw.get("depends_on_id"))]


def targets(record: Record) -> list[tuple[str, str]]:
    """(target, kind) of the record's dependencies, like `edges`."""
    found = record.get("dependencies")
    return [(target, (raw.get("type") or "blocks").replace("_", "-")) for raw in found or () if (target := raw.get("depends_on_id"))]


def parents(record: Record) -> list[str]:
    found = record.get("dependencies")
    return [target for raw in found if raw.get("type") in _PARENTS and (target := raw.get("depends_on_id"))] if found else []


class Linked(Mapping[str, "Record"]):
    """Records that know their edges: `children` and `dependents` ask them, and look at none of the others."""

    family: Mapping[str, list[str]]
    above: Mapping[str, list[tuple[str, str]]]

    def watchers(self, bead_id: str) -> list[str]:
        """At least what waits for the children of this one by an edge that leads elsewhere (rules.ready.watched): who knows no better
        says all."""
        return list(self)

    def edges_to(self, names: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
        """`above` of these, at once."""
        return {name: self.above.get(name, []) for name in names}

    def statuses(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these beads that are here, and their states."""
        return {name: record.status(self[name]) for name in names if name in self}


def statuses(records: Mapping[str, Record], names: Iterable[str]) -> dict[str, str]:
    """`Linked.statuses` of any beads."""
    if isinstance(records, Linked):
        return records.statuses(names)
    return {name: record.status(records[name]) for name in names if name in records}


def needs(records: Mapping[str, Record], names: Iterable[str]) -> dict[str, set[str]]:
    """What each of these beads waits for among them."""
    found: dict[str, set[str]] = {name: set() for name in names}
    if not isinstance(records, Linked):
        return {name: {edge.target for edge in edges(records[name]) if edge.kind in BLOCKING} & found.keys() for name in found}
    for target, above in records.edges_to(list(found)).items():
        for name, kind in above:
            if kind in BLOCKING and name in found:
                found[name].add(target)
    return found


def children(records: Mapping[str, Record]) -> Mapping[str, list[str]]:
    """Parent id to the ids of its children, in id order; tombstones are nobody's children."""
    if isinstance(records, Linked):
        return records.family
    found: dict[str, list[str]] = {}
    for bead_id in sorted([name for name, bead in records.items() if bead.get("dependencies") and bead.get("status") != "tombstone"]):
        for parent in parents(records[bead_id]):
            found.setdefault(parent, []).append(bead_id)
    return found


class Family(Mapping[str, list[str]]):
    """`children`, looked up only when somebody asks."""

    def __init__(self, records: Mapping[str, Record]) -> None:
        self._records = records
        self._found: Mapping[str, list[str]] | None = None

    def _all(self) -> Mapping[str, list[str]]:
        if self._found is None:
            self._found = children(self._records)
        return self._found

    def __getitem__(self, bead_id: str) -> list[str]:
        return self._all()[bead_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def dependents(records: Mapping[str, Record]) -> Mapping[str, list[tuple[str, str]]]:
    """Target id to (dependent's id, kind), tombstones left out."""
    if isinstance(records, Linked):
        return records.above
    found: dict[str, list[tuple[str, str]]] = {}
    for bead_id in sorted(records):
        if records[bead_id].get("status") != "tombstone":
            for edge in edges(records[bead_id]):
                found.setdefault(edge.target, []).append((bead_id, edge.kind))
    return found


def descendants(records: Mapping[str, Record], root: str) -> list[str]:
    """Every bead below `root` by parent-child, nearest first; each once, `root` not."""
    every = children(records) if not isinstance(records, Linked) else {}
    found, new = {root: None}, [root]
    while new:
        if isinstance(records, Linked):
            above = records.edges_to(new)
            below = [child for bead_id in new for child, kind in above[bead_id] if kind == PARENT]
        else:
            below = [child for bead_id in new for child in every.get(bead_id, ())]
        new = [child for child in dict.fromkeys(below) if child not in found]
        found.update(dict.fromkeys(new))
    return list(found)[1:]


def connected(records: Mapping[str, Record], root: str) -> list[str]:
    """The bead and every known one that edges lead to from it, in either direction and over any number of others."""
    above = dependents(records)
    found = [root]
    seen = {root}
    for bead_id in found:
        near = [edge.target for edge in edges(records[bead_id])] + [other for other, _ in above.get(bead_id, ())]
        new = [other for other in dict.fromkeys(near)
               if other not in seen and other in records and records[other].get("status") != "tombstone"]
        seen.update(new)
        found += new
    return found


# ---- cycles ------------------------------------------------------------------------------------------------

def cycle_from(records: Mapping[str, Record], child: str, parent: str, kind: str = "blocks") -> list[str] | None:
    """The circle that a new edge `child` depends on `parent` would close, from child round to child; None when it closes none."""
    if kind not in BLOCKING:
        return None
    new = list(_moments(child, kind, parent))
    graph = _waits(records, [target for _, target in new])
    for source, target in new:
        graph.setdefault(source, []).append(target)
    for source, target in new:
        path = _path(graph, target, source)
        if path is not None:
            return _beads(path, child)
    return None


def cycles(records: Mapping[str, Record], among: Iterable[str] | None = None) -> list[list[str]]:
    """One circle for each knot of beads that wait for each other, smallest id first in each. `among`: only of what these wait for."""
    graph = _waits(records, [(name, end) for name in sorted(records if among is None else among) for end in (True, False)])
    found = []
    for knot in _knots(graph):
        inside = {moment: [to for to in graph.get(moment, ()) if to in knot] for moment in knot}
        start = min(knot)
        for after in inside[start]:
            path = _path(inside, after, start)
            if path is not None:
                found.append(_beads(path, start[0])[:-1] or [start[0]])
                break
    return sorted(found)


def entangled(blocked: Sequence[str], blockers: Sequence[str], below: Sequence[str], parents: Sequence[str]) -> set[str]:
    """At least the beads that are part of a circle, told by the ends of all edges alone: who waits, for whom; children, of whom."""
    ends = {parent: f"{parent}\n" for parent in parents}  # of any other bead the end waits for its start alone
    one: Sequence[str] = [*blocked, *below, *map(ends.__getitem__, parents), *ends.values()]
    other: Sequence[str] = [*map(ends.get, blockers, blockers), *parents, *map(ends.get, below, below), *ends]
    count = 0
    while not count or len(one) < count * 3 // 4:  # most lead nowhere, or nothing leads to them
        count = len(one) or 1
        for _ in range(2):
            there = list(map(set(one).__contains__, other))
            one, other = list(itertools.compress(other, there)), list(itertools.compress(one, there))
    graph: dict[Any, list[Any]] = {}
    for moment, after in zip(one, other, strict=True):
        graph.setdefault(moment, []).append(after)
    alone = {child for child, target in zip(blocked, blockers, strict=True) if child == target}
    return alone | {moment.rstrip("\n") for knot in _knots(graph) for moment in knot}


def circle_of(records: Mapping[str, Record], edges: Iterable[tuple[str, str, str]]) -> list[str] | None:
    """A circle of which one of these edges (child, target, kind) of the records is part, from that child round to it; None: there is
    none."""
    new = [(child, wait) for child, target, kind in edges if kind in BLOCKING for wait in _moments(child, kind, target)]
    graph = _waits(records, [source for _, (source, _) in new])
    knots = {moment: knot for knot in _knots(graph) for moment in knot}
    for child, (source, target) in new:
        knot = knots.get(source, ())
        path = _path({moment: [to for to in graph[moment] if to in knot] for moment in knot}, target, source) if target in knot else None
        if path is not None:
            return _beads(path, child)
    return None


def _waits(records: Mapping[str, Record], moments: Iterable[Moment]) -> dict[Moment, list[Moment]]:
    """What these moments wait for, and what that waits for."""
    family = children(records)
    queue = list(moments)
    graph: dict[Moment, list[Moment]] = {}
    for moment in queue:
        if moment not in graph:
            graph[moment] = _after(records, family, moment)
            queue += graph[moment]
    return graph


def _after(records: Mapping[str, Record], family: Mapping[str, list[str]], moment: Moment) -> list[Moment]:
    bead_id, end = moment
    record = records.get(bead_id)
    if record is None or record.get("status") == "tombstone":
        return []
    if end:
        return [(bead_id, False), *((child, True) for child in family.get(bead_id, ()))]
    return [(edge.target, edge.kind != PARENT) for edge in edges(record) if edge.kind in BLOCKING]


def _moments(child: str, kind: str, parent: str) -> Iterable[tuple[Moment, Moment]]:
    """The waits that an edge means, as (who waits, for what)."""
    if kind == PARENT:
        return [((child, False), (parent, False)), ((parent, True), (child, True))]
    return [((child, False), (parent, True))]


def _path(graph: Mapping[Moment, list[Moment]], start: Moment, goal: Moment) -> list[Moment] | None:
    """A shortest path, both ends included."""
    before: dict[Moment, Moment | None] = {start: None}
    queue = [start]
    for moment in queue:
        if moment == goal:
            path = [moment]
            while (step := before[path[-1]]) is not None:
                path.append(step)
            return path[::-1]
        for after in graph.get(moment, ()):
            if after not in before:
                before[after] = moment
                queue.append(after)
    return None


def _beads(path: list[Moment], first: str) -> list[str]:
    """The beads along a closed path, each once in a row, turned to begin and end with `first`."""
    beads = [bead for i, (bead, _) in enumerate(path) if i == 0 or path[i - 1][0] != bead]
    if len(beads) > 1 and beads[0] == beads[-1]:
        beads.pop()
    turn = beads.index(first) if first in beads else 0
    beads = beads[turn:] + beads[:turn]
    return [*beads, beads[0]]


def _knots(graph: Mapping[Any, list[Any]]) -> list[set[Any]]:
    """Strongly connected components of more than one moment (Tarjan, with its own stack)."""
    index: dict[Moment, int] = {}
    low: dict[Moment, int] = {}
    stack: list[Moment] = []
    on_stack: set[Moment] = set()
    knots = []
    for root in graph:
        if root in index:
            continue
        calls = [(root, iter(graph.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while calls:
            moment, rest = calls[-1]
            after = next(rest, None)
            if after is None:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[moment])
                if low[moment] == index[moment]:
                    knot = set()
                    while moment not in knot:
                        knot.add(stack.pop())
                    on_stack -= knot
                    if len(knot) > 1:
                        knots.append(knot)
            elif after not in index:
                index[after] = low[after] = len(index)
                stack.append(after)
                on_stack.add(after)
                calls.append((after, iter(graph.get(after, ()))))
            elif after in on_stack:
                low[moment] = min(low[moment], index[after])
    return knots


# ---- trees -------------------------------------------------------------------------------------------------

class Node:
    """A line of a dependency tree; `truncated`: what lies below it is not shown (too deep, or shown before)."""

    __slots__ = ("bead", "depth", "kind", "parent", "truncated")

    def __init__(self, bead: str, depth: int, parent: str, kind: str, truncated: bool) -> None:
        self.bead, self.depth, self.parent, self.kind, self.truncated = bead, depth, parent, kind, truncated


def tree(records: Mapping[str, Record], root: str, *, upward: bool = False, depth: int = 50, most: int = 0) -> list[Node]:
    """What `root` depends on (downward) or what depends on it (upward), pre-order; a bead met again is not opened again.

    `most`: at most so many nodes, and a bead is opened on every path to it, but never below itself.
    """
    above = dependents(records) if upward else {}
    nodes: list[Node] = []
    opened = set[str]()
    pending = [(root, 0, "", "")]
    path: list[str] = []
    while pending and not (most and len(nodes) >= most):
        bead_id, level, parent, kind = pending.pop()
        if most:
            path[level:] = [bead_id]
            opened = set(path[:-1])
        below = sorted((edge.target, edge.kind) for edge in edges(records.get(bead_id, {})))
        near = above.get(bead_id, []) if upward else below
        closed_off = bool(near) and (level >= depth or bead_id in opened)
        nodes.append(Node(bead_id, level, parent, kind, closed_off))
        if not closed_off:
            opened.add(bead_id)
            pending += [(other, level + 1, bead_id, how) for other, how in reversed(near)]
    return nodes


def thread(records: Mapping[str, Record], bead_id: str) -> list[str]:
    """The conversation that a bead is part of, by `replies-to`: first its beginnings, each answer behind what it answers."""
    def answered(one: str) -> list[str]:
        return [edge.target for edge in edges(records[one]) if edge.kind == REPLIES and edge.target in records]

    above, first = [bead_id], list[str]()
    for one in above:
        up = [target for target in answered(one) if target not in above]
        above += up
        first += [one] if not answered(one) else []
    below, found = dependents(records), list[str]()
    pending = sorted(first, reverse=True) or [bead_id]
    while pending:
        one = pending.pop()
        if one not in found:
            found.append(one)
            pending += sorted((other for other, kind in below.get(one, ()) if kind == REPLIES), reverse=True)
    return found
