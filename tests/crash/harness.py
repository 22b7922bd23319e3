"""Run an act, break it at its k-th mutating file call, run it again, and ask an independent reader what is there.

A `Scenario` says how to make a folder (once: the template), what is done to it, and which laws hold afterwards. The act is
a list of command lines or a function that runs in a forked child; either way the whole process tree is counted and broken by
shim.c. `matrix` visits the k-th call for every k (or every n-th, from a seeded offset), in every mode, and collects violations,
each with the command line that shows it again. Every point works on a fresh copy of the template at the same path.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
COUNT, KILL_BEFORE, KILL_AFTER, HALF_KILL, FULL_ONCE, FULL_STICKY, EIO_ONCE, SHORT = range(8)
NAMES = ("count", "kill-before", "kill-after", "half-write", "disk-full-once", "disk-full", "io-error", "short-write")
KILLS = (KILL_BEFORE, KILL_AFTER, HALF_KILL)
FAULTS = (FULL_ONCE, FULL_STICKY, EIO_ONCE, SHORT)
_HEADER, _SLOT, _SLOTS = struct.Struct("<QQIIIIII"), struct.Struct("<QQ"), 16384


@dataclass(frozen=True)
class Command:
    """One command line. `allowed`: exit codes that are right although not 0 (a repeated act may say "not there any more")."""

    argv: tuple[str, ...]
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)
    allowed: tuple[int, ...] = (0,)


Acknowledge = Callable[[str], None]
Function = Callable[[str, Acknowledge], None]


@dataclass
class Run:
    """What one run of the act did: whether the fault was met, the last exit code, what was acknowledged before."""

    calls: int
    fired: bool
    killed: bool
    code: int
    acked: list[str]
    output: str
    stray: list[int] = field(default_factory=list)


@dataclass
class Story:
    """Everything a check may look at."""

    root: str
    template: str
    runs: list[Run]
    mode: int = COUNT

    @property
    def last(self) -> Run:
        return self.runs[-1]

    @property
    def acked(self) -> list[str]:
        return [word for run in self.runs for word in run.acked]


Check = Callable[[Story], "list[str]"]


@dataclass(frozen=True)
class Scenario:
    """`glance` holds at any moment, before any recovery; `check` after the act was run to its end."""

    name: str
    setup: Callable[[str], None]
    act: Function | Callable[[str], list[Command]]
    check: Check
    glance: Check | None = None
    recover: Function | Callable[[str], list[Command]] | None = None
    commands: bool = False
    broken: str = ""
    retry: int = 0  # exit codes of the recovery that are right, besides 0
    timeout: float = 60.0


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


@dataclass
class Report:
    name: str
    calls: int = 0
    points: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0

    def total(self) -> int:
        return sum(self.points.values())

    def line(self) -> str:
        spread = " ".join(f"{name} {count}" for name, count in self.points.items())
        return (f"{self.name}: {self.calls} calls, {self.total()} points ({spread}), {len(self.violations)} violations, "
                f"seed {self.seed}, {self.seconds:.1f} s")


class Map:
    """The counter and the process list that the shim shares with us."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "wb") as file:
            file.truncate(_HEADER.size + _SLOT.size * _SLOTS)
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def set(self, mode: int, k: int) -> None:
        self._map[:] = bytes(len(self._map))
        _HEADER.pack_into(self._map, 0, 0, k, mode, 0, 0, 0, 0, 0)

    def _fields(self) -> tuple[int, ...]:
        return _HEADER.unpack_from(self._map, 0)

    @property
    def count(self) -> int:
        return self._fields()[0]

    @property
    def killing(self) -> bool:
        return bool(self._fields()[3])

    @property
    def fired(self) -> bool:
        return bool(self._fields()[4])

    def alive(self) -> list[tuple[int, int]]:
        """The processes of the tree that still run, each with its start time."""
        known = min(self._fields()[6], _SLOTS)
        found = {_SLOT.unpack_from(self._map, _HEADER.size + i * _SLOT.size) for i in range(known)}
        return [(pid, start) for pid, start in found if pid and runs(pid, start)]

    def close(self) -> None:
        self._map.close()


def runs(pid: int, start: int) -> bool:
    """Whether exactly this process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            after = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return int(after[19]) == start and after[0] not in (b"Z", b"X")


def build_shim(folder: str) -> str | None:
    """Compile shim.c into the folder; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = f"{folder}/crash-shim.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-U_FORTIFY_SOURCE", "-o", library, f"{HERE}/shim.c", "-ldl"],
                   check=True, capture_output=True)
    return library


def fast_folder() -> str | None:
    """Memory-backed storage where there is some: thousands of fsyncs are then free."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Bench:
    """A working folder: template, run folder, counter, shim and the environment of the commands."""

    def __init__(self, folder: str, shim: str) -> None:
        self.folder, self.shim = os.path.realpath(folder), shim
        self.root, self.template, self.home = f"{self.folder}/run", f"{self.folder}/template", f"{self.folder}/home"
        self.out, self.acks, self.log = f"{self.folder}/out", f"{self.folder}/acks", ""
        os.makedirs(self.home, exist_ok=True)
        with open(f"{self.home}/.gitconfig", "w", encoding="utf-8") as file:
            file.write("[user]\n\tname = Tester\n\temail = tester@example.invalid\n[init]\n\tdefaultBranch = main\n")
        self.map = Map(f"{self.folder}/map")

    def environment(self, *, armed: bool, broken: str = "") -> dict[str, str]:
        python_path = [PROJECT, *([f"{HERE}/broken_site"] if broken else [])]
        env = {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "HOME": self.home, "LANG": "C.UTF-8", "TMPDIR": self.folder,
               "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": f"{self.home}/.gitconfig", "GT_WAKE": "off",
               "PYTHONPATH": ":".join(reversed(python_path)), "PYTHONDONTWRITEBYTECODE": "1"}
        passed = ["PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "GT_PASS_ENV"]
        if armed:
            env |= {"LD_PRELOAD": self.shim, "CRASH_MAP": self.map.path, "CRASH_ROOT": self.root}
            if self.log:
                env["CRASH_LOG"] = self.log
            passed += ["LD_PRELOAD", "CRASH_MAP", "CRASH_ROOT", "CRASH_LOG"]
        if broken:
            env["CRASH_BROKEN"] = broken
            passed.append("CRASH_BROKEN")
        return env | {"GT_PASS_ENV": ":".join(passed)}

    def prepare(self, scenario: Scenario) -> None:
        """Make the template. It is made at the run folder's own path, since towns hold absolute paths."""
        for path in (self.root, self.template):
            shutil.rmtree(path, ignore_errors=True)
        os.makedirs(self.root)
        with self._as_environment():
            scenario.setup(self.root)
        os.rename(self.root, self.template)

    def fresh(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, self.root], check=True)

    def run(self, scenario: Scenario, mode: int, k: int, *, recovery: bool = False) -> Run:
        """One run of the act; in recovery, of the way back."""
        act = scenario.recover if recovery and scenario.recover else scenario.act
        self.map.set(mode, k)
        for path in (self.out, self.acks):
            with open(path, "wb"):
                pass
        if scenario.commands:
            code, acked = self._commands(act(self.root), scenario)  # type: ignore[call-arg, arg-type]
        else:
            code, acked = self._function(act, scenario)  # type: ignore[arg-type]
        stray = self._settle(scenario.timeout)
        with open(self.out, encoding="utf-8", errors="replace") as file:
            output = file.read()
        return Run(self.map.count, self.map.fired, self.map.killing, code, acked, output, stray)

    def _commands(self, commands: list[Command], scenario: Scenario) -> tuple[int, list[str]]:
        acked: list[str] = []
        code = 0
        for number, command in enumerate(commands):
            env = self.environment(armed=True, broken=scenario.broken) | command.env
            with open(self.out, "ab") as out:
                child = subprocess.Popen(command.argv, cwd=command.cwd or self.root, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                         start_new_session=True)
                try:
                    code = child.wait(scenario.timeout)
                except subprocess.TimeoutExpired:
                    self._end()
                    child.kill()
                    child.wait()
                    return -999, acked
            if code not in command.allowed or self.map.killing:
                return code, acked
            acked.append(str(number))
        return 0, acked

    def _function(self, act: Function, scenario: Scenario) -> tuple[int, list[str]]:
        pid = os.fork()
        if pid == 0:
            self._child(act, scenario.broken)
        deadline = time.monotonic() + scenario.timeout
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.0005)
        with open(self.acks, encoding="utf-8") as file:
            return os.waitstatus_to_exitcode(status), file.read().split()

    def _child(self, act: Function, broken: str) -> None:
        """In the forked child: arm, act, leave without any clean-up of the parent's."""
        code = 70
        try:
            os.setsid()
            out = os.open(self.out, os.O_WRONLY | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            acks = os.open(self.acks, os.O_WRONLY | os.O_APPEND)
            clean = self.environment(armed=True, broken=broken)
            os.environ.clear()
            os.environ.update(clean)
            if broken:
                from crash import broken as variants
                variants.apply(broken)
            if ctypes.CDLL(None).crash_arm(self.map.path.encode(), self.root.encode(), self.log.encode()) != 0:
                os._exit(71)
            code = _guarded(act, self.root, lambda word: os.write(acks, word.encode() + b"\n"))
        finally:
            os._exit(code)

    def _settle(self, timeout: float) -> list[int]:
        """Wait for the tree's detached processes; those that outlive the timeout are ended and named."""
        deadline = time.monotonic() + timeout
        while alive := self.map.alive():
            if self.map.killing or time.monotonic() > deadline:
                self._end()
            if time.monotonic() > deadline:
                return [pid for pid, _ in alive]
            time.sleep(0.001)
        return []

    def _end(self) -> None:
        for pid, start in self.map.alive():
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                try:
                    if runs(pid, start):
                        signal.pidfd_send_signal(fd, signal.SIGKILL)
                finally:
                    os.close(fd)

    @contextlib.contextmanager
    def _as_environment(self) -> Iterator[None]:
        before, clean = dict(os.environ), self.environment(armed=False)
        os.environ.clear()
        os.environ.update(clean)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _guarded(act: Function, root: str, acknowledge: Callable[[str], object]) -> int:
    from gastown_hooks.core import errors
    try:
        act(root, lambda word: (acknowledge(word), None)[1])
        return 0
    except errors.GastownError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return 10 if isinstance(error, errors.Indeterminate) else error.exit_code
    except BaseException:
        import traceback
        traceback.print_exc()
        return 70


def matrix(bench: Bench, scenario: Scenario, plan: Plan) -> Report:
    """Visit the plan's points."""
    started = time.monotonic()
    report = Report(scenario.name, seed=plan.seed)
    bench.prepare(scenario)
    before = time.monotonic()
    bench.fresh()
    calm = bench.run(scenario, COUNT, 0)
    report.calls = calm.calls
    found = [f"without any fault: {text}" for text in _laws(scenario, Story(bench.root, bench.template, [calm]))]
    if found or not calm.calls:
        report.violations = found or ["the act makes no file call that the shim sees"]
        return report
    cost = 2 * (time.monotonic() - before)
    if plan.only:
        _singles(bench, scenario, dataclasses.replace(plan, modes=plan.only[:1]), report, [plan.only[1]])
    else:
        _all(bench, scenario, plan, report, cost, started)
    report.seconds = time.monotonic() - started
    return report


def _all(bench: Bench, scenario: Scenario, plan: Plan, report: Report, cost: float, started: float) -> None:
    chance = random.Random(f"{plan.seed} {scenario.name}")
    for mode in plan.modes:
        every = plan.every_kill if mode in KILLS else plan.every_fault
        if not every:
            every = max(1, round(report.calls * cost * len(plan.modes) / max(0.1, plan.seconds)))
        one = dataclasses.replace(plan, modes=(mode,))
        _singles(bench, scenario, one, report, range(1 + chance.randrange(min(every, report.calls)), 1 << 30, every))
        if len(report.violations) >= plan.most:
            return
    for _ in range(plan.doubles):
        if plan.seconds and time.monotonic() - started > 2 * plan.seconds:
            break
        _double(bench, scenario, plan, report, chance)
        if len(report.violations) >= plan.most:
            return


def _singles(bench: Bench, scenario: Scenario, plan: Plan, report: Report, ks: list[int] | range) -> None:
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


def _double(bench: Bench, scenario: Scenario, plan: Plan, report: Report, chance: random.Random) -> None:
    """Killed, run again and killed again, run again."""
    modes = [chance.choice(KILLS) for _ in range(2)]
    ks = [chance.randint(1, report.calls), chance.randint(1, report.calls)]
    bench.fresh()
    first = bench.run(scenario, modes[0], ks[0])
    second = bench.run(scenario, modes[1], ks[1], recovery=True)
    if first.fired and second.fired:
        report.points["double"] = report.points.get("double", 0) + 1
        where = f"{NAMES[modes[0]]} at {ks[0]}, then {NAMES[modes[1]]} at {ks[1]}"
        _judge(bench, scenario, Story(bench.root, bench.template, [first, second], modes[0]), report, where, f"--doubles {plan.doubles}")


def _judge(bench: Bench, scenario: Scenario, story: Story, report: Report, where: str, arguments: str) -> None:
    found = list(scenario.glance(story)) if scenario.glance else []
    if story.mode in FAULTS and story.last.fired and story.last.code == 70:
        found.append(f"a refused call became a traceback: {story.last.output[-600:]}")
    if story.last.stray and not story.last.killed:
        found.append(f"processes outlive the act: {story.last.stray}")
    story.runs.append(bench.run(scenario, COUNT, 0, recovery=True))
    found += _laws(scenario, story)
    reproduce = f"python bench/crash.py --only {scenario.name} {arguments} --seed {report.seed}"
    report.violations += [f"{where}: {text}\n    {reproduce}" for text in found]


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
    with tempfile.TemporaryDirectory(prefix="gt-crash-", dir=fast_folder()) as folder:
        for name in names:
            bench = Bench(f"{folder}/{name}", os.environ["CRASH_SHIM"])
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
    options.add_argument("--doubles", type=int, default=None, help="random pairs of kills")
    options.add_argument("--seconds", type=float, default=10.0, help="how long a scenario may take (without --all); about")
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--most", type=int, default=10, help="stop a scenario after so many violations")
    options.add_argument("--list", action="store_true", help="name the scenarios")
    options.add_argument("--json", action="store_true")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    modes = (options.mode,) if options.mode else KILLS + FAULTS
    only = (options.mode, options.k) if options.mode and options.k else None
    if options.all:
        return Plan(modes, 1, 7, 200 if options.doubles is None else options.doubles, seed=seed, most=options.most, only=only)
    return Plan(modes, 0, 0, options.doubles or 0, options.seconds, seed, options.most, only)


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
