"""A lock of core/lock held beside others who only read, without the code that waiting for one takes."""

from __future__ import annotations

import fcntl

from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO


def share(path: str) -> FileIO | None:
    """The lock, held until it is closed; None while somebody has the lock for himself, and where nobody ever took it. Creates nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return open(fd, "rb", buffering=0)
