"""What the merge queue costs: `python bench/merge_queue.py --seeds 50`. Prints gate runs for 100 requests, as a table.

The real queue lands them in a real repository; only the gate is instant: it looks for bad words in the tree, and errs by chance
where the row says so. Which requests are bad is drawn for each seed; their order is random, or the worst ones by turns: all bad
first, all last, in clusters. A row without flakes has `confirm_red` off, as for gates that never err. `--slots 4`: four gates at
once; then the goals are for the time, in gate runs one after the other. Exit code 1 when a goal is missed. Runs in /dev/shm where
that is there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pygit2  # noqa: E402

from gastown_hooks.core import clock, ids  # noqa: E402
from gastown_hooks.rules import requests  # noqa: E402
from gastown_hooks.stores.ledger import Ledger  # noqa: E402
from gastown_hooks.work import queue, trial  # noqa: E402

queueyard = import_module("queueyard")  # of the tests
COUNT = 100
GOALS = {(0.0, 0.0): 4, (0.02, 0.0): 18, (0.05, 0.0): 34, (0.10, 0.0): 55, (0.20, 0.0): 84,
         (0.0, 0.02): 4.5, (0.02, 0.02): 21, (0.05, 0.02): 42, (0.10, 0.02): 69, (0.20, 0.02): 109}
TIME_GOALS = {(0.0, 0.0): 3, (0.02, 0.0): 10, (0.05, 0.0): 18, (0.10, 0.0): 29, (0.20, 0.0): 43}
INNOCENTS = 0.05
ORDERS = ("random", "bad first", "bad last", "clusters")


def surroundings(folder: str) -> None:
    """A home and a git configuration of our own."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GT_", "BD_", "BEADS_", "XDG_"))]:
        del os.environ[name]
    config = Path(folder, "gitconfig")
    config.write_text("[user]\n\tname = Bench\n\temail = bench@example.test\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n")
    os.environ.update(HOME=folder, GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_NOSYSTEM="1", GT_WAKE="off")


class Bench:
    """One rig, put back to its beginning for each history. Request n has a good and a bad commit."""

    def __init__(self, folder: str) -> None:
        surroundings(folder)
        self.place, self.kept = Path(folder, "place"), Path(folder, "kept")
        self.place.mkdir()
        self.yard = queueyard.make(self.place)
        self.base = self.yard.tip()
        stream = []
        for number in range(COUNT):
            for word in ("good", "bad"):
                text = f"{number} {'BAD' if word == 'bad' else 'fine'}"
                stream.append(f"commit refs/heads/{word}/{number}\ncommitter Bench <bench@example.test> 1767225600 +0000\ndata 4\nwork\n"
                              f"from {self.base}\nM 100644 inline changes/{number}.txt\ndata {len(text)}\n{text}\n")
        subprocess.run(["git", f"--git-dir={self.yard.rig.repo}", "fast-import", "--quiet"], input="".join(stream), text=True, check=True)
        self.heads = {(word, n): self.yard.tip(f"refs/heads/{word}/{n}") for word in ("good", "bad") for n in range(COUNT)}
        shutil.copytree(self.place, self.kept, symlinks=True)

    def history(self, seed: int, rate: float, flakes: float, slots: int) -> tuple[int, int, int, int]:
        """(gate runs one after the other, gate runs, innocents sent back, bad ones landed)."""
        shutil.rmtree(self.place)
        shutil.copytree(self.kept, self.place, symlinks=True)
        chance = random.Random(f"{seed} {rate} {flakes}")
        bad = arranged([chance.random() < rate for _ in range(COUNT)], ORDERS[seed % len(ORDERS)])
        self.yard.gates("instant", confirm_red=flakes > 0, gate_slots=slots)
        self._submit(bad)
        runs = time_taken = 0

        def instant(job: trial.Job) -> trial.Steps:
            nonlocal runs
            runs += 1
            wrong = chance.random() < flakes or holds_bad(job.rig.repo, job.commit)
            yield trial.Wait((), 0.0)  # until all that run at once have begun
            return trial.Verdict(trial.FAIL, "instant: exit 1") if wrong else trial.Verdict(trial.PASS)

        def all_end(trials: Collection[trial.Trial]) -> None:
            nonlocal time_taken
            time_taken += 1
            await_any(trials)

        trial.steps, trial.await_any = instant, all_end
        self.yard.now += 3600 * clock.SECOND
        while queue.in_order(self.yard.rig, self.yard.now):
            self.yard.round()
        states = [self.yard.request(self._id(number, is_bad)).state for number, is_bad in enumerate(bad)]
        return (time_taken, runs, sum(state != requests.LANDED and not is_bad for state, is_bad in zip(states, bad, strict=True)),
                sum(state == requests.LANDED and is_bad for state, is_bad in zip(states, bad, strict=True)))

    def _submit(self, bad: list[bool]) -> None:
        records: list[dict[str, Any]] = []
        for number, is_bad in enumerate(bad):
            when, word = clock.stamp(self.yard.now + number * clock.SECOND), "bad" if is_bad else "good"
            common = {"priority": 2, "created_at": when, "updated_at": when}
            records.append({"id": f"gp-{number:03d}", "title": f"Do {number}", "status": "in_progress", "issue_type": "task",
                            "assignee": f"gp/polecats/w{number}", "claim_fence": number + 1, **common})
            metadata = {"branch": f"{word}/{number}", "head": self.heads[word, number], "base": self.base, "target": "main",
                        "source": f"gp-{number:03d}", "worker": f"gp/polecats/w{number}", "fence": number + 1, "state": requests.QUEUED}
            records.append({"id": self._id(number, is_bad), "title": f"Merge: Do {number}", "status": "open",
                            "issue_type": requests.TYPE, "metadata": metadata, **common})
        Ledger(self.yard.rig.beads).transact(lambda view: records)

    def _id(self, number: int, is_bad: bool) -> str:
        return ids.derived("gp-mr", f"gp-{number:03d}", str(number + 1), self.heads["bad" if is_bad else "good", number])


def arranged(bad: list[bool], order: str) -> list[bool]:
    if order == "random":
        return bad
    if order == "clusters":
        found = sorted(bad)
        half = sum(bad) // 2
        return found[len(bad) - half:] + found[:len(bad) - half] if half else found
    return sorted(bad, reverse=order == "bad first")


def holds_bad(repo: str, commit: str) -> bool:
    tree: Any = pygit2.Repository(repo)[commit].peel(pygit2.Tree)
    return "changes" in tree and any(b"BAD" in entry.data for entry in tree["changes"])


await_any = trial.await_any
_bench: list[Bench] = []


def start(folder: str) -> None:
    _bench.append(Bench(tempfile.mkdtemp(dir=folder)))


def history(task: tuple[int, float, float, int]) -> tuple[int, int, int, int]:
    return _bench[0].history(*task)


def main() -> int:
    parser = argparse.ArgumentParser(description="Gate runs of the merge queue for 100 requests.")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--slots", type=int, choices=(1, 4), default=1)
    given = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory(prefix="gt-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder, \
            ProcessPoolExecutor(given.jobs, initializer=start, initargs=(folder,)) as pool:
        print(f"{'bad':>5} {'flakes':>7} {'time':>6} {'gate runs':>10} {'goal':>6} {'worst':>6} {'innocents':>10} {'bad landed':>11} "
              f"{'seconds':>8}")
        for (rate, flakes), goal in (GOALS if given.slots == 1 else TIME_GOALS).items():
            began = time.monotonic()
            found = list(pool.map(history, [(seed, rate, flakes, given.slots) for seed in range(given.seeds)]))
            taken, runs, lost = (mean(one[part] for one in found) for part in range(3))
            landed = sum(bad for *_, bad in found)
            missed |= taken > goal or lost > INNOCENTS or landed > 0
            print(f"{rate:>5.0%} {flakes:>7.0%} {taken:>6.1f} {runs:>10.1f} {goal:>6} {max(one[0] for one in found):>6} {lost:>10.2f} "
                  f"{landed:>11} {time.monotonic() - began:>8.1f}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
