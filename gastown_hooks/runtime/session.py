"""What an agent program is told at its session events, in the form that Claude Code takes.

start: a worker's session is noted, and `gt prime` becomes its context (also after a compaction). prompt: news, and whether this session
may work here at all. stop: while the hook is not empty it is told to go on, a few times for each prompt; then the runner decides. end, and
before each prompt: what a session by hand used is put to the bead's account; when its budget is used up, prompts are refused.
The mayor and crew members have no lease: they get their context and are told of mail. Any other home is told nothing.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from gastown_hooks.core import clock, errors, fsio, lock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Home, Rig, town_at
from gastown_hooks.rules.turns import Facts, Record
from gastown_hooks.runtime import claude
from gastown_hooks.stores import beats, callers, mail, processes
from gastown_hooks.work import costs, prime, turns
from gastown_hooks.work import lease as leases
from gastown_hooks.work.lease import Lease

BLOCKS, BLOCKS_BY_HAND = 3, 1  # how often a stop is answered with "go on" for one prompt


class Event:
    """One event of the session in the worker's home."""

    def __init__(self, root: str, payload: dict[str, Any]) -> None:
        self.home, self.payload = Home(root), payload
        town = town_at(root)
        parts = root[len(town.root) + 1:].split("/")
        self.rig: Rig = town.rig(parts[0])
        self.lease: Lease | None = leases.read(self.home)
        self.resident = callers.Caller("/".join(parts), root, town) if parts == ["mayor"] or parts[1:-1] == ["crew"] else None
        self.by_hand = not callers.variable(claude.UNDER_RUNNER)

    def note(self, **changes: Any) -> None:
        """What is remembered of the session."""
        fsio.write_json(self.home.session, {**(fsio.read_json(self.home.session) or {}), **changes}, durable=False)

    def in_the_way(self) -> str:
        """Who else works in this tree, in words; else "" and the tree is this session's, by hand through its heartbeat."""
        if not self.by_hand or self.lease is None:
            return ""
        me = _agent()
        beat = beats.read(self.home.heartbeat)
        if beat is not None and beat.state == beats.ATTACHED and processes.is_above(beat.process()):
            return ""  # `gt attach`: its runner stands aside
        if beat is not None and beat.process() != me and processes.is_alive(beat.process()) is not False:
            return f"process {beat.pid} works in this tree"
        if beat is None or beat.process() != me:
            beats.write(self.home.heartbeat, beats.Beat(
                actor=self.lease.actor, session=str(self.payload.get("session_id", "")), pid=me.pid, start=me.start, boot_id=me.boot_id,
                seq=beat.seq + 1 if beat else 1, progress="", state="by hand", bead=self.lease.bead))
        # After the beat: a runner takes its lock before it looks at the beat, so at least one of the two sees the other.
        return "a runner works in this tree" if lock.is_held(self.home.runner_lock) else ""


def start(event: Event, lease: Lease) -> int:
    """Note the session; print the context."""
    stranger = event.in_the_way()
    if stranger:
        print(f"[GAS TOWN] {stranger}: change nothing here.")
        return 0
    claude.settle(event.rig, event.home, lease, clock.now())
    claude.begin_account(event.home, event.payload, by_hand=event.by_hand)
    print(prime.text(turns.worker(event.rig, lease, event.home)))
    return 0


def prompt(event: Event, lease: Lease) -> int:
    """Refuse the prompt where somebody else works; tell what is new."""
    stranger = event.in_the_way()
    if stranger:
        who = f"{event.rig.name}/{event.home.name}"
        return _block(f"{stranger}; one agent a tree. End it first: gt session stop {who}")
    claude.settle(event.rig, event.home, lease, clock.now(), last=False)
    if event.by_hand and (over := _over_budget(event, lease)):
        return _block(over)
    event.note(blocks=0)
    if _facts(event, lease).claim is False:
        print(f"[GAS TOWN] Your claim on {lease.bead} is over: it was given to somebody else. Change nothing more; your work is kept.")
    else:
        _tell_mail(event)
    return 0


def stop(event: Event, lease: Lease) -> int:
    """What is on the hook is done before one stops."""
    facts = _facts(event, lease)
    blocks = (fsio.read_json(event.home.session) or {}).get("blocks", 0)
    if not facts.claim or not facts.prepared or facts.submitted or blocks >= (BLOCKS_BY_HAND if event.by_hand else BLOCKS):
        return 0
    if event.by_hand and _over_budget(event, lease):
        return 0
    event.note(blocks=blocks + 1)
    if facts.dirty:
        what = "Its tree has changes that are not committed: git add -A && git commit -m TEXT, then: gt done"
    elif facts.commits:
        what = "What you committed is not submitted. Finish what is missing, then: gt done"
    else:
        what = "Nothing is committed yet. Do it now, then: gt done"
    return _block(f"{lease.bead} is still on your hook, and what is on your hook, you do, without asking. {what} "
                  "(If you cannot go on: gt done --status ESCALATED --reason TEXT)")


def end(event: Event, lease: Lease) -> int:
    """The session is over: its last turn is accounted for."""
    if (fsio.read_json(event.home.session) or {}).get("session") == event.payload.get("session_id"):
        claude.settle(event.rig, event.home, lease, clock.now())
    return 0


def resident(event: Event, word: str) -> int:
    """The mayor, a crew member: who they are, what is on their hook, what is new."""
    if event.resident is not None and word == "start":
        print(prime.text(event.resident))
    elif event.resident is not None and word == "prompt":
        _tell_mail(event)
    return 0


EVENTS = {"start": start, "prompt": prompt, "stop": stop, "end": end}


def main() -> int:
    """`HOME EVENT`, the event's JSON on standard input."""
    return errors.for_agent_hook(errors.handled("gt", _run))


def _run() -> int:
    if len(sys.argv) != 3 or sys.argv[2] not in EVENTS:
        raise BadInput("an agent program's settings file starts this", why=f"HOME {'|'.join(EVENTS)}")
    try:
        payload = json.load(sys.stdin)
    except ValueError:
        raise BadInput("a session event is JSON on standard input") from None
    event = Event(sys.argv[1], payload if isinstance(payload, dict) else {})
    return EVENTS[sys.argv[2]](event, event.lease) if event.lease is not None else resident(event, sys.argv[2])


def _facts(event: Event, lease: Lease) -> Facts:
    return turns.facts(event.rig, event.home, lease, Record(lease.fence))


def _tell_mail(event: Event) -> None:
    if unread := len(mail.unread(event.home.mail)):
        print(f"[GAS TOWN] Mail: {unread} unread.")


def _over_budget(event: Event, lease: Lease) -> str:
    """In words; "" while something is left."""
    left = costs.left(event.rig, lease.bead)
    if left is None or left > 0:
        return ""
    key = f"{event.rig.name}.budget_usd"
    return f"the budget of {lease.bead} is used up (${costs.spent(event.rig, lease.bead):.2f}). More of it: gt config set {key} AMOUNT"


def _block(reason: str) -> int:
    print(json.dumps({"decision": "block", "reason": reason}))
    return 0


def _agent() -> processes.Process:
    """The agent program: the nearest process above that is not the shell which carries this event's command."""
    pid = os.getppid()
    while True:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"gastown_hooks.session_event" not in file.read():
                break
        with open(f"/proc/{pid}/stat", "rb") as file:
            pid = int(file.read().rpartition(b")")[2].split()[1])
    found = processes.find(pid)
    if found is None:
        raise ProcessLookupError(f"process {pid} cannot be seen")
    return found


if __name__ == "__main__":
    sys.exit(main())
