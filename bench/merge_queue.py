"""What the merge queue costs, against its goals: `python bench/merge_queue.py --seeds 50`. One row a goal: figure, limit, ok or missed.

The real queue lands 100 requests in a real repository; only the gate is instant (bench/queue_histories.py). M2 gate runs, M3 never
much more than one for each request, also in the orders that are against it; M4 innocents sent back, and bad ones landed; M6 the time
with four gate slots; M15 how long P0 and P4 wait; M17 a queue of 500 requests seen from the command line, and a stack of 100 on
20,000 files. A row without flakes has `confirm_red` off, as for gates that never err. Exit code 1 when a goal is missed. Runs in
/dev/shm where that is there; M17's times are of this machine as busy as it is, CPU time stands beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from statistics import mean, median

import queue_histories as histories
from queue_histories import COUNT, ORDERS, RANDOM, Outcome, Task

from gastown_hooks.core import clock
from gastown_hooks.rules import requests
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import stack

Found = dict[Task, Outcome]
RUNS = {(0.0, 0.0): 4.0, (0.02, 0.0): 18.0, (0.05, 0.0): 34.0, (0.10, 0.0): 55.0, (0.20, 0.0): 84.0,
        (0.0, 0.02): 4.5, (0.02, 0.02): 21.0, (0.05, 0.02): 42.0, (0.10, 0.02): 69.0, (0.20, 0.02): 109.0}
RATES = (0.0, 0.02, 0.05, 0.10, 0.20)
MANY_BAD = (0.30, 0.40)
TIMES = dict(zip(RATES, (3.0, 10.0, 18.0, 29.0, 43.0), strict=True))
INNOCENTS = {0.02: 0.05, 0.05: 0.15}
MOST_RUNS = 1.1 * COUNT
SLOTS, LOAD = 4, 0.9
FILES, QUEUED = 20_000, 500


@dataclass
class Row:
    """One goal's figure; a smaller one is better."""

    goal: str
    what: str
    figure: float
    limit: float
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.figure <= self.limit

    def line(self) -> str:
        word = "ok" if self.ok else "MISSED"
        return f"{self.goal:<4} {self.what:<52} {self.figure:>9.2f} {self.limit:>8g}  {word:<7} {self.note}".rstrip()


def tasks(seeds: int) -> list[Task]:
    """All the histories: the longest first, so that the processes end together."""
    some = range(max(2, seeds // 16))
    found = [Task(seed, rate, flakes) for flakes in (0.0, *INNOCENTS) for rate in RATES for seed in range(seeds)]
    found += [Task(seed, rate, 0.0) for rate in MANY_BAD for seed in range(seeds)]
    found += [Task(seed, rate, 0.0, order) for rate in (*RATES[1:], *MANY_BAD) for order in ORDERS for seed in some]
    found += [Task(seed, rate, 0.02, order) for rate in RATES[1:] for order in ORDERS for seed in some]
    found += [Task(seed, rate, 0.0, RANDOM, SLOTS) for rate in RATES for seed in range(seeds)]
    return sorted(found, key=lambda task: -task.rate)


def outcomes(found: Found, rate: float, flakes: float, order: str = RANDOM, slots: int = 1) -> list[Outcome]:
    return [found[task] for task in found if task[1:] == (rate, flakes, order, slots)]


def gate_runs(found: Found) -> Iterator[Row]:
    for (rate, flakes), limit in RUNS.items():
        runs = [one.runs for one in outcomes(found, rate, flakes)]
        yield Row("M2", f"gate runs, {rate:.0%} bad, {flakes:.0%} flakes", mean(runs), limit, f"worst seed {max(runs)}")


def bounded(found: Found) -> Iterator[Row]:
    """Never much worse than one gate run for each request."""
    def runs(rate: float, order: str) -> float:
        return mean(one.runs for one in outcomes(found, rate, 0.0, order))

    for rate in (*RATES, *MANY_BAD):
        yield Row("M3", f"gate runs, {rate:.0%} bad, random order", runs(rate, RANDOM), MOST_RUNS)
    for order in ORDERS:
        means = {rate: runs(rate, order) for rate in (*RATES[1:], *MANY_BAD)}
        note = ", ".join(f"{rate:.0%}: {value:.0f}" for rate, value in means.items())
        yield Row("M3", f"gate runs, {order}, the worst of all rates", max(means.values()), MOST_RUNS, note)


def innocents(found: Found) -> Iterator[Row]:
    for flakes, limit in INNOCENTS.items():
        lost = [found[task].innocents for task in found if task.flakes == flakes and task.order == RANDOM]
        yield Row("M4", f"innocents sent back of 100, {flakes:.0%} flakes", mean(lost), limit, f"{sum(lost)} in {len(lost)} histories")
    against = [found[task].innocents for task in found if task.flakes and task.order != RANDOM]
    yield Row("M4", "innocents sent back of 100, 2% flakes, other orders", mean(against), INNOCENTS[0.02],
              f"{sum(against)} in {len(against)} histories")
    yield Row("M4", "bad ones landed, in all histories", sum(one.landed_bad for one in found.values()), 0, f"{len(found)} histories")


def in_slots(found: Found) -> Iterator[Row]:
    for rate, limit in TIMES.items():
        parallel = outcomes(found, rate, 0.0, RANDOM, SLOTS)
        yield Row("M6", f"time in gate runs, {SLOTS} slots, {rate:.0%} bad", mean(one.time for one in parallel), limit,
                  f"{mean(one.runs for one in parallel):.1f} runs")


HISTORIES = {"M2": gate_runs, "M3": bounded, "M4": innocents, "M6": in_slots}


def fairness(waits: list[histories.Waits]) -> Iterator[Row]:
    urgent = [wait for one in waits for wait in one.urgent]
    yield Row("M15", f"P0's median wait in gate runs, load {LOAD}", median(urgent), 1.5, f"longest {max(urgent):.1f} of {len(urgent)}")
    low = [(wait / most, wait) for one in waits for wait, most in zip(one.low, one.low_most, strict=True)]
    yield Row("M15", "P4's longest wait, as a share of 4 tau + drain", max(share for share, _ in low), 1.0,
              f"longest {max(wait for _, wait in low):.1f} gate runs of {len(low)}")


def scale(bench: histories.Bench) -> Iterator[Row]:
    """A long queue, and a stack on many files."""
    yard, now = bench.yard, clock.now()
    heads = list(bench.heads.values())
    made = [histories.submission(number, heads[number % len(heads)], bench.base, number % 5, now) for number in range(QUEUED)]
    Ledger(yard.rig.beads).transact(lambda view: list(chain.from_iterable(made)))
    for words in (["mq", "list", "gp"], ["mq", "next", "gp"]):
        wall, cpu = command(yard.rig.town.root, words)
        yield Row("M17", f"gt {' '.join(words)}, {QUEUED} requests, ms", wall, 200, f"CPU {cpu:.0f} ms")
    base, tops = many_files(yard.rig.repo)
    wanted = [requests.parse(histories.submission(number, head, base, 2, now)[1]) for number, head in enumerate(tops)]
    before, began = sum(os.times()[:4]), time.monotonic()
    built = stack.build(yard.rig, base, wanted)
    wall, cpu = time.monotonic() - began, sum(os.times()[:4]) - before
    yield Row("M17", f"a stack of {len(built.members)} on {FILES:,} files, s", wall, 2.0, f"CPU {cpu:.2f} s")


def command(town: str, words: list[str], rounds: int = 9) -> tuple[float, float]:
    """Median milliseconds of a command: by the clock, of the CPU."""
    walls, cpus = [], []
    code = "from gastown_hooks.front import gt; raise SystemExit(gt())"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": str(histories.ROOT)}
    for _ in range(1 + rounds):
        began, before = time.monotonic(), sum(os.times()[2:4])
        subprocess.run([sys.executable, "-c", code, *words], cwd=town, check=True, capture_output=True, env=env)
        walls.append(1000 * (time.monotonic() - began))
        cpus.append(1000 * (sum(os.times()[2:4]) - before))
    return median(walls[1:]), median(cpus[1:])


def many_files(repo: str) -> tuple[str, list[str]]:
    """A commit of many files, and as many commits on it as a stack holds, each with another file changed."""
    who = "committer Bench <bench@example.test> 1767225600 +0000\ndata 4\nwork\n"
    files = "".join(f"M 100644 inline d{number % 200}/f{number}.txt\ndata 2\nx\n\n" for number in range(FILES))
    stream = f"commit refs/heads/many\nmark :1\n{who}{files}"
    for number in range(COUNT):
        stream += f"commit refs/heads/top\nmark :{number + 2}\n{who}from :1\nM 100644 inline d{number}/f{number}.txt\ndata 2\ny\n\n"
    stream += "".join(f"get-mark :{mark}\n" for mark in range(1, COUNT + 2))
    base, *tops = subprocess.run(["git", f"--git-dir={repo}", "fast-import", "--quiet", "--force"], input=stream, text=True, check=True,
                                 capture_output=True).stdout.split()
    return base, tops


def main() -> int:
    parser = argparse.ArgumentParser(description="What the merge queue costs, against its goals.")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--goal", action="append", metavar="M", help="only these goals' rows (may be given again)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    table = measured(given.seeds, given.jobs, set(given.goal or ()))
    if given.json:
        print(json.dumps({"seeds": given.seeds, "seconds": round(time.monotonic() - began, 1),
                          "rows": [asdict(row) | {"figure": round(row.figure, 2), "ok": row.ok} for row in table]}, indent=2))
    else:
        print(f"{'goal':<4} {'what':<52} {'figure':>9} {'limit':>8}")
        print("\n".join(row.line() for row in table))
        print(f"{given.seeds} seeds, {time.monotonic() - began:.0f} s")
    return 0 if all(row.ok for row in table) else 1


def measured(seeds: int, jobs: int, goals: set[str]) -> list[Row]:
    """All the rows, or those of the goals."""
    wanted = [task for task in tasks(seeds) if not goals or goals & goals_of(task)]
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="gt-bench-", dir=memory) as folder:
        found: Found = {}
        table: list[Row] = []
        with ProcessPoolExecutor(jobs, initializer=histories.start, initargs=(folder,)) as pool:
            feeds = [pool.submit(histories.fed, seed, LOAD) for seed in range(max(2, seeds // 10))] if not goals or "M15" in goals else []
            for number, ended in enumerate(as_completed([pool.submit(histories.history, task) for task in wanted]), 1):
                found.update([ended.result()])
                if number % 20 == 0:
                    print(f"{number} of {len(wanted)} histories", file=sys.stderr, flush=True)
            for goal, its_rows in HISTORIES.items():
                table += its_rows(found) if not goals or goal in goals else ()
            if feeds:
                table += fairness([one.result() for one in feeds])
        if not goals or "M17" in goals:
            Path(folder, "scale").mkdir()
            table += scale(histories.Bench(str(Path(folder, "scale"))))
    return table


def goals_of(task: Task) -> set[str]:
    """The goals that a history counts for."""
    if task.slots > 1:
        return {"M6"}
    often = {"M2"} if task.order == RANDOM and (task.rate, task.flakes) in RUNS else set()
    return often | ({"M4"} if task.flakes else {"M3"})


if __name__ == "__main__":
    sys.exit(main())
