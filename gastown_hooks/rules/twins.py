"""Beads that say the same, and the one of them that should stay. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gastown_hooks.rules import graph, ready

Record = dict[str, Any]
_SAME = ("title", "description", "design", "acceptance_criteria")


def likely(names: Iterable[str], titles: Sequence[str]) -> list[str]:
    """Of beads' ids, by their titles in lower case, those that may be in a group."""
    text = " ".join(["", *titles, ""])
    if "  " in text or not text.isprintable():  # as all spaces are but the plain one
        titles = list(map(_plain, titles))
    counts = Counter(titles)
    return [name for name, title in zip(names, titles, strict=True) if counts[title] > 1]


def groups(records: Mapping[str, Record], among: Collection[str] | None = None) -> list[list[Record]]:
    """Open beads of one type with the same texts (spaces and capitals apart); in each group first the one to keep: the one that most
    others name, else the oldest. `among`: only these are looked at."""
    found: dict[tuple[str, ...], list[Record]] = {}
    for record in records.values() if among is None else map(records.__getitem__, dict.fromkeys(among)):
        if ready.status(record) not in ("closed", "tombstone") and ready.kind(record) not in ready.NOT_WORK:
            found.setdefault((ready.kind(record), *(_plain(record.get(key)) for key in _SAME)), []).append(record)
    above = graph.dependents(records)

    def worth(record: Record) -> tuple[int, Any]:
        return -len(above.get(record["id"], ())), ready.in_order(record)[1:]

    return sorted((sorted(group, key=worth) for group in found.values() if len(group) > 1), key=lambda group: group[0]["id"])


def _plain(text: object) -> str:
    return " ".join(str(text or "").lower().split())
