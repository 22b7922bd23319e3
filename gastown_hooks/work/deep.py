"""What only a look at all beads together tells of a ledger, and how long such looks take: `bd doctor --deep` and `--perf`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.rules import fields, graph, ready, states
from gastown_hooks.stores import archive, columns, index, indexing, known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import loose as mending
from gastown_hooks.work.doctor import Finding
from gastown_hooks.work.world import World

Record = dict[str, Any]
CHECKS = ("graph", "index")


def examine(where: World, ledger: Ledger, now: int, only: tuple[str, ...] = CHECKS) -> list[Finding]:
    """Every finding of these checks; nothing is changed."""
    own = {**ledger.all(), **where.wisps_of(ledger)}
    known = where.around(own)
    return [*(_graph(where, own, known, now) if "graph" in only else ()), *(_index(where, ledger, known, now) if "index" in only else ())]


def circles(where: World) -> tuple[Mapping[str, Record], list[list[str]]]:
    """The beads that a listing covers, and those around them; the circles among them."""
    its = alone(where)
    if its is None:
        around = where.around(_own(where))
        return around, graph.cycles(around)
    whole = its[0] if len(its) == 1 else known.Together(its)
    ends = [list(chain(*parts)) for kinds in (sorted(graph.BLOCKING - {graph.PARENT}), [graph.PARENT])
            for parts in zip(*(columns.ends(one.index, kinds) for one in its), strict=True)]
    return whole, graph.cycles({name: whole[name] for name in graph.entangled(*ends) if name in whole})


def missing(where: World) -> list[tuple[str, str]]:
    """`loose` of the beads that a listing covers."""
    its = alone(where)
    if its is None:
        own = _own(where)
        return loose(own, where.around(own))
    nowhere = "target IN (SELECT DISTINCT target FROM edge WHERE target NOT IN (SELECT id FROM bead)) ORDER BY source, place"
    lost = [row for one in its for row in one.index.edges("source, target", nowhere)]
    return [(name, target) for name, target in lost if not any(target in one for one in its)]


def alone(where: World) -> list[known.Known] | None:
    """What the indexes know of the beads that a listing covers; None where one cannot tell, or more than those must be looked at."""
    ledgers = where.shown()
    its = [one for ledger in ledgers if (one := known.known(ledger)) is not None]
    return None if len(its) < len(ledgers) or _leads_away(where, ledgers, its) else its


def _own(where: World) -> dict[str, Record]:
    """Ledger by ledger, each in order of ids."""
    return {name: record for ledger in where.shown() for name, record in sorted(ledger.all().items())}


def _leads_away(where: World, ledgers: Sequence[Ledger], its: Sequence[known.Known]) -> bool:
    """Whether what is around these ledgers' beads may be more than they, by their edges or because there are wisps."""
    roots = {ledger.beads.root for ledger in ledgers}
    others = {prefix: beads for prefix, beads in (where.routes.prefixes() if where.routes else {}).items() if beads.root not in roots}
    heads = (*(f"{prefix}-" for prefix in others), *fields.FOREIGN)
    town = where.caller.town
    return (any(where.wisps(ledger) for ledger in ledgers) or leads_to(its, heads)
            or (bool(others) and town is not None and town.beads.root in roots))


def leads_to(its: Sequence[known.Known], heads: Iterable[str]) -> bool:
    """Whether any of these beads depends on one whose id begins so."""
    return any(one.index.edges("1", "target >= ? AND target < ? LIMIT 1", (head, f"{head}\U0010ffff")) for one in its for head in heads)


def loose(own: Mapping[str, Record], known: Mapping[str, Record]) -> list[tuple[str, str]]:
    """(bead, target) of each dependency on a bead that is not there."""
    return [(name, edge.target) for name, record in own.items() if ready.status(record) != states.TOMBSTONE
            for edge in graph.edges(record) if edge.target not in known and not fields.is_foreign(edge.target)]


def _graph(where: World, own: Mapping[str, Record], known: Mapping[str, Record], now: int) -> Iterator[Finding]:
    for circle in graph.cycles(known):
        if not own.keys().isdisjoint(circle):
            yield Finding("graph", f"a cycle: {' -> '.join([*circle, circle[0]])}")
    for name, target in loose(own, known):
        fix = partial(mending.mend, where, name, now) if mending.may_mend(where, target) else None
        yield Finding("graph", f"{name} depends on {target}, which is not there", fix=fix)
    for name, record in own.items():
        if ready.status(record) == states.TOMBSTONE:
            continue
        for edge in graph.edges(record):
            if now_called := states.renamed(known.get(edge.target) or {}):
                text = f"{name} depends on {edge.target}, which is {now_called} now"
                yield Finding("graph", text, fix=partial(mending.mend, where, name, now))
        above = graph.parents(record)
        if len(above) > 1:
            yield Finding("graph", f"{name} has {len(above)} parents: {', '.join(above)}")
        closed = [parent for parent in above if ready.status(known.get(parent, {})) == "closed" != ready.status(record)]
        if closed:
            yield Finding("graph", f"{name} is {ready.status(record)} below {closed[0]}, which is closed", remark=True)
        head, dot, number = name.rpartition(".")
        if dot and number.isdecimal() and head not in known:
            yield Finding("graph", f"{name}: there is no {head}", remark=True)


def _index(where: World, ledger: Ledger, known: Mapping[str, Record], now: int) -> Iterator[Finding]:
    """Whether the index says what the ledger does."""
    its = index.current(ledger)
    if its is None or its.odd:
        return
    said = its.named("")
    wrong = sorted(name for name, record in ledger.all().items() if said.pop(name, None) != ready.status(record)) + sorted(said)
    if not wrong and not its.unknown() and where.wisps(ledger) is None:
        may = {record["id"] for record in ready.ready(known, now)} & ledger.all().keys()
        wrong = sorted(may ^ {row[2] for row in its.ready(now, 0)})
    if wrong:
        yield Finding("index", f"it says otherwise of {len(wrong)} beads, such as {wrong[0]}", fix=partial(indexing.discard, ledger.beads))


def measured(ledger: Ledger, now: int) -> dict[str, Any]:
    """How large the ledger is, and the seconds that looks at it take."""
    beads, seconds = ledger.beads, dict[str, float]()

    def taking(name: str, look: Callable[[], Any]) -> Any:
        start = clock.awake()
        found = look()
        seconds[name] = round((clock.awake() - start) / clock.SECOND, 4)
        return found

    records = taking("read all", ledger.all)
    its = taking("bring the index up to date", lambda: index.current(ledger))
    taking("ready, without the index", lambda: ready.ready(records, now))
    if its is not None:
        taking("ready, from the index", lambda: its.ready(now, 0))
    sizes = {"issues": beads.issues, "journal": beads.journal, "index": beads.index,
             **{f"archive {year}": beads.archived(year) for year in archive.years(beads)}}
    return {"beads": len(records), "indexed": its is not None,
            "bytes": {name: os.path.getsize(path) for name, path in sizes.items() if os.path.exists(path)}, "seconds": seconds}
