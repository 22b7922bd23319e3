#!/usr/bin/env python3
"""The witness: keeps a rig's workers true to the ledger: claimed work has a worker at it, and a worker without a claim is retired.

It must never: end or remove anything on one fact alone or on a failed look-up, touch a worker whose runner lock is held (but where two
facts say that the runner hangs), throw away work (retiring saves it first), start an agent in a town by hand, or ask a model.
"""

from __future__ import annotations

import sys

from gastown_hooks.core import clock
from gastown_hooks.core.errors import GastownError
from gastown_hooks.core.values import replace
from gastown_hooks.role import Round, main
from gastown_hooks.rules import liveness
from gastown_hooks.work import wake, workers

DUTY = {
    "role": "witness",
    "reads": [
        "the rig's ledger                claims and merge requests",
        "polecats/<name>/lease.json      what each slot was made for",
        "polecats/<name>/runner.lock     the kernel's word whether a runner lives",
        "polecats/<name>/heartbeat.json  the second fact; with the kernel's count of how often the runner ran: whether it hangs",
        "polecats/<name>/turns.json      whether it stalled",
    ],
    "writes": [
        "polecats/<name>/                completes half-made slots; retires the finished, the fenced and the unclaimed",
        "polecats/<name>/restarts.json   when it started a runner again, when a slot could not be made",
        "witness/observed.json           since when a runner's signs of life are the same",
        "refs/gt/salvage/<name>/<fence>  what a retired worker left",
        "mail to witness and overseer    a crash loop, a slot that cannot be made: once",
    ],
    "woken_by": {
        "patrol": "gt daemon tick every witness_seconds; gt sling, gt done and the refinery when they leave something to do",
    },
}


def patrol(one: Round) -> int:
    """Look at every worker of the rig and set right what the facts allow. One worker's trouble does not stop the round."""
    rig = one.its_rig()
    seen = workers.survey(rig)  # a ledger that cannot be read ends the round here: unknown destroys nothing
    failed = 0
    names = sorted({*workers.slots(rig), *seen.held})
    hung = workers.observe(rig, names, clock.awake(), dry_run=one.dry_run)
    for name in names:
        try:
            _tend(one, name, seen, name in hung)
        except GastownError as error:
            failed = 1
            one.say(f"{name}: {error}")
    return failed


def _tend(one: Round, name: str, seen: workers.Survey, hung: bool) -> None:
    rig = one.its_rig()
    facts, lease = workers.look(rig, name, seen)
    verdict = liveness.verdict(replace(facts, hung=hung))
    if verdict == "take over" and lease is not None and not one.dry_run:
        workers.take_over(rig, name, lease, caller=one.caller, now=one.now)
        one.say(f"{name}: its runner hung and is ended")
        facts, lease = workers.look(rig, name, seen)
        verdict = liveness.verdict(facts)
    if verdict == "unknown":
        one.say(f"{name}: cannot tell what it is doing; left as it is")
    elif verdict == "nothing":
        return
    elif one.dry_run:
        one.say(f"{name}: would {verdict}")
    elif verdict == "prepare":
        bead = workers.bead_of(rig, name, lease, seen)
        one.say(f"{name}: {workers.prepare(rig, name, bead, caller=one.caller, now=one.now, tick=clock.since_boot())}")
    elif verdict == "restart" and lease is not None:
        one.say(f"{name}: {workers.restart(rig, name, lease, caller=one.caller, now=one.now, tick=clock.since_boot())}")
    elif verdict == "retire":
        saved = workers.retire_confirmed(rig, name, caller=one.caller, now=one.now, reason=_reason(facts))
        if saved is not None:
            one.say(f"{name}: retired, {len(saved.saved)} refs saved")
            wake.wake(rig.town, "refinery", rig.name)


def _reason(facts: liveness.Worker) -> str:
    if facts.lease == "done" or facts.submitted:
        return "submitted"
    return "no claim of its fence"


if __name__ == "__main__":
    sys.exit(main(DUTY, {"patrol": patrol}))
