"""gt attach: take a worker's session over in this terminal, and give it back by leaving it."""

from __future__ import annotations

import shlex
import sys

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, remark, say, town_and_caller, worker_named
from gastown_hooks.core.errors import BadInput, Refused
from gastown_hooks.runtime import attach


@click.command(short_help="Take a worker's session over.")
@click.argument("agent", metavar="RIG/NAME")
@click.option("--now", is_flag=True, help="End the turn that is under way instead of waiting for its end.")
@click.option("--print", "only_print", is_flag=True, help="Print the line that would run; take nothing over.")
@dry_run_option
@json_option
def cli(agent: str, now: bool, only_print: bool, dry_run: bool, as_json: bool) -> None:
    """Take a worker's session over: its agent program runs in this terminal, in the worker's tree, on the session that is there.

    Its runner stands aside for as long as that program lives, however it ends, and then goes on. --json goes with --print or --dry-run.

    \b
    Examples:
      gt attach greenplace/toast
      gt attach greenplace/toast --now
      gt attach greenplace/toast --print
    """
    town, caller = town_and_caller()
    rig, name = worker_named(town, agent)
    if caller.role == "polecat":
        raise Refused(f"{caller.actor} may not take over a worker", why="that is for people")
    plan = attach.plan(rig, name)
    line = f"cd {shlex.quote(plan.home.tree)} && {shlex.join(plan.argv)}"
    if (dry_run or only_print) and as_json:
        emit_json({"worker": plan.who, "line": line, "session": plan.session or None, "runner": plan.runner})
    elif dry_run or only_print:
        for text in (line,) if only_print else _words(plan, now, line):
            say(text)
    elif as_json:
        raise BadInput("a session is for a terminal", next=f"gt attach {plan.who} --print --json")
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("this is no terminal", why="the session would have nobody to talk to", next=f"gt attach {plan.who} --print")
    else:
        _take(plan, now)


def _take(plan: attach.Plan, now: bool) -> None:
    if plan.runner and not now:
        remark(f"{plan.who} gives its session when its turn ends (Ctrl-C: never mind; --now: end the turn)")
    attach.take(plan, at_once=now)
    what = f"its session {plan.session}" if plan.session else "a new session, for none is known"
    after = "its runner goes on" if plan.runner else f"gt session start {plan.who} lets it work alone"
    remark(f"{plan.who} on {plan.lease.bead}: {what}. When you leave, {after}.")
    attach.become(plan)


def _words(plan: attach.Plan, now: bool, line: str) -> list[str]:
    turn = ["would end its turn" if now else "would wait for the end of its turn"] if plan.runner else []
    return [*turn, f"would run, {'on its session' if plan.session else 'as a new session'}: {line}",
            *(["its runner would go on afterwards"] if plan.runner else [])]
