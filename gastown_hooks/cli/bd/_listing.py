"""Lists of beads: what a listing covers, its order, its length, and its one way of printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from gastown_hooks.cli import fast_wanted
from gastown_hooks.cli.bd import _filters, _shared, _words
from gastown_hooks.cli.plain import cleaned, emit_json, remark, say
from gastown_hooks.core import clock
from gastown_hooks.rules import filters, graph, ready
from gastown_hooks.stores import known
from gastown_hooks.work.world import World

Record = dict[str, Any]


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
    """The beads of a listing, and all that were looked at; whether wisps are among them."""

    def __init__(self, where: World, known: Mapping[str, Record], records: list[Record], wisps: bool = False) -> None:
        self.where, self.known, self.records, self.wisps = where, known, records, wisps


def found(prefix: str | None, given: Mapping[str, Any], *also: filters.Test, wanted: fast_wanted.Wanted | None = None) -> Found:
    """The beads that `state_options`, `filter_options` and these further tests let through. `wanted`: as much of these as the index
    can tell; where it can, only the beads that are left are read."""
    now, where = clock.now(), _shared.world()
    ledgers = where.shown(prefix)
    wisps = _filters.wisps(where, ledgers, given)
    parts = [one for one in map(known.known, ledgers) if one is not None]
    if len(parts) == len(ledgers):
        wanted = [*(wanted or []), *_filters.narrow(where, given)]
        among = {name: record for part in parts for name, record in part.those(wanted).items()} | wisps
        every: Mapping[str, Record] = parts[0] if len(parts) == 1 and not wisps else known.Together([wisps, *parts])
    else:
        every = among = {**_shared.everything(ledgers), **wisps}
    fits = filters.every([_filters.in_scope(every, given), _filters.test(where, given, now), *also])
    return Found(where, every, [record for record in among.values() if fits(record)], bool(wisps))


def limited(records: list[Record], limit: int, quiet: bool = False) -> list[Record]:
    """The first `limit`; what is left out is told on standard error (a program asks with BD_JSON_ENVELOPE=1)."""
    if limit and len(records) > limit:
        if not quiet:
            remark(f"bd: {limit} of {len(records)} shown; -n 0 shows all")
        return records[:limit]
    return records


def show(beads: Found, *, sort: str, reverse: bool, limit: int, as_json: bool, long: bool = False, empty: str = "No issues found") -> None:
    """Print the beads, sorted and cut to the limit."""
    everyone = sorted(beads.records, key=SORTS[sort], reverse=reverse)
    shown = limited(everyone, limit, as_json)
    if as_json:
        emit_json(_words.counted(shown, beads.known), len(everyone))
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
