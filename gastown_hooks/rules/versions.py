"""What became of beads between two states of a ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Record = dict[str, Any]
_ALWAYS = ("updated_at", "updated_by")  # they change with every change


def changed_fields(before: Record, after: Record) -> dict[str, list[Any]]:
    """Field to [old, new]; None is an absent one."""
    return {key: [before.get(key), after.get(key)] for key in [*before, *(key for key in after if key not in before)]
            if before.get(key) != after.get(key) and key not in _ALWAYS}


def between(old: Mapping[str, Record], new: Mapping[str, Record]) -> dict[str, list[Record]]:
    """`added`, `deleted` and `changed` ({id,title,changes}) beads; a tombstone is a deleted one."""
    def there(records: Mapping[str, Record]) -> dict[str, Record]:
        return {bead_id: record for bead_id, record in records.items() if record.get("status") != "tombstone"}
    before, after = there(old), there(new)
    changed = [{"id": bead_id, "title": after[bead_id].get("title", ""), "changes": fields} for bead_id in sorted(set(before) & set(after))
               if (fields := changed_fields(before[bead_id], after[bead_id]))]
    return {"added": _of(after, set(after) - set(before)), "deleted": _of(before, set(before) - set(after)), "changed": changed}


def _of(records: Mapping[str, Record], names: Iterable[str]) -> list[Record]:
    return [records[name] for name in sorted(names)]
