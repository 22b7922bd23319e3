"""One run of a rig's gate commands on exactly the tree that would land, as a generator: it yields what it waits for.

So several run at once in one process: `await_any` polls for all of them. Closing a trial ends its processes and gives its tree back.
The commands come from the rig's settings alone, never from the branch. Each runs as `sh -c` in a pooled, detached worktree, in a
process group with a token of its own, in an environment that holds no claim of anybody; a timeout ends the whole process tree.
Output: the last 1 MB in `refinery/gate-logs/<name>.log`; at LOGS of them the older half goes.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Collection, Generator

from gastown_hooks.core import fsio, lock
from gastown_hooks.core.errors import BadConfig, BadInput, GitFailed, LockTimeout, StorageFailed
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import dataclass, replace
from gastown_hooks.rules import failed_tests
from gastown_hooks.stores import callers, config, git, processes, worktrees
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import furnish, last_red, strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    import shutil
    import signal
    import subprocess
else:
    shutil, signal, subprocess = late("shutil"), late("signal"), late("subprocess")

PASS, FAIL, TIMEOUT, INFRA = "pass", "fail", "timeout", "infra"
TOKEN = "GT_TOKEN"
LOG_LIMIT = 1 << 20
LOGS = 1000
SPARE = 7  # trees beyond the rig's gate_slots: for whoever runs gates beside the refinery
_GRACE = 2.0
_SHELL_NAME = "gt-gate"  # the shell's own complaints begin with it, a program's do not
_NOT_RUN = rf"^{_SHELL_NAME}: (?:line )?\d+: (.+?): (?:command )?(?:not found|No such file or directory|Permission denied)$"
_FULL = r"No space left on device|Disk quota exceeded"
_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")
_LEAST_SPACE = 1 << 20
_COLOUR = r"\x1b\[[0-9;]*[A-Za-z]"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the gates ended, and on which tree. `reason` is one line; `tail` the end of the output, safe to print; `tests` those it
    names as failed; `runs` how often the gates ran for it now."""

    result: str
    reason: str = ""
    seconds: float = 0.0
    log: str = ""
    tail: str = ""
    tests: tuple[str, ...] = ()
    flake: bool = False
    runs: int = 0
    tree: str = ""

    @property
    def green(self) -> bool:
        return self.result == PASS

    @property
    def red(self) -> bool:
        return self.result in (FAIL, TIMEOUT)


@dataclass(frozen=True, slots=True)
class Job:
    """The commands to run on a commit, its tree, and the name of their log; `again` adds to the log of the run before. `alone`: no other
    run is under way, so that what runs in trees nobody holds was left by a killed one. `configuration`: as work/passes has it."""

    rig: Rig
    commit: str
    tree: str
    commands: list[str]
    name: str
    again: bool = False
    alone: bool = True
    configuration: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a trial waits for: one of the descriptors, or the time (of the monotonic clock)."""

    fds: tuple[int, ...]
    until: float


@dataclass(frozen=True, slots=True)
class _Ended:
    """One command's end: exit code (negative: the signal that ended its shell), whether time ran out, output."""

    code: int
    late: bool
    output: bytes


Steps = Generator[Wait, Collection[int], Verdict]


class Trial:
    """A run under way, or ended: then its verdict is there. What is in the way of any run is the verdict infra."""

    def __init__(self, steps: Steps) -> None:
        self.verdict: Verdict | None = None
        self.wait = Wait((), 0.0)
        self._steps, self._started = steps, time.monotonic()
        self.go_on(None)

    def go_on(self, ready: Collection[int] | None) -> None:
        """To where it waits next. `ready`: the descriptors that are; None to begin."""
        try:
            self.wait = self._steps.send(ready)  # type: ignore[arg-type]  # a generator begins with None
            return
        except StopIteration as end:
            verdict: Verdict = end.value
        except (GitFailed, StorageFailed, LockTimeout, BadConfig) as error:
            verdict = Verdict(INFRA, f"no gate tree: {error}")
        self.verdict = replace(verdict, seconds=round(time.monotonic() - self._started, 3), runs=1)

    def close(self) -> None:
        """End its processes, if it runs."""
        self._steps.close()


def await_any(trials: Collection[Trial]) -> None:
    """Let them go on until at least one has ended."""
    while not any(trial.verdict for trial in trials):
        waiter = select.poll()
        for fd in (fd for trial in trials for fd in trial.wait.fds):
            waiter.register(fd, select.POLLIN)
        left = min(trial.wait.until for trial in trials) - time.monotonic()
        ready = {fd for fd, _ in waiter.poll(min(max(left, 0.0), 60.0) * 1000)}
        for trial in trials:
            mine = ready.intersection(trial.wait.fds)
            if mine or trial.wait.until <= time.monotonic():
                trial.go_on(mine)


def steps(job: Job) -> Steps:
    """In the first free tree of the pool. Its lock means "a gate runs here" and is gone with its holder."""
    rig = job.rig
    if not job.name.replace("-", "").replace("_", "").replace(".", "").isalnum() or job.name.startswith("."):
        raise BadInput(f"{job.name!r} is no name of a gate log")
    fsio.make_folder(rig.refinery.gates)
    count = config.rig_settings(rig).gate_slots + SPARE
    for slot in range(count):
        held = lock.attempt(rig.lock(f"gate-{slot}"))
        if held is not None:
            with held:
                _end_strays(rig, slot, count if job.alone else 0)
                return (yield from _run(job, slot))
    raise LockTimeout(f"no free gate tree in {rig.name}", why=f"{count} gates are running")


def plain(output: bytes, limit: int) -> str:
    """The end of a program's output as text that does nothing to a terminal."""
    text = re.sub(_COLOUR, "", output[-4 * limit:].decode("utf-8", "replace")).replace("\r\n", "\n")
    safe = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= limit else "…" + safe[-limit:]


def log_path(rig: Rig, name: str) -> str:
    return f"{rig.refinery.gate_logs}/{name}.log"


# ---- a run ----------------------------------------------------------------------------------------------------

def _line(rig: Rig, slot: int | None = None) -> str:
    """What the tokens of a slot's processes begin with; without a slot, those of all."""
    return f"{config.town_id(rig.town)}.{rig.name}-gate-" + ("" if slot is None else f"{slot}.")


def _end_strays(rig: Rig, own: int, others: int) -> None:
    """End what a killed refinery left running: in this tree, and in so many others, as far as nobody holds them."""
    if not strays.of_gate(rig, _line(rig), rig.refinery.gates):
        return
    _end(rig, own)
    for slot in set(range(others)) - {own}:
        if (held := lock.attempt(rig.lock(f"gate-{slot}"))) is not None:
            with held:
                _end(rig, slot)


def _run(job: Job, slot: int) -> Steps:
    rig, scratch = job.rig, f"{job.rig.refinery.gates}/tmp-{slot}"
    fsio.remove_tree(scratch)
    fsio.make_folder(scratch)
    try:
        environment = _environment(scratch) | last_red.lay_out(rig, scratch) | {TOKEN: _line(rig, slot) + os.urandom(8).hex()}
        tree = worktrees.gate_tree(rig, slot, job.commit)
        broken = yield from _set_up(rig, tree, environment)
        if broken:
            parents = Repo(rig.repo).parents(job.commit)
            theirs = bool(parents) and not (yield from _set_up(rig, worktrees.gate_tree(rig, slot, parents[0]), environment))
            return Verdict(FAIL if theirs else INFRA, broken)
        return (yield from _gates(job, tree, environment))
    finally:
        _end(rig, slot)
        fsio.remove_tree(scratch)


def _set_up(rig: Rig, tree: str, environment: dict[str, str]) -> Generator[Wait, Collection[int], str]:
    """Put the project's extras into the tree, each time, for the tree was emptied; how its set-up command failed, if it did."""
    furnish.place(rig, tree)
    command = config.rig_settings(rig).setup
    if not command:
        return ""
    ended = yield from _command(command, tree, environment, time.monotonic() + furnish.PATIENCE)
    failure = furnish.failure(rig, tree, None if ended.late else ended.code, plain(ended.output, 1500))
    return str(failure or "")


def _gates(job: Job, tree: str, environment: dict[str, str]) -> Steps:
    deadline, output = time.monotonic() + config.rig_settings(job.rig).gate_timeout, b""
    verdict, tests = Verdict(PASS), list[str]()
    for command in job.commands:
        ended = yield from _command(command, tree, environment, deadline)
        output = (output + f"$ {command}\n".encode() + ended.output + f"\n[exit {ended.code}]\n".encode())[-LOG_LIMIT:]
        verdict = _judge(job, tree, command, ended)
        if verdict.red:
            tests = failed_tests.names(plain(ended.output, LOG_LIMIT))
            last_red.note(job.rig, command, tests)
        if not verdict.green:
            break
    return replace(verdict, log=_save(job, output), tail=plain(output, 1500), tests=tuple(tests))


def _environment(scratch: str) -> dict[str, str]:
    """Without the caller's claim, its git, or its keys (GT_PASS_ENV names what a gate may have all the same)."""
    passed = callers.variable("GT_PASS_ENV").split(":")
    kept = {name: value for name, value in callers.clean_environment({}).items()
            if name in passed or not (name.startswith(("GIT_", "GT_", "BD_", "BEADS_")) or name == "SSH_AUTH_SOCK")}
    return {**kept, "TMPDIR": scratch, "GIT_TERMINAL_PROMPT": "0"}


def _command(command: str, tree: str, environment: dict[str, str], deadline: float) -> Generator[Wait, Collection[int], _Ended]:
    """Run one command to its end, or to the deadline; nothing that it started outlives it."""
    child = subprocess.Popen(["sh", "-c", command, _SHELL_NAME], cwd=tree, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    assert child.stdout is not None
    pidfd, pipe = os.pidfd_open(child.pid), child.stdout.fileno()
    os.set_blocking(pipe, False)
    late, output = True, b""
    try:
        late, output = yield from _listen(pidfd, pipe, deadline)
    finally:
        # The leader is not reaped yet, so its group's number is still its own.
        if late:  # or not wanted any more
            processes.end(lambda: processes.with_token(environment[TOKEN]), _GRACE)
        os.killpg(child.pid, signal.SIGKILL)
        code = child.wait()
        processes.end(lambda: processes.with_token(environment[TOKEN]), 0.0)
        output += _drain(pipe)
        os.close(pidfd)
        child.stdout.close()
    return _Ended(code, late, output[-LOG_LIMIT:])


def _listen(pidfd: int, pipe: int, deadline: float) -> Generator[Wait, Collection[int], tuple[bool, bytes]]:
    """Collect the output until the shell ends. Not until the pipe does: what runs on in the background may hold it."""
    fds: tuple[int, ...] = (pidfd, pipe)
    output = b""
    while True:
        ready = yield Wait(fds, deadline)
        if pipe in ready:
            data = _drain(pipe)
            output = (output + data)[-LOG_LIMIT:]
            if not data:
                fds = (pidfd,)
        if pidfd in ready:
            return False, output
        if time.monotonic() >= deadline:
            return True, output


def _drain(pipe: int) -> bytes:
    """What is in the pipe now, at most one megabyte."""
    parts, size = [], 0
    while size < LOG_LIMIT:
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            break
        if not data:
            break
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def _end(rig: Rig, slot: int) -> None:
    """End what a gate left running in this slot."""
    processes.end(lambda: strays.of_gate(rig, _line(rig, slot), rig.refinery.gate_tree(slot)), 0.0)


def _judge(job: Job, tree: str, command: str, ended: _Ended) -> Verdict:
    if ended.late:
        return Verdict(TIMEOUT, f"{command}: took longer than {config.rig_settings(job.rig).gate_timeout} s and was ended")
    if ended.code == 0:
        return Verdict(PASS)
    killed = -ended.code if ended.code < 0 else ended.code - 128
    outside = [name for name in _OUTSIDE if getattr(signal, name) == killed]
    if outside:
        return Verdict(INFRA, f"{command}: killed by {outside[0]} from outside")
    missing = _missing(job, ended)
    if missing:
        return Verdict(INFRA, f"{command}: {missing} is not there, or not executable")
    if re.search(_FULL, ended.output[-65536:].decode("utf-8", "replace")) or _free(tree) < _LEAST_SPACE:
        return Verdict(INFRA, f"{command}: no space left on the disk")
    return Verdict(FAIL, f"{command}: exit {ended.code}")


def _missing(job: Job, ended: _Ended) -> str:
    """The program that the shell itself could not start; empty when it is the change that took it away."""
    if ended.code not in (126, 127):
        return ""
    lines = ended.output.decode("utf-8", "replace").rstrip().split("\n")
    found = next((match[1] for line in reversed(lines) if (match := re.match(_NOT_RUN, line))), "")
    if "/" not in found or found.startswith("/"):
        return "" if found and shutil.which(found) else found
    parents = Repo(job.rig.repo).parents(job.commit)
    path = os.path.normpath(found)
    there = bool(parents) and git.run(job.rig.repo, "cat-file", "-e", f"{parents[0]}:{path}", check=False).code == 0
    return "" if there else found


def _free(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _save(job: Job, output: bytes) -> str:
    fsio.make_folder(job.rig.refinery.gate_logs)
    fsio.thin_out(job.rig.refinery.gate_logs, LOGS)
    path = log_path(job.rig, job.name)
    before = (fsio.read(path) or b"") + b"\n[confirming run]\n" if job.again else b""
    fsio.write(path, (before + output)[-LOG_LIMIT:], durable=False)
    return path
