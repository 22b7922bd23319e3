"""Beads under other ids, and all that names them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Record = dict[str, Any]
_WORD = re.compile(r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?")
_TEXTS = ("title", "description", "design", "acceptance_criteria", "notes", "close_reason")


def renamed(record: Record, names: Mapping[str, str]) -> Record:
    """The record with each old id in it, as its own, in edges, comments and texts, replaced; the very same one where none is."""
    found = {**record, "id": names.get(record["id"], record["id"])}
    for key in _TEXTS:
        if isinstance(record.get(key), str):
            found[key] = _WORD.sub(lambda match: names.get(match[0], match[0]), record[key])
    for key, fields in (("dependencies", ("issue_id", "depends_on_id")), ("comments", ("issue_id",))):
        if isinstance(record.get(key), list):
            found[key] = [_with(part, fields, names) for part in record[key]]
    return record if found == record else found


def _with(part: Any, fields: tuple[str, ...], names: Mapping[str, str]) -> Any:
    if not isinstance(part, dict):
        return part
    return {key: names.get(value, value) if key in fields and isinstance(value, str) else value for key, value in part.items()}
