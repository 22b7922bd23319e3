"""What was learnt, kept with the beads: an event bead a key (its title), closed from the start, so that it is nobody's work and is
merged, synced and dated as beads are."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.core.record import arrange, touched
from gastown_hooks.rules import fields, ready, states
from gastown_hooks.stores import known
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.beadwrite import Draft, commit

Record = dict[str, Any]
KIND = "memory"
_WORDS = 6


def key_for(text: str) -> str:
    """A key from the first words of a text: `always-run-the-tests`."""
    words = "".join(char if char.isalnum() else " " for char in text.lower()).split()
    return "-".join(words[:_WORDS]) or KIND


def remember(ledger: Ledger, caller: Caller, now: int, key: str, text: str, *, dry_run: bool = False) -> Record:
    """Keep the text under the key, in the place of what was there."""
    key, text, at = fields.title(key), _text(text), clock.stamp(now)
    bead_id = ids.derived(f"{ledger.prefix}-mem", key)

    def fill(draft: Draft) -> None:
        there = draft.get(bead_id)
        if there is not None and ready.status(there) != states.TOMBSTONE:
            draft.put(touched(there, {"description": text}, caller.actor, now))
            return
        draft.put(arrange({
            "id": bead_id, "title": key, "description": text, "status": "closed", "priority": 4, "issue_type": "event", "event_kind": KIND,
            "created_at": at, "created_by": caller.actor, "updated_at": at, "updated_by": caller.actor, "closed_at": at}))

    return commit(ledger, fill, dry_run).changed[bead_id]


def every(ledger: Ledger, text: str = "") -> list[Record]:
    """All of them, by key, or those that hold a text."""
    events = known.those(ledger, (("kind", True, ("event",)), ("status", False, (states.TOMBSTONE,))))
    found = [record for record in events.values() if record.get("event_kind") == KIND and ready.status(record) != states.TOMBSTONE]
    wanted = text.lower()
    return sorted((record for record in found if wanted in f"{record['title']}\n{record.get('description', '')}".lower()),
                  key=lambda record: str(record["title"]))


def recall(ledger: Ledger, key: str) -> Record:
    """Raises NotFound with close keys."""
    record = ledger.get(ids.derived(f"{ledger.prefix}-mem", key))
    if record is None or ready.status(record) == states.TOMBSTONE:
        close = ids.close(key, [str(one["title"]) for one in every(ledger)])
        raise NotFound(f"nothing is remembered as {ids.shown(key)}", why=f"close: {', '.join(close)}" if close else "", next="bd memories")
    return record


def _text(text: str) -> str:
    if not text.strip():
        raise BadInput("there is nothing to remember", next="bd remember TEXT")
    return fields.text(text)
