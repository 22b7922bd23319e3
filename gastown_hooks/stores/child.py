"""One child process to its end: in a session of its own, so that it finds no terminal to ask at and its whole group can be ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess

from gastown_hooks.core.errors import storage


def run(command: list[str], cwd: str, env: dict[str, str], files: tuple[int, int, int], timeout: float) -> int | None:
    """Run with these descriptors as input, output and errors; the exit code, or None when time ran out and it was ended.

    Give files, not pipes: a helper that outlives the child (ssh's master, a credential cache) would hold a pipe open.
    """
    started = subprocess.Popen(command, cwd=cwd, env=env, stdin=files[0], stdout=files[1], stderr=files[2], start_new_session=True)
    pidfd = os.pidfd_open(started.pid)
    try:
        return started.wait() if _ended(pidfd, timeout) else None
    finally:
        if started.returncode is None:
            _end(started, pidfd)
        os.close(pidfd)


def memory(name: str, content: bytes = b"") -> int:
    """A descriptor of a file in memory, at its start. Raises StorageFailed where not even that can be written (a limit, no memory)."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
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


def _end(started: subprocess.Popen[bytes], pidfd: int) -> None:
    """TERM first: git then removes its own lock files. The leader is not reaped yet, so its group's number is still its own."""
    os.killpg(started.pid, signal.SIGTERM)
    _ended(pidfd, 5.0)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def _ended(pidfd: int, timeout: float) -> bool:
    waiter = select.poll()
    waiter.register(pidfd, select.POLLIN)
    return bool(waiter.poll(timeout * 1000))
