"""What is known of a rig's workers, for the witness and for people; and what the witness does about one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from gastown_hooks.core import clock, errors, fsio, ids, lock
from gastown_hooks.core.errors import GastownError, Refused
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.rules import claims, liveness, requests
from gastown_hooks.rules.liveness import Worker
from gastown_hooks.stores import beats, config, events, processes
from gastown_hooks.stores.config import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease as leases
from gastown_hooks.work import retire, turns, wake
from gastown_hooks.work.lease import Lease
from gastown_hooks.work.salvage import Salvage

Records = dict[str, dict[str, Any]]


def slots(rig: Rig) -> list[str]:
    """The workers that have a folder, by name."""
    try:
        found = sorted(os.listdir(rig.polecats))
    except FileNotFoundError:
        return []
    return [name for name in found if not name.startswith(".") and os.path.isdir(f"{rig.polecats}/{name}")]


def look(rig: Rig, name: str, records: Records) -> tuple[Worker, Lease | None]:
    """The facts of one worker now."""
    home = rig.polecat(name)
    lease, state = _lease(home)
    running = os.path.isdir(home.root) and not wake.runner_is_free(home)
    bead = records.get(lease.bead) if lease is not None else claims.unsubmitted(rig.name, records).get(name)
    claimed: bool | None = bead is not None
    if lease is not None:
        claimed = turns.claimed(bead, lease)
    request = requests.open_request(records, bead) if bead is not None else None
    return Worker(
        claimed=claimed, submitted=request is not None and request.get("status") == "open", home=os.path.isdir(home.root), lease=state,
        running=running, alive=None if running else is_at_work(rig, home), stalled=_stalled(home, lease),
        agents_start=config.mode(rig.town) == "running"), lease


def is_at_work(rig: Rig, home: Home) -> bool | None:
    """The second fact: whether the process of the last heartbeat, or anything that a runner started, lives."""
    try:
        beat = beats.read(home.heartbeat)
    except errors.Corrupt:
        beat = None
    alive = processes.is_alive(beat.process()) if beat is not None else False
    if alive is False and processes.with_token(wake.runner_token(rig, home.name)):
        return True
    return alive


def restart(rig: Rig, name: str, lease: Lease, *, caller: Caller, now: int, tick: int) -> str:
    """Start the worker's runner again when its backoff is over; after five times in a quarter of an hour ask somebody. In words.

    `tick` is the time since boot: what was written before this boot does not count.
    """
    home = rig.polecat(name)
    times = _restarts(home, lease, tick)
    when = liveness.restart(times, tick).at
    if when is None:
        record = turns.last(home, lease)
        turns.stall(rig, home, lease, record, f"its runner died {liveness.LOOP_COUNT} times in 15 minutes", caller, now)
        return "crash loop: stopped"
    if when > tick:
        return f"restart in {(when - tick) // clock.SECOND + 1} s"
    left = turns.end_strays(rig, home, lease)
    if left:
        raise Refused(f"{rig.name}/{name} cannot start again", why=f"processes of its last turn do not end: {[p.pid for p in left]}")
    fsio.write_json(home.restarts, {"fence": lease.fence, "boot_id": clock.boot_id(), "times": [*liveness.kept(times, tick), tick]})
    if not wake.start_runner(rig, name):
        return "runs already, or wakes are off"
    events.emit(rig.town, "restart", caller.actor, {"worker": lease.actor, "bead": lease.bead, "fence": lease.fence}, now)
    return "started"


def retire_confirmed(rig: Rig, name: str, *, caller: Caller, now: int, reason: str) -> Salvage | None:
    """Retire the worker if fresh facts say so too while nobody else can handle it; None when they do not."""
    home = rig.polecat(name)
    held = lock.attempt(home.runner_lock) if os.path.isdir(home.root) else None
    if held is None:
        return None
    with held:
        facts, _ = look(rig, name, Ledger(rig.beads).all())
        if liveness.verdict(replace(facts, running=False, alive=is_at_work(rig, home))) != "retire":  # the lock is ours
            return None
        return retire.retire(rig, name, caller=caller, now=now, reason=reason, held=held)


def bead_of(rig: Rig, name: str, lease: Lease | None, records: Records) -> dict[str, Any]:
    """The claimed bead of a worker whose slot is to be completed. Raises NotFound."""
    found = records.get(lease.bead) if lease is not None else claims.unsubmitted(rig.name, records).get(name)
    if found is None:
        raise errors.NotFound(f"no bead for {rig.name}/{ids.shown(name)}")
    return found


def _lease(home: Home) -> tuple[Lease | None, str | None]:
    """The lease and its state: "" where there is none, None where it cannot be read."""
    try:
        lease = leases.read(home)
    except GastownError:
        return None, None
    return lease, lease.state if lease is not None else ""


def _stalled(home: Home, lease: Lease | None) -> bool:
    return lease is not None and bool(turns.last(home, lease).stalled)


def _restarts(home: Home, lease: Lease, tick: int) -> list[int]:
    value = fsio.read_json(home.restarts)
    if not isinstance(value, dict) or value.get("boot_id") != clock.boot_id() or value.get("fence") != lease.fence:
        return []
    return [at for at in value.get("times", ()) if isinstance(at, int) and at <= tick]
