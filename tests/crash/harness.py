"""Run an act, break it at its k-th mutating file call, run it again, and ask an independent reader what is there.

`matrix` visits the k-th call for every k (or every n-th, from a seeded offset), in every mode, and collects violations,
each with the command line that shows it again. Every point works on a fresh copy of the template at the same path.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import os
import pkgutil
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from crash.engine import (
    COUNT,
    FAULTS,
    HALF_KILL,
    HERE,
    KILLS,
    NAMES,
    PROJECT,
    SHORT,
    WRITING,
    Bench,
    Run,
    Scenario,
    Story,
    fast_folder,
)

BACK = 2.0  # seconds of the CPU that one crash of the queue, or two, may cost


@dataclass
class Plan:
    """Which points to visit. `every_kill`/`every_fault` 0: as dense as `seconds` allows."""

    modes: tuple[int, ...] = KILLS + FAULTS
    every_kill: int = 1
    every_fault: int = 7
    doubles: int = 0
    seconds: float = 0.0
    seed: int = 0
    most: int = 10  # violations after which to stop
    only: tuple[int, int] | None = None
    twice: tuple[tuple[int, int], ...] = ()
    shard: tuple[int, int] = (0, 1)  # of the points, this part of so many


@dataclass
class Report:
    name: str
    calls: int = 0
    points: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0
    effort: int = 0  # gate runs without a fault
    extra: int = 0  # at most so many more after a crash
    recoveries: list[tuple[float, float]] = field(default_factory=list)  # (seconds, of the CPU)

    def total(self) -> int:
        return sum(self.points.values())

    def joined(self, other: Report | None) -> Report:
        """With another part of the same scenario's points."""
        if other is None:
            return self
        points = {name: self.points.get(name, 0) + other.points.get(name, 0) for name in [*other.points, *self.points]}
        return dataclasses.replace(
            self, points=points, violations=other.violations + self.violations, seconds=max(self.seconds, other.seconds),
            extra=max(self.extra, other.extra), recoveries=other.recoveries + self.recoveries)

    def line(self) -> str:
        spread = " ".join(f"{name} {count}" for name, count in self.points.items())
        return (f"{self.name}: {self.calls} calls, {self.total()} points ({spread}), {len(self.violations)} violations, "
                f"seed {self.seed}, {self.seconds:.1f} s{self._aftermath()}")

    def _aftermath(self) -> str:
        if not self.recoveries:
            return ""
        wall, cpu = (sorted(column) for column in zip(*self.recoveries, strict=True))
        more = f", at most {self.extra} gate runs more than {self.effort}" if self.effort else ""
        return (f"; run again: median {median(wall):.2f} s (CPU {median(cpu):.2f}), longest {wall[-1]:.2f} s (CPU {cpu[-1]:.2f}){more}")


def matrix(bench: Bench, scenario: Scenario, plan: Plan) -> Report:
    """Visit the plan's points."""
    started = time.monotonic()
    report = Report(scenario.name, seed=plan.seed)
    preload()
    bench.prepare(scenario)
    before = time.monotonic()
    bench.fresh()
    calm, writes = _calm(bench, scenario)
    report.calls = calm.calls
    report.effort = scenario.effort(bench.root) if scenario.effort else 0
    found = [f"without any fault: {text}" for text in _laws(scenario, Story(bench.root, bench.template, [calm]))]
    if found or not calm.calls:
        report.violations = found or ["the act makes no file call that the shim sees"]
        return report
    cost = 2 * (time.monotonic() - before)
    if plan.twice:
        _double(bench, scenario, report, [mode for mode, _ in plan.twice], [k for _, k in plan.twice])
    elif plan.only:
        _singles(bench, scenario, dataclasses.replace(plan, modes=plan.only[:1]), report, [plan.only[1]])
    else:
        _all(bench, scenario, plan, report, cost, writes)
        _doubles(bench, scenario, plan, report)
    report.seconds = time.monotonic() - started
    return report


def preload() -> None:
    """Load the programs once, for the forks: every module that a command may import."""
    import gastown_hooks
    for found in pkgutil.walk_packages(gastown_hooks.__path__, "gastown_hooks."):
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)


def _calm(bench: Bench, scenario: Scenario) -> tuple[Run, list[int]]:
    """The act without a fault, and which of its calls are writes (only those can be torn or short)."""
    bench.log = f"{bench.folder}/log"
    calm = bench.run(scenario, COUNT, 0)
    with open(bench.log, encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.split(" ", 3) for line in file]
    os.unlink(bench.log)
    bench.log = ""
    return calm, sorted(int(row[0]) for row in rows if len(row) > 2 and row[2] in WRITING)


def _all(bench: Bench, scenario: Scenario, plan: Plan, report: Report, cost: float, writes: list[int]) -> None:
    chance = random.Random(f"{plan.seed} {scenario.name}")
    work = sum(len(writes) if mode in (HALF_KILL, SHORT) else report.calls for mode in plan.modes)
    started = time.monotonic()
    for mode in plan.modes:
        if plan.seconds and mode in FAULTS and time.monotonic() - started > 3 * plan.seconds:
            return  # a slow machine, or a long act: the kills were looked at
        every = (plan.every_kill if mode in KILLS or report.calls < 100 else plan.every_fault) * scenario.thin
        if not every:
            every = max(1, round(work * cost / max(0.1, plan.seconds)))
        tears = mode in (HALF_KILL, SHORT)
        first = chance.randrange(min(every, len(writes) if tears else report.calls) or 1)
        ks = writes[first::every] if tears else range(1 + first, 1 << 30, every)
        part, parts = plan.shard
        _singles(bench, scenario, dataclasses.replace(plan, modes=(mode,)), report, ks[part::parts])
        if len(report.violations) >= plan.most:
            return


def _doubles(bench: Bench, scenario: Scenario, plan: Plan, report: Report) -> None:
    started = time.monotonic()
    chance = random.Random(f"{plan.seed} {scenario.name} twice {plan.shard[0]}")
    wanted = -(-plan.doubles // plan.shard[1])
    for _ in range(8 * wanted):  # the second kill may come after the recovery has ended
        late = plan.seconds and time.monotonic() - started > plan.seconds
        if late or report.points.get("double", 0) >= wanted or len(report.violations) >= plan.most:
            return
        _double(bench, scenario, report, [chance.choice(KILLS) for _ in range(2)], [chance.randint(1, report.calls) for _ in range(2)])


def _singles(bench: Bench, scenario: Scenario, plan: Plan, report: Report, ks: Iterable[int]) -> None:
    mode = plan.modes[0]
    for k in ks:
        bench.fresh()
        broken = bench.run(scenario, mode, k)
        if broken.fired:
            report.points[NAMES[mode]] = report.points.get(NAMES[mode], 0) + 1
        if broken.fired or broken.calls < k:
            where = f"{NAMES[mode]} at call {k} of {report.calls}"
            _judge(bench, scenario, Story(bench.root, bench.template, [broken], mode), report, where, f"--mode {mode} --k {k}")
        if broken.calls < k or len(report.violations) >= plan.most:
            return


def _double(bench: Bench, scenario: Scenario, report: Report, modes: list[int], ks: list[int]) -> None:
    """Killed, run again and killed again, run again."""
    bench.fresh()
    first = bench.run(scenario, modes[0], ks[0])
    second = bench.run(scenario, modes[1], ks[1], recovery=True)
    if first.fired and second.fired:
        report.points["double"] = report.points.get("double", 0) + 1
        where = f"{NAMES[modes[0]]} at {ks[0]}, then {NAMES[modes[1]]} at {ks[1]}"
        again = f"--twice {modes[0]}:{ks[0]},{modes[1]}:{ks[1]}"
        _judge(bench, scenario, Story(bench.root, bench.template, [first, second], modes[0]), report, where, again)


def _judge(bench: Bench, scenario: Scenario, story: Story, report: Report, where: str, arguments: str) -> None:
    found = list(scenario.glance(story)) if scenario.glance else []
    if story.mode in FAULTS and story.last.fired and story.last.code == 70:
        found.append(f"a refused call became a traceback: {story.last.output[-600:]}")
    if story.mode in FAULTS and story.last.fired and story.last.code == 0 and scenario.promises:
        found += [f"it says done, but {text}" for text in _laws(scenario, story)]
    if story.last.stray and not story.last.killed:
        found.append(f"processes outlive the act: {story.last.stray}")
    story.runs.append(bench.run(scenario, COUNT, 0, recovery=True))
    report.recoveries.append((story.last.seconds, story.last.cpu))
    found += _laws(scenario, story) + _wasted(scenario, story, report)
    reproduce = f"python bench/crash.py --only {scenario.name} {arguments} --seed {report.seed}"
    report.violations += [f"{where}: {text}\n    {reproduce}" for text in found]


def _wasted(scenario: Scenario, story: Story, report: Report) -> list[str]:
    """A crash may cost gate runs and time, but little."""
    more = scenario.effort(story.root) - report.effort if scenario.effort else 0
    report.extra = max(report.extra, more)
    bad = [f"{more} gate runs more than without a crash"] if more > scenario.extra else []
    return bad + ([f"the way back takes {story.last.cpu:.1f} s of the CPU"] if scenario.effort and story.last.cpu > BACK else [])


def _laws(scenario: Scenario, story: Story) -> list[str]:
    last = story.last
    if last.code not in (0, scenario.retry):
        return [f"the act, run again, ends with {last.code}: {last.output[-800:].strip()}"]
    if last.stray:
        return [f"processes outlive the act: {last.stray}"]
    try:
        return list(scenario.check(story))
    except Exception as error:  # a checker that cannot read the state has found a violation
        return [f"the checker cannot read the state: {type(error).__name__}: {error}"]


# ---- a process of its own, under the shim (a function's child can only be armed when the shim was there from the start) ----

def main(arguments: list[str]) -> int:
    """`harness.py --only NAME …`: run scenarios in this process; it must have been started under the shim."""
    from crash import scenarios
    options = parser().parse_args(arguments)
    names = options.only or [name for name in scenarios.ALL if not scenarios.ALL[name].broken]
    if options.list:
        print("\n".join(names))
        return 0
    plan = plan_of(options)
    reports = []
    with tempfile.TemporaryDirectory(prefix="gt-crash-", dir=options.folder) as folder:
        for name in names:
            bench = Bench(f"{folder}/{name}", os.environ["CRASH_SHIM"])
            bench.exec = bench.exec or options.exec
            report = matrix(bench, scenarios.ALL[name], plan)
            bench.map.close()
            shutil.rmtree(bench.folder, ignore_errors=True)
            reports.append(report)
            print(report.line(), file=sys.stderr, flush=True)
            for text in report.violations:
                print("  " + text, file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([dataclasses.asdict(report) for report in reports]))
    return 1 if any(report.violations for report in reports) else 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Kill at every k-th file call, run again, check.")
    options.add_argument("--all", action="store_true", help="every call for kills, every seventh for faults, 200 double kills")
    options.add_argument("--only", action="append", metavar="NAME", help="this scenario (may be given again)")
    options.add_argument("--mode", type=int, help="one mode: " + ", ".join(f"{i} {name}" for i, name in enumerate(NAMES) if i))
    options.add_argument("--k", type=int, help="one point, with --mode")
    options.add_argument("--every", type=int, help="every n-th call instead of as many as the time allows")
    options.add_argument("--twice", metavar="MODE:K,MODE:K", help="one pair of kills")
    options.add_argument("--doubles", type=int, default=None, help="random pairs of kills")
    options.add_argument("--seconds", type=float, default=10.0, help="how long a scenario may take (without --all); about")
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--shard", metavar="I/N", help="the I-th of N parts of the points, from 0")
    options.add_argument("--most", type=int, default=10, help="stop a scenario after so many violations")
    options.add_argument("--exec", action="store_true", help="start gt and bd as new processes instead of forks (slower)")
    options.add_argument("--folder", default=fast_folder(), help="where to work")
    options.add_argument("--list", action="store_true", help="name the scenarios")
    options.add_argument("--json", action="store_true")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    plan = Plan((options.mode,) if options.mode else KILLS + FAULTS, seed=seed, most=options.most)
    if options.mode and options.k:
        plan.only = (options.mode, options.k)
    if options.twice:
        plan.twice = tuple((int(mode), int(k)) for mode, _, k in (pair.partition(":") for pair in options.twice.split(",")))
    if options.shard:
        part, _, parts = options.shard.partition("/")
        plan.shard = int(part), int(parts)
    if options.all:
        plan.doubles = 200 if options.doubles is None else options.doubles
    else:
        every = options.every or 0
        plan.every_kill, plan.every_fault, plan.doubles, plan.seconds = every, every, options.doubles or 0, options.seconds
    return plan


def names(shim: str) -> list[str]:
    """The scenarios that are not broken on purpose."""
    done = _child_process(shim, ["--list"], 60)
    return str(done.stdout).split()


def in_own_process(shim: str, arguments: list[str], timeout: float = 3600.0) -> tuple[list[Report], str]:
    """Run `main` in a process started under the shim; its reports and what it said."""
    done = _child_process(shim, ["--json", *arguments], timeout)
    if done.returncode not in (0, 1) or not done.stdout:
        raise RuntimeError(f"the harness failed ({done.returncode}): {done.stderr[-2000:]}")
    return [Report(**report) for report in json.loads(done.stdout)], done.stderr


def _child_process(shim: str, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ) | {"LD_PRELOAD": shim, "CRASH_SHIM": shim, "PYTHONPATH": f"{PROJECT}:{os.path.dirname(HERE)}"}
    start = "import sys; from crash.harness import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", start, *arguments], env=env, capture_output=True, text=True, timeout=timeout)
