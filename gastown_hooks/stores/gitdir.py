"""Where a repository's own files lie, and which of its lock files nobody owns any more.

A killed git leaves `main.lock`, `HEAD.lock`, `packed-refs.lock`, `index.lock`, `config.lock`, and every later git refuses.
git closes some lock files while it still holds them, so an open descriptor proves an owner but its absence proves nothing:
a lock is removed only when no process holds it open and no git process works on the repository. Whatever cannot be
looked at counts as an owner.
"""

from __future__ import annotations

import itertools
import os
import time

from gastown_hooks.core import clock, fsio

# git programs that take no lock, however long they run (a pager left open, a helper daemon).
_LOCKLESS = frozenset((
    b"log", b"show", b"diff", b"blame", b"grep", b"cat-file", b"rev-list", b"rev-parse", b"ls-files", b"ls-tree", b"shortlog",
    b"upload-pack", b"daemon", b"fsmonitor--daemon", b"credential-cache--daemon", b"ls-remote", b"version", b"help"))
_WITH_VALUE = frozenset((b"-c", b"-C", b"--git-dir", b"--work-tree", b"--namespace", b"--exec-path"))
# Below this age a lock's owner may be between two system calls that we cannot see.
_MOMENT = clock.SECOND // 10


def git_dir(repo: str) -> str | None:
    """The git folder of a work tree, linked worktree or bare repository; None where there is none."""
    inner = os.path.join(repo, ".git")
    if os.path.isdir(inner):
        return inner
    pointed = _pointer(inner)
    if pointed is not None:
        return os.path.normpath(os.path.join(repo, pointed)) if os.path.isdir(os.path.join(repo, pointed)) else None
    return repo if is_git_dir(repo) else None


def is_git_dir(path: str) -> bool:
    """Whether the folder itself looks like a git folder (a bare one, or a linked worktree's)."""
    return os.path.lexists(f"{path}/HEAD") and (os.path.isdir(f"{path}/objects") or os.path.isfile(f"{path}/commondir"))


def common_dir(repo: str) -> str | None:
    """The git folder that all worktrees of the repository share."""
    own = git_dir(repo)
    if own is None:
        return None
    data = fsio.read(f"{own}/commondir")
    return own if data is None else os.path.normpath(os.path.join(own, os.fsdecode(data.strip())))


def main_worktree(top: str) -> str | None:
    """The top of the main work tree that a linked one belongs to; None for any other folder."""
    common = common_dir(top)
    main = os.path.dirname(common) if common and os.path.basename(common) == ".git" else None
    return None if main is None or os.path.realpath(main) == os.path.realpath(top) else main


def clear_stale(repo: str, locks: list[str]) -> list[str]:
    """Remove those of `locks` that nobody owns; returns the removed. The repository's own locks only."""
    common = common_dir(repo)
    present = [(path, status) for path in locks if (status := _status(path)) is not None]
    if common is None or not present:
        return []
    _outlast_the_moment([status for _, status in present])
    if _git_at_work(os.path.realpath(common)) or _held_open({(s.st_dev, s.st_ino) for _, s in present}):
        return []
    removed = []
    for path, status in present:
        again = _status(path)
        if again is not None and (again.st_ino, again.st_mtime_ns) == (status.st_ino, status.st_mtime_ns):
            fsio.remove(path)
            removed.append(path)
    return removed


def _pointer(path: str) -> str | None:
    """What a `.git` file points to."""
    if not os.path.isfile(path):
        return None
    data = fsio.read(path) or b""
    return os.fsdecode(data[len(b"gitdir:"):].strip()) if data.startswith(b"gitdir:") else None


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _outlast_the_moment(found: list[os.stat_result]) -> None:
    youngest = min(abs(clock.now() - status.st_mtime_ns) for status in found)
    if youngest < _MOMENT:
        time.sleep((_MOMENT - youngest) / clock.SECOND)


def _git_at_work(common: str) -> bool:
    return any(_works_on(f"/proc/{pid}", common) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid())


def _works_on(process: str, common: str) -> bool:
    """Whether this is a git process, able to take locks, of the repository; unreadable ones are assumed to be."""
    try:
        with open(f"{process}/stat", "rb") as file:
            stat = file.read()
        name, state = stat[stat.index(b"(") + 1:stat.rindex(b")")], stat[stat.rindex(b")") + 2:][:1]
        if not name.startswith(b"git") or state in b"ZX":
            return False
        words = _read(f"{process}/cmdline").split(b"\0")
        if _verb(words) in _LOCKLESS:
            return False
        cwd = os.path.realpath(f"{process}/cwd", strict=True)
        environment = _read(f"{process}/environ").split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True
    named = [value[8:] for value in environment if value.startswith(b"GIT_DIR=")]
    named += [word.partition(b"=")[2] for word in words if word.startswith(b"--git-dir=")]
    named += [after for word, after in itertools.pairwise(words) if word == b"--git-dir"]
    if os.fsencode(common) in b"\0".join(words):
        return True
    places = [os.path.join(cwd, os.fsdecode(value)) for value in named] or _upwards(cwd)
    return any(os.path.realpath(found) == common for found in map(common_dir, places) if found)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _verb(words: list[bytes]) -> bytes:
    """The subcommand in `git -c a=b -C dir verb …` or `git-verb …`."""
    name = os.path.basename(words[0]) if words else b""
    if name.startswith(b"git-"):
        return name[4:]
    skip = False
    for word in words[1:]:
        if skip or word.startswith(b"-"):
            skip = not skip and word in _WITH_VALUE
            continue
        return word
    return b""


def _upwards(folder: str) -> list[str]:
    places = [folder]
    while (parent := os.path.dirname(places[-1])) != places[-1]:
        places.append(parent)
    return places


def _held_open(files: set[tuple[int, int]]) -> bool:
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    status = os.stat(f"/proc/{pid}/fd/{fd}")
                except OSError:
                    continue  # closed meanwhile
                if (status.st_dev, status.st_ino) in files:
                    return True
        except OSError:
            continue  # gone, or another user's: a git among those was counted by its name
    return False
