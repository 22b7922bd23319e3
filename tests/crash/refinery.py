"""Scenarios of the merge queue: rounds of the refinery, alone, racing with a person, and at the end of a worker's way."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable

from crash import checker, engine
from crash.engine import Command, Scenario, Story
from crash.ground import (
    BEADS,
    RIG,
    always,
    bystanders,
    commit,
    committed,
    gt,
    laws,
    leases,
    line,
    put,
    rigged,
    run,
    sling,
    start_of,
    town_of,
    worker,
)

# ---- the refinery

def queued(root: str) -> None:
    committed(root)
    for bead in BEADS:
        run(worker(root, bead, "done"), root)


def refinery_later(root: str, ack: engine.Acknowledge) -> None:
    """The next tick's round: what was put off for a while is due."""
    from gastown_hooks.core import clock, paths
    from gastown_hooks.work import desk, land, rework
    os.chdir(f"{root}/town")
    rig, later = paths.Town(f"{root}/town").rig(RIG), clock.now() + 7200 * clock.SECOND
    land.round(rig, later)
    rework.send_workers(desk.open_desk(rig, later))
    ack("round")


# ---- a batch: what lands together, a culprit, and two that do not merge with each other

BATCH = {BEADS[0]: {"one.txt": "1\n", "src/app.py": "print('one')\n"}, BEADS[1]: {"two.txt": "2\n"}, BEADS[2]: {"bad": "fails\n"},
         "gp-ddd04": {"four.txt": "4\n"}, "gp-eee05": {"src/app.py": "print('five')\n"}}
ENDS = dict(zip(BATCH, (("landed", "closed"), ("landed", "closed"), ("failed", "open"), ("landed", "closed"), ("conflict", "hooked")),
                strict=True))
MAILS = {"MERGED": 3, "MERGE_FAILED": 1, "REWORK_REQUEST": 1}


def batched(root: str) -> None:
    """Five requests in the queue of a running town; the gate counts its runs."""
    rigged(root, tuple(BATCH))
    town = f"{root}/town"
    run(gt("config", "set", f"{RIG}.gates", json.dumps([f"echo run >> {root}/runs; test ! -e bad"]), cwd=town), root)
    run(gt("up", "--no-cron", cwd=town), root)
    for command in sling(*BATCH)(root):
        run(command, root)
    for bead, files in BATCH.items():
        commit(root, bead, files)
        run(worker(root, bead, "done"), root)
    run(witness(root), root)  # the done workers' slots go


def batched_with(key: str, value: str) -> Callable[[str], None]:
    """The same under another setting of the rig."""
    def prepare(root: str) -> None:
        batched(root)
        run(gt("config", "set", f"{RIG}.{key}", value, cwd=f"{root}/town"), root)

    return prepare


def witness(root: str) -> Command:
    return Command(("witness.py", "patrol", "--town", f"{root}/town", "--rig", RIG), f"{root}/town")


def tick_later(root: str, ack: engine.Acknowledge) -> None:
    """The next tick: both of the rig's roles."""
    refinery_later(root, ack)
    if engine.program(witness(root).argv) == 0:
        ack("witness")


def gate_runs(root: str) -> int:
    if not os.path.exists(f"{root}/runs"):
        return 0
    with open(f"{root}/runs", encoding="utf-8") as file:
        return len(file.readlines())


def batch_landed(story: Story) -> list[str]:
    """Three landed, one is sent back for its fault, one for its conflict, which has exactly one fresh worker."""
    town = town_of(story)
    ledger = town.ledger()
    requests = {checker.metadata(r)["source"]: checker.metadata(r) for r in checker.requests(ledger)}
    ends = {bead: (requests[bead]["state"], ledger.records[bead]["status"]) for bead in BATCH}
    bad = [f"{bead} ended as {ends[bead]}, {requests[bead].get('reason')}" for bead in BATCH if ends[bead] != ENDS[bead]]
    kinds = mail_kinds(town)
    bad += [] if kinds == MAILS else [f"mails: {dict(kinds)}"]
    fences = {bead: ledger.records[bead]["claim_fence"] - requests[bead]["fence"] for bead in BATCH}
    fresh, lease = "gp-eee05", leases(story.root).get("gp-eee05", {})
    bad += [f"claimed anew: {fences}"] if fences != {bead: int(bead == fresh) for bead in BATCH} else []
    bad += [] if lease.get("fence") == ledger.records[fresh]["claim_fence"] else [f"the conflict's lease: {lease}"]
    slots = os.listdir(f"{town.rig}/polecats")
    bad += [f"slots: {sorted(slots)}"] if len(slots) != 1 else []
    touched = [*BATCH, *(r["id"] for r in checker.requests(ledger))]
    return bad + refs_agree(town) + checker.settled(town) + laws(story) + bystanders(story, *touched)


def refs_agree(town: checker.Town) -> list[str]:
    return [] if checker.git(town.repo, "rev-parse", "refs/heads/main") == town.tip() else ["the rig's own branch is elsewhere"]


def mail_kinds(town: checker.Town) -> Counter[str]:
    subjects = [re.search(rb"^Subject: (\S+)", text, re.MULTILINE) for _, text in checker.mails(town.root)]
    return Counter(match.group(1).decode() for match in subjects if match)


def landed(story: Story) -> list[str]:
    town = town_of(story)
    ledger, bad = town.ledger(), []
    states = {checker.metadata(r).get("source"): checker.metadata(r).get("state") for r in checker.requests(ledger)}
    status = {bead: ledger.records[bead].get("status") for bead in BEADS}
    wanted = dict(zip(BEADS, ("landed", "landed", "failed"), strict=True))
    if states != wanted or status != dict(zip(BEADS, ("closed", "closed", "open"), strict=True)):
        reasons = {checker.metadata(r).get("reason") for r in checker.requests(ledger)} - {None}
        bad.append(f"requests {states}, beads {status}, reasons {reasons}")
    commits = checker.git(town.origin, "rev-list", "--first-parent", f"{start_of(story)}..main").split()
    bad += [] if 1 <= len(commits) <= 2 else [f"{len(commits)} landings for two requests"]
    bad += refs_agree(town)
    kinds = mail_kinds(town)
    bad += [] if kinds["MERGED"] == 2 and kinds["MERGE_FAILED"] == 1 else [f"mails: {dict(kinds)}"]
    touched = [*BEADS, *(r["id"] for r in checker.requests(ledger))]
    return bad + checker.settled(town) + laws(story) + bystanders(story, *touched)


# ---- somebody pushes to the target while the gate runs

RACE = """test ! -e bad || exit 1
mkdir {root}/raced 2>/dev/null || exit 0
git clone -q {root}/origin.git "$TMPDIR/other.$$" && cd "$TMPDIR/other.$$" || exit 0
echo person > person.txt && git add person.txt && git commit -q -m person && git push -q origin HEAD:main
git rev-parse HEAD > {root}/raced/commit.part && mv {root}/raced/commit.part {root}/raced/commit
cd / && rm -rf "$TMPDIR/other.$$"
"""


def raced(root: str) -> None:
    queued(root)
    put(f"{root}/race.sh", RACE.format(root=root))
    run(gt("config", "set", f"{RIG}.gates", json.dumps([f"sh {root}/race.sh"]), cwd=f"{root}/town"), root)


def nothing_of_a_person_is_lost(story: Story) -> list[str]:
    pushed = f"{story.root}/raced/commit"
    bad = always(story)
    if not os.path.exists(pushed):
        return [text for text in bad if "without a gate note" not in text]
    with open(pushed, encoding="utf-8") as file:
        commit = file.read().strip()
    bad = [text for text in bad if text != f"{commit[:12]} is on main without a gate note"]  # seen at the next look
    kept = checker.is_ancestor(f"{story.root}/origin.git", commit, "refs/heads/main")
    return bad + ([] if kept else ["a person's commit is gone from the target"])


def all_landed(story: Story) -> list[str]:
    states = {checker.metadata(r).get("source"): checker.metadata(r).get("state") for r in checker.requests(town_of(story).ledger())}
    wanted = dict(zip(BEADS, ("landed", "landed", "failed"), strict=True))
    bad = [] if states == wanted else [f"requests {states}"]
    return bad + nothing_of_a_person_is_lost(story) + laws(story) + checker.settled(town_of(story))


def patrol(root: str) -> list[Command]:
    return [Command(("refinery.py", "patrol", "--town", f"{root}/town", "--rig", RIG), f"{root}/town")]


# ---- from sling to landed: runner, embedded agent, done, refinery, retire in one process tree

INLINE = {"GT_WAKE": "inline"}


def runnable(root: str) -> None:
    """A rig with one bead that the embedded agent can do."""
    rigged(root)
    text = line(BEADS[0], run="echo 1 > one.txt") + line("gp-zzz99", title="bystander", status="closed")
    put(f"{root}/town/{RIG}/.beads/issues.jsonl", text)
    run(gt("rig", "list", cwd=f"{root}/town"), root)


def sling_and_run(root: str) -> list[Command]:
    return [gt("sling", BEADS[0], RIG, "--agent", "exec", "--start", cwd=f"{root}/town", env=INLINE)]


def sling_and_tick(root: str) -> list[Command]:
    """The same command again; in a town by hand a person starts the worker; then the rounds that a tick would start."""
    town = f"{root}/town"
    again = [gt("sling", BEADS[0], RIG, "--agent", "exec", "--start", cwd=town, env=INLINE, allowed=(0, 4, 5)),
             gt("session", "start", f"{RIG}/toast", cwd=town, env=INLINE, allowed=(0, 3, 4, 5))]
    rounds = [Command((f"{role}.py", "patrol", "--town", town, "--rig", RIG), town, INLINE) for role in ("witness", "refinery", "witness")]
    waiting = [r["id"] for r in checker.requests(checker.Ledger(f"{town}/{RIG}/.beads")) if checker.metadata(r).get("state") == "waiting"]
    retries = [gt("mq", "retry", request, cwd=town, env=INLINE) for request in waiting]  # put off for half a minute: a person's word
    return [*again, *retries, *rounds]


def work_landed(story: Story) -> list[str]:
    town = town_of(story)
    record = town.ledger().records[BEADS[0]]
    bad = [] if record.get("status") == "closed" else [f"the bead is {record.get('status')}, {record.get('notes')}"]
    found = [checker.metadata(r) for r in checker.requests(town.ledger())]
    bad += [] if [data.get("state") for data in found] == ["landed"] else [f"requests: {found}"]
    bad += [] if checker.git(town.origin, "show", "main:one.txt", check=False) == "1" else ["the work is not in the target"]
    slots = os.listdir(f"{town.rig}/polecats")
    return bad + ([f"workers are left: {slots}"] if slots else []) + checker.settled(town) + laws(story) + bystanders(
        story, BEADS[0], *(r["id"] for r in checker.requests(town.ledger())))


SCENARIOS = [
    Scenario("refinery", queued, patrol, landed, recover=refinery_later, glance=always, promises=False),
    Scenario("queue", batched, patrol, batch_landed, recover=tick_later, glance=always, promises=False, effort=gate_runs),
    *(Scenario(f"queue-{name}", batched_with(key, value), patrol, batch_landed, recover=tick_later, glance=always, promises=False,
               effort=gate_runs, extra=extra, thin=5) for name, key, value, extra in (
                   ("linear", "landing", "linear", 3), ("slots", "gate_slots", "3", 6))),  # two kills end what runs in three slots
    Scenario("refinery-race", raced, patrol, all_landed, recover=refinery_later, glance=nothing_of_a_person_is_lost,
             promises=False, thin=5),
    Scenario("sling-to-landed", runnable, sling_and_run, work_landed, recover=sling_and_tick, glance=always, promises=False, thin=5),
    Scenario("broken-no-swap", raced, patrol, all_landed, glance=nothing_of_a_person_is_lost, broken="no_swap"),
    Scenario("broken-close-first", queued, patrol, landed, glance=always, broken="close_first"),
]
