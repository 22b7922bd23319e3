"""The runner's mechanics: one lean process a worker that lives as long as the worker works, and decides nothing.

It asks the role (`polecat.py decide`, a short process) what to do, does it, writes down how it ended, and asks again:
start the agent program for one turn, beat while it lives, end it at its limits, end everything it left behind. It is the subreaper of
whatever the agent starts, so a daemon that left its session is found as well. Between two turns it stands aside for a person who took
the session over (`runtime/attach`), and goes on when that process is gone, however it ended. Linux only.

Started by `become`: descriptor 9 is the worker's runner lock, held for this process's life; descriptor 8 holds what it needs to know (not
the command line, which everybody on the machine can read).
"""

from __future__ import annotations

import _ctypes
import _signal as signal  # type: ignore[import-not-found]  # `signal` imports `enum`: memory of every runner
import fcntl
import os
import select
import sys
import time

from gastown_hooks.core import clock, errors, fsio, jsons
from gastown_hooks.stores import beats, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from gastown_hooks.runtime.runner import main; sys.exit(main())"
LOCK_FD, SPEC_FD = 9, 8
BEAT_SECONDS, LOOK_SECONDS, PARTING_SECONDS = 20.0, 1.0, 0.2
TERM_GRACE, STRAY_GRACE, DONE_GRACE = 10.0, 1.0, 20.0
DECIDE_RETRIES = 3
_SUBREAPER, _MOVED_TO = 36, 0x80
_ASKED = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):
    """Somebody asked the runner to end."""


class Runner:
    """`spec`: role (argv without its trigger), env (its environment), town, tree, heartbeat, turns, lease, attach (paths), actor, session,
    bead, token (the worker's).
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.me = processes.this()
        self.seq, self.progress = 0, ""
        self.lease = progress_of([spec["lease"]])
        self.news = news_of(os.path.dirname(spec["lease"]))

    def run(self) -> int:
        """Ask and do until there is nothing more to do; the exit code."""
        failed = 0
        self._beat("starting", "")  # whoever decides, and retires, finds its runner here
        while True:
            self._stand_aside()
            plan = self._ask("decide")
            if plan is None:
                failed += 1
                if failed > DECIDE_RETRIES:
                    return 1
                self._pause(float(2 ** failed))
                continue
            failed = 0
            if plan["act"] != "turn":
                return 0
            if self._pause(float(plan.get("wait", 0))):
                self._turn(plan)

    def _ask(self, trigger: str) -> dict[str, Any] | None:
        """The role's answer; None when it failed (its words are in the log)."""
        become_subreaper(False)  # the roles that it wakes are not this worker's
        try:
            return self._answer([*self.spec["role"][:3], trigger, *self.spec["role"][3:]])
        finally:
            become_subreaper(True)

    def _answer(self, argv: list[str]) -> dict[str, Any] | None:
        read, write = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED)  # a decision is not cut in half
        try:
            pid = os.posix_spawn(argv[0], argv, self.spec["env"], setsigmask=[],
                                 file_actions=[(os.POSIX_SPAWN_DUP2, write, 1)], setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
            os.close(write)
            lines = self._heard(read).splitlines()
            _, status = os.waitpid(pid, 0)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED)
        if status or not lines:
            return None
        plan = jsons.loads(lines[-1].decode())
        return plan if isinstance(plan, dict) else None

    def _heard(self, fd: int) -> bytes:
        """All that comes from there. A decision may take long (retiring a big tree): its runner does not hang."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        with os.fdopen(fd, "rb", buffering=0) as answer:
            heard, part = b"", b"-"
            while part:
                if poll.poll(int(BEAT_SECONDS * 1000)):
                    part = answer.read(65536)
                    heard += part
                elif os.path.exists(self.spec["lease"]):  # else it is being retired
                    self._beat("deciding", self.progress)
        return heard

    def _turn(self, plan: dict[str, Any]) -> None:
        try:
            ended, code, why = self._supervised(plan)
        except Stopped:
            self._end_strays(TERM_GRACE)
            self._note(state="stopped", ended="stopped", code=0, why="")
            raise
        self._end_strays(STRAY_GRACE)
        self._note(state="between turns", ended=ended, code=code, why=why)

    def _supervised(self, plan: dict[str, Any]) -> tuple[str, int, str]:
        """(how it ended, code, why)."""
        try:
            pid = start(plan["argv"], plan["env"], self.spec["tree"], plan["transcript"], self.spec["town"])
        except OSError as error:
            return "missing", 0, f"{error.filename or plan['argv'][0]}: {error.strerror}"
        pidfd = os.pidfd_open(pid)
        try:
            limit = self._watch(pid, pidfd, plan)
            if limit:
                self._end_strays(TERM_GRACE, spare=pid)
            return limit or "exited", exit_code(os.waitpid(pid, 0)[1]), ""
        finally:
            os.close(pidfd)

    def _watch(self, pid: int, pidfd: int, plan: dict[str, Any]) -> str:
        """Beat until the agent ends (""), a limit is over ("wall", "idle"), or a person takes the session over ("attached")."""
        begun = moved = time.monotonic()
        wall, idle = float(plan["turn_seconds"]), float(plan["idle_seconds"])
        last, beat, submitted = "", 0.0, 0.0
        while True:
            sign = progress_of(plan["watch"])
            now = time.monotonic()
            if sign != last:
                last, moved = sign, now
            if now - beat >= BEAT_SECONDS:
                self._beat("working", sign)
                beat = now
            if not submitted and self._is_done():
                submitted = now
                if self._await(PARTING_SECONDS, pidfd):
                    return ""
                self._ask("submitted")  # landing does not wait for the agent's last words
            if submitted and now - submitted >= DONE_GRACE:
                return "exited"
            if now - begun >= wall:
                return "wall"
            if now - moved >= idle:
                return "idle"
            guest = self._guest()
            if guest is not None and guest.state == "now":
                return "attached"
            if self._await(min(LOOK_SECONDS, begun + wall - now, moved + idle - now), pidfd):
                return ""
            reap(spare=pid)

    def _await(self, seconds: float, pidfd: int = -1) -> bool:
        """Wait until a file of the worker's was replaced, at most so long; True when this process ended meanwhile."""
        poll = select.poll()
        for fd in (pidfd, self.news):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(max(10, int(seconds * 1000) + 1))]
        if self.news in ready:
            os.read(self.news, 4096)
        return pidfd in ready

    def _is_done(self) -> bool:
        """Whether the worker said `gt done`: its lease says so."""
        seen = progress_of([self.spec["lease"]])
        if seen == self.lease:
            return False
        self.lease = seen
        lease = fsio.read_json(self.spec["lease"])
        return isinstance(lease, dict) and lease.get("state") == "done"

    def _end_strays(self, grace: float, spare: int = 0) -> None:
        """End whatever the agent started: by descent, and by token what another subreaper took."""
        token, me = self.spec["token"], os.getpid()

        def find() -> list[processes.Process]:
            return list({*processes.descendants_of(me), *processes.with_token(token)})

        processes.end(find, grace, meanwhile=lambda: reap(spare=spare))

    def _pause(self, seconds: float) -> bool:
        """False when somebody takes the session over meanwhile."""
        until = clock.since_boot() + int(seconds * clock.SECOND)  # a machine that sleeps has waited too
        beat = 0.0
        while (left := (until - clock.since_boot()) / clock.SECOND) > 0:
            if self._guest() is not None:
                return False
            if time.monotonic() - beat >= BEAT_SECONDS:
                self._beat("waiting", self.progress)
                beat = time.monotonic()
            self._await(min(LOOK_SECONDS, left))
        return True

    def _guest(self) -> beats.Beat | None:
        """What a living process asks that wants the session."""
        try:
            asked = beats.read(self.spec["attach"])
        except errors.GastownError:
            return None
        return asked if asked is not None and processes.is_alive(asked.process()) else None

    def _stand_aside(self) -> None:
        """While a person has the session: the heartbeat is that process's, so that nobody starts an agent even if this runner dies."""
        guest, beat = self._guest(), 0.0
        if guest is None:
            return
        while processes.is_alive(guest.process()) is not False:
            if time.monotonic() - beat >= BEAT_SECONDS:
                self._beat(beats.ATTACHED, self.progress, guest.process())
                beat = time.monotonic()
            if self._is_done():
                self._ask("submitted")
            self._await(LOOK_SECONDS)
        self._end_strays(STRAY_GRACE)
        self._beat("between turns", self.progress)

    def _beat(self, state: str, progress: str, who: processes.Process | None = None) -> None:
        self.seq, self.progress, who = self.seq + 1, progress, who or self.me
        beats.write(self.spec["heartbeat"], beats.Beat(
            actor=self.spec["actor"], session=self.spec["session"], pid=who.pid, start=who.start, boot_id=who.boot_id,
            seq=self.seq, progress=progress, state=state, bead=self.spec["bead"]))

    def _note(self, state: str, ended: str, code: int, why: str) -> None:
        """Write down how the turn ended, durably, before anybody decides by it."""
        record = fsio.read_json(self.spec["turns"]) or {}
        fsio.write_json(self.spec["turns"], {**record, "ended": ended, "code": code, "why": why})
        self._beat(state, self.progress)


def become(spec: dict[str, Any], lock_fd: int) -> NoReturn:
    """Replace this process by a lean runner that keeps the lock; nothing but the few modules of this file stays in memory."""
    memory = fcntl.fcntl(os.memfd_create("spec"), fcntl.F_DUPFD_CLOEXEC, LOCK_FD + 1)
    os.write(memory, jsons.dumps_ascii(spec).encode())
    os.lseek(memory, 0, os.SEEK_SET)
    os.dup2(lock_fd, LOCK_FD)
    os.set_inheritable(LOCK_FD, True)
    os.dup2(memory, SPEC_FD)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", BOOT, root], spec["env"])


def main() -> int:
    """The runner's process."""
    os.set_inheritable(LOCK_FD, False)
    with os.fdopen(SPEC_FD, "rb") as file:
        spec = jsons.loads(file.read().decode())
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    runner = Runner(spec)
    try:
        return runner.run()
    except Stopped:
        print("runner: stopped", file=sys.stderr)
        return 143


def start(argv: list[str], env: dict[str, str], tree: str, transcript: str, back: str) -> int:
    """Start the agent program in the tree, in a session of its own, its output appended to the transcript; the pid.

    Raises OSError when the program or the tree is not there.
    """
    program = which(argv[0], env.get("PATH", os.defpath), tree)
    output = fsio.open_log(transcript)
    os.chdir(tree)
    try:
        return os.posix_spawn(program, argv, env, setsid=True, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP],
                              file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                                            (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)])
    finally:
        os.chdir(back)
        os.close(output)


def which(name: str, path: str, tree: str) -> str:
    """The program's full path by the worker's own PATH. Raises FileNotFoundError."""
    if "/" in name:
        return name if name.startswith("/") else os.path.join(tree, name)
    for folder in path.split(":"):
        candidate = f"{folder}/{name}"
        if folder.startswith("/") and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError(2, "no such program on PATH", name)


def progress_of(paths: list[str]) -> str:
    """A word that changes when one of the files does."""
    signs = []
    for path in paths:
        try:
            found = os.stat(path)
            signs.append(f"{found.st_size:x}.{found.st_mtime_ns:x}")
        except OSError:
            signs.append("-")
    return "/".join(signs)


def reap(spare: int = 0) -> None:
    """Collect the dead that were reparented to us; `spare` is collected by whoever waits for it."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid == spare:
            return
        os.waitpid(found.si_pid, 0)


def exit_code(status: int) -> int:
    """The exit code, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(status)


def become_subreaper(wanted: bool) -> None:
    """Have orphans below this process become its children (or no longer)."""
    # `ctypes` itself would cost a megabyte a worker.
    _ctypes.call_function(_ctypes.dlsym(_ctypes.dlopen("", 0), "prctl"), (_SUBREAPER, int(wanted), 0, 0, 0))


def news_of(folder: str) -> int:
    """A descriptor that can be read when a file was renamed into the folder; -1 where the kernel gives no more of them."""
    libc = _ctypes.dlopen("", 0)
    fd: int = _ctypes.call_function(_ctypes.dlsym(libc, "inotify_init1"), (os.O_CLOEXEC | os.O_NONBLOCK,))
    if fd >= 0:
        _ctypes.call_function(_ctypes.dlsym(libc, "inotify_add_watch"), (fd, os.fsencode(folder), _MOVED_TO))
    return fd


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is asked; the end must not be cut short
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped
