"""Gates: the rig's own commands, run on exactly the tree that would land.

The commands come from the rig's settings alone, never from the branch. Each runs as `sh -c` in a pooled, detached worktree, in a
process group with a token of its own, in an environment that holds no claim of anybody; a timeout ends the whole process tree.
A verdict is pass, fail, timeout or infra; infra (no such command, no space, no worktree, killed from outside) is no verdict on
anybody's change. A pass is kept as a git note on the commit (`refs/notes/gates`, JSON {tree, commit, gates, verdict, seconds,
at}) and never asked for again while the gates stay the same. Output: the last 1 MB in `refinery/gate-logs/<name>.log`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, replace

from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.errors import BadConfig, BadInput, GitFailed, LockTimeout, Refused, StorageFailed
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import config, events, git, processes, worktrees
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import flakes, furnish

PASS, FAIL, TIMEOUT, INFRA = "pass", "fail", "timeout", "infra"
NONE = "none"
TOKEN = "GT_TOKEN"
NOTES = "gates"
LOG_LIMIT = 1 << 20
SLOTS = 8
_SHELL_NAME = "gt-gate"  # the shell's own complaints begin with it, a program's do not
_NOT_RUN = re.compile(rf"^{_SHELL_NAME}: (?:line )?\d+: (.+?): (?:command )?(?:not found|No such file or directory|Permission denied)$")
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_LEAST_SPACE = 1 << 20
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the gates ended. `reason` is one line; `tail` the end of the output, safe to print; `runs` how often they ran now."""

    result: str
    reason: str = ""
    seconds: float = 0.0
    log: str = ""
    tail: str = ""
    flake: bool = False
    runs: int = 0

    @property
    def green(self) -> bool:
        return self.result == PASS

    @property
    def red(self) -> bool:
        return self.result in (FAIL, TIMEOUT)


@dataclass(frozen=True, slots=True)
class _Ended:
    """One command's end: exit code (negative: the signal that ended its shell), whether time ran out, output."""

    code: int
    late: bool
    output: bytes


def commands(rig: Rig) -> list[str]:
    """The rig's gate commands; empty for `"none"`. Raises Refused while nobody said what the gates are (I9)."""
    gates = config.rig_settings(rig).gates
    if gates is None:
        raise Refused(f"nothing lands in {rig.name}", why="no gates configured",
                      next=f"gt config set {rig.name}.gates 'pytest -q', or in so many words: none")
    return [] if gates == NONE else list(gates)


def run(rig: Rig, commit: str, now: int, *, name: str = "gate", again: bool = False) -> Verdict:
    """Run the gates on this commit's tree, or take the recorded pass. `again` adds to the log of the run before."""
    wanted = commands(rig)
    if recorded(rig, commit) is not None:
        return Verdict(PASS, "passed before")
    started = time.monotonic()
    try:
        verdict = _in_slot(rig, commit, wanted, name, again) if wanted else Verdict(PASS, "no gates, by the rig's settings")
    except (GitFailed, StorageFailed, LockTimeout, BadConfig) as error:
        verdict = Verdict(INFRA, f"no gate tree: {error}")
    verdict = replace(verdict, seconds=round(time.monotonic() - started, 3), runs=1 if wanted else 0)
    if wanted:
        events.emit(rig.town, "gate_run", f"{rig.name}/refinery", {"rig": rig.name, "name": name, "commit": commit,
                                                                   "verdict": verdict.result, "seconds": verdict.seconds}, now)
    if verdict.green:
        record(rig, commit, verdict, now)
    return verdict


def confirmed(rig: Rig, commit: str, now: int, *, name: str = "gate") -> Verdict:
    """Like `run`, but a red result is confirmed."""
    first = run(rig, commit, now, name=name)
    return confirm(rig, commit, first, now, name=name) if first.red else first


def confirm(rig: Rig, commit: str, first: Verdict, now: int, *, name: str) -> Verdict:
    """Run once more on the tree that `first` found red; red, then green, is a flake: written down, and counted as green."""
    second = run(rig, commit, now, name=name, again=True)
    if second.green:
        flakes.note(rig, {"commit": commit, "tree": Repo(rig.repo).tree(commit), "reason": first.reason, "name": name}, first.tail, now)
    return replace(second, flake=second.green, runs=first.runs + second.runs, seconds=first.seconds + second.seconds)


def recorded(rig: Rig, commit: str) -> dict[str, object] | None:
    """The commit's gate record, if it is a pass of exactly this tree under the gates in force."""
    repo = Repo(rig.repo)
    try:
        note = json.loads(repo.note(commit, NOTES) or "null")
    except ValueError:
        return None
    good = (isinstance(note, dict) and note.get("verdict") == PASS and note.get("tree") == repo.tree(commit)
            and note.get("gates") == (commands(rig) or NONE))
    return note if good else None


def record(rig: Rig, commit: str, verdict: Verdict, now: int) -> None:
    """Note the pass on the commit. The same note again changes nothing."""
    note = {"tree": Repo(rig.repo).tree(commit), "commit": commit, "gates": commands(rig) or NONE, "verdict": verdict.result,
            "seconds": verdict.seconds, "at": clock.stamp(now)}
    text = json.dumps(note, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
    who = git.identity(f"{rig.name}/refinery", config.owner_email(rig.town))
    git.run(rig.repo, "notes", f"--ref={NOTES}", "add", "--force", "--file=-", commit, input=text, env=who)


def log_path(rig: Rig, name: str) -> str:
    return f"{rig.refinery.gate_logs}/{name}.log"


def plain(output: bytes, limit: int) -> str:
    """The end of a program's output as text that does nothing to a terminal."""
    text = _COLOUR.sub("", output[-4 * limit:].decode("utf-8", "replace")).replace("\r\n", "\n")
    safe = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= limit else "…" + safe[-limit:]


# ---- a run ----------------------------------------------------------------------------------------------------

def _in_slot(rig: Rig, commit: str, wanted: list[str], name: str, again: bool) -> Verdict:
    """In the first free tree of the pool. Its lock means "a gate runs here" and is gone with its holder."""
    fsio.make_folder(rig.refinery.gates)
    for slot in range(SLOTS):
        held = lock.attempt(rig.lock(f"gate-{slot}"))
        if held is not None:
            with held:
                return _run(rig, commit, wanted, name, again, slot)
    raise LockTimeout(f"no free gate tree in {rig.name}", why=f"{SLOTS} gates are running")


def _run(rig: Rig, commit: str, wanted: list[str], name: str, again: bool, slot: int) -> Verdict:
    line = f"{config.town_id(rig.town)}.{rig.name}-gate-{slot}."
    _end(line)  # what a killed refinery left running here
    scratch = f"{rig.refinery.gates}/tmp-{slot}"
    fsio.remove_tree(scratch)
    fsio.make_folder(scratch)
    deadline = time.monotonic() + config.rig_settings(rig).gate_timeout
    environment = _environment(line + "setup", scratch)
    tree = worktrees.gate_tree(rig, slot, commit)
    broken = _broken_setup(rig, tree, environment)
    if broken is not None:
        parents = Repo(rig.repo).parents(commit)
        theirs = bool(parents) and _broken_setup(rig, worktrees.gate_tree(rig, slot, parents[0]), environment) is None
        return Verdict(FAIL if theirs else INFRA, str(broken))
    output, verdict = b"", Verdict(PASS)
    for command in wanted:
        ended = _command(command, tree, environment | {TOKEN: line + secrets.token_hex(8)}, deadline)
        output = (output + f"$ {command}\n".encode() + ended.output + f"\n[exit {ended.code}]\n".encode())[-LOG_LIMIT:]
        verdict = _judge(rig, commit, tree, command, ended)
        if not verdict.green:
            break
    fsio.remove_tree(scratch)
    return replace(verdict, log=_save(rig, name, output, again), tail=plain(output, 1500))


def _broken_setup(rig: Rig, tree: str, environment: dict[str, str]) -> Refused | None:
    """Put the project's extras into the tree; how its set-up command failed, if it did."""
    try:
        furnish.furnish(rig, tree, environment)
        return None
    except Refused as error:
        return error
    finally:
        _end(environment[TOKEN])


def _environment(token: str, scratch: str) -> dict[str, str]:
    """Without the caller's claim, its git, or its keys (GT_PASS_ENV names what a gate may have all the same)."""
    passed = config.variable("GT_PASS_ENV").split(":")
    kept = {name: value for name, value in config.clean_environment({}).items()
            if name in passed or not (name.startswith(("GIT_", "GT_", "BD_", "BEADS_")) or name == "SSH_AUTH_SOCK")}
    return {**kept, TOKEN: token, "TMPDIR": scratch, "GIT_TERMINAL_PROMPT": "0"}


def _command(command: str, tree: str, environment: dict[str, str], deadline: float) -> _Ended:
    """Run one gate command to its end, or to the deadline; nothing that it started outlives it."""
    child = subprocess.Popen(["sh", "-c", command, _SHELL_NAME], cwd=tree, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    assert child.stdout is not None
    pidfd, pipe = os.pidfd_open(child.pid), child.stdout.fileno()
    os.set_blocking(pipe, False)
    late, output = False, b""
    try:
        late, output = _listen(pidfd, pipe, deadline)
    finally:
        # The leader is not reaped yet, so its group's number is still its own.
        if late:
            processes.end(lambda: processes.with_token(environment[TOKEN]), 2.0)
        os.killpg(child.pid, signal.SIGKILL)
        code = child.wait()
        _end(environment[TOKEN])
        output += _drain(pipe)
        os.close(pidfd)
        child.stdout.close()
    return _Ended(code, late, output[-LOG_LIMIT:])


def _listen(pidfd: int, pipe: int, deadline: float) -> tuple[bool, bytes]:
    """Collect the output until the shell ends. Not until the pipe does: what runs on in the background may hold it."""
    waiter, output = select.poll(), b""
    waiter.register(pidfd, select.POLLIN)
    waiter.register(pipe, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return True, output
        ready = dict(waiter.poll(min(left, 60.0) * 1000))
        if pipe in ready:
            data = _drain(pipe)
            output = (output + data)[-LOG_LIMIT:]
            if not data and ready[pipe] & select.POLLHUP:
                waiter.unregister(pipe)
        if pidfd in ready:
            return False, output


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


def _end(token: str) -> None:
    """End what still runs under a token (ending in ".": under any token of this slot)."""
    processes.end(lambda: processes.with_token(token, prefix=token.endswith(".")), 0.0)


def _judge(rig: Rig, commit: str, tree: str, command: str, ended: _Ended) -> Verdict:
    if ended.late:
        return Verdict(TIMEOUT, f"{command}: took longer than {config.rig_settings(rig).gate_timeout} s and was ended")
    if ended.code == 0:
        return Verdict(PASS)
    killed = -ended.code if ended.code < 0 else ended.code - 128
    if killed in _OUTSIDE:
        return Verdict(INFRA, f"{command}: killed by {signal.Signals(killed).name} from outside")
    missing = _missing(rig, commit, ended)
    if missing:
        return Verdict(INFRA, f"{command}: {missing} is not there, or not executable")
    if _FULL.search(ended.output[-65536:].decode("utf-8", "replace")) or _free(tree) < _LEAST_SPACE:
        return Verdict(INFRA, f"{command}: no space left on the disk")
    return Verdict(FAIL, f"{command}: exit {ended.code}")


def _missing(rig: Rig, commit: str, ended: _Ended) -> str:
    """The program that the shell itself could not start; empty when it is the change that took it away."""
    if ended.code not in (126, 127):
        return ""
    lines = ended.output.decode("utf-8", "replace").rstrip().split("\n")
    found = next((match[1] for match in map(_NOT_RUN.match, reversed(lines)) if match), "")
    if "/" not in found or found.startswith("/"):
        return "" if found and shutil.which(found) else found
    parents = Repo(rig.repo).parents(commit)
    path = os.path.normpath(found)
    there = bool(parents) and git.run(rig.repo, "cat-file", "-e", f"{parents[0]}:{path}", check=False).code == 0
    return "" if there else found


def _free(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _save(rig: Rig, name: str, output: bytes, again: bool) -> str:
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
        raise BadInput(f"{name!r} is no name of a gate log")
    fsio.make_folder(rig.refinery.gate_logs)
    path = log_path(rig, name)
    before = (fsio.read(path) or b"") if again else b""
    fsio.write(path, (before + (b"\n[confirming run]\n" if again else b"") + output)[-LOG_LIMIT:], durable=False)
    return path
