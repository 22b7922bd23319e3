"""A conflict gets exactly one fresh worker: the sent-back bead is slung again, its note holds both sides.

The sling raises the bead's fence, so a conflict is answered once however often this runs. In a town by hand nobody is sent; a bead
that came back too often is a person's.
"""

from __future__ import annotations

from gastown_hooks.core.errors import GastownError
from gastown_hooks.rules import claims, requests
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import queue, sling
from gastown_hooks.work.desk import Desk

MOST = 5  # times that a bead's work came back, before a person is asked


def send_workers(desk: Desk) -> list[str]:
    """A worker for each conflict that has none yet; returns what was done, in words. What cannot be slung now is tried next round."""
    if config.mode(desk.rig.town) != "running":
        return []
    done = []
    for request in _unanswered(desk):
        if _sent_back(desk, request.source) >= MOST:
            desk.alarm(f"{desk.rig.name}: {request.source} keeps coming back",
                       f"It did not land {MOST} times, now for a conflict. Nobody is sent any more.\n"
                       f"Next: gt sling {request.source} {desk.rig.name}, or split the work.\n", key=f"rework-limit-{request.source}")
            continue
        try:
            (made,) = sling.sling(desk.rig.town, [request.source], desk.rig, caller=desk.caller, now=desk.now)
            done.append(f"{request.source}: {made.actor} resolves the conflict of {request.id}")
        except GastownError as error:
            done.append(f"{request.source}: no worker for its conflict yet: {error}")
    return done


def _unanswered(desk: Desk) -> list[Request]:
    """Conflicts whose bead is open, nobody's, and still at the fence of the request."""
    ledger = Ledger(desk.rig.beads)
    return [request for request in requests.usable(queue.requests(desk.rig))
            if request.state == requests.CONFLICT and (bead := ledger.get(request.source)) is not None
            and bead.get("status") == "open" and not bead.get("assignee") and claims.fence(bead) == request.fence]


def _sent_back(desk: Desk, source: str) -> int:
    """How often the bead's work came back."""
    return sum(request.tries for request in requests.usable(queue.of_bead(desk.rig, source)))
