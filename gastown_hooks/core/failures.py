"""The failures that a user can meet: of each its exit code and its short code. Read through `errors`, which has their table."""

from __future__ import annotations


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
