"""Going on after a close: the next step of the same molecule, or the next ready bead of all, taken by whoever closed.

Closing comes first and alone; killed in between, the same command closes nothing twice and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gastown_hooks.rules import ready, steps
from gastown_hooks.work import take
from gastown_hooks.work.world import World

Record = dict[str, Any]


def to_next_step(where: World, known: Mapping[str, Record], closed: str, now: int, *, auto: bool, dry_run: bool) -> steps.Next:
    """What follows; with `auto` it is the caller's and in progress then. Somebody quicker only makes it the one after."""
    records = dict(known)
    while True:
        found = steps.following(records, closed, where.caller.actor, now)
        if found.step is None or not auto or ready.status(found.step) in ("in_progress", "hooked"):
            return found
        if dry_run:  # the ledger still has the closed step open
            return replace(found, step=take.taken(found.step, where.caller.actor, now))
        taken = take.first(where, [found.step], now, now)
        if taken is not None:
            return replace(found, step=taken)
        seen = where.of(found.step["id"]).get(found.step["id"]) or {**found.step, "status": "tombstone"}
        # still as we saw it, but not ready in the ledger by now: this round ends with it passed over
        records[seen["id"]] = seen if seen != found.step else {**seen, "status": "blocked"}


def to_next_ready(where: World, known: Mapping[str, Record], now: int, *, dry_run: bool) -> Record | None:
    """The most urgent ready bead that is nobody's, taken."""
    free = [record for record in ready.ready(known, now) if record.get("assignee") in (None, "", where.caller.actor)]
    if dry_run:
        return take.taken(free[0], where.caller.actor, now) if free else None
    return take.first(where, free, now, now)
