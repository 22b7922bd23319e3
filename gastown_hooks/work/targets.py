"""Targets that nothing lands on: `refinery/state.json`, {"closed": {target: {tip, kind, why, gates, since, judged}}}.

Absent: none is closed. The refinery closes and opens them, and a person who accepts a rewritten history.
"""

from __future__ import annotations

from gastown_hooks.core import fsio, lock
from gastown_hooks.core.errors import Corrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gastown_hooks.core.paths import Rig


def closed(rig: Rig) -> dict[str, dict[str, Any]]:
    """Target to the record of why it is closed. Raises Corrupt."""
    found = fsio.read_json(rig.refinery.state)
    if found is None:
        return {}
    entries = found.get("closed", {}) if isinstance(found, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise Corrupt(rig.refinery.state, why="not what the refinery writes", next="remove it: the refinery looks again")
    return entries


def close(rig: Rig, target: str, entry: dict[str, Any] | None) -> None:
    """Close the target, or open it again with None; others stay as they are, whoever changes them meanwhile."""
    fsio.make_folder(rig.refinery.root)
    with lock.acquire(rig.lock("targets")):
        entries = {name: value for name, value in {**closed(rig), target: entry}.items() if value is not None}
        fsio.write_json(rig.refinery.state, {"closed": entries})
