"""One act under the shim: its process tree, its counter, its working folder.

A `Scenario` says how to make a folder (once: the template), what is done to it, and which laws hold afterwards. The act is
a list of command lines or a function that runs in a forked child (then this process must have been started under the shim).
Only processes that the shim recorded, pid and start time, are ever ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import mmap
import os
import resource
import runpy
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
COUNT, KILL_BEFORE, KILL_AFTER, HALF_KILL, FULL_ONCE, FULL_STICKY, EIO_ONCE, SHORT = range(8)
NAMES = ("count", "kill-before", "kill-after", "half-write", "disk-full-once", "disk-full", "io-error", "short-write")
KILLS = (KILL_BEFORE, KILL_AFTER, HALF_KILL)
FAULTS = (FULL_ONCE, FULL_STICKY, EIO_ONCE, SHORT)
PROGRAMS = ("gt", "bd")  # and role files: `refinery.py`
WRITING = ("write", "pwrite64", "writev", "sendfile", "copy_file_range")  # the shim's words for calls that can be torn
_HEADER, _SLOT, _SLOTS = struct.Struct("<QQIIIIII"), struct.Struct("<QQ"), 16384


@dataclass(frozen=True)
class Command:
    """One command line. `gt` and `bd` as its first word run in a forked child that has the program loaded (see Bench.exec).

    `allowed`: exit codes that are right although not 0 (a repeated act may say "not there any more").
    """

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
    seconds: float = 0.0
    cpu: float = 0.0  # of the processes that were waited for


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
    broken: str = ""
    promises: bool = True  # exit code 0 says that it is done; a round may also end well because all has to wait
    thin: int = 1  # even the full matrix takes every n-th call only: for long acts made of parts that have their own scenario
    retry: int = 0  # exit codes of the recovery that are right, besides 0
    timeout: float = 60.0
    effort: Callable[[str], int] | None = None  # gate runs so far
    extra: int = 3  # more of them than without a crash, that one crash or two may cost


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
        self.exec = not under_shim()
        self.map = Map(f"{self.folder}/map")

    def environment(self, *, armed: bool, broken: str = "") -> dict[str, str]:
        python_path = [PROJECT, *([f"{HERE}/broken_site"] if broken else [])]
        env = {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "HOME": self.home, "LANG": "C.UTF-8",
               "TMPDIR": self.folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": f"{self.home}/.gitconfig", "GT_WAKE": "off",
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
        began, cpu = time.monotonic(), _children_cpu()
        self.map.set(mode, k)
        for path in (self.out, self.acks):
            with open(path, "wb"):
                pass
        if is_commands(act):
            code, acked = self._commands(act(self.root), scenario)  # type: ignore[call-arg, arg-type]
        else:
            code, acked = self._function(act, scenario)  # type: ignore[arg-type]
        stray = self._settle(scenario.timeout)
        with open(self.out, encoding="utf-8", errors="replace") as file:
            output = file.read()
        return Run(self.map.count, self.map.fired, self.map.killing, code, acked, output, stray, time.monotonic() - began,
                   _children_cpu() - cpu)

    def _commands(self, commands: list[Command], scenario: Scenario) -> tuple[int, list[str]]:
        acked: list[str] = []
        for number, command in enumerate(commands):
            code = self._waited(self._start(command, scenario), scenario.timeout)
            if code not in command.allowed or self.map.killing:
                return code, acked
            acked.append(str(number))
        return 0, acked

    def _start(self, command: Command, scenario: Scenario) -> int:
        """The command's process: a fork of ours for our own programs, a new one for all others (or with `exec`)."""
        cwd = command.cwd or self.root
        env = self.environment(armed=True, broken=scenario.broken) | command.env
        if _is_ours(command.argv) and not self.exec:
            pid = os.fork()
            if pid == 0:
                self._child(lambda: program(command.argv), cwd, env)
            return pid
        with open(self.out, "ab") as out:
            child = subprocess.Popen(spelled(command.argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     start_new_session=True)
            child.returncode = 0  # we wait for it ourselves, by pid
            return child.pid

    def _function(self, act: Function, scenario: Scenario) -> tuple[int, list[str]]:
        pid = os.fork()
        if pid == 0:
            env = self.environment(armed=True, broken=scenario.broken)
            acks = os.open(self.acks, os.O_WRONLY | os.O_APPEND)
            self._child(lambda: _guarded(act, self.root, lambda word: os.write(acks, word.encode() + b"\n")), self.folder, env)
        code = self._waited(pid, scenario.timeout)
        with open(self.acks, encoding="utf-8") as file:
            return code, file.read().split()

    def _waited(self, pid: int, timeout: float) -> int:
        """The child's exit code; -999 when it had to be ended."""
        deadline = time.monotonic() + timeout
        pause = 0.0002
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                self._end()
                os.kill(pid, signal.SIGKILL)  # our own child, not waited for yet
                os.waitpid(pid, 0)
                return -999
            time.sleep(pause)
            pause = min(0.005, pause * 1.3)

    def _child(self, act: Callable[[], int], cwd: str, env: dict[str, str]) -> None:
        """In the forked child: arm, act, leave without any clean-up of the parent's."""
        code = 70
        try:
            os.setsid()
            os.chdir(cwd)
            out = os.open(self.out, os.O_WRONLY | os.O_APPEND)
            null = os.open(os.devnull, os.O_RDONLY)
            for fd, place in ((null, 0), (out, 1), (out, 2)):
                os.dup2(fd, place)
            sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
            os.environ.clear()
            os.environ.update(env)
            if env.get("CRASH_BROKEN"):
                from crash import broken as variants
                variants.apply(env["CRASH_BROKEN"])
            if ctypes.CDLL(None).crash_arm(self.map.path.encode(), self.root.encode(), self.log.encode()) != 0:
                os._exit(71)
            code = act()
            sys.stdout.flush()
            sys.stderr.flush()
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


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def under_shim() -> bool:
    """Whether this process was started under the shim, so that a fork of it can be armed."""
    return hasattr(ctypes.CDLL(None), "crash_arm")


def is_commands(act: object) -> bool:
    """Whether an act makes command lines: it takes the folder alone."""
    return len(inspect.signature(act).parameters) == 1  # type: ignore[arg-type]


def _is_ours(argv: tuple[str, ...]) -> bool:
    return argv[0] in PROGRAMS or (argv[0].endswith(".py") and "/" not in argv[0])


def spelled(argv: tuple[str, ...]) -> list[str]:
    """The real command line of `gt …`, `bd …` and `refinery.py …`: this interpreter, this source tree."""
    if not _is_ours(argv):
        return list(argv)
    if argv[0] not in PROGRAMS:
        return [sys.executable, f"{PROJECT}/roles/{argv[0]}", *argv[1:]]
    return [sys.executable, "-c", f"import sys; from gastown_hooks.front import {argv[0]}; sys.exit({argv[0]}())", *argv[1:]]


def program(argv: tuple[str, ...]) -> int:
    from gastown_hooks import front
    sys.argv = spelled(argv)[1:] if argv[0] not in PROGRAMS else list(argv)
    try:
        code = runpy.run_path(sys.argv[0], run_name="__main__") and 0 if argv[0] not in PROGRAMS else getattr(front, argv[0])()
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback
        traceback.print_exc()
        return 70
    return code if isinstance(code, int) else 1 if code else 0


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
