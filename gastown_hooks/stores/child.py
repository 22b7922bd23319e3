"""One child process to its end: in a session of its own, so that it finds no terminal to ask at and its whole group can be ended.

Not by `subprocess`, whose import takes as long as a third of the bare interpreter.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports `enum`
import fcntl
import os
import select

from gastown_hooks.core.errors import storage


def run(command: list[str], env: dict[str, str], files: tuple[int, int, int], timeout: float) -> int | None:
    """Run with these descriptors (of `memory`) as input, output and errors, and no others; the exit code, or None when time ran out and it
    was ended. In our own folder: give `there(…)`.

    Give files, not pipes: a helper that outlives the child (ssh's master, a credential cache) would hold a pipe open.
    """
    actions = [(os.POSIX_SPAWN_CLOSE, fd) for fd in inheritable()] + [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(files)]
    pid = os.posix_spawnp(command[0], command, env, file_actions=actions, setsid=True, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ))
    code = None
    pidfd = os.pidfd_open(pid)
    try:
        if _ended(pidfd, timeout):
            code = _reaped(pid)
        return code
    finally:
        if code is None:
            _end(pid, pidfd)
        os.close(pidfd)


def there(folder: str, *command: str) -> list[str]:
    """The command in this folder."""
    return ["sh", "-c", 'cd -- "$0" && exec "$@"', folder, *command]


def memory(name: str, content: bytes = b"") -> int:
    """A descriptor of a file in memory, at its start. Raises StorageFailed where not even that can be written (a limit, no memory)."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    if fd < 3:  # we were started without one of the standard ones, in whose place it would be overwritten for the child
        low, fd = fd, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        os.close(low)
    view = memoryview(content)
    try:
        while view:
            view = view[os.write(fd, view):]
    except OSError as error:
        os.close(fd)
        raise storage("a program's input", error) from error
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def text(fd: int) -> str:
    """All that the file holds, undecodable bytes as surrogates."""
    size = os.fstat(fd).st_size
    parts, at = [], 0
    while at < size:
        parts.append(os.pread(fd, size - at, at))
        at += len(parts[-1])
    return b"".join(parts).decode("utf-8", "surrogateescape")


def inheritable() -> list[int]:
    """Descriptors that a child would get beside the standard ones: a shell's `exec 7>`, git's pipes."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > 2 and os.get_inheritable(fd):
                found.append(fd)
        except OSError:
            continue  # the descriptor of the listing itself
    return found


def _end(pid: int, pidfd: int) -> None:
    """TERM first: git then removes its own lock files. The leader is not reaped yet, so its group's number is still its own."""
    os.killpg(pid, signal.SIGTERM)
    _ended(pidfd, 5.0)
    os.killpg(pid, signal.SIGKILL)
    _reaped(pid)


def _reaped(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _ended(pidfd: int, timeout: float) -> bool:
    waiter = select.poll()
    waiter.register(pidfd, select.POLLIN)
    return bool(waiter.poll(timeout * 1000))
