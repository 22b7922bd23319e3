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


def _join(path: str, *names: str) -> str:
    for name in names:
        path = name if name[:1] == "/" else path + name if path[-1:] in ("", "/") else f"{path}/{name}"
    return path


def _dirname(path: str) -> str:
    head = path[:path.rfind("/") + 1]
    return head.rstrip("/") or head


def _basename(path: str) -> str:
    return path[path.rfind("/") + 1:]


def _abspath(path: str) -> str:
    is_plain = path[:1] == "/" != path[-1:] and "//" not in path and "/." not in path
    return path if is_plain else whole.path.abspath(path)


def _exists(path: str) -> bool:
    return _mode(posix.stat, path) is not None


def _lexists(path: str) -> bool:
    return _mode(posix.lstat, path) is not None


def _isdir(path: str) -> bool:
    return (_mode(posix.stat, path) or 0) & 0o170000 == 0o040000


def _mode(look: Any, path: str) -> int | None:
    try:
        return int(look(path).st_mode)
    except (OSError, ValueError):
        return None


def variable(name: str) -> str | None:
    """One environment variable, as `os.environ` has it."""
    if "os" in sys.modules:
        return whole.environ.get(name)
    value = posix.environ.get(name.encode())
    return None if value is None else value.decode(sys.getfilesystemencoding(), "surrogateescape")


def _lean() -> Any:
    """The functions of `posix`, those of `os.path` that are written here for a `str`, and the rest of `os`."""
    found, path = type(sys)("os"), type(sys)("path")
    vars(path).update(join=_join, dirname=_dirname, basename=_basename, abspath=_abspath, exists=_exists, lexists=_lexists, isdir=_isdir,
                      __getattr__=lambda name: getattr(whole.path, name))
    vars(found).update(vars(posix), path=path, __getattr__=lambda name: getattr(whole, name))
    del found.environ  # whose names are bytes
    return found


if not TYPE_CHECKING:
    os = sys.modules.get("os") or _lean()

__all__ = ["os", "variable"]
