"""What agent programs did besides changing beads: `local/interactions.jsonl`, a line each, {id,kind,created_at,actor,…} as KEYS says.

Nothing is ever changed there: a label on an entry is an entry of its own, which names it as its `parent_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gastown_hooks.core import clock, fsio, ids, jsons, lock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.paths import Beads

Entry = dict[str, Any]
KINDS = ("llm_call", "tool_call", "label")
KEYS: dict[str, type] = {"id": str, "kind": str, "created_at": str, "actor": str, "issue_id": str, "model": str, "prompt": str,
                         "response": str, "error": str, "tool_name": str, "exit_code": int, "parent_id": str, "label": str, "reason": str,
                         "extra": object}


def add(beads: Beads, entry: Entry, actor: str, now: int) -> Entry:
    """Keep an entry, under a new id. Raises StorageFailed, LockTimeout."""
    whole = {"id": ids.mint("int", 1 << 20, lambda _: False), "created_at": clock.stamp(now), "actor": actor, **entry}
    made = {key: whole[key] for key in KEYS if whole.get(key) is not None}
    with lock.acquire(beads.events_lock):
        fsio.append(beads.interactions, jsons.dumps_ascii(made).encode() + b"\n")
    return made


def backwards(beads: Beads) -> Iterator[Entry]:
    """The entries, the newest first. Raises Corrupt for a line that is none."""
    lines = fsio.whole_lines(fsio.read(beads.interactions) or b"")
    for number in range(len(lines), 0, -1):
        try:
            found = jsons.loads(lines[number - 1].decode())
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("id", "kind", "created_at", "actor")):
            raise Corrupt(f"{beads.interactions} line {number}", why="it is no interaction", next="mend or remove that line")
        yield found


def event(entry: Entry) -> dict[str, Any]:
    """The entry as an event {ts,type,actor,payload}."""
    rest = {key: value for key, value in entry.items() if key not in ("kind", "created_at", "actor", "issue_id")}
    about = {"bead": entry["issue_id"]} if entry.get("issue_id") else {}
    return {"ts": entry["created_at"], "type": entry["kind"], "actor": entry["actor"], "payload": {**about, **rest}}
