"""The jobs (`rules/track`) of ledgers, with what their rigs' turns cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gastown_hooks.core.paths import Town
from gastown_hooks.rules import track
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import costs

if TYPE_CHECKING:
    from gastown_hooks.stores.index import Wanted

Record = dict[str, Any]


def jobs(ledgers: Iterable[Ledger], town: Town | None, actor: str = "") -> list[track.Job]:
    """Every job of these ledgers; with a whole `actor` at least that one's."""
    ended: Wanted = (*known.REQUESTS, ("status", False, ("open",)))
    closed: Wanted = (("doer", ">", ("",)), *((("doer", True, (actor,)),) if actor and "*" not in actor else ()))
    rigs = {rig.beads.root: rig for rig in town.rigs()} if town else {}
    found: dict[str, Record] = {}
    spent: list[Record] = []
    for ledger in ledgers:
        records = known.those(ledger, ended, closed)
        sources = {request.source for _, request in track.ended(records.values())}
        found |= {**records, **ledger.some(sources - set(records))}
        if ledger.beads.root in rigs:
            spent += costs.read(rigs[ledger.beads.root])
    return track.jobs(found, spent)
