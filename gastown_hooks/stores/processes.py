"""Processes as facts: who they are, whether they live, and signals that reach nobody else.

A process is (pid, start time, boot id): a pid alone is used again. Looks into /proc answer True, False or "cannot tell" (None);
what cannot be told is never acted on. Signals go through a pidfd that is opened before the identity is checked, so a pid that
changes hands in between is not hit. Strays are found by the token that a worker's environment carries (`GT_TOKEN`), by their
parents, or, where they dropped their environment and their parents are gone, by two facts together: their folder and the town's
mark (`gastown_hooks.work.strays`).
Linux only. Kept lean: the runner, one process a worker, imports it.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports `enum`
import select
import time

from gastown_hooks.core import clock
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = b"GT_TOKEN="
_START = 19  # field 22 of /proc/<pid>/stat, counted from the state behind the command name
_FLAGS, _ENVIRON = 6, (47, 48)  # fields 9, 50 and 51
_KERNEL = 0x200000  # in the flags: a thread of the kernel's
_LOOKS = 1000  # a millisecond apart: a process in an exec may wait for a processor
_PID_MAX = 1 << 22


class Process:
    """One process: `start` is its start time in ticks since boot, `boot_id` the boot it belongs to."""

    __slots__ = ("boot_id", "pid", "start")

    def __init__(self, pid: int, start: int, boot_id: str) -> None:
        self.pid, self.start, self.boot_id = pid, start, boot_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Process) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Process(pid={self.pid}, start={self.start})"

    def _key(self) -> tuple[int, int, str]:
        return self.pid, self.start, self.boot_id


def this() -> Process:
    """The calling process."""
    found = find(os.getpid())
    if found is None:
        raise ProcessLookupError("/proc does not show the calling process")
    return found


def find(pid: int) -> Process | None:
    """The live process that has this pid now; None when there is none (a zombie counts as none) or it cannot be seen."""
    stat = _stat(pid)
    return None if stat is None or stat[0] in b"ZX" else Process(pid, stat[2], clock.boot_id())


def is_alive(process: Process) -> bool | None:
    """True or False by pid, start time and boot; None when /proc does not let us tell."""
    if process.boot_id != clock.boot_id():
        return False
    if not 0 < process.pid < _PID_MAX:
        return False
    try:
        stat = _read_stat(process.pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except (OSError, ValueError, IndexError):
        return None
    return stat[2] == process.start and stat[0] not in b"ZX"


def switches(process: Process) -> int | None:
    """How often it got a processor, or lost it, so far: while that stands still it did not run at all. None when it cannot be told."""
    try:
        with open(f"/proc/{process.pid}/status", "rb") as file:
            counts = [int(line.split()[1]) for line in file if b"voluntary_ctxt_switches" in line]
    except (OSError, ValueError, IndexError):
        return None
    return sum(counts) if len(counts) == 2 and is_alive(process) else None


def send(process: Process, number: int, *, token: str | None = None) -> bool:
    """Signal exactly this process. False when it is gone, is another by now, is not ours to signal, or does not carry `token`.

    Never signalled: init, the caller, the caller's ancestors. `token` is a whole token or, ending in ".", the start of one.
    """
    if not 1 < process.pid < _PID_MAX or process.pid in _own_line():
        return False
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if is_alive(process) is not True:
            return False
        if token is not None and not _carries(process.pid, token):
            return False
        signal.pidfd_send_signal(pidfd, number)
        return True
    except OSError:
        return False  # it ended meanwhile, or belongs to another user
    finally:
        os.close(pidfd)


def with_token(text: str, *, prefix: bool = False) -> list[Process]:
    """Live processes whose environment holds this GT_TOKEN (or one that starts with it), without the caller and its ancestors.

    An environment that cannot be read is not a match.
    """
    wanted, boot, own = text.encode(), clock.boot_id(), _own_line()
    found = []
    for pid in _pids():
        if pid in own:
            continue
        have = _token_of(pid)
        if have is None or not (have == wanted or (prefix and have.startswith(wanted))):
            continue
        stat = _stat(pid)
        if stat is not None and stat[0] not in b"ZX":
            found.append(Process(pid, stat[2], boot))
    return found


def below(folder: str) -> list[Process]:
    """Live processes whose working directory is the folder or lies below it, without the caller and its ancestors."""
    root, boot, own = os.path.realpath(folder), clock.boot_id(), _own_line()
    found = []
    for pid in _pids():
        try:
            cwd = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
        except OSError:
            continue  # gone, or another user's
        stat = _stat(pid) if pid not in own and (cwd == root or cwd.startswith(root + "/")) else None
        if stat is not None and stat[0] not in b"ZX":
            found.append(Process(pid, stat[2], boot))
    return found


def await_unwritten(folder: str, seconds: float) -> list[Process]:
    """Wait until nobody has a file below the folder open for writing; who still has one after `seconds`, the caller too."""
    until = time.monotonic() + seconds
    while (found := _writing_below(os.path.realpath(folder))) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def _writing_below(root: str) -> list[Process]:
    found = []
    for pid in _pids():
        try:
            links = [f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue  # gone, or another user's
        if any(_is_written(link, root) for link in links):
            found.append(find(pid))
    return [process for process in found if process is not None]


def _is_written(link: str, root: str) -> bool:
    try:
        return os.readlink(link).startswith(root + "/") and bool(os.lstat(link).st_mode & 0o200)  # a link's mode is how it was opened
    except OSError:
        return False  # closed meanwhile


def marked_below(folder: str, mark: int) -> list[Process]:
    """Those below the folder that inherited this mark and carry no token at all: what has one is its token's business."""
    return [process for process in below(folder) if _mark(process.pid) == mark and _token_of(process.pid) is None]


def descendants_of(pid: int) -> list[Process]:
    """Live children, their children and so on. For a subreaper that is everything it ever started, daemons included."""
    table, boot = _table(), clock.boot_id()
    children: dict[int, list[int]] = {}
    for child, (_, parent, _) in table.items():
        children.setdefault(parent, []).append(child)
    found, queue = [], list(children.get(pid, ()))
    while queue:
        child = queue.pop()
        queue += children.get(child, ())
        if table[child][0] not in b"ZX":
            found.append(Process(child, table[child][2], boot))
    return found


def carries(process: Process, token: str) -> bool:
    """Whether it lives and has this token (`send` says in which form)."""
    return is_alive(process) is True and _carries(process.pid, token)


def is_above(process: Process) -> bool:
    """Whether it is the caller or an ancestor of the caller."""
    return process.pid in _own_line() and is_alive(process) is True


def end(find: Callable[[], list[Process]], grace: float, *, patience: float = 10.0,
        meanwhile: Callable[[], object] | None = None) -> list[Process]:
    """End everything `find` finds: TERM, `grace` seconds, STOP until no new one appears, KILL, until none is found.

    Returns who is left after `patience` more seconds (in uninterruptible sleep, or not ours). `meanwhile` is called between
    looks; a subreaper reaps its zombies there.
    """
    deadline = time.monotonic() + grace
    told: set[Process] = set()
    while found := find():
        for process in found:
            if process not in told and grace > 0:
                send(process, signal.SIGTERM)
                send(process, signal.SIGCONT)  # a stopped one could not act on the TERM
                told.add(process)
        left = deadline - time.monotonic()
        if left <= 0:
            break
        _await_any(found, min(left, 0.05))
        if meanwhile is not None:
            meanwhile()
    deadline = time.monotonic() + patience
    while found and time.monotonic() < deadline:
        _freeze(find)
        for process in find():
            send(process, signal.SIGKILL)
        if meanwhile is not None:
            meanwhile()
        found = find()
        if found:
            _await_any(found, 0.02)
    if meanwhile is not None:
        meanwhile()
    return found


def await_end(process: Process, seconds: float) -> bool:
    """Wait until the process is gone; False when it still lives after `seconds`."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        return is_alive(process) is False
    try:
        if is_alive(process) is False:
            return True
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(max(0, int(seconds * 1000))))
    finally:
        os.close(pidfd)


def _freeze(find: Callable[[], list[Process]]) -> None:
    """STOP all, again and again until nobody new appears: a spawner must not outrun the KILL."""
    stopped: set[Process] = set()
    for _ in range(200):
        fresh = [process for process in find() if process not in stopped]
        if not fresh:
            return
        for process in fresh:
            send(process, signal.SIGSTOP)
            stopped.add(process)


def _await_any(processes: list[Process], seconds: float) -> None:
    """Until one of them ends, or the time is over."""
    fds, poll = [], select.poll()
    try:
        for process in processes[:256]:
            try:
                fds.append(os.pidfd_open(process.pid))
            except OSError:
                return  # one is gone already
            poll.register(fds[-1], select.POLLIN)
        poll.poll(max(1, int(seconds * 1000)))
    finally:
        for fd in fds:
            os.close(fd)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _table() -> dict[int, tuple[bytes, int, int]]:
    rows = {}
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None:
            rows[pid] = stat
    return rows


def _stat(pid: int) -> tuple[bytes, int, int] | None:
    try:
        return _read_stat(pid)
    except (OSError, ValueError, IndexError):
        return None


def _read_stat(pid: int) -> tuple[bytes, int, int]:
    """(state, parent, start). The command name may hold spaces and brackets, so the fields are counted from its last bracket."""
    fields = _fields(pid)
    return fields[0], int(fields[1]), int(fields[_START])


def _fields(pid: int) -> list[bytes]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def _environ(pid: int) -> bytes:
    """Its environment. In the middle of an exec there is none for a moment: then it is looked at again."""
    for look in range(_LOOKS):
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
        if environ:
            break
        fields = _fields(pid)
        first, end = (int(fields[place]) for place in _ENVIRON)
        if fields[0] in b"ZX" or int(fields[_FLAGS]) & _KERNEL or (first == end != 0 and look > 3):
            break  # it has none; an exec's is empty at a place, too, but not for long
        time.sleep(0.001 if look else 0)
    return environ


def _token_of(pid: int) -> bytes | None:
    try:
        environ = _environ(pid)
    except (OSError, ValueError, IndexError):
        return None
    for entry in environ.split(b"\0"):
        if entry.startswith(TOKEN):
            return entry[len(TOKEN):]
    return None


def _mark(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            return next(int(line.split()[3]) for line in file if line.startswith(b"Max msgqueue size"))
    except (OSError, ValueError, StopIteration):
        return None  # gone, another user's, or without a limit


def _carries(pid: int, token: str) -> bool:
    have = _token_of(pid)
    return have is not None and (have.startswith(token.encode()) if token.endswith(".") else have == token.encode())


def _own_line() -> set[int]:
    """The caller and its ancestors."""
    line, pid = set(), os.getpid()
    while pid > 0 and pid not in line:
        line.add(pid)
        stat = _stat(pid)
        pid = stat[1] if stat is not None else 0
    return line
