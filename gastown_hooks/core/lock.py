"""Kernel locks (`flock`): gone with their holder, never stale. The same lock that `filelock.FileLock` takes.

Hot commands take it here without that package's import (40 ms); the exclusion is tested both ways. Every wait has an end,
and its message names the holder from /proc/locks. Locks are taken in one order (docs/files.md). Those of data are never held
across git, a gate or an agent; those of an act (role, runner, retire, rescue, add, gate tree) mean "I am at it" and are.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports `enum`: 4 ms
import fcntl
import time

from gastown_hooks.core import errors
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType

DEFAULT_TIMEOUT = 10.0
_LOOKS, _PAGE = 4, 3500  # at the table; bytes of one that comes in one part


class Lock:
    """A held lock; leave the `with` block or call `release()` to give it back."""

    def __init__(self, path: str, fd: int) -> None:
        self.path, self.fd = path, fd

    def still_ours(self) -> bool:
        """False when the lock file was removed or replaced under us: check before a write that counts."""
        try:
            there, here = os.stat(self.path), os.fstat(self.fd)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def acquire(path: str, timeout: float = DEFAULT_TIMEOUT) -> Lock:
    """Wait up to `timeout` seconds. Raises LockTimeout naming the holder."""
    deadline = time.monotonic() + timeout
    while True:
        fd = _open(path)
        if not _flock(fd, deadline):
            who = holder(path)
            os.close(fd)
            raise errors.LockTimeout(f"{path} is busy", why=f"held by {who} for more than {timeout:g} s",
                              next="try again, or look at that process")
        lock = Lock(path, fd)
        if lock.still_ours():
            return lock
        lock.release()  # removed while we waited (a `git clean`): take the one that is there now


def attempt(path: str) -> Lock | None:
    """The lock, or None when somebody holds it."""
    looks = 3  # another process that only asks (`is_held`) has it for a moment
    while True:
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            looks -= 1
            if not looks:
                return None
            time.sleep(0.001)
            continue
        lock = Lock(path, fd)
        if lock.still_ours():
            return lock
        lock.release()


def is_held(path: str) -> bool:
    """Whether somebody holds the lock now; a missing file is not held. Creates nothing.

    Trying the lock, however briefly, could turn away somebody who wants it; so it is tried only where the kernel's table,
    which names a file by its inode alone, says that it is taken.
    """
    if holder_pid(path) is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def adopt(path: str, fd: int) -> Lock | None:
    """The lock a parent handed over with descriptor `fd`; None when that is not this lock."""
    lock = Lock(path, fd)
    try:
        if not lock.still_ours():
            return None
    except OSError:
        return None
    os.set_inheritable(fd, False)
    return lock


def holder(path: str) -> str:
    """The process that holds the lock, in words: "pid 12 (gt sling ab)", or "an unknown process"."""
    pid = holder_pid(path)
    try:
        if pid is not None and not os.path.exists(f"/proc/{pid}"):
            pid = _opener(path)  # the table names who took it, who may have handed it over and ended
        if pid is not None:
            with open(f"/proc/{pid}/cmdline", "rb") as command:
                words = command.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            return f"pid {pid} ({''.join(c if c.isprintable() else '?' for c in words[:120])})"
    except OSError:
        pass  # only the message is poorer
    return "an unknown process"


def holder_pid(path: str) -> int | None:
    """The process that took the lock, by the kernel's table; None when nobody holds it or it cannot be told.

    A table longer than a page is read in parts: where locks come and go between them, it passes over one in fifty (measured, 60
    processes). So it is read again before it is believed.
    """
    try:
        inode = os.stat(path).st_ino
        for _ in range(_LOOKS):
            with open("/proc/locks", "rb") as file:
                table = file.read()
            for line in table.splitlines():
                fields = line.split()
                if b"FLOCK" in fields and b"->" not in fields and int(fields[5].rsplit(b":", 1)[1]) == inode:
                    return int(fields[4])
            if len(table) < _PAGE:
                break
    except (OSError, ValueError, IndexError):
        pass  # an unreadable table tells nothing
    return None


def _opener(path: str) -> int | None:
    here = os.stat(path)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{fd}"), here):
                    return int(pid)
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return None


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            return os.open(path, flags, 0o600)
    except OSError as error:
        raise errors.storage(path, error) from error


def _flock(fd: int, deadline: float) -> bool:
    """Blocking flock ended by a timer: near-FIFO, where polling starves (p99 46 against 809 ms with 30 writers)."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        pass
    try:
        before = signal.signal(signal.SIGALRM, _expired)
    except ValueError:
        return _poll(fd, deadline)  # signals belong to the main thread
    theirs, begun = 0.0, time.monotonic()  # what was left of the caller's own alarm (the tick's)
    try:
        theirs, _ = signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline - begun), 0.05)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return True
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if theirs:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, theirs - (time.monotonic() - begun)))


def _expired(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def _poll(fd: int, deadline: float) -> bool:
    while time.monotonic() < deadline:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.002)
    return False
