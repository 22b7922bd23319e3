"""gt session: start and stop a worker's runner."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say, town_and_caller, worker_named
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock
from gastown_hooks.core.errors import NotFound, Refused
from gastown_hooks.core.values import asdict
from gastown_hooks.work import lease as leases
from gastown_hooks.work import stop, turns, wake


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
    if dry_run:
        say(f"would start {rig.name}/{name} on {lease.bead}" if wake.runner_is_free(home) else f"{rig.name}/{name} runs already")
        return
    if wake.runner_is_free(home):
        turns.again(home, lease)
    say(f"started {rig.name}/{name} on {lease.bead}" if wake.start_runner(rig, name, asked=True) else f"{rig.name}/{name} runs already")
