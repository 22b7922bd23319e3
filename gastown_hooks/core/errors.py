"""Every failure a user can meet: its class, its exit code and the one line that tells it.

The line reads "what: why. Next: command". The exit codes are one table (`EXIT_CODES`), printed in docs/exit-codes.md.
2 means wrong usage to a person; an agent program takes 2 from its hook as "block", so entries called by
agent programs turn every failure into 1 unless they mean to block (`for_agent_hook`).
"""

from __future__ import annotations

import errno
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NO_BUG = frozenset(getattr(errno, name) for name in (  # the place is as it is: no fault of ours
    "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EIO", "EROFS", "ESTALE", "EMFILE", "ENFILE", "ENOSPC", "EDQUOT"))
OK = 0
BUG = 70
INTERRUPTED = 130


class GastownError(Exception):
    """A failure with a reason. `what` failed, `why`, and the `next` command to type."""

    exit_code = 1
    code = "failed"

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what, why, next)
        self.what, self.why, self.next = what, why, next

    def __str__(self) -> str:
        line = f"{self.what}: {self.why}" if self.why else self.what
        return f"{line}. Next: {self.next}" if self.next else line


class BadInput(GastownError):
    """A name, id, flag or value that cannot be meant."""

    exit_code, code = 2, "usage"


class NotFound(GastownError):
    """The bead, rig, agent or record named is not there."""

    exit_code, code = 3, "not-found"


class NotATown(NotFound):
    """No town (or no ledger) at or above this folder."""

    code = "not-a-town"


class Conflict(GastownError):
    """Somebody else was first; nothing was changed."""

    exit_code, code = 4, "conflict"


class Fenced(Conflict):
    """The caller's claim is older than the bead's: its work was given to somebody else."""

    code = "fenced"


class Refused(GastownError):
    """A rule says no: unlanded work, open blockers, a gate, a missing right."""

    exit_code, code = 5, "refused"


class GitFailed(GastownError):
    """git said no, for a reason that is nobody's change."""

    exit_code, code = 6, "git"


class RemoteAway(GitFailed):
    """The remote cannot be reached."""

    code = "remote-away"


class RemoteRefused(GitFailed):
    """The remote answered and refused the push: by policy, or because its branch moved."""

    code = "remote-refused"

    def __init__(self, what: str, *, why: str = "", next: str = "", reason: str = "policy") -> None:
        super().__init__(what, why=why, next=next)
        self.reason = reason  # "policy" or "moved"


class BadConfig(GastownError):
    """A settings file that cannot be used; `what` holds the file and the key path."""

    exit_code, code = 7, "config"


class Corrupt(GastownError):
    """A record or file that does not parse; the line is named."""

    exit_code, code = 8, "corrupt"


class StorageFailed(GastownError):
    """The disk refused: full, read-only, I/O error. The old state is whole."""

    exit_code, code = 9, "storage"


class Indeterminate(StorageFailed):
    """The disk failed after the write was made: it may or may not last. Look before repeating."""

    code = "indeterminate"


class LockTimeout(GastownError):
    """Somebody holds the lock longer than we wait; the holder is named."""

    exit_code, code = 75, "lock-busy"


def _classes(base: type[GastownError]) -> list[type[GastownError]]:
    found = [base] if base.__module__ == __name__ else []
    for child in base.__subclasses__():
        found += _classes(child)
    return found


def exit_codes() -> list[tuple[int, str, str]]:
    """The table (exit code, short code, meaning), for the documentation and `--json` errors."""
    rows = [(c.exit_code, c.code, (c.__doc__ or "").strip()) for c in _classes(GastownError)]
    rows += [(OK, "ok", "Done."), (BUG, "bug", "A fault of ours; the traceback is for the report."),
             (INTERRUPTED, "interrupted", "Stopped by ^C.")]
    return sorted(rows)


def storage(path: str, error: OSError) -> StorageFailed:
    """The user's words for an `OSError` on one of the town's files."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFailed(f"cannot write {path}", why="no space left", next="free some space, then run it again")
    return StorageFailed(f"cannot write {path}", why=error.strerror or str(error))


def met(error: OSError) -> StorageFailed | None:
    """The user's words for an `OSError` that nobody expected, but the place explains: a file of somebody else's, a folder in its stead."""
    if error.errno not in _NO_BUG:
        return None
    path = error.filename if isinstance(error.filename, str) else ""
    return StorageFailed(f"cannot use {path or 'a file'}", why=error.strerror or str(error), next=f"ls -ld {path}" if path else "")


def handled(program: str, main: Callable[[], int], *, report: Callable[[str], object] | None = None) -> int:
    """Run `main`, turn a known failure into its line and code; anything else is a bug and shows its traceback."""
    say = report or (lambda line: print(line, file=sys.stderr))
    try:
        return main()
    except GastownError as error:
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
