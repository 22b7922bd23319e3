"""Taking work: of several beads the first that is still free. Whoever asks at the same time gets another one."""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.core.record import touched
from gastown_hooks.rules import ready
from gastown_hooks.work.beadwrite import Around, Draft, each, existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.record import Record
    from gastown_hooks.work.world import World


def first(where: World, candidates: Iterable[Record], now: int, ready_at: int, *, dry_run: bool = False) -> Record | None:
    """The bead taken: asked again under its ledger's lock whether it is ready (at this time) and nobody's. None: all were gone."""
    for candidate in candidates:
        bead_id, won = candidate["id"], list[bool]()

        def one(draft: Draft, record: Record, won: list[bool] = won) -> Record:
            won[:] = [may_take(where, draft, record, ready_at)]
            return taken(record, where.caller.actor, now) if won[0] else record

        ledger = where.of(bead_id)
        if existing(ledger, bead_id).get("assignee") in (None, "", where.caller.actor):
            after = each(ledger, [bead_id], one, dry_run)[0]
            if won[0]:
                return after
    return None


def may_take(where: World, draft: Draft, record: Record, ready_at: int) -> bool:
    """Whether it is ready, and nobody's or the caller's own."""
    if record.get("assignee") not in (None, "", where.caller.actor):
        return False
    return ready.hindrance(Around(where, draft), record["id"], ready_at, wisps=True) is None


def taken(record: Record, actor: str, now: int) -> Record:
    changes = {"assignee": actor, "status": "in_progress", "started_at": record.get("started_at") or clock.stamp(now)}
    return touched(record, changes, actor, now)
