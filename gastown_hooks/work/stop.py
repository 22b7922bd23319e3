"""Ending workers' processes: exactly the recorded ones and what carries their token, nothing else. Claims stay, work is kept."""

from __future__ import annotations

import contextlib
import os
import signal

from gastown_hooks.core import errors
from gastown_hooks.core.errors import NotFound
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import beats, events, processes
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.processes import Process
from gastown_hooks.work import lease as leases
from gastown_hooks.work import strays, turns, wake, workers
from gastown_hooks.work.lease import Lease

RUNNER_GRACE, GRACE = 15.0, 5.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """One worker: the processes that were found and those that would not end."""

    rig: str
    name: str
    found: list[int]
    left: list[int]


def worker(rig: Rig, name: str, *, caller: Caller, now: int, dry_run: bool = False, hold: bool = True) -> Stopped:
    """End the worker's runner, its agent and their strays. The runner is asked first: it ends its agent in good order.

    With `hold` nobody starts it again before `gt session start`.
    """
    home = rig.polecat(name)
    if not os.path.isdir(home.root):
        raise NotFound(f"no worker {rig.name}/{name}", next=f"gt polecat list {rig.name}")
    lease = _lease(home)
    runner = recorded_runner(rig, home)
    before = strays.of_worker(rig, home, lease)
    if dry_run:
        return Stopped(rig.name, name, [p.pid for p in before], [])
    if hold:
        turns.hold(home, f"stopped by {caller.actor}")
    if not before:
        return Stopped(rig.name, name, [], [])
    if runner is not None and processes.send(runner, signal.SIGTERM, token=wake.runner_token(rig, name)):
        processes.await_end(runner, RUNNER_GRACE)
    left = processes.end(lambda: strays.of_worker(rig, home, lease), GRACE)
    events.emit(rig.town, "stopped", caller.actor, {"worker": f"{rig.name}/polecats/{name}", "left": [p.pid for p in left]}, now)
    return Stopped(rig.name, name, [p.pid for p in before], [p.pid for p in left])


def rig_workers(rig: Rig, *, caller: Caller, now: int, dry_run: bool = False, hold: bool = True) -> list[Stopped]:
    """End all workers of the rig; the ones that had a process. One that is retired meanwhile has none."""
    stopped = []
    for name in workers.slots(rig):
        with contextlib.suppress(NotFound):
            stopped.append(worker(rig, name, caller=caller, now=now, dry_run=dry_run, hold=hold))
    return [one for one in stopped if one.found]


def whole_town(town: Town, *, caller: Caller, now: int) -> list[Process]:
    """End everything of this town but the caller and its ancestors; who is left. Runners first, then roles and strays."""
    for rig in town.rigs():
        rig_workers(rig, caller=caller, now=now, hold=False)
    return processes.end(lambda: strays.of_town(town), GRACE)


def recorded_runner(rig: Rig, home: Home) -> Process | None:
    """The runner that the heartbeat names, if it lives and carries this runner's token; None else (also for a damaged record)."""
    try:
        beat = beats.read(home.heartbeat)
    except errors.Corrupt:
        return None
    if beat is None or processes.is_alive(beat.process()) is not True:
        return None
    named = beat.process()
    return named if named in processes.with_token(wake.runner_token(rig, home.name)) else None


def _lease(home: Home) -> Lease | None:
    """None also where it cannot be read: the other facts still tell."""
    try:
        return leases.read(home)
    except errors.Corrupt:
        return None
