"""In what state an agent is, in one word, from facts alone."""

from __future__ import annotations

from gastown_hooks.rules.liveness import Worker

WORKING, STALLED, ZOMBIE, DONE, BY_HAND, WAITING, RESTING, UNKNOWN = (
    "working", "stalled", "zombie", "done", "by-hand", "waiting", "resting", "unknown")
# The order in which a person wants to hear of them.
URGENCY = (STALLED, ZOMBIE, UNKNOWN, WORKING, BY_HAND, WAITING, DONE, RESTING)


def of_worker(worker: Worker) -> str:
    """A polecat's state.

    done: submitted, its slot waits to be retired. zombie: nothing runs although it should, or a slot that nobody claims.
    stalled: its runner gave up and somebody is asked. by-hand: a person's session holds the tree, or the town starts nothing.
    """
    if worker.running:
        return STALLED if worker.stalled else WORKING
    if worker.claimed is None or (worker.home and worker.lease is None) or worker.alive is None:
        return UNKNOWN
    if worker.submitted or worker.lease == "done":
        return DONE
    if worker.alive:
        return BY_HAND
    if not worker.claimed:
        return ZOMBIE
    if worker.stalled:
        return STALLED
    if not worker.agents_start:
        return BY_HAND
    return WAITING if worker.lease != "ready" else ZOMBIE


def of_role(running: bool) -> str:
    """A role lives only while it has something to do."""
    return WORKING if running else RESTING
