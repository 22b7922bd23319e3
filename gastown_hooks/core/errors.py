"""Every failure a user can meet: its class (core/failures.py), its exit code and the one line that tells it.

The line reads "what: why. Next: command". The exit codes are one table (`EXIT_CODES`), printed in docs/exit-codes.md.
2 means wrong usage to a person; an agent program takes 2 from its hook as "block", so entries called by
agent programs turn every failure into 1 unless they mean to block (`for_agent_hook`).
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports `enum`
import errno
import sys

from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gastown_hooks.core import failures
    from gastown_hooks.core.failures import (
        BadConfig,
        BadInput,
        Conflict,
        Corrupt,
        Fenced,
        GastownError,
        GitFailed,
        Indeterminate,
        LockTimeout,
        NotATown,
        NotFound,
        Refused,
        RemoteAway,
        RemoteRefused,
        StorageFailed,
    )
else:
    failures = late("gastown_hooks.core.failures")

    def __getattr__(name):  # made when somebody fails: fifteen classes are a fortieth of a start
        return getattr(failures, name)

_NO_BUG = frozenset(getattr(errno, name) for name in (  # the place is as it is: no fault of ours
    "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EIO", "EROFS", "ESTALE", "EMFILE", "ENFILE", "ENOSPC", "EDQUOT"))
OK = 0
BUG = 70
INTERRUPTED = 130


def _classes(base: type[GastownError]) -> list[type[GastownError]]:
    found = [base] if base.__module__ == failures.__name__ else []
    for child in base.__subclasses__():
        found += _classes(child)
    return found


def exit_codes() -> list[tuple[int, str, str]]:
    """The table (exit code, short code, meaning), for the documentation and `--json` errors."""
    rows = [(c.exit_code, c.code, (c.__doc__ or "").strip()) for c in _classes(failures.GastownError)]
    rows += [(OK, "ok", "Done."), (BUG, "bug", "A fault of ours; the traceback is for the report."),
             (INTERRUPTED, "interrupted", "Stopped by ^C.")]
    return sorted(rows)


def storage(path: str, error: OSError) -> failures.StorageFailed:
    """The user's words for an `OSError` on one of the town's files."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return failures.StorageFailed(f"cannot write {path}", why="no space left", next="free some space, then run it again")
    look = f"{'findmnt -T' if error.errno == errno.EROFS else 'namei -l'} {path}" if path.startswith("/") else ""
    return failures.StorageFailed(f"cannot write {path}", why=error.strerror or str(error), next=look)


def met(error: OSError) -> failures.StorageFailed | None:
    """The user's words for an `OSError` that nobody expected, but the place explains: a file of somebody else's, a folder in its stead."""
    if error.errno not in _NO_BUG:
        return None
    path = error.filename if isinstance(error.filename, str) else ""
    return failures.StorageFailed(f"cannot use {path or 'a file'}", why=error.strerror or str(error), next=f"ls -ld {path}" if path else "")


def handled(program: str, main: Callable[[], int], *, report: Callable[[str], object] | None = None) -> int:
    """Run a program's `main`, turn a known failure into its line and code; anything else is a bug and shows its traceback."""
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # of whoever started us: how our children end would not be kept for us
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    say = report or (lambda line: print(line, file=sys.stderr))
    try:
        return main()
    except failures.GastownError as error:
        say(_printable(f"{program}: {error}"))
        return error.exit_code
    except KeyboardInterrupt:
        say(f"{program}: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except Exception as error:
        known = met(error) if isinstance(error, OSError) else None
        if known is not None:
            say(_printable(f"{program}: {known}"))
            return known.exit_code
        sys.excepthook(*sys.exc_info())  # the traceback, without importing that module
        return BUG


def _printable(line: str) -> str:
    """One line, whatever a name or a program's words in it hold."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in line)


def for_agent_hook(code: int) -> int:
    """An exit code that an agent program's hook may give: 2 only where "block" is meant."""
    return 0 if code == 0 else 1


__all__ = ["BUG", "INTERRUPTED", "OK", "BadConfig", "BadInput", "Conflict", "Corrupt", "Fenced", "GastownError", "GitFailed",
           "Indeterminate", "LockTimeout", "NotATown", "NotFound", "Refused", "RemoteAway", "RemoteRefused", "StorageFailed", "exit_codes",
           "handled", "met", "storage"]
