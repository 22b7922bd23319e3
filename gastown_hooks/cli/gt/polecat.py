"""gt polecat: the workers of a rig."""

from __future__ import annotations

import sys
from typing import Any

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, remark, say, town_and_caller, worker_named
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores.callers import Caller
from gastown_hooks.work import lease as leases
from gastown_hooks.work import retire, wake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.cli.gt import _words
    from gastown_hooks.runtime import agents
    from gastown_hooks.work import rescue, status
else:
    _words, agents = late("gastown_hooks.cli.gt._words"), late("gastown_hooks.runtime.agents")
    rescue, status = late("gastown_hooks.work.rescue"), late("gastown_hooks.work.status")


@click.group(cls=Group, short_help="The workers of a rig.")
def cli() -> None:
    """The workers of a rig: who they are, what they hold, and how one is removed (its work is always saved)."""


@cli.command("list", short_help="List the workers.")
@click.argument("rig", required=False)
@json_option
def list_(rig: str | None, as_json: bool) -> None:
    """List the workers of RIG, or of all rigs.

    \b
    Example:
      gt polecat list gp
    """
    _words.workers(town_and_caller()[0], rig, as_json)


@cli.command("status", short_help="Look at one worker.")
@click.argument("worker", metavar="RIG/NAME")
@json_option
def status_(worker: str, as_json: bool) -> None:
    """Look at one worker: its claim, its state, the line that goes on with it by hand, and what a removal would save.

    \b
    Example:
      gt polecat status gp/toast
    """
    town, _ = town_and_caller()
    rig, name = worker_named(town, worker)
    home = rig.polecat(name)
    found: dict[str, Any] = {"polecat": f"{rig.name}/{name}", "tree": home.tree, "would": retire.plan(rig, name)}
    agent = next((one for one in status.workers(rig, clock.now()) if one.actor == f"{rig.name}/polecats/{name}"), None)
    if agent is not None:
        found |= {"state": agent.state, "why": agent.why, "beat_age": agent.age, "evidence": agent.evidence}
    lease = leases.read(home)
    if lease is not None:
        found |= {"bead": lease.bead, "fence": lease.fence, "branch": lease.branch, "lease": lease.state, "since": lease.created_at}
        if lease.state == leases.READY and wake.runner_is_free(home):
            found["by_hand"] = agents.by_hand(rig, home, lease)
    found["saved"] = [saved.key for saved in rescue.entries(rig) if saved.name == name]
    if as_json:
        emit_json(found)
        return
    for key, value in found.items():
        if key not in ("would", "evidence") and value not in ("", None, []):
            say(f"{key:10} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    say("a removal would:")
    for act in found["would"]:
        say(f"  {act}")


@cli.command(short_help="Remove a worker; its work is saved first.")
@click.argument("worker", metavar="RIG/NAME")
@click.option("--force", is_flag=True, help="Do not ask, and end it if it is at work. Everything is saved all the same.")
@dry_run_option
@json_option
def nuke(worker: str, force: bool, dry_run: bool, as_json: bool) -> None:
    """Remove a worker. Its commits, staged, unstaged and untracked files and stash entries are saved first, and read back.

    An unsettled claim goes back to the queue. What was saved comes back with gt rescue restore.

    \b
    Examples:
      gt polecat nuke gp/toast --dry-run
      gt polecat nuke gp/toast --force
    """
    town, caller = town_and_caller()
    rig, name = worker_named(town, worker)
    _check_right(caller, rig, name)
    retire.check_there(rig, name)
    if dry_run:
        _tell_plan(rig, name, retire.plan(rig, name), as_json)
        return
    if not force and sys.stdin.isatty() and sys.stdout.isatty():
        _ask(rig, name, retire.plan(rig, name))
    saved = retire.retire(rig, name, caller=caller, now=clock.now(), reason="nuked", force=force)
    key = f"{rig.name}/{saved.key}" if saved.ref_prefix else None
    if as_json:
        emit_json({"polecat": f"{rig.name}/{name}", "salvage": key, "refs": saved.saved, "ignored": saved.ignored})
        return
    say(f"{rig.name}/{name} is removed. " + (f"Its work: gt rescue restore {key}" if key else "Nothing was left to save."))
    if saved.ignored:
        names = ", ".join([ids.shown(path) for path in saved.ignored[:3]] + ["…"] * (len(saved.ignored) > 3))
        say(f"ignored files, not saved: {len(saved.ignored)} ({names})" + (f"; gt rescue show {key}" if key else ""))


@cli.command(short_help="Refused: only the worker itself is done.")
@click.argument("worker", metavar="RIG/NAME")
def done(worker: str) -> None:
    """Refused: nobody but the worker can say that its work is done.

    \b
    Example:
      gt polecat done gp/toast
    """
    rig, name = worker_named(town_and_caller()[0], worker)
    raise Refused(f"{rig.name}/{name} cannot be made done from outside", why="only the worker knows that its work is whole",
                  next=f"gt done, inside {rig.polecat(name).tree}; or gt polecat nuke {rig.name}/{name} (its work is saved)")


@cli.command(short_help="Refused: remove it and sling again.")
@click.argument("worker", metavar="RIG/NAME")
def reset(worker: str) -> None:
    """Refused: a worker is never emptied, for its name would meet its old work.

    \b
    Example:
      gt polecat reset gp/toast
    """
    rig, name = worker_named(town_and_caller()[0], worker)
    lease = leases.read(rig.polecat(name))
    again = f", then gt sling {lease.bead} {rig.name}" if lease is not None else ""
    raise Refused(f"{rig.name}/{name} cannot be reset", why="its tree holds work, and a new claim gets a new fence and a new tree",
                  next=f"gt polecat nuke {rig.name}/{name} (its work is saved){again}")


def _tell_plan(rig: Rig, name: str, plan: list[str], as_json: bool) -> None:
    if as_json:
        emit_json({"polecat": f"{rig.name}/{name}", "would": plan})
        return
    for act in plan:
        say(f"would {act}")


def _ask(rig: Rig, name: str, plan: list[str]) -> None:
    for act in plan:
        remark(act)
    if not click.confirm(f"Remove {rig.name}/{name}?", err=True):
        raise Refused(f"{rig.name}/{name} stays")


def _check_right(caller: Caller, rig: Rig, name: str) -> None:
    if caller.role == "polecat" and (caller.rig, caller.name) != (rig.name, name):
        raise Refused(f"{caller.actor} may not remove {rig.name}/{name}", why="a polecat has one worker to care for, itself",
                      next="leave it to the witness")
