"""Beads that say the same, and the one of them that should stay. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gastown_hooks.rules import graph, ready

Record = dict[str, Any]
_SAME = ("title", "description", "design", "acceptance_criteria")


def groups(records: Mapping[str, Record]) -> list[list[Record]]:
    """Open beads of one type with the same texts (spaces and capitals apart); in each group first the one to keep: the one that most
    others name, else the oldest."""
    found: dict[tuple[str, ...], list[Record]] = {}
    for record in records.values():
        if ready.status(record) not in ("closed", "tombstone") and ready.kind(record) not in ready.NOT_WORK:
            found.setdefault((ready.kind(record), *(_plain(record.get(key)) for key in _SAME)), []).append(record)
    above = graph.dependents(records)

    def worth(record: Record) -> tuple[int, Any]:
        return -len(above.get(record["id"], ())), ready.in_order(record)[1:]

    return sorted((sorted(group, key=worth) for group in found.values() if len(group) > 1), key=lambda group: group[0]["id"])


def _plain(text: object) -> str:
    return " ".join(str(text or "").lower().split())
