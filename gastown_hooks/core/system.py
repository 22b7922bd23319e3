"""`os` for the modules of everyday commands: `from gastown_hooks.core.system import os`.

To import the real one takes a seventh of the bare interpreter's time. They make only the plain calls, which are those of the C module
below it; for all else, and whenever somebody has imported it already, it is the real one.
"""

from __future__ import annotations

import posix
import sys

from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    whole = os
else:
    whole = late("os")


class _Path:
    """The functions of `os.path`; those written here are for a `str`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(whole.path, name)

    def join(self, path: str, *names: str) -> str:
        for name in names:
            path = name if name[:1] == "/" else path + name if path[-1:] in ("", "/") else f"{path}/{name}"
        return path

    def dirname(self, path: str) -> str:
        head = path[:path.rfind("/") + 1]
        return head.rstrip("/") or head

    def basename(self, path: str) -> str:
        return path[path.rfind("/") + 1:]

    def abspath(self, path: str) -> str:
        is_plain = path[:1] == "/" != path[-1:] and "//" not in path and "/." not in path
        return path if is_plain else whole.path.abspath(path)

    def exists(self, path: str) -> bool:
        return _mode(posix.stat, path) is not None

    def lexists(self, path: str) -> bool:
        return _mode(posix.lstat, path) is not None

    def isdir(self, path: str) -> bool:
        return (_mode(posix.stat, path) or 0) & 0o170000 == 0o040000


def _mode(look: Any, path: str) -> int | None:
    try:
        return int(look(path).st_mode)
    except (OSError, ValueError):
        return None


class _System:
    """The functions of `posix`, `path`, and the rest of `os`."""

    def __init__(self) -> None:
        vars(self).update(vars(posix), path=_Path())
        del self.environ  # whose names are bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(whole, name)


def variable(name: str) -> str | None:
    """One environment variable, as `os.environ` has it."""
    if "os" in sys.modules:
        return whole.environ.get(name)
    value = posix.environ.get(name.encode())
    return None if value is None else value.decode(sys.getfilesystemencoding(), "surrogateescape")


if not TYPE_CHECKING:
    os = sys.modules.get("os") or _System()

__all__ = ["os", "variable"]
