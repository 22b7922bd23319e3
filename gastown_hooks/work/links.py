"""Several dependencies at once, and what goes with them: one bead put in another's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from gastown_hooks.core import ids
from gastown_hooks.core.errors import NotFound
from gastown_hooks.core.record import touched
from gastown_hooks.rules import convoys, graph, ready, states
from gastown_hooks.rules import twins as rules
from gastown_hooks.stores import columns, index
from gastown_hooks.stores.known import Together, known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, convoy, verbs
from gastown_hooks.work.beadwrite import Draft, check_edge, commit, edge, existing
from gastown_hooks.work.world import World

if TYPE_CHECKING:
    from gastown_hooks.stores.index import Wanted

Record = dict[str, Any]
Edge = tuple[str, str, str]  # who depends, on what, how
Loose = tuple[str, str, str | None]  # the same, of any kind
_T = TypeVar("_T", bound="tuple[Any, ...]")
_WORK: Wanted = (("", "or", ((("scope", True, (index.SHOWN,)),), (  # nearly all that is not closed, and quicker to tell
    ("scope", True, (index.TOWN,)), ("status", False, ("closed", states.TOMBSTONE)), ("kind", False, sorted(ready.NOT_WORK))))),)


def twins(where: World, prefix: str | None = None) -> list[list[Record]]:
    """The open beads that say the same (rules/twins), of what a listing covers; where indexes can tell, only those with a title in common
    are read."""
    ledgers = where.shown(prefix)
    its = [one for ledger in ledgers if (one := known(ledger)) is not None]
    if len(its) < len(ledgers):
        return rules.groups({name: record for ledger in ledgers for name, record in ledger.all().items()})
    names, titles = (list(chain(*parts)) for parts in zip(*(columns.titles(one.index, _WORK) for one in its), strict=True))
    return rules.groups(its[0] if len(its) == 1 else Together(its), rules.likely(names, titles))


def add(where: World, edges: Sequence[Edge], now: int, *, dry_run: bool = False) -> None:
    """All or none, each checked with those before it. A closed convoy that tracks more is open again."""
    def fill(draft: Draft, group: Sequence[Edge]) -> None:
        def each(circles: bool) -> None:
            for one in group:
                link(where, draft, one, now, circles=circles)
        without_circles(where, draft, group, each)
    _all(where, edges, fill, dry_run)


def remove(where: World, edges: Sequence[Loose], now: int, *, dry_run: bool = False) -> None:
    """All or none. Raises NotFound for one that is not there."""
    def fill(draft: Draft, group: Sequence[Loose]) -> None:
        for one in group:
            unlink(where, draft, one, now)
    _all(where, edges, fill, dry_run)


def link(where: World, draft: Draft, wanted: Edge, now: int, *, circles: bool = True) -> None:
    """A dependency into a draft; the same one twice is one. Raises Refused for a cycle (see `without_circles`)."""
    child, target, kind = wanted
    record = existing(draft, child)
    if any((found.kind, found.target) == (kind, target) for found in graph.edges(record)):
        return
    check_edge(Together([draft.linked(), where.beyond(where.of(child))]), child, kind, target, circles=circles)
    found = [*(record.get("dependencies") or []), edge(child, kind, target, where.caller, now)]
    again = convoy.reopening(record) if kind == convoys.TRACKS else {}
    draft.put(touched(record, {"dependencies": found, **again}, where.caller.actor, now))


def without_circles(where: World, draft: Draft, edges: Sequence[Edge], fill: Callable[[bool], None]) -> None:
    """Fill a draft by `fill(circles)`, which adds these edges and takes none away: many are looked at for circles once, when all are there,
    and one by one only if there is any, to tell which edge closes it."""
    fill(len(edges) == 1)
    if len(edges) > 1 and graph.circle_of(Together([draft.linked(), where.beyond(where.of(edges[0][0]))]), edges):
        draft.clear()
        fill(True)


def unlink(where: World, draft: Draft, wanted: Loose, now: int) -> None:
    """The dependencies from one bead to another (of one kind, else all) out of a draft. Raises NotFound when there is none."""
    child, target, kind = wanted
    record = existing(draft, child)
    gone = [found.raw for found in graph.edges(record) if found.target == target and kind in (None, found.kind)]
    if not gone:
        what = f"{kind} dependency" if kind else "dependency"
        raise NotFound(f"{child} has no {what} on {ids.shown(target)}", next=f"bd dep tree {child}")
    left = [raw for raw in record["dependencies"] if raw not in gone]
    draft.put(touched(record, {"dependencies": left or None}, where.caller.actor, now))


def replace(where: World, pairs: Sequence[tuple[str, str]], kind: str, now: int, *, dry_run: bool = False) -> list[Record]:
    """Close beads because others stand for them (`kind`: duplicates or supersedes), each with the edge that says so."""
    words = "Duplicate of" if kind == "duplicates" else "Superseded by"
    after: dict[str, Record] = {}

    def whole(ledger: Ledger, group: list[tuple[str, str]], dry: bool) -> None:
        def fill(draft: Draft, landed: Mapping[str, verbs.Proof]) -> None:
            for old, new in group:
                link(where, draft, (old, new, kind), now)
                draft.put(verbs.closing(where, now, f"{words} {new}", landed=landed)(draft, existing(draft, old)))
        where.beyond(ledger)  # before the lock is taken
        after.update(beads.transact(ledger, where.caller, now, [old for old, _ in group], fill, dry_run=dry, linked=True).changed)

    _each_ledger(where, pairs, whole, dry_run)
    return [after[old] for old, _ in pairs]


def _all(where: World, edges: Sequence[_T], fill: Callable[[Draft, list[_T]], None], dry_run: bool) -> None:
    def whole(ledger: Ledger, group: list[_T], dry: bool) -> None:
        where.beyond(ledger)  # before the lock is taken
        commit(ledger, lambda draft: fill(draft, group), dry, linked=True)
    _each_ledger(where, edges, whole, dry_run)


def _each_ledger(where: World, wanted: Sequence[_T], whole: Callable[[Ledger, list[_T], bool], object], dry_run: bool) -> None:
    """One transaction a ledger, found by the first word of each; with several ledgers all are tried before any is written."""
    groups: dict[str, list[_T]] = {}
    for one in wanted:
        groups.setdefault(where.of(one[0]).beads.root, []).append(one)
    for dry in ([True] if dry_run else [True, False] if len(groups) > 1 else [False]):
        for group in groups.values():
            whole(where.of(group[0][0]), group, dry)
