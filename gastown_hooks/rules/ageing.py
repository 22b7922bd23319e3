"""Which closed beads are so old that they need not be in everybody's way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.rules import filters, graph, ready, states

Record = dict[str, Any]
DAY = 86400 * clock.SECOND
TEXTS = ("description", "design", "acceptance_criteria", "notes")
SHORT = 200  # characters that a compacted bead keeps of its description
MARKS = ("compaction_level", "compacted_at", "compacted_at_commit", "original_size")


def ripe(records: Mapping[str, Record], now: int, days: int) -> list[Record]:
    """The beads that closed at least so many days ago, that nobody changed since then, and to which no bead leads that is not over."""
    needed = {edge.target for record in records.values() if ready.status(record) not in ("closed", states.TOMBSTONE)
              for edge in graph.edges(record)}
    return [record for bead_id, record in sorted(records.items()) if bead_id not in needed and _is_old(record, now - days * DAY)]


def _is_old(record: Record, before: int) -> bool:
    if ready.kind(record) == "event":
        return False  # what people remember (bd remember) is kept as such
    if ready.status(record) != "closed" or record.get("pinned") or record.get("is_template") or ready.is_wisp(record):
        return False
    changed = None if record.get("updated_at") == record.get("compacted_at") else "updated_at"
    times = [filters.instant(record, key) for key in ("closed_at", changed) if key and record.get(key)]
    return bool(times) and all(at is not None and at <= before for at in times)


def year(record: Record) -> str:
    """The year in which it closed."""
    at = filters.instant(record, "closed_at") or filters.instant(record, "updated_at") or 0
    return clock.stamp(at)[:4]


def compacted(record: Record, commit: str, now: int) -> Record | None:
    """The changes that shorten a bead whose line as it is stands in a commit; None where there is nothing to gain."""
    size = sum(len(str(record.get(key) or "").encode()) for key in TEXTS)
    first = str(record.get("description") or "").strip().split("\n\n")[0]
    kept = first if len(first) <= SHORT else first[:SHORT].rstrip() + "…"
    if record.get("compaction_level") or size <= 2 * len(kept.encode()):
        return None
    return {**dict.fromkeys(TEXTS), "description": kept or None, "compaction_level": 1, "compacted_at": clock.stamp(now),
            "compacted_at_commit": commit, "original_size": size}


def unfolded(record: Record, original: Record) -> Record:
    """The changes that give a compacted bead its texts back; one that somebody wrote since stays."""
    short = str(original.get("description") or "")
    texts = {key: original.get(key) for key in TEXTS if not record.get(key)}
    head = str(record.get("description") or "").removesuffix("…")
    if "description" not in texts and short.strip().startswith(head):
        texts["description"] = original.get("description")
    return {**texts, **dict.fromkeys(MARKS)}
