"""A lock of core/lock held beside others who only read, without the code that waiting for one takes."""

from __future__ import annotations

import fcntl

from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Shared:
    """Held until the block is left."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        pass

    def __exit__(self, *failure: Any) -> None:
        os.close(self._fd)


def share(path: str) -> Shared | None:
    """None while somebody has the lock for himself, and where nobody ever took it. Creates nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return Shared(fd)
