"""What the witness does about a worker, from facts alone; and when something that died may be started again."""

from __future__ import annotations

from gastown_hooks.core.values import dataclass

SECOND = 1_000_000_000
FIRST_BACKOFF, LONGEST_BACKOFF = 30 * SECOND, 600 * SECOND
LOOP_COUNT, LOOP_WINDOW = 5, 900 * SECOND
STABLE = 1800 * SECOND


@dataclass(frozen=True, slots=True)
class Worker:
    """What is known of one worker; None means that it cannot be told.

    `claimed`: the ledger gives a bead to it under its lease's fence. `lease`: preparing, ready, done, or "" where there is none.
    `running`: somebody holds the runner's lock. `alive`: the process of the last heartbeat lives. `hung`: its runner's beat is stale, and
    the kernel says that it did not run since.
    """

    claimed: bool | None
    submitted: bool
    home: bool
    lease: str | None
    running: bool
    alive: bool | None
    stalled: bool
    agents_start: bool  # the town is running, or somebody asked for this worker
    hung: bool = False


def verdict(worker: Worker) -> str:
    """One of nothing, prepare, restart, take over, retire, unknown.

    Only facts end something: a free runner lock and a dead process are two, and what cannot be told changes nothing.
    """
    if worker.claimed is None or (worker.home and worker.lease is None):
        return "unknown"
    if worker.running:
        return "take over" if worker.hung else "nothing"  # its runner retires it, or finds itself fenced at its next step
    if not worker.home:
        return "prepare" if worker.claimed and not worker.submitted else "nothing"
    if worker.alive is None:
        return "unknown"
    if worker.alive:
        return "nothing"  # a session by hand holds the tree
    if not worker.claimed or worker.submitted or worker.lease == "done":
        return "retire"
    if worker.lease != "ready":
        return "prepare"
    return "restart" if worker.agents_start and not worker.stalled else "nothing"


@dataclass(frozen=True, slots=True)
class Restart:
    """`at`: when it may be started again, on the clock of the given times; None: a crash loop, do not."""

    at: int | None


def restart(times: list[int], now: int) -> Restart:
    """At once the first time, then after 30 s, doubling up to 10 min; five in 15 min is a loop; 30 quiet minutes forget it all."""
    if not times or now - times[-1] >= STABLE:
        return Restart(now)
    if len([at for at in times if now - at < LOOP_WINDOW]) >= LOOP_COUNT:
        return Restart(None)
    return Restart(times[-1] + min(LONGEST_BACKOFF, FIRST_BACKOFF << (len(times) - 1)))


def retry(times: list[int], now: int) -> int:
    """When what failed at these times is tried again: like a restart, but at last every ten minutes for ever."""
    at = restart(times, now).at
    return times[-1] + LONGEST_BACKOFF if at is None else at


def stale_since(before: object, sign: list[int], now: int) -> int:
    """Since when a runner's signs are these, by the reader's own clock; `before` is what was written down then, `[since, *sign]`."""
    known = isinstance(before, list) and before[1:] == sign and isinstance(before[0], int) and before[0] <= now
    return before[0] if known and isinstance(before, list) else now


def kept(times: list[int], now: int) -> list[int]:
    """The restarts that still count."""
    return [] if not times or now - times[-1] >= STABLE else times[-16:]
