"""Which id each bead has after a merge of three versions. Pure and symmetric.

A bead is known by the id that it was made under, by when and by whom: a clone may have it under another id by now, given by a person
(`bd rename`) or by a merge that found two beads under one id. `metadata.renamed_from` says which ids it had, the first one first; of two
ids of one bead that with more behind it stays, of as many the one that sorts first. Two beads under one id, the earlier keeps it.
"""

from __future__ import annotations

import itertools

from gastown_hooks.core import ids
from gastown_hooks.rules import merge3, states
from gastown_hooks.rules.merge3 import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gastown_hooks.core.record import Record

    Identity = tuple[int, str, str]


class Moves:
    """What a merge does to ids: for each version old ones to new, base first; by new id the ids before; what was told apart."""

    __slots__ = ("_at_home", "_homes", "_kept", "_old", "_sides", "_taken", "chains", "conflicts", "ways")

    def __init__(self, old: Mapping[str, Record], one: Mapping[str, Record], other: Mapping[str, Record]) -> None:
        self._old, self._sides = old, (one, other)
        self._kept = {name for name, found in one.items() if name in other and _mark(found) == _mark(other[name])}
        self._homes = [_homes({name: found for name, found in side.items() if name not in self._kept or _mark(found) != _mark(one[name])})
                       for side in (old, one, other)]
        self._taken = {name: one[name] for name in self._kept if not states.renamed(one[name])}
        self._at_home: set[Identity] | None = None
        self.ways: tuple[dict[str, str], ...] = ({}, {}, {})
        self.chains: dict[str, list[str]] = {}
        self.conflicts: list[Conflict] = []
        mine, theirs = self._homes[1:]
        for identity in sorted(mine.keys() & theirs.keys()):
            self._both(identity, mine[identity], theirs[identity])
        alone = [(identity, side, home) for side in (1, 2) for identity, home in self._homes[side].items()
                 if identity not in self._homes[3 - side]]
        for _, level in itertools.groupby(sorted(alone, key=_depth), _depth):
            wanted = sorted((want != home, identity, side, home, want) for identity, side, home in level
                            for want in [self._behind_its_parent(identity, side, home)])
            for _, identity, side, home, want in wanted:
                self._one(identity, side, home, want)

    def _both(self, identity: Identity, mine: str, theirs: str) -> None:
        found = [self._sides[0][mine], self._sides[1][theirs]]
        _, want, chain = min((-len(states.former(one)), str(one["id"]), states.former(one)) for one in found)
        new = self._free(want, next(one for one in found if one["id"] == want))
        if new != want:
            chain = [*chain, want]
        if {mine, theirs} != {new} or states.former(found[0]) != states.former(found[1]):
            self._settle(identity, new, chain)

    def _one(self, identity: Identity, side: int, home: str, want: str) -> None:
        found = self._sides[side - 1][home]
        new = home if self._goes_on(side, home) else self._free(want, found)
        self._taken.setdefault(new, found)
        if new != home:
            self._settle(identity, new, [*states.former(found), home])

    def _goes_on(self, side: int, home: str) -> bool:
        """Whether it is the bead that was there before, though another program wrote its beginning anew."""
        before = self._old.get(home)
        if before is None or states.renamed(before) or _identity(before) in self._homes[side]:
            return False
        if self._at_home is None:
            self._at_home = {_identity(found) for name, found in self._sides[0].items() if name in self._kept}
        return _identity(before) not in self._at_home

    def _behind_its_parent(self, identity: Identity, side: int, home: str) -> str:
        head = home if identity not in self._homes[0] else ""
        while head := head.rpartition(".")[0]:
            if head in self.ways[side]:
                return self.ways[side][head] + home.removeprefix(head)
        return home

    def _free(self, want: str, found: Record) -> str:
        there = self._taken.get(want)
        if there is None or not _are_two(there, found):
            self._taken[want] = found
            return want
        new = _new_id({**found, "id": want}, {**self._old, **self._sides[0], **self._sides[1], **self._taken})
        self._taken[new] = found
        self.conflicts.append(Conflict(want, "(id)", "the earlier bead", f"the later one, now {new}"))
        return new

    def _settle(self, identity: Identity, new: str, chain: list[str]) -> None:
        self.chains[new] = chain
        for way, homes in zip(self.ways, self._homes, strict=True):
            if homes.get(identity, new) != new:
                way[homes[identity]] = new

    def gives_way(self, name: str, found: Record) -> bool:
        """Whether what only forwards from an id makes room: that bead is there again, or another one."""
        there = self._taken.get(name)
        return there is not None and (
            name in self.chains or states.renamed(found) in states.former(there) or made(there) != made(found))


def _mark(found: Record) -> tuple[object, ...]:
    """What tells two beads of one id from each other, and a bead from what stays of one."""
    return found.get("created_at"), found.get("created_by"), states.former(found), bool(states.renamed(found))


def _homes(records: Mapping[str, Record]) -> dict[Identity, str]:
    """Where each bead is. One that stands twice is known by its ids alone."""
    homes: dict[Identity, str] = {}
    twice = set()
    for name, found in records.items():
        if not states.renamed(found):
            identity = _identity(found)
            if homes.setdefault(identity, name) != name:
                twice.add(identity)
    return {identity: name for identity, name in homes.items() if identity not in twice}


def _identity(found: Record) -> Identity:
    return *_born(found), (states.former(found) or [found["id"]])[0]


def _born(found: Record) -> tuple[int, str]:
    return made(found), str(found.get("created_by"))


def made(found: Record) -> int:
    return merge3.instant(found.get("created_at")) or 0


def _are_two(one: Record, other: Record) -> bool:
    return one.get("title") != other.get("title") and _born(one) != _born(other)


def _depth(entry: tuple[Identity, int, str]) -> int:
    return states.depth(entry[2])


def _new_id(found: Record, taken: Mapping[str, Record]) -> str:
    bead_id = found["id"]
    if states.depth(bead_id):
        parent = bead_id.rpartition(".")[0]
        return f"{parent}.{states.child_number(taken, parent)}"
    prefix, _, tail = bead_id.rpartition("-")
    parts = [bead_id, *(str(found.get(key)) for key in ("created_at", "created_by", "title"))]
    while True:
        name = ids.derived(prefix, *parts, length=max(len(tail.partition(".")[0]), ids.MIN_LENGTH))
        if name not in taken:
            return name
        parts.append("again")
