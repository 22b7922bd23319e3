"""Histories of the merge queue for bench/merge_queue.py: the real queue lands requests in a real repository, only the gate is instant.

The gate looks for bad words in the tree, and errs by chance where a history says so. Which requests are bad is drawn for each seed;
their order is random, or against the queue: see ORDERS. Time is counted in gate runs, for nothing else takes any: those that run at
once, in as many slots, take as long as one.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pygit2  # noqa: E402

from gastown_hooks.core import clock, ids  # noqa: E402
from gastown_hooks.rules import batching, requests  # noqa: E402
from gastown_hooks.stores.ledger import Ledger  # noqa: E402
from gastown_hooks.work import desk, land, queue, trial  # noqa: E402

queueyard = import_module("queueyard")  # of the tests
COUNT = 100
RANDOM = "random"
ORDERS = ("bad first", "bad last", "alternating", "clustered", "first of stack", "last of stack")
UNIT = 600 * clock.SECOND  # a gate run, where requests come one after another
HOUR = 3600 * clock.SECOND
SHARES = ((0, 0.05), (1, 0.15), (2, 0.4), (3, 0.2), (4, 0.2))  # priorities of requests that come one after another


class Task(NamedTuple):
    """A history: so many of 100 requests are bad, so many gate runs err, in this order."""

    seed: int
    rate: float
    flakes: float
    order: str = RANDOM
    slots: int = 1


class Outcome(NamedTuple):
    runs: int
    time: int  # in gate runs one after the other
    innocents: int  # sent back, although not bad
    landed_bad: int


class Waits(NamedTuple):
    """Of a queue that is fed for a while."""

    urgent: list[float]  # in gate runs
    low: list[float]  # in gate runs
    low_most: list[float]  # what each of them may wait: four hours of age, and what drains the queue it came to


class Bench:
    """One rig, put back to its beginning for each history. Request n has a good and a bad commit."""

    def __init__(self, folder: str) -> None:
        surroundings(folder)
        self.place, self.kept = Path(folder, "place"), Path(folder, "kept")
        self.place.mkdir()
        self.yard = queueyard.make(self.place)
        self.base = self.yard.tip()
        stream, marks = [], [(bad, n) for n in range(COUNT) for bad in (False, True)]
        for mark, (bad, number) in enumerate(marks, 1):
            text = f"{number} {'BAD' if bad else 'fine'}"
            stream.append(f"commit refs/heads/made\nmark :{mark}\ncommitter Bench <bench@example.test> 1767225600 +0000\ndata 4\nwork\n"
                          f"from {self.base}\nM 100644 inline changes/{number}.txt\ndata {len(text)}\n{text}\n")
        imported = self._import("".join(stream) + "".join(f"get-mark :{mark}\n" for mark in range(1, len(marks) + 1)))
        self.heads = dict(zip(marks, imported.split(), strict=True))
        self._import("".join(f"reset {requests.pin(self._id(n, bad))}\nfrom {head}\n\n" for (bad, n), head in self.heads.items())
                     + "reset refs/heads/made\nfrom " + "0" * 40 + "\n\n")
        self.yard.rig_git("pack-refs", "--all")
        shutil.copytree(self.place, self.kept, symlinks=True)

    def _import(self, stream: str) -> str:
        done = subprocess.run(["git", f"--git-dir={self.yard.rig.repo}", "fast-import", "--quiet", "--force"], input=stream, text=True,
                              check=True, capture_output=True)
        return done.stdout

    def _fresh(self, chance: random.Random, flakes: float, slots: int = 1) -> Gate:
        shutil.rmtree(self.place)
        shutil.copytree(self.kept, self.place, symlinks=True)
        self.yard.gates("instant", confirm_red=flakes > 0, gate_slots=slots)  # without flakes as for gates that never err
        made = Gate(chance, flakes)
        trial.steps, trial.await_any = made.steps, made.await_any
        return made

    def history(self, task: Task) -> Outcome:
        """100 requests at once, until none waits."""
        chance = random.Random(str(task))
        bad = arranged([chance.random() < task.rate for _ in range(COUNT)], task.order, batching.stack_size(task.rate))
        instant = self._fresh(chance, task.flakes, task.slots)
        start = self.yard.now
        self._submit((number, is_bad, 2, start + number * clock.SECOND) for number, is_bad in enumerate(bad))
        now = start + HOUR
        while queue.in_order(self.yard.rig, now):
            now += clock.SECOND
            land.round(self.yard.rig, now)
        landed = self._landed(bad)
        return Outcome(instant.runs, instant.time, sum(not one and not is_bad for one, is_bad in zip(landed, bad, strict=True)),
                       sum(one and is_bad for one, is_bad in zip(landed, bad, strict=True)))

    def fed(self, seed: int, load: float) -> Waits:
        """100 requests that come one after another, `load` of them in the time of a gate run, 2 % bad; the refinery works in between."""
        chance = random.Random(f"{seed} {load}")
        instant = self._fresh(chance, 0.0)
        now, when, coming = self.yard.now, float(self.yard.now), []
        for number in range(COUNT):
            when += chance.expovariate(load) * UNIT
            (priority,) = chance.choices([p for p, _ in SHARES], [share for _, share in SHARES])
            coming.append((number, chance.random() < 0.02, priority, int(when)))
        bad, ends, drains = [row[1] for row in coming], dict[int, int](), dict[int, float]()
        todo = list(coming)
        while todo or queue.in_order(self.yard.rig, now):
            arrived = [row for row in todo if row[3] <= now]
            todo = todo[len(arrived):]
            self._submit(arrived)
            waiting = len(queue.in_order(self.yard.rig, now))
            drains |= {row[0]: float(waiting) for row in arrived}
            now = self._one_batch(now, bad, ends, instant) if waiting else todo[0][3]
        waits = {number: (ends[number] - came) / UNIT for number, _, _, came in coming if number in ends}
        lowest = [number for number, _, priority, _ in coming if priority == 4 and number in waits]
        return Waits([waits[n] for n, _, priority, _ in coming if priority == 0 and n in waits], [waits[n] for n in lowest],
                     [4 * HOUR / UNIT + drains[n] for n in lowest])

    def _one_batch(self, now: int, bad: list[bool], ends: dict[int, int], instant: Gate) -> int:
        """What roles/refinery does, one stack at a time; when it ended, each gate run having taken its time."""
        this = desk.open_desk(self.yard.rig, now)
        land.look(this)
        land.recover(this)
        land.check_foreign(this)
        before = instant.time
        numbers = {self._id(number, is_bad): number for number, is_bad in enumerate(bad)}
        instant.tell = lambda: ends.update({numbers[one]: now + (instant.time - before) * UNIT for one, _ in this.result.landed
                                            if numbers[one] not in ends})
        land.attempt(this, land.next_batch(this))
        instant.tell()
        return now + max(1, instant.time - before) * UNIT

    def _submit(self, rows: Iterable[tuple[int, bool, int, int]]) -> None:
        """(number, bad, priority, when) of each."""
        records = [record for number, is_bad, priority, when in rows
                   for record in submission(number, self.heads[is_bad, number], self.base, priority, when)]
        if records:
            Ledger(self.yard.rig.beads).transact(lambda view: records)

    def _id(self, number: int, is_bad: bool) -> str:
        return request_id(number, self.heads[is_bad, number])

    def _landed(self, bad: list[bool]) -> list[bool]:
        records = Ledger(self.yard.rig.beads).all()
        return [requests.parse(records[self._id(number, is_bad)]).state == requests.LANDED for number, is_bad in enumerate(bad)]


class Gate:
    """In place of the gates' runs in their trees: `runs` of them, which took `time`. `tell` is called while time goes on."""

    def __init__(self, chance: random.Random, flakes: float) -> None:
        self.chance, self.flakes, self.runs, self.time = chance, flakes, 0, 0
        self.tell: Callable[[], None] = lambda: None

    def steps(self, job: trial.Job) -> trial.Steps:
        self.runs += 1
        wrong = self.chance.random() < self.flakes or holds_bad(job.rig.repo, job.commit)
        yield trial.Wait((), 0.0)  # until all that run at once have begun
        return trial.Verdict(trial.FAIL, "instant: exit 1") if wrong else trial.Verdict(trial.PASS)

    def await_any(self, trials: Collection[trial.Trial]) -> None:
        self.tell()
        self.time += 1
        _await_any(trials)


def submission(number: int, head: str, base: str, priority: int, time: int) -> list[dict[str, Any]]:
    """A bead that a worker has, and the merge request of its work."""
    when, source, worker, fence = clock.stamp(time), f"gp-{number:03d}", f"gp/polecats/w{number}", number + 1
    common = {"priority": priority, "created_at": when, "updated_at": when}
    metadata = {"branch": f"work/{number}", "head": head, "base": base, "target": "main", "source": source, "worker": worker,
                "fence": fence, "state": requests.QUEUED}
    return [{"id": source, "title": f"Do {number}", "status": "in_progress", "issue_type": "task", "assignee": worker,
             "claim_fence": fence, **common},
            {"id": request_id(number, head), "title": f"Merge: Do {number}", "status": "open", "issue_type": requests.TYPE,
             "metadata": metadata, **common}]


def request_id(number: int, head: str) -> str:
    return ids.derived("gp-mr", f"gp-{number:03d}", str(number + 1), head)


def surroundings(folder: str) -> None:
    """A home and a git configuration of our own."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GT_", "BD_", "BEADS_", "XDG_"))]:
        del os.environ[name]
    config = Path(folder, "gitconfig")
    config.write_text("[user]\n\tname = Bench\n\temail = bench@example.test\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n")
    os.environ.update(HOME=folder, GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_NOSYSTEM="1", GT_WAKE="off")


def arranged(bad: list[bool], order: str, stack: int) -> list[bool]:
    """As many bad ones in another order; `stack`: how many requests the queue tests together."""
    count, size = sum(bad), len(bad)
    if order == RANDOM:
        return bad
    places = {
        "bad first": range(count),
        "bad last": range(size - count, size),
        "alternating": [*range(0, size, 2), *range(1, size, 2)],
        "clustered": [*range(size // 4, size), *range(size // 4)],
        "first of stack": sorted(range(size), key=lambda place: (place % stack, place)),
        "last of stack": sorted(range(size), key=lambda place: (-(place % stack), place)),
    }[order]
    chosen = set(list(places)[:count])
    return [place in chosen for place in range(size)]


def holds_bad(repo: str, commit: str) -> bool:
    tree: Any = pygit2.Repository(repo)[commit].peel(pygit2.Tree)
    return "changes" in tree and any(b"BAD" in entry.data for entry in tree["changes"])


_await_any = trial.await_any
_bench: list[Bench] = []


def start(folder: str) -> None:
    """Of each process of a pool."""
    _bench.append(Bench(tempfile.mkdtemp(dir=folder)))


def history(task: Task) -> tuple[Task, Outcome]:
    return task, _bench[0].history(task)


def fed(seed: int, load: float) -> Waits:
    return _bench[0].fed(seed, load)
