#!/usr/bin/env python3
"""The polecat: a worker with one bead, one branch and one tree, kept at work turn by turn until its work is submitted.

It must never: work under a claim that the ledger gave to somebody else, submit what such a claim left, run two agents in one
tree, throw work away, close its own bead (the refinery does, when the work has landed), or signal a process that it did not start.
"""

from __future__ import annotations

import os
import sys

from gastown_hooks.core import jsons
from gastown_hooks.core.errors import BadConfig, GastownError, Refused
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.role import Round, main, taken
from gastown_hooks.stores import beats, callers, config, processes
from gastown_hooks.work import wake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.rules import turns as rules
    from gastown_hooks.runtime import agents, runner
    from gastown_hooks.work import costs, retire, turns
    from gastown_hooks.work import lease as leases
else:  # who waits for the worker's end is woken first
    rules, turns, leases = late("gastown_hooks.rules.turns"), late("gastown_hooks.work.turns"), late("gastown_hooks.work.lease")
    agents, runner = late("gastown_hooks.runtime.agents"), late("gastown_hooks.runtime.runner")
    costs, retire = late("gastown_hooks.work.costs"), late("gastown_hooks.work.retire")

DUTY = {
    "role": "polecat",
    "reads": [
        "polecats/<name>/lease.json      which bead, under which fence, in which tree",
        "the rig's ledger                whether the claim still stands",
        "polecats/<name>/turns.json      how the turns before ended",
        "polecats/<name>/heartbeat.json  whether somebody else works in the tree",
    ],
    "writes": [
        "polecats/<name>/heartbeat.json  a sign of life while it runs",
        "polecats/<name>/turns.json      each turn, before and after it",
        "polecats/<name>/transcript.log  what the agent program printed",
        "polecats/<name>/settings.json   the agent program's settings, before each turn",
        "costs.jsonl of the rig          what each turn cost",
        "the bead                        in_progress; lost workers and the poison label when it stalls",
        "mail to witness and overseer    when it stalls",
        "refs/gt/work/<name>/<fence>     every commit of its tree",
    ],
    "woken_by": {
        "run": "gt sling, gt session start, or the witness: its runner, for as long as there is work on the hook",
        "decide": "the runner, before each turn and after the last one",
        "submitted": "the runner, when gt done was said in a turn that goes on",
    },
    "githooks": {  # in the worker's tree, served by gastown_hooks.githooks
        "prepare-commit-msg": "adds the trailers that name bead and worker",
        "post-commit": "pins the commit under refs/gt/work",
        "pre-push": "lets the worker's own branch pass and nothing else",
    },
}


def run(one: Round) -> int:
    """Take the runner's lock and become the lean runner, which asks `decide` what to do."""
    rig, home = _worker(one)
    held = taken(home.runner_lock)
    if held is None:
        one.say("a runner is running already")
        return 0
    lease = leases.read(home)
    if lease is None or lease.state == leases.PREPARING:
        one.say("the slot is not prepared: the witness completes it")
        return 0
    _check_alone(home)
    spec = {
        "role": [sys.executable, "-I", os.path.abspath(sys.argv[0]), "--town", rig.town.root, "--rig", rig.name,
                 "--name", home.name],
        "env": callers.clean_environment({"GT_TOKEN": wake.runner_token(rig, home.name), "GT_ROOT": rig.town.root,
                                         "GT_ROLE": "polecat", "GT_RIG": rig.name}),
        "town": rig.town.root, "tree": home.tree, "heartbeat": home.heartbeat, "turns": home.turns, "lease": home.lease,
        "attach": home.attach, "actor": lease.actor, "session": f"gt-{rig.name}-{home.name}", "bead": lease.bead, "token": lease.token,
    }
    if one.dry_run:
        return decide(one)
    os.chdir(rig.town.root)
    runner.become(spec, held.fd)


def decide(one: Round) -> int:
    """Look at claim, lease, tree and last turn; act; tell the runner in one line of JSON whether there is another turn."""
    rig, home = _worker(one)
    if not one.dry_run:
        _wake(rig, *_asked(rig))
    lease = leases.read(home)
    if lease is None:
        return _answer({"act": "end", "why": "there is no lease"})
    record = turns.last(home, lease)
    if record.ended == rules.CUT and not one.dry_run:
        left = turns.end_strays(rig, home, lease)
        if left:
            raise Refused(f"{lease.actor} cannot go on", why=f"processes of the turn before do not end: {left}")
    record = rules.counted(agents.judged(rig, home, lease, record, one.now, dry_run=one.dry_run))
    facts = turns.facts(rig, home, lease, record, one.now)
    step = rules.next_step(facts)
    if one.dry_run:
        one.say(f"would {step.act}: {step.why}")
        return 0
    print(f"{one.caller.actor}: {step.act}: {step.why}", file=sys.stderr)
    if step.act == "turn":
        step = _affordable(rig, lease, step)
    if step.act == "turn":
        try:
            return _turn(rig, home, lease, record, step)
        except BadConfig as error:
            step = rules.Step("stall", str(error))
    if step.act == "finalise":
        why = turns.finalise(rig, home, lease, one.now)
        step = rules.Step("stall", f"cannot be submitted: {why}") if why else rules.Step("retire", "submitted")
    if step.act == "stall":
        turns.stall(rig, home, lease, record, step.why, _supervisor(rig), one.now)
    elif step.act == "retire":
        _wake(rig, "refinery")
        retire.retire(rig, home.name, caller=_supervisor(rig), now=one.now, reason=step.why)
    return _answer({"act": "end", "why": step.why})


def submitted(one: Round) -> int:
    """The worker said `gt done` and its agent still talks: what it asked for does not wait for that."""
    rig, _ = _worker(one)
    asked = _asked(rig)
    if one.dry_run:
        one.say(f"would wake: {', '.join(asked) or 'nobody'}")
        return 0
    _wake(rig, *asked)
    return _answer({"act": "go on"})


def _turn(rig: Rig, home: Home, lease: leases.Lease, record: rules.Record, step: rules.Step) -> int:
    argv, env = agents.turn(rig, home, lease, _prompt(rig, lease, record))
    plan = turns.plan(rig, home, lease, argv, env, step.wait)
    turns.begin(rig, home, lease, record)
    return _answer(plan)


def _affordable(rig: Rig, lease: leases.Lease, step: rules.Step) -> rules.Step:
    """The step, unless the bead's budget is used up."""
    left = costs.left(rig, lease.bead)
    if left is None or left > 0:
        return step
    return rules.Step("stall", f"the budget of {lease.bead} is used up ({rig.name}.budget_usd)")


def _prompt(rig: Rig, lease: leases.Lease, record: rules.Record) -> str:
    """What a turn is told; everything else the agent asks for with `gt prime`."""
    told = agents.speaks(config.town_settings(rig.town), lease.agent)
    how = "Follow what Gas Town told you at the start (`gt prime` says it again)." if told else "Run `gt prime` now and follow it."
    begin = (f"You are {lease.actor}, a polecat of the rig {rig.name}. The bead {lease.bead} is on your hook: what is on your hook, "
             f"you do. {how}")
    if not record.begun:
        return begin
    return (f"{begin} You were here before ({rules.how(record)}); your tree holds what you did. When everything is committed, "
            "run `gt done`; if you cannot go on, run `gt done --status ESCALATED --reason TEXT`.")


def _worker(one: Round) -> tuple[Rig, Home]:
    if one.name is None:
        raise Refused("which worker?", next="add --name NAME")
    rig = one.its_rig()
    return rig, rig.polecat(one.name)


def _check_alone(home: Home) -> None:
    """A live session by hand holds the tree, whatever the lock says."""
    beat = beats.read(home.heartbeat)
    if beat is not None and beat.pid != os.getpid() and processes.is_alive(beat.process()) is not False:
        raise Refused(f"{beat.actor} is at work", why=f"process {beat.pid} has the tree", next=f"end it, or gt session stop {beat.actor}")


def _supervisor(rig: Rig) -> callers.Caller:
    """Who retires and escalates: the worker's own claim may be gone by then."""
    return callers.Caller(f"{rig.name}/witness", rig.root, rig.town)


def _asked(rig: Rig) -> list[str]:
    """The roles that the worker's commands asked for: it could not start them itself."""
    return [role for role in ("refinery", "witness", "deacon") if wake.is_dirty(rig.town, role, _of(role, rig))]


def _wake(rig: Rig, *roles: str) -> None:
    """Start roles. Where that fails, the tick finds the flag."""
    for role in roles:
        try:
            wake.wake(rig.town, role, _of(role, rig))
        except GastownError as error:
            print(f"wake {role}: {error}", file=sys.stderr)


def _of(role: str, rig: Rig) -> str | None:
    return None if role == "deacon" else rig.name


def _answer(plan: dict[str, object]) -> int:
    print(jsons.dumps_ascii(plan), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(DUTY, {"run": run, "decide": decide, "submitted": submitted}))
