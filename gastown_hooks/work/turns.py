"""A worker's turns: the facts that its runner decides from, and the acts that follow. See rules/turns for the decision.

`polecats/<name>/turns.json` is the record of one claim's turns, written before each turn and after it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Corrupt, GastownError
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.record import noted, touched
from gastown_hooks.core.values import asdict, replace
from gastown_hooks.rules import claims
from gastown_hooks.rules import turns as rules
from gastown_hooks.rules.turns import Facts, Record
from gastown_hooks.stores import callers, changes, config, events, git, gitdir, known, mail, processes
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.work import done, sling, strays
from gastown_hooks.work import lease as leases
from gastown_hooks.work.lease import DONE, READY, Lease

STRAY_GRACE = 2.0


def last(home: Home, lease: Lease) -> Record:
    """The record of this claim's turns; an empty one for a new claim. A turn whose runner was killed counts as cut."""
    value = fsio.read_json(home.turns)
    if value is None:
        return Record(lease.fence)
    try:
        record = Record(**value)
    except TypeError as error:
        raise Corrupt(f"{home.turns} is no record of turns", why=str(error)) from None
    if record.fence != lease.fence:
        return Record(lease.fence)
    return record if record.ended or not record.begun else replace(record, ended=rules.CUT)


def write(home: Home, record: Record) -> None:
    fsio.write_json(home.turns, asdict(record))


def end_strays(rig: Rig, home: Home, lease: Lease) -> list[processes.Process]:
    """End what a cut turn left running; who is left. The caller holds the runner's lock."""
    return processes.end(lambda: strays.of_turn(rig, home, lease), STRAY_GRACE)


def facts(rig: Rig, home: Home, lease: Lease, record: Record, now: int = 0) -> Facts:
    """What the decision rests on. A ledger that cannot be read makes the claim unknown; a git that fails raises."""
    claim, submitted = _claim(rig, lease)
    prepared = lease.state == READY and os.path.isdir(home.tree)
    commits, dirty = _work(home, lease) if prepared and claim and not submitted else (False, False)
    return Facts(claim, prepared, submitted, commits, dirty, record, config.rig_settings(rig).max_turns, now // clock.SECOND)


def begin(rig: Rig, home: Home, lease: Lease, record: Record) -> Record:
    """Write down that a turn begins. A turn that the runner's death cut, a limit or a person is not counted twice."""
    begun = record.begun + (record.ended not in rules.UNCOUNTED)
    started = Record(lease.fence, max(1, begun), "", 0, record.failures, record.unfinished, offset=_size(home.transcript),
                     limited=record.limited, until=record.until)
    write(home, started)
    _in_progress(rig, lease)
    return started


def plan(rig: Rig, home: Home, lease: Lease, argv: list[str], env: dict[str, str], wait: int) -> dict[str, Any]:
    """The turn as the runner gets it."""
    settings = config.rig_settings(rig)
    environment = with_programs(callers.clean_environment({**sling.worker_environment(rig, lease), **env}))
    git_dir = gitdir.git_dir(home.tree)
    return {"act": "turn", "wait": wait, "argv": argv, "env": environment,
            "transcript": home.transcript, "watch": [home.transcript, f"{git_dir}/logs/HEAD", f"{git_dir}/index"],
            "turn_seconds": settings.turn_seconds, "idle_seconds": settings.idle_seconds}


def with_programs(environment: dict[str, str]) -> dict[str, str]:
    """gt and bd are found, behind everything else: nothing of the project's is hidden."""
    return {**environment, "PATH": f"{environment.get('PATH') or os.defpath}:{os.path.dirname(sys.executable)}"}


def finalise(rig: Rig, home: Home, lease: Lease, now: int) -> str:
    """Commit what the worker left, as the worker, and submit it; "" or the reason why that cannot be."""
    bead = Ledger(rig.beads).get(lease.bead) or {}
    try:
        commit(rig, home, lease, f"{bead.get('title') or lease.bead}\n\nCommitted by the runner: the agent stopped without gt done.")
        done.done(worker(rig, lease, home), now)
    except GastownError as error:
        return str(error)
    return ""


def commit(rig: Rig, home: Home, lease: Lease, message: str) -> str | None:
    """Commit every change of the tree (within its sparse checkout) as the worker; the commit, or None where nothing changed.

    The worker's own githooks run: they add the trailers and pin the commit.
    """
    env = sling.worker_environment(rig, lease)
    # Each path by name: git would refuse the whole `add --all` for one untracked file outside the sparse checkout.
    changed = changes.uncommitted(home.tree)
    if not changed:
        return None
    unstaged = [os.fsencode(f":(literal){change.path}") for change in changed if change.unstaged]  # a staged deletion is no path any more
    if unstaged:
        git.run(home.tree, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", input=b"\0".join(unstaged), env=env)
    if git.run(home.tree, "diff", "--cached", "--quiet", check=False).code == 0:
        return None
    git.run(home.tree, "-c", f"core.hooksPath={home.githooks}", "commit", "--quiet", "--file=-", "--cleanup=whitespace",
            input=message.encode(errors="replace") + b"\n", env=env)
    return git.run(home.tree, "rev-parse", "HEAD").line


def stall(rig: Rig, home: Home, lease: Lease, record: Record, reason: str, caller: Caller, now: int) -> None:
    """Nothing more is tried: the slot and its work stay, somebody is asked, once. The third worker lost poisons the bead."""
    note = f"{lease.actor} stalled: {reason}"
    poison = rules.poisoned(_lost_on(Ledger(rig.beads).get(lease.bead), lease))
    key = f"stalled-{lease.bead}-{lease.fence}"
    body = f"{note}\n\nIts tree: {home.tree}\nLast output: gt peek {rig.name}/{home.name}\n" + (
        "Three workers were lost on this bead; it is blocked until somebody looks at it.\n" if poison else "")
    # The mail first: once bead and record say it, nobody looks at this worker again.
    tell(rig, f"STALLED {rig.name}/{home.name} on {lease.bead}", body, key, caller, now)
    _note_lost(rig, lease, note, caller, now)
    write(home, replace(record, stalled=reason))
    events.emit(rig.town, "poisoned" if poison else "stalled", caller.actor,
                {"bead": lease.bead, "worker": lease.actor, "reason": reason}, now)


def tell(rig: Rig, subject: str, body: str, key: str, caller: Caller, now: int) -> None:
    """Mail to the witness and to the person, once a key."""
    for mailbox, who in ((rig.witness.mail, f"{rig.name}/witness"), (rig.town.overseer.mail, "overseer")):
        mail.deliver(mailbox, caller.actor, who, subject, body, key=key, now=now)


def again(home: Home, lease: Lease) -> None:
    """A person's word that a stalled worker shall try again: its counts begin anew."""
    record = last(home, lease)
    if record.stalled or record.failures:
        write(home, Record(lease.fence))


def hold(home: Home, reason: str) -> None:
    """Nobody starts this worker again until `again`: it was stopped on purpose."""
    try:
        lease = leases.read(home)
        if lease is not None:
            before = last(home, lease)
            write(home, replace(before, stalled=before.stalled or reason))  # why it stalled first is what a person wants to know
    except Corrupt:
        pass  # a slot whose files cannot be read is not started by anybody


def worker(rig: Rig, lease: Lease, home: Home) -> Caller:
    """The worker as a caller, for what is done in its name."""
    return Caller(lease.actor, home.tree, rig.town, bead=lease.bead, fence=lease.fence, token=lease.token)


def claimed(record: dict[str, Any] | None, lease: Lease) -> bool | None:
    """Whether the bead is this lease's; None for a bead that a readable ledger does not hold at all."""
    if record is None:
        return None
    return (record.get("status") in claims.CLAIMED and record.get("assignee") == lease.actor
            and record.get("claim_fence") == lease.fence)


def _claim(rig: Rig, lease: Lease) -> tuple[bool | None, bool]:
    if lease.state == DONE:
        return True, True
    try:
        records = known.beads(Ledger(rig.beads))
        bead = records.get(lease.bead)
        mine = claimed(bead, lease)
        request = known.open_request(records, bead) if bead is not None and mine else None
    except GastownError:
        return None, False
    return mine, request is not None and request.get("status") == "open"


def _work(home: Home, lease: Lease) -> tuple[bool, bool]:
    return git.run(home.tree, "rev-parse", "HEAD").line != lease.base, bool(changes.uncommitted(home.tree))


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _in_progress(rig: Rig, lease: Lease) -> None:
    def change(view: View) -> list[dict[str, Any]]:
        bead = view.get(lease.bead)
        if bead is None or not claimed(bead, lease) or bead.get("status") == "in_progress":
            return []
        now = clock.now()
        return [touched(bead, {"status": "in_progress", "started_at": bead.get("started_at") or clock.stamp(now)}, lease.actor, now)]

    Ledger(rig.beads).transact(change)


def _lost_on(bead: dict[str, Any] | None, lease: Lease) -> list[str]:
    """The workers lost on the bead, this one among them, while it is this one's."""
    if bead is None or not claimed(bead, lease):
        return []
    name = f"{lease.actor.rpartition('/')[2]}@{lease.fence}"
    return [*(one for one in (bead.get("metadata") or {}).get("lost", ()) if one != name), name]


def _note_lost(rig: Rig, lease: Lease, note: str, caller: Caller, now: int) -> None:
    """Record on the bead that this worker was lost on it; one that is poison by that is nobody's any more."""
    def change(view: View) -> list[dict[str, Any]]:
        bead = view.get(lease.bead)
        lost = _lost_on(bead, lease)
        if bead is None or not lost:
            return []
        changes: dict[str, Any] = {"metadata": {**(bead.get("metadata") or {}), "lost": lost}, "notes": noted(bead, note)}
        if rules.poisoned(lost):
            changes |= {"status": "blocked", "assignee": None, "labels": sorted({*(bead.get("labels") or ()), "poison"})}
        return [touched(bead, changes, caller.actor, now)]

    Ledger(rig.beads).transact(change)
