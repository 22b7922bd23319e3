"""gt stop: end the workers' processes of a rig, or of the whole town."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, rig_named, say, town_and_caller
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, Refused
from gastown_hooks.core.values import asdict
from gastown_hooks.work import stop


@click.command(short_help="End the workers' processes.")
@click.option("--all", "everything", is_flag=True, help="Every rig.")
@click.option("--rig", "rig_name", metavar="NAME", help="This rig only.")
@dry_run_option
@json_option
def cli(everything: bool, rig_name: str | None, dry_run: bool, as_json: bool) -> None:
    """End the recorded processes of workers and what carries their token, nothing else. Claims stay, work is kept.

    The roles of the town go on: gt down ends them too. gt session start RIG/NAME lets a stopped worker go on.

    \b
    Examples:
      gt stop --all --dry-run
      gt stop --rig greenplace
    """
    if everything == bool(rig_name):
        raise BadInput("say which workers to stop", next="gt stop --all, or gt stop --rig NAME")
    town, caller = town_and_caller()
    rigs = [rig_named(town, rig_name)] if rig_name else town.rigs()
    found = [one for rig in rigs for one in stop.rig_workers(rig, caller=caller, now=clock.now(), dry_run=dry_run)]
    if as_json:
        emit_json([asdict(one) for one in found])
    else:
        for one in found:
            say(f"{'would stop' if dry_run else 'stopped'} {one.rig}/{one.name}: {' '.join(map(str, one.found))}")
        if not found:
            say("no worker is running")
    left = [pid for one in found for pid in one.left]
    if left:
        raise Refused("some processes do not end", why=" ".join(map(str, left)), next="ps -o pid,stat,wchan,args -p PID")
