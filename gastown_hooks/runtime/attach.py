"""Taking a worker's session over, and giving it back by leaving it.

The process that asks becomes the agent program itself, so its life is the one fact that everybody goes by. It asks in `attach.json` (in
a heartbeat's form; state `wait` or `now`); the runner awaits or ends its turn, gives the heartbeat to that process, stands aside until
it is gone, however it ended, and goes on. Where no runner lives the heartbeat alone holds the tree, as for any session by hand.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import NoReturn

from gastown_hooks.core import errors, fsio, ids, lock
from gastown_hooks.core.errors import Conflict, LockTimeout, NotFound, Refused
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.values import dataclass
from gastown_hooks.runtime import agents
from gastown_hooks.stores import beats, callers, config, processes
from gastown_hooks.stores.beats import Beat
from gastown_hooks.work import lease as leases
from gastown_hooks.work import sling, turns, wake
from gastown_hooks.work.lease import Lease

PATIENCE, LOOK = 60.0, 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be started where; `session` "" begins a new one. `runner`: one lives, and goes on afterwards."""

    rig: Rig
    home: Home
    lease: Lease
    argv: list[str]
    env: dict[str, str]
    session: str
    runner: bool

    @property
    def who(self) -> str:
        return f"{self.rig.name}/{self.home.name}"


def plan(rig: Rig, name: str) -> Plan:
    """Raises NotFound, and Refused with the reason, where there is nothing to take over."""
    home = rig.polecat(name)
    lease, who = leases.read(home), f"{rig.name}/{name}"
    if lease is None:
        raise NotFound(f"{who} holds no bead", next=f"gt polecat list {rig.name}")
    _check(who, lease, lease)
    argv, env = agents.interactive(rig, home, lease)
    if not argv:
        raise Refused(f"{who} has no session to take over", why=f"the agent program {ids.shown(lease.agent)} works without a terminal",
                      next=f"gt peek {who}, or gt session stop {who} and work in {home.tree}")
    return Plan(rig, home, lease, argv, env, agents.session(rig, home, lease), not wake.runner_is_free(home))


def take(plan: Plan, *, at_once: bool) -> None:
    """Wait until the tree is this process's. Raises Conflict when somebody else has it, LockTimeout when its runner does not answer."""
    home, rig = plan.home, plan.rig
    with lock.acquire(rig.lock(f"attach.{home.name}")):
        other = _beat(home.attach)
        if other is not None and other.process() != processes.this() and processes.is_alive(other.process()) is not False:
            raise Conflict(f"{plan.who} is taken over already", why=f"by process {other.pid}")
        beats.write(home.attach, _mine(plan, "now" if at_once else "wait", 0))
    patience = PATIENCE + (0 if at_once else float(config.rig_settings(rig).turn_seconds))
    deadline = time.monotonic() + patience
    try:
        while not _is_ours(plan):
            _check(plan.who, plan.lease, leases.read(home))
            if time.monotonic() > deadline:
                raise LockTimeout(f"the runner of {plan.who} does not stand aside", next=f"gt session stop {plan.who}, then try again",
                                  why=f"asked {patience:g} s ago: {lock.holder(home.runner_lock)}")
            time.sleep(LOOK)
        _check(plan.who, plan.lease, leases.read(home))  # it may have submitted meanwhile
    except BaseException:
        fsio.remove(home.attach)
        raise


def become(plan: Plan) -> NoReturn:
    """Replace this process by the agent program in the worker's tree. Raises Refused when it cannot be started."""
    env = turns.with_programs(callers.persons_environment({**sling.worker_environment(plan.rig, plan.lease), **plan.env}))
    sys.stdout.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.chdir(plan.home.tree)
        os.execvpe(plan.argv[0], plan.argv, env)
    except OSError as error:
        fsio.remove(plan.home.attach)
        raise Refused(f"{plan.who}: {plan.argv[0]} cannot be started", why=error.strerror or str(error),
                      next=f"gt config agent set {plan.lease.agent} COMMAND") from None


def _is_ours(plan: Plan) -> bool:
    """Whether the runner has stood aside; or, where none lives, we take the tree under its lock, as a runner would."""
    home, me = plan.home, processes.this()
    beat = _beat(home.heartbeat)
    if beat is not None and beat.process() == me:
        return True
    held = lock.attempt(home.runner_lock)
    if held is None:
        return False
    with held:
        beat = _beat(home.heartbeat)
        if beat is not None and processes.is_alive(beat.process()) is not False:
            raise Conflict(f"{plan.who} is at work by hand", why=f"process {beat.pid} has the tree", next="end that session")
        left = turns.end_strays(plan.rig, home, plan.lease)
        if left:
            raise Refused(f"{plan.who} cannot be taken over", why=f"processes of its last turn do not end: {[p.pid for p in left]}")
        beats.write(home.heartbeat, _mine(plan, beats.ATTACHED, beat.seq + 1 if beat else 1))
    return True


def _mine(plan: Plan, state: str, seq: int) -> Beat:
    me = processes.this()
    return Beat(actor=plan.lease.actor, session=plan.session, pid=me.pid, start=me.start, boot_id=me.boot_id, seq=seq, progress="",
                state=state, bead=plan.lease.bead)


def _beat(path: str) -> Beat | None:
    try:
        return beats.read(path)
    except errors.Corrupt:
        return None  # the lock still tells


def _check(who: str, planned: Lease, lease: Lease | None) -> None:
    if lease is None or (lease.bead, lease.fence) != (planned.bead, planned.fence):
        raise NotFound(f"{who} is gone", why=f"it had {planned.bead}", next="gt polecat list")
    if lease.state != leases.READY:
        why = "its work is submitted" if lease.state == leases.DONE else "its slot is not prepared yet"
        raise Refused(f"{who} cannot be taken over", why=why, next=f"gt polecat status {who}")
