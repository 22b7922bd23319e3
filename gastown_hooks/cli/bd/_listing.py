"""Lists of beads: what a listing covers, its order, its length, and its one way of printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from gastown_hooks.cli import fast_wanted
from gastown_hooks.cli.bd import _filters, _shared, _words
from gastown_hooks.cli.fast_rows import trusted
from gastown_hooks.cli.plain import cleaned, emit_json, remark, say
from gastown_hooks.core import clock
from gastown_hooks.rules import filters, graph, ready
from gastown_hooks.stores import known
from gastown_hooks.stores.index import Index
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.world import World

Record = dict[str, Any]
MAY_BEGIN = ("ready_from", "<=")


def _by_time(key: str) -> Callable[[Record], Any]:
    return lambda record: (filters.instant(record, key) or 0, record["id"])


SORTS: dict[str, Callable[[Record], Any]] = {
    "priority": ready.in_order, "created": _by_time("created_at"), "updated": _by_time("updated_at"), "closed": _by_time("closed_at"),
    "status": lambda record: (ready.status(record), *ready.in_order(record)),
    "id": lambda record: record["id"],
    "title": lambda record: (str(record.get("title", "")).lower(), record["id"]),
    "type": lambda record: (ready.kind(record), *ready.in_order(record)),
    "assignee": lambda record: (record.get("assignee") or "~", *ready.in_order(record)),
}


def order_options(default: str = "priority") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--sort, -r, --long."""
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in (click.option("--long", is_flag=True, help="Several lines a bead."), click.option("-r", "--reverse", is_flag=True),
                       click.option("--sort", type=click.Choice(list(SORTS)), default=default, show_default=True)):
            function = option(function)
        return function
    return add


class Found:
    """The beads of a listing, and all that were looked at; whether wisps are among them; how many there are, if not all are here; whether
    an index told what was wanted."""

    def __init__(self, where: World, known: Mapping[str, Record], records: list[Record], wisps: bool = False,
                 count: int | None = None, told: bool = False) -> None:
        self.where, self.known, self.records, self.wisps, self.told = where, known, records, wisps, told
        self.count = len(records) if count is None else count

    def only(self, test: filters.Test) -> Found:
        """Those of all that pass a further test."""
        return Found(self.where, self.known, [record for record in self.records if test(record)], self.wisps)


def found(prefix: str | None, given: Mapping[str, Any], *also: filters.Test, wanted: fast_wanted.Wanted | None = None,
          first: tuple[str, bool, int] | None = None, counted: bool = True) -> Found:
    """The beads that `state_options`, `test_options` and these further tests let through. `wanted`: as much of these as the index
    can tell; where it can, only the beads that are left are read. `first`: only so many in this order (one of SORTS, whether
    reversed) are asked for, and `wanted` is all that the further tests mean. `counted`: how many there are in all is asked too."""
    now, where = clock.now(), _shared.world()
    ledgers = where.shown(prefix)
    wisps = _filters.wisps(where, ledgers, given)
    parts = [one for one in map(known.known, ledgers) if one is not None]
    told, exact, towns = _filters.narrow(where, given)
    is_told = len(parts) == len(ledgers)
    field = _filters.needed(given, now) if is_told else None
    having = [part.having(field) for part in parts] if field else []
    held = [("id", True, [name for names in having for name in names or ()])] if having and None not in having else []
    told = [*(wanted or []), *told, *held]
    own = [record for part in parts for record in part.those([*(wanted or []), *towns, *held]).values()] if is_told and towns else []
    every: Mapping[str, Record] = (parts[0] if len(parts) == 1 and not wisps else known.Together([wisps, *parts])) if is_told else {
        **_shared.everything(ledgers), **wisps}
    fits = filters.every([_filters.in_scope(every, given), _filters.test(where, given, now), *also])
    own = list(filter(fits, own))
    if is_told and exact and first and first[2] and not wisps:
        page, count = _first(parts, told, counted, *first)
        page, count = page + own, count + len(own)
        if all(map(fits, page)):
            return Found(where, every, page, count=count, told=True)
    among = {name: record for part in parts for name, record in part.those(told).items()} | wisps if is_told else every
    return Found(where, every, [*filter(fits, among.values()), *own], bool(wisps), told=is_told)


def _first(parts: Sequence[known.Known], wanted: fast_wanted.Wanted, counted: bool, sort: str, reverse: bool,
           limit: int) -> tuple[list[Record], int]:
    """The beads among which the first ones are, and how many there are in all, at least these."""
    page, count = [], 0
    for part in parts:
        names = [row[2] for row in part.index.listed(limit, wanted, sort, reverse)]
        count += _count(part.index, wanted) if counted and len(names) == limit else len(names)
        page += [part[name] for name in names]
    return page, count


def _count(its: Index, wanted: fast_wanted.Wanted) -> int:
    if wanted and wanted[0][:2] == MAY_BEGIN:
        return its.count_ready(wanted[0][2][0], [one for one in wanted[1:] if one[0] != "scope"])  # all that may begin are of one
    return its.count_listed(wanted)


def may_begin(where: World, ledgers: Sequence[Ledger], now: int) -> fast_wanted.Wanted | None:
    """What the index takes for ready; None where it cannot tell: a bead may wait for one of another ledger, or for a wisp."""
    for one in ledgers:
        its = trusted(where, one, True)
        if its is None or (where.wisps(one) and its.unknown()):
            return None
    return [(*MAY_BEGIN, [now])]


def limited(records: list[Record], limit: int, quiet: bool = False, count: int | None = None) -> list[Record]:
    """The first `limit` of `count` (default: of these); what is left out is told on standard error (a program asks with
    BD_JSON_ENVELOPE=1)."""
    count = len(records) if count is None else count
    if limit and count > limit:
        if not quiet:
            remark(f"bd: {limit} of {count} shown; -n 0 shows all")
        return records[:limit]
    return records


def show(beads: Found, *, sort: str, reverse: bool, limit: int, as_json: bool, long: bool = False, empty: str = "No issues found") -> None:
    """Print the beads, sorted and cut to the limit."""
    shown = limited(sorted(beads.records, key=SORTS[sort], reverse=reverse), limit, as_json, beads.count)
    if as_json:
        emit_json(_words.counted(shown, beads.known), beads.count)
        return
    for record in shown:
        say(_words.line(record))
        if long:
            _say_more(record)
    if not shown:
        say(empty)


def say_tree(records: Sequence[Record]) -> None:
    """The beads as a tree by parent: a bead whose parent is not among them stands at the margin."""
    there = {record["id"]: record for record in records}
    below: dict[str, list[Record]] = {}
    for record in records:
        above = next((parent for parent in graph.parents(record) if parent in there), "")
        below.setdefault(above, []).append(record)
    pending: list[tuple[Record, str, str]] = [(record, "", "") for record in reversed(below.get("", []))]
    seen = set[str]()
    while pending:
        record, margin, branch = pending.pop()
        seen.add(record["id"])
        say(margin + branch + _short(record))
        inside = margin + {"": "", "├── ": "│   ", "└── ": "    "}[branch]
        near = [child for child in below.get(record["id"], []) if child["id"] not in seen]
        pending += [(child, inside, "└── " if child is near[-1] else "├── ") for child in reversed(near)]
    for record in records:
        if record["id"] not in seen:  # parents in a circle
            say(_short(record))


def _short(record: Record) -> str:
    """`○ gp-abc12 ● P2 [epic] Title`, as in trees."""
    icon = _words.ICONS.get(ready.status(record), "?")
    return cleaned(f"{icon} {record['id']} ● P{ready.priority(record)} [{ready.kind(record)}] {record.get('title', '')}")


def _say_more(record: Record) -> None:
    first = str(record.get("description") or "").split("\n")[0]
    if first:
        say(f"    {cleaned(first[:100])}")
    say(f"    Created: {record.get('created_at', '')}  Updated: {record.get('updated_at', '')}")
