"""An agent's hook: the bead it must work on (GUPP: what is on your hook, you run)."""

from __future__ import annotations

from gastown_hooks.core import errors
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import states
from gastown_hooks.stores import index, unseen
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.routes import Routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core import record
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import events
    from gastown_hooks.stores.ledger import Ledger, View
    from gastown_hooks.work import beadwrite
else:
    record, events = late("gastown_hooks.core.record"), late("gastown_hooks.stores.events")
    beadwrite = late("gastown_hooks.work.beadwrite")


def hooked(caller: Caller) -> list[Record]:
    """The beads on the caller's hook, those begun first, then by priority. A failed look-up raises: it is never "no work"."""
    routes = Routes(caller.in_town())
    found = [bead for beads in _ledgers(routes, caller) for bead in _candidates(routes.open(beads, caller), caller.actor)
             if bead.get("assignee") == caller.actor and bead.get("status") in states.CLAIMED]
    return sorted(found, key=lambda bead: (bead["status"] != "in_progress", bead.get("priority", 2), bead["id"]))


def _candidates(ledger: Ledger, actor: str) -> list[Record]:
    """The beads that may be on this hook: the index's word where there is one, else all."""
    found = unseen.lagging(ledger)
    since = None if found is None else {} if found.whole else unseen.names(ledger, found)
    if since is None:
        found, since = None, {}  # lets go of it: it is going to be written
        found = index.current(ledger)
    if found is None:
        return list(ledger.all().values())
    names = {*found.held_by(actor), *since}
    return list(ledger.some(names).values()) if names else []


def attach(caller: Caller, bead_id: str, now: int) -> Record:
    """Put an open bead on the caller's own hook (people and named agents; polecats get theirs by sling)."""
    if caller.role == "polecat":
        raise errors.Refused("a polecat's hook is filled by sling", why="it has one bead, its own", next="gt hook")
    ledger = Routes(caller.in_town()).ledger(bead_id, caller)

    def change(view: View) -> list[Record]:
        bead = beadwrite.existing(view, bead_id)
        if bead.get("status") in states.CLAIMED and bead.get("assignee") == caller.actor:
            return []
        if bead.get("status", "open") != "open":
            raise errors.Conflict(f"{bead_id} is {bead.get('status')}", why=f"with {bead.get('assignee') or 'nobody'}",
                                  next=f"bd show {bead_id}")
        return [record.touched(bead, {"status": "hooked", "assignee": caller.actor}, caller.actor, now)]

    written = ledger.transact(change)
    for bead in written:
        events.emit(caller.town, "hook", caller.actor, {"bead": bead["id"]}, now)
    return written[0] if written else ledger.get(bead_id) or {}


def _ledgers(routes: Routes, caller: Caller) -> list[Beads]:
    """A worker's bead is in its rig's ledger; anybody else's may be in any."""
    if caller.bead:
        return [routes.beads_of(caller.bead)]
    return list({beads.root: beads for beads in routes.prefixes().values()}.values())
