"""gt session: start and stop a worker's runner."""

from __future__ import annotations

import shlex
import time

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say, town_and_caller, worker_named
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock
from gastown_hooks.core.errors import Corrupt, NotFound, Refused
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.values import asdict
from gastown_hooks.runtime import agents
from gastown_hooks.stores import beats, processes
from gastown_hooks.work import lease as leases
from gastown_hooks.work import stop, turns, wake
from gastown_hooks.work.lease import Lease

# Seconds: until an agent program runs, how long it then runs before it is called started, and in a mode that will soon stall it.
_STARTED, _SETTLED, _DENIED, _LOOK = 10.0, 0.5, 10.0, 0.02


@click.group(cls=Group, short_help="Start or stop one worker.")
def cli() -> None:
    """Start or stop one worker's agent program. Its claim, its tree and its work stay.

    \b
    Examples:
      gt session start greenplace/toast
      gt session stop greenplace/toast
      gt session stop greenplace/toast --dry-run
    """


@cli.command(name="stop", short_help="End one worker's processes.")
@click.argument("agent", metavar="RIG/NAME")
@dry_run_option
@json_option
def stop_one(agent: str, dry_run: bool, as_json: bool) -> None:
    """End the worker's recorded processes and what carries its token. Its claim stays, its work is kept."""
    town, caller = town_and_caller()
    rig, name = worker_named(town, agent)
    done = stop.worker(rig, name, caller=caller, now=clock.now(), dry_run=dry_run)
    if as_json:
        emit_json(asdict(done))
    elif not done.found:
        say(f"{rig.name}/{name} is not running")
    else:
        say(f"{'would stop' if dry_run else 'stopped'} {rig.name}/{name}: {len(done.found)} processes {' '.join(map(str, done.found))}")
        if not dry_run:
            say(f"its claim and its work stay; it goes on with: gt session start {rig.name}/{name}")
    if done.left:
        raise Refused(f"{rig.name}/{name} does not end", why=f"processes {' '.join(map(str, done.left))}",
                      next="ps -o pid,stat,wchan,args -p PID")


@cli.command(short_help="Start one worker.")
@click.argument("agent", metavar="RIG/NAME")
@dry_run_option
def start(agent: str, dry_run: bool) -> None:
    """Start the worker's runner, in a town by hand too; a stalled worker begins to count anew."""
    town, _ = town_and_caller()
    rig, name = worker_named(town, agent)
    home = rig.polecat(name)
    lease = leases.read(home)
    if lease is None:
        raise NotFound(f"{rig.name}/{name} holds no bead", next=f"gt sling BEAD {rig.name}")
    denying = agents.denying(rig, lease)
    if dry_run:
        say(f"would start {rig.name}/{name} on {lease.bead}" if wake.runner_is_free(home) else f"{rig.name}/{name} runs already")
        return
    if wake.runner_is_free(home):
        turns.again(home, lease)
    if not wake.start_runner(rig, name, asked=True):
        say(f"{rig.name}/{name} runs already")
        return
    state = _settled(home, _DENIED if denying else _SETTLED)
    say(_told(rig, home, lease, state, denying))


def _settled(home: Home, settled: float) -> str:
    """What the new runner does, once its agent program has worked for a moment, or will not; "" where it has ended."""
    begun = clock.awake()
    worked, state = begun, "starting"
    while (at := clock.awake()) - worked < settled * clock.SECOND and at - begun < (_STARTED + settled) * clock.SECOND:
        if wake.runner_is_free(home):
            return ""
        state = _state(home) or state
        if state != "working":
            worked = at
        if state in ("waiting", beats.ATTACHED):
            break
        time.sleep(_LOOK)
    return state


def _state(home: Home) -> str:
    """What the living runner's heartbeat says."""
    try:
        beat = beats.read(home.heartbeat)
    except Corrupt:
        return ""
    return beat.state if beat is not None and processes.is_alive(beat.process()) else ""


def _told(rig: Rig, home: Home, lease: Lease, state: str, denying: str) -> str:
    """How the start went. Raises Refused where nothing works on the bead now."""
    who, look = f"{rig.name}/{home.name}", f"look: gt peek {rig.name}/{home.name}"
    mode = f"gt config set {rig.name}.permission_mode acceptEdits"
    if state:
        if state == "working":
            note = f"\n  note: nobody is there to ask, so {denying} denies it nearly everything. Next: {mode}" if denying else ""
            return f"started {who} on {lease.bead}; {look}{note}"
        if state == beats.ATTACHED:
            return f"{who} waits while a person has its session"
        if state == "waiting":
            return f"started {who} on {lease.bead}, but its turn failed at once; it is tried again; {look}"
        return f"started {who} on {lease.bead}; its agent program does not run yet: gt polecat status {who}"
    left = leases.read(home)
    if left is None or left.fence != lease.fence:
        return f"{who} worked on {lease.bead} and ended: bd show {lease.bead}"
    record = turns.last(home, lease)
    if not record.stalled:
        raise Refused(f"{who} ended at once", next=f"tail -n 3 {shlex.quote(home.runner_log)}")
    why, _, first = record.stalled.partition(". Next: ")
    first = first or (mode if denying and record.refused else f"gt peek {who}")
    raise Refused(f"{who} stalled at once", why=why, next=f"{first}, then gt session start {who}")
