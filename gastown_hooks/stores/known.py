"""A ledger's beads as a mapping of which only what somebody asks for is read: the index tells which, and their edges.

What it gives is of one moment. The index only narrows: whether a bead is a claim, a request, a blocker, rules/ decide.
"""

from __future__ import annotations

from gastown_hooks.core import jsons, record
from gastown_hooks.core.late import late
from gastown_hooks.core.mapping import Mapping
from gastown_hooks.core.system import os
from gastown_hooks.rules import fields, graph, states
from gastown_hooks.stores import index, unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from gastown_hooks.core.paths import Beads
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import claims as holding
    from gastown_hooks.rules import ready, requests
    from gastown_hooks.stores import external
    from gastown_hooks.stores.index import Index, Wanted
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.stores.pairs import Pair
else:
    external, requests = late("gastown_hooks.stores.external"), late("gastown_hooks.rules.requests")
    ready = late("gastown_hooks.rules.ready")
    holding = late("gastown_hooks.rules.claims")

REQUESTS: Wanted = (("kind", True, ("merge-request",)), ("status", False, (states.TOMBSTONE,)))
OPEN_REQUESTS: Wanted = (("kind", True, ("merge-request",)), ("status", False, ("closed", states.TOMBSTONE)))
CONVOYS: Wanted = (("kind", True, ("convoy",)), ("status", False, (states.TOMBSTONE,)))
OPEN_CONVOYS: Wanted = (("kind", True, ("convoy",)), ("status", False, ("closed", states.TOMBSTONE)))
KEPT = ("merge-request", "convoy")  # while they are not settled
_ALL, _PATIENCE = 1 << 40, 0.1  # seconds
_HAVING = 10_000  # beads that may be told by their ids
_FEW, _READ = 100, 20  # to read the whole file takes as long as to look up one bead of so many
_SOME, _EACH = 500, 16  # a bead that is looked up takes up to so many times as long as one that is read with all others


class Records(graph.Linked):
    """The beads of a pair, each looked up when it is asked for, and by their references those of other projects. `family`: children."""

    def __init__(self, beads: Beads, pair: Pair, family: Mapping[str, list[str]]) -> None:
        self._beads, self._pair, self.family = beads, pair, family
        self._found: dict[str, Record | None] = {}
        self._asked = 0

    def __getitem__(self, bead_id: str) -> Record:
        found = self._found.get(bead_id)
        if found is not None:
            return found
        if bead_id not in self._found:
            self._asked += 1
            if self._asked % _SOME == 0 and self._asked * _EACH > self._pair.count():
                self._found = {**self._pair.records(), **self._found}  # to go on one by one would take longer
            if bead_id not in self._found:
                self._found[bead_id] = self._read(bead_id)
        found = self._found[bead_id]
        if found is None:
            raise KeyError(bead_id)
        return found

    def look_elsewhere(self, references: set[str]) -> Mapping[str, Record]:
        """These beads of other projects, as they are from now on here."""
        there = external.look(self._beads, references) if references else {}
        self._found |= there
        return there

    def _read(self, bead_id: str) -> Record | None:
        if fields.is_foreign(bead_id):
            return external.look(self._beads, [bead_id])[bead_id]
        line = self._pair.line(bead_id)
        return None if line is None else record.decode(line)

    def __iter__(self) -> Iterator[str]:
        self._found |= self._pair.records()  # who asks for the names will ask for the beads
        return iter([name for name, found in self._found.items() if found is not None and not fields.is_foreign(name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Asked(Mapping[str, "list[Any]"]):
    """A mapping of lists, each looked up when it is asked for; an empty one is not in it."""

    def __init__(self, ask: Callable[[str], list[Any]], names: Callable[[], Iterable[str]]) -> None:
        self._ask, self._names = ask, names

    def __getitem__(self, name: str) -> list[Any]:
        found = self._ask(name)
        if not found:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names() if self._ask(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Known(Records):
    """One ledger's beads, with what its index knows of them. `behind`: those that were written since, as they are."""

    def __init__(self, beads: Beads, pair: Pair, its: Index, behind: Mapping[str, Record] | None = None) -> None:
        def targets() -> set[str]:
            return {target for target, in its.edges("DISTINCT target")}

        super().__init__(beads, pair, Asked(its.children, targets))
        self.index, self.above, self.behind = its, Asked(its.dependents, targets), behind or {}
        if behind:
            self._now = Changed(Known(beads, pair, its), behind)
            self.family, self.above = self._now.family, self._now.above
            self._found |= behind

    def those(self, *wanted: Wanted) -> dict[str, Record]:
        """The beads of which all of one of these is true."""
        found = dict(row for one in wanted for row in self.index.lines(one)) | dict.fromkeys(self.behind)
        missing = [name for name, line in found.items() if line is None and name not in self._found]
        if len(missing) > _FEW:
            share = self._pair.count() // len(missing)
            if share < 3:
                self._found = {**self._pair.records(), **self._found}
            elif share < _READ:
                found |= self._pair.several(missing)
        self._found |= {name: record.decode(line) for name, line in found.items() if line is not None and name not in self._found}
        return {name: self[name] for name in sorted(found)}

    def edges_to(self, names: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
        return self._now.edges_to(names) if self.behind else self.index.edges_to(names)

    def statuses(self, names: Iterable[str]) -> dict[str, str]:
        found = self.index.statuses([name for name in names if name not in self._found])
        return found | super().statuses([name for name in names if name not in found])

    def named(self, head: str) -> list[str]:
        """The ids that begin so, those of deleted beads too."""
        return list({**self.index.named(head), **{name: "" for name in self.behind if name.startswith(head)}})

    def having(self, field: str) -> list[str] | None:
        """The ids of the beads that have this field, at least; None where they are many, or only all beads tell."""
        found = None if os.path.isdir(self._pair.beads.archive) else list(self._pair.naming([f'"{field}"']))
        return found if found is not None and len(found) < _HAVING else None

    def watchers(self, bead_id: str) -> list[str]:
        return [*self.index.watchers(bead_id), *self.behind]

    def kept(self) -> list[Record]:
        """Those of which `is_kept` is true."""
        found = (record.decode(line) for line in self.index.kept())
        return [*(bead for bead in found if bead["id"] not in self.behind), *self.behind.values()]

    def claims(self) -> list[Record]:
        """Of the beads that workers may hold: id, status, assignee and claim_fence."""
        found = (dict(zip(("id", "status", "assignee", "claim_fence"), row, strict=True)) for row in self.index.claims())
        return [*(bead for bead in found if bead["id"] not in self.behind), *self.behind.values()]


class Changed(graph.Linked):
    """Beads with some of them changed, or new, and not written yet."""

    def __init__(self, below: graph.Linked, changed: Mapping[str, Record]) -> None:
        self._below = below
        own = self._changed = dict[str, "Record"]()
        sources = self._sources = dict[str, dict[str, list[str]]]()  # target to dependents to kinds, of those that changed
        self.family = Asked(lambda name: sorted([*(one for one in below.family.get(name, ()) if one not in own), *(
            one for one, kinds in sources.get(name, {}).items() if graph.PARENT in kinds)]), lambda: {*below.family, *sources})

        def beside(name: str, there: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
            new = [(one, kind) for one, kinds in sources.get(name, {}).items() for kind in kinds]
            return sorted([*(one for one in there if one[0] not in own), *new], key=lambda one: one[0])

        self._beside = beside
        self.above = Asked(lambda name: beside(name, below.above.get(name, ())), lambda: {*below.above, *sources})
        for one in changed.values():
            self.put(one)

    def put(self, bead: Record) -> None:
        """One more, or one that changed again."""
        name = bead["id"]
        for edge in graph.edges(self._changed.get(name, {})):
            self._sources.get(edge.target, {}).pop(name, None)
        self._changed[name] = bead
        for edge in graph.edges(bead) if bead.get("status") != states.TOMBSTONE else ():
            self._sources.setdefault(edge.target, {}).setdefault(name, []).append(edge.kind)

    def watchers(self, bead_id: str) -> list[str]:
        return [*self._below.watchers(bead_id), *self._changed]

    def edges_to(self, names: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
        below = self._below.edges_to(names)
        return {name: self._beside(name, below[name]) for name in names}

    def statuses(self, names: Iterable[str]) -> dict[str, str]:
        below = self._below.statuses([name for name in names if name not in self._changed])
        return below | {name: record.status(self._changed[name]) for name in names if name in self._changed}

    def __getitem__(self, bead_id: str) -> Record:
        return self._changed[bead_id] if bead_id in self._changed else self._below[bead_id]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._below, *self._changed]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Together(graph.Linked):
    """Several ledgers' beads as one."""

    def __init__(self, parts: Sequence[Mapping[str, Record]]) -> None:
        self._parts = parts
        families = [graph.Family(part) for part in parts]
        found: list[Mapping[str, list[tuple[str, str]]]] = []

        def dependents() -> list[Mapping[str, list[tuple[str, str]]]]:
            if not found:
                found.extend(graph.dependents(part) for part in parts)
            return found

        self._dependents = dependents  # no method: whoever let go of this would wait for the collector
        self.family = Asked(lambda name: sorted(one for family in families for one in family.get(name, ())),
                            lambda: {name for family in families for name in family})
        self.above = Asked(lambda name: sorted(one for above in dependents() for one in above.get(name, ())),
                           lambda: {name for above in dependents() for name in above})

    def watchers(self, bead_id: str) -> list[str]:
        return [name for part in self._parts for name in (part.watchers(bead_id) if isinstance(part, graph.Linked) else [
            name for name, bead in part.items() if bead.get("dependencies") and bead_id in ready.watched(bead)])]

    def edges_to(self, names: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
        for part, above in zip(self._parts, self._dependents(), strict=True):
            some = part.edges_to(names) if isinstance(part, graph.Linked) else above
            for name in names:
                if some.get(name):
                    found[name] = sorted([*found[name], *some[name]])
        return found

    def statuses(self, names: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in self._parts:
            found |= graph.statuses(part, [name for name in names if name not in found])
        return found

    def __getitem__(self, bead_id: str) -> Record:
        for part in self._parts:
            found = part.get(bead_id)
            if found is not None:
                return found
        raise KeyError(bead_id)

    def __iter__(self) -> Iterator[str]:
        return (name for part in self._parts for name in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


def known(ledger: Ledger) -> Known | None:
    """The ledger's beads at this moment; None where its index cannot tell."""
    for _ in range(3):
        its = index.current(ledger)
        if its is None or its.odd:
            return None
        pair = ledger.look(lambda pair: pair)
        if its.seen == (jsons.dumps(list(pair.base)), pair.inode, len(pair.journal())):
            return Known(ledger.beads, pair, its)
    return None


def at(pair: Pair, most: int = _ALL) -> Known | None:
    """The beads of this very moment; None where the index cannot tell, or has not seen more than so many bytes of the journal. Who asks
    whatever it has seen (under the ledger's lock) waits a little while it is written: to read all beads takes longer."""
    its = index.opened(pair.beads, whole=False, patience=_PATIENCE if most == _ALL else 0.0)
    behind = None if its is None or its.odd else unseen.behind(pair, its, most)
    return None if its is None or behind is None else Known(pair.beads, pair, its, behind)


def is_kept(bead: Record) -> bool:
    """Whether the index holds the bead's whole line: everybody asks for it, again and again. A request's pull request may outlast it."""
    if record.kind(bead) not in KEPT or record.status(bead) == states.TOMBSTONE:
        return False
    return record.status(bead) != "closed" or _pull_is_open(bead.get("metadata"))


def _pull_is_open(metadata: Any) -> bool:
    pull = metadata.get("pull") if isinstance(metadata, dict) else None
    return isinstance(pull, dict) and pull.get("state") == "open"


def claims(ledger: Ledger) -> list[Record]:
    """At least the beads that workers hold; of each at least its id, status, assignee and claim_fence."""
    its = known(ledger)
    return list(ledger.all().values()) if its is None else its.claims()


def kept(ledger: Ledger) -> list[Record]:
    """At least the merge requests and convoys of which something is still to be done."""
    its = known(ledger)
    return list(ledger.all().values()) if its is None else its.kept()


def at_work(records: Mapping[str, Record]) -> Mapping[str, Record]:
    """Of one ledger's beads at least the claims, as `claims` has them, and the unsettled merge requests."""
    if not isinstance(records, Known):
        return records
    return {bead["id"]: bead for bead in records.claims()} | records.those(OPEN_REQUESTS)


def requests_of(records: Mapping[str, Record], bead_id: str) -> list[Record]:
    """Of one ledger's beads the merge requests about this one, settled or not."""
    names = {*records.index.requests(bead_id), *records.behind} if isinstance(records, Known) else records
    return [one for one in requests.among((records[name] for name in sorted(names)), closed=True) if requests.source(one) == bead_id]


def open_request(records: Mapping[str, Record], bead: Record) -> Record | None:
    """The bead's unsettled merge request of its present fence, among one ledger's beads."""
    return requests.open_claims(requests_of(records, bead["id"])).get((bead["id"], holding.fence(bead)))


def mine(ledger: Ledger, actor: str) -> list[Record]:
    """The beads that this identity has begun."""
    found = those(ledger, (("assignee", True, (actor,)), ("status", True, states.CLAIMED)))
    return [bead for bead in found.values() if bead.get("assignee") == actor and bead.get("status") in states.CLAIMED]


def last_fence(records: Mapping[str, Record]) -> int:
    """The highest fence among one ledger's beads."""
    seen, left = (records.index.last_fence(), records.behind) if isinstance(records, Known) else (0, records)
    return max([seen, *map(holding.fence, left.values())])


def near(ledger: Ledger) -> Known | None:
    """`known`, by an index that may lag a little behind."""
    its = ledger.look(lambda pair: at(pair, unseen.LITTLE))
    return known(ledger) if its is None else its  # whether it is true would be asked of all its beads


def beads(ledger: Ledger) -> Mapping[str, Record]:
    """The ledger's beads: each read when it is asked for, or, where the index cannot tell, all."""
    its = near(ledger)
    return ledger.all() if its is None else its


def those(ledger: Ledger, *wanted: Wanted) -> dict[str, Record]:
    """At least the beads of which all of one of these is true, by id; where the index cannot tell, all beads."""
    its = known(ledger)
    return dict(sorted(ledger.all().items())) if its is None else its.those(*wanted)
