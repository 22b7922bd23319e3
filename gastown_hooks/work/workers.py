"""What is known of a rig's workers, for the witness and for people; and what the witness does about one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gastown_hooks.core import clock, errors, fsio, ids, lock
from gastown_hooks.core.errors import GastownError, Refused
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.values import dataclass, replace
from gastown_hooks.rules import claims, liveness, requests
from gastown_hooks.rules.liveness import Worker
from gastown_hooks.stores import beats, config, events, known, processes
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease as leases
from gastown_hooks.work import retire, sling, strays, turns, wake
from gastown_hooks.work.lease import Lease
from gastown_hooks.work.salvage import Salvage

HUNG_GRACE = 5.0
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Survey:
    """The rig's ledger at one moment: its beads, which worker has which that is not submitted, and what is, by bead and fence."""

    beads: Mapping[str, Record]
    held: dict[str, Record]
    submitted: dict[tuple[str, int], Record]


def survey(rig: Rig) -> Survey:
    """Raises what reading the ledger raises."""
    beads = known.beads(Ledger(rig.beads))
    some = known.at_work(beads)
    return Survey(beads, claims.unsubmitted(rig.name, some), requests.open_claims(some.values()))


def slots(rig: Rig) -> list[str]:
    """The workers that have a folder, by name."""
    try:
        found = sorted(os.listdir(rig.polecats))
    except FileNotFoundError:
        return []
    return [name for name in found if not name.startswith(".") and os.path.isdir(f"{rig.polecats}/{name}")]


def look(rig: Rig, name: str, seen: Survey) -> tuple[Worker, Lease | None]:
    """The facts of one worker now."""
    home = rig.polecat(name)
    lease, state = _lease(home)
    running = os.path.isdir(home.root) and not wake.runner_is_free(home)
    bead = seen.beads.get(lease.bead) if lease is not None else seen.held.get(name)
    claimed: bool | None = bead is not None
    if lease is not None:
        claimed = turns.claimed(bead, lease)
    request = seen.submitted.get((bead["id"], claims.fence(bead))) if bead is not None else None
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
    times = _times(home, "times", lease.fence, tick)
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
    _note_time(home, "times", lease.fence, tick)
    if not wake.start_runner(rig, name):
        return "runs already, or wakes are off"
    events.emit(rig.town, "restart", caller.actor, {"worker": lease.actor, "bead": lease.bead, "fence": lease.fence}, now)
    return "started"


def prepare(rig: Rig, name: str, bead: dict[str, Any], *, caller: Caller, now: int, tick: int) -> str:
    """Complete the worker's slot and start its runner; what fails is told once, and tried again when its backoff is over. In words."""
    home, fence = rig.polecat(name), claims.fence(bead)
    when = liveness.retry(_times(home, "failures", fence, tick), tick)
    if when > tick:
        return f"its slot is made again in {(when - tick) // clock.SECOND + 1} s"
    try:
        sling.ensure_worker(rig, bead, now)
    except GastownError as error:
        _note_time(home, "failures", fence, tick)
        body = (f"{error}\n\nIt is tried again, at last every ten minutes. See for yourself: gt sling {bead['id']} {rig.name}\n"
                f"Or give it up: gt polecat nuke {rig.name}/{name}\n")
        turns.tell(rig, f"UNPREPARED {rig.name}/{name} for {bead['id']}", body, f"unprepared-{bead['id']}-{fence}", caller, now)
        raise
    wake.start_runner(rig, name)
    return f"slot completed for {bead['id']}"


def observe(rig: Rig, names: list[str], tick: int, *, dry_run: bool = False) -> set[str]:
    """Who of these has a runner that hangs: for a whole TTL its beat did not move, and the kernel did not run it once.

    `tick` is the reader's own monotonic clock, which stands still while the machine sleeps; no two clocks are compared.
    """
    value = fsio.read_json(rig.witness.observed)
    before = value.get("workers", {}) if isinstance(value, dict) and value.get("boot_id") == clock.boot_id() else {}
    seen: dict[str, list[int]] = {}
    hung = set()
    for name in names:
        beat = _runners_beat(rig, rig.polecat(name))
        ran = processes.switches(beat.process()) if beat is not None else None
        if beat is None or ran is None:
            continue
        sign = [beat.pid, beat.start, beat.seq, ran]
        since = liveness.stale_since(before.get(name), sign, tick)
        seen[name] = [since, *sign]
        if tick - since >= beat.ttl * clock.SECOND:
            hung.add(name)
    if seen != before and not dry_run:
        fsio.make_folder(rig.witness.root)
        fsio.write_json(rig.witness.observed, {"boot_id": clock.boot_id(), "workers": seen}, durable=False)
    return hung


def take_over(rig: Rig, name: str, lease: Lease, *, caller: Caller, now: int) -> None:
    """End a runner that hangs, its agent and their strays. Raises Refused when one of them does not end: then nobody else may start."""
    home = rig.polecat(name)
    left = processes.end(lambda: strays.of_worker(rig, home, lease), HUNG_GRACE)
    if left:
        raise Refused(f"{rig.name}/{name} hangs and cannot be ended", why=f"processes {[p.pid for p in left]}",
                      next="ps -o pid,stat,wchan,args -p PID")
    events.emit(rig.town, "hung", caller.actor, {"worker": lease.actor, "bead": lease.bead, "fence": lease.fence}, now)


def _runners_beat(rig: Rig, home: Home) -> beats.Beat | None:
    """The last heartbeat, where it is that of the living runner (not of a session that a person has)."""
    try:
        beat = beats.read(home.heartbeat)
    except errors.Corrupt:
        return None
    return beat if beat is not None and processes.carries(beat.process(), wake.runner_token(rig, home.name)) else None


def retire_confirmed(rig: Rig, name: str, *, caller: Caller, now: int, reason: str) -> Salvage | None:
    """Retire the worker if fresh facts say so too while nobody else can handle it; None when they do not."""
    home = rig.polecat(name)
    held = lock.attempt(home.runner_lock) if os.path.isdir(home.root) else None
    if held is None:
        return None
    with held:
        facts, _ = look(rig, name, survey(rig))
        if liveness.verdict(replace(facts, running=False, alive=is_at_work(rig, home))) != "retire":  # the lock is ours
            return None
        return retire.retire(rig, name, caller=caller, now=now, reason=reason, held=held)


def bead_of(rig: Rig, name: str, lease: Lease | None, seen: Survey) -> Record:
    """The claimed bead of a worker whose slot is to be completed. Raises NotFound."""
    found = seen.beads.get(lease.bead if lease is not None else seen.held.get(name, {}).get("id", ""))
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


def _times(home: Home, what: str, fence: int, tick: int) -> list[int]:
    """When it was restarted (`times`), or its preparing failed (`failures`), under this claim and since this boot."""
    value = fsio.read_json(home.restarts)
    if not isinstance(value, dict) or value.get("boot_id") != clock.boot_id() or value.get("fence") != fence:
        return []
    return [at for at in value.get(what, ()) if isinstance(at, int) and at <= tick]


def _note_time(home: Home, what: str, fence: int, tick: int) -> None:
    kept = {name: _times(home, name, fence, tick) for name in ("times", "failures")}
    kept[what] = [*liveness.kept(kept[what], tick), tick]
    fsio.write_json(home.restarts, {"fence": fence, "boot_id": clock.boot_id(), **kept})
