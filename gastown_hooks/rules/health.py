"""What is wrong with a record that was read from a file: faults make it no bead, oddities are only told."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import merge3, states

Record = dict[str, Any]
_LONGEST_TITLE = 500


def faults(found: Record) -> list[str]:
    """Why no reader could use the record as a bead."""
    wrong = []
    try:
        ids.bead(found["id"])
    except BadInput:
        wrong.append("no usable id")
    if not found.get("title") and found.get("status") != states.TOMBSTONE:
        wrong.append("no title")
    return wrong


def oddities(found: Record) -> list[str]:
    """What does not fit together in a record that is a bead all the same."""
    status, odd = found.get("status") or "open", []
    if (status == "closed") != bool(found.get("closed_at")) and status != states.TOMBSTONE:
        odd.append("closed, but without closed_at" if status == "closed" else f"{ids.shown(status)}, but with closed_at")
    if (status == states.TOMBSTONE) != bool(found.get("deleted_at")):
        odd.append("deleted, but without deleted_at" if status == states.TOMBSTONE else "not deleted, but with deleted_at")
    if not 0 <= (found.get("priority") or 0) <= 4:
        odd.append(f"priority {found['priority']} is not between 0 and 4")
    if len(found.get("title") or "") > _LONGEST_TITLE:
        odd.append(f"its title is longer than {_LONGEST_TITLE}")
    odd += [f"{key} is no time" for key in ("created_at", "updated_at") if merge3.instant(found.get(key)) is None]
    return odd
