"""A worker's own entries in `refs/stash`, which all worktrees share, and taking them out without touching anybody else's.

git numbers the entries from the newest, so "drop stash@{2}" is a race with whoever pushes meanwhile. Here the entries are
named by their commit: under git's own lock of the ref (`refs/stash.lock`, which `git stash` waits for) the reflog is replaced
by one without them, then the ref follows its last line. The lock is held for two renames, far below git's patience.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Conflict, GitFailed
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import git, gitdir
from gastown_hooks.work.lease import Lease

REF = "refs/stash"
_PATIENCE = 5 * clock.SECOND


@dataclass(frozen=True, slots=True)
class Stash:
    """One entry: its commit, its message, who pushed it and when (seconds since the epoch)."""

    oid: str
    message: str
    who: str
    at: int


def entries(repo: str) -> list[Stash]:
    """Everybody's entries, the newest first, as `git stash list` numbers them."""
    return [_parsed(line) for line in reversed(_lines(repo))]


def own(repo: str, lease: Lease | None, branch: str | None) -> list[Stash]:
    """The worker's entries, newest first: those made on its branch, and those it made itself since its lease began."""
    since = clock.parse(lease.created_at) // clock.SECOND if lease else 0
    return [stash for stash in entries(repo)
            if (branch and stash.message.startswith((f"WIP on {branch}: ", f"On {branch}: ")))
            or (lease and stash.who == lease.actor and stash.at >= since)]


def remove(repo: str, oids: frozenset[str]) -> list[str]:
    """Take these commits' entries out; returns those that were there. Others' entries and their order stay.

    Raises Conflict when git's lock of the ref stays taken. A lock that a killed removal left is cleared, also when there is
    nothing to take out any more: else nobody could stash again.
    """
    deadline = clock.since_boot() + _PATIENCE
    while True:
        lines = _lines(repo)
        gone = [oid for oid in (_parsed(line).oid for line in lines) if oid in oids]
        if not lines or (not gone and _settled(repo, lines)):
            if _unlocked(repo) or clock.since_boot() > deadline:
                return gone
        elif len(gone) == len(lines):
            # Nobody else has an entry: ref and reflog go together, if the newest is still the one we saw.
            if _drop_all(repo, _parsed(lines[-1]).oid) if _has_ref(repo) else _drop_log(repo, lines):
                return gone
        else:
            done = _filter(repo, oids)
            if done is not None:
                return done
        if clock.since_boot() > deadline:
            raise Conflict(f"{repo} has its stash locked", why=f"{REF}.lock stays there", next="see whether a git is running")


def _unlocked(repo: str) -> bool:
    lock = f"{repo}/{REF}.lock"
    return not os.path.lexists(lock) or bool(gitdir.clear_stale(repo, [lock]))


def _lines(repo: str) -> list[bytes]:
    """The reflog's lines; where a killed deletion left the ref without one, a line for the ref."""
    lines = fsio.whole_lines(fsio.read(f"{repo}/logs/{REF}") or b"")
    if lines or not _has_ref(repo):
        return lines
    ref = git.run(repo, "log", "-1", f"--format={git.ZERO} %H %cn <%ce> %ct +0000%x09%s", REF, "--", check=False)
    return fsio.whole_lines(ref.out.encode("utf-8", "surrogateescape")) if ref.code == 0 else []


def _has_ref(repo: str) -> bool:
    return os.path.lexists(f"{repo}/{REF}") or b" %s\n" % REF.encode() in (fsio.read(f"{repo}/packed-refs") or b"")


def _parsed(line: bytes) -> Stash:
    """`<old> <new> <name> <<mail>> <seconds> <zone>\\t<message>`."""
    head, _, message = line.partition(b"\t")
    who, _, when = head[82:].rpartition(b"> ")
    seconds = when.split(b" ")[0]
    return Stash(line[41:81].decode("ascii", "replace"), os.fsdecode(message), os.fsdecode(who.rpartition(b" <")[0]),
                 int(seconds) if seconds.isdigit() else 0)


def _settled(repo: str, lines: list[bytes]) -> bool:
    """Whether the ref is where its reflog says: a killed removal leaves it on an entry that is taken out already."""
    return git.run(repo, "rev-parse", "--verify", "--quiet", REF, check=False).line == _parsed(lines[-1]).oid


def _drop_all(repo: str, newest: str) -> bool:
    try:
        git.update_refs(repo, [(REF, "", newest)], "saved")
    except Conflict:
        return False
    except GitFailed:
        return False  # its lock is taken: look again until the time is over
    return True


def _drop_log(repo: str, lines: list[bytes]) -> bool:
    """The reflog that a deletion left behind which could not go on after the ref's."""
    with _locked(repo) as ours:
        is_left = ours and not _has_ref(repo) and _lines(repo) == lines
        if is_left:
            fsio.remove(f"{repo}/logs/{REF}")
        return is_left


@contextmanager
def _locked(repo: str) -> Iterator[bool]:
    """With git's lock of the ref, if nobody else has it; one that nobody owns is cleared for the next try."""
    lock = f"{repo}/{REF}.lock"
    if not fsio.create(lock, b""):
        gitdir.clear_stale(repo, [lock])
        yield False
        return
    fd = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)  # an open descriptor tells others that the lock has an owner
    try:
        yield True
    finally:
        fsio.remove(lock)
        os.close(fd)


def _filter(repo: str, oids: frozenset[str]) -> list[str] | None:
    """One try; None when somebody else has the lock, pushed meanwhile, or only ours are left by now.

    The new files are made, durably, before the lock is taken: under it they are only renamed into place.
    """
    log, ref = f"{repo}/logs/{REF}", f"{repo}/{REF}"
    lines = _lines(repo)
    kept = [line for line in lines if _parsed(line).oid not in oids]
    if not kept:
        return None
    staged = [fsio.stage(log, b"".join(line + b"\n" for line in _chained(kept)), mode=0o644),
              fsio.stage(ref, kept[-1][41:81] + b"\n", mode=0o644)]
    try:
        with _locked(repo) as ours:
            if not ours or _lines(repo) != lines:
                return None
            fsio.swap(staged[0], log)
            fsio.swap(staged[1], ref)
        return [oid for oid in (_parsed(line).oid for line in lines) if oid in oids]
    finally:
        for path in staged:
            fsio.remove(path)


def _chained(lines: list[bytes]) -> list[bytes]:
    """The lines with each old id set to the entry before, as git's own `reflog delete --rewrite` does."""
    olds = [git.ZERO.encode(), *(line[41:81] for line in lines)]
    return [old + line[40:] for old, line in zip(olds, lines, strict=False)]
