"""What a worker's worktree is, as facts that two looks can compare: head, branch, index, files, operations, own stash entries.

Nothing here is repaired or refreshed, and nothing of the tree's own settings runs. A HEAD that is broken, detached or on a
deleted branch is answered from the worktree's reflog and the pinned commit.
"""

from __future__ import annotations

import os
import re

from gastown_hooks.core import fsio
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.stores import git
from gastown_hooks.work import snapshot, stashes
from gastown_hooks.work.lease import Lease
from gastown_hooks.work.snapshot import Entry, Files
from gastown_hooks.work.stashes import Stash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CONFLICTS = {1: "base", 2: "ours", 3: "theirs"}
ASSUMED, INTENT, SKIPPED = 0x8000, 1 << 29, 1 << 30
# Operations in progress: what git keeps beside HEAD while they last.
_STATE_FILES = ("MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "MERGE_RR", "MERGE_AUTOSTASH", "CHERRY_PICK_HEAD", "REVERT_HEAD",
                "REBASE_HEAD", "ORIG_HEAD", "SQUASH_MSG", "AUTO_MERGE", "BISECT_LOG", "BISECT_START", "BISECT_TERMS")
_STATE_FOLDERS = ("rebase-merge", "rebase-apply", "sequencer", "refs/bisect", "refs/worktree", "refs/rewritten")
_NO_STATE = frozenset(("ORIG_HEAD", "AUTO_MERGE"))
_NAMED = 200  # commits that one state file may name
_ENTRY = r"(\d{6}) ([0-9a-f]{40}) (\d)\t([^\0]+)\0(?:  [^\n]*\n){4}  size: \d+\tflags: ([0-9a-f]+)\n"
_OID = rb"\b[0-9a-f]{40}\b"
_PLAIN = r"[^\s\x00-\x20~^:?*\[\\\x7f]+"  # a name that is one line, and says no more than a name


@dataclass(frozen=True, slots=True)
class Stage:
    """One entry of the index: git's mode, the blob, the stage (1 base, 2 ours, 3 theirs of a conflict), the path, its flags."""

    mode: str
    oid: str
    number: int
    path: str
    flags: int

    def line(self) -> bytes:
        """`<flags> <mode> <oid> <stage>\\t<path>\\0`."""
        return f"{self.flags:x} {self.mode} {self.oid} {self.number}\t".encode() + os.fsencode(self.path) + b"\0"


@dataclass(frozen=True, slots=True)
class Facts:
    """A worktree at one moment. `index` None: unreadable (then `raw_index`), or no tree; `files` None: no tree."""

    name: str
    head: str | None
    head_ref: str | None
    branch_name: str | None
    branch: str | None
    work: str | None
    base: str | None
    index: tuple[Stage, ...] | None
    raw_index: bytes | None
    files: Files | None
    state: tuple[tuple[str, bytes], ...]
    extra: tuple[str, ...]
    modules: tuple[tuple[str, Entry], ...]
    lost: tuple[str, ...]
    stashes: tuple[Stash, ...]
    head_files: dict[str, tuple[str, str]] = field(default_factory=dict)

    def staged(self) -> dict[str, Entry]:
        """The index's plain entries; conflicts and `git add -N` are kept elsewhere."""
        return {stage.path: Entry(stage.mode, stage.oid) for stage in self.index or () if not stage.number and not stage.flags & INTENT}

    @property
    def clean(self) -> bool:
        """Nothing but commits: index and files equal the head, no operation in progress, nothing untracked."""
        if self.files is None or self.head is None:
            return self.files is None
        if self.index is None or any(stage.number or stage.flags & (INTENT | ASSUMED) for stage in self.index):
            return False
        staged = {path: (entry.mode, entry.oid) for path, entry in self.staged().items()}
        absent = {stage.path for stage in self.index if stage.flags & SKIPPED}
        there = {path: (entry.mode, entry.oid) for path, entry in self.files.entries.items()}
        wanted = {path: value for path, value in staged.items() if path in there or path not in absent}
        quiet = all(path in _NO_STATE for path, _ in self.state)
        return quiet and not self.files.embedded and staged == self.head_files and there == wanted


def look(rig: Rig, name: str, fence: int, lease: Lease | None, *, tree: str | None = None, before: Facts | None = None) -> Facts:
    """The facts of a worker's tree (at `tree` when it was moved aside). Raises Refused, Changed (see snapshot.look).

    `before`: an earlier look, of which is taken what the head's commit holds, if the head is the same.
    """
    home = rig.polecat(name)
    admin = admin_dir(rig, home.tree)
    tree = tree or home.tree
    head_ref, here = _head(admin)
    branch_name = lease.branch if lease else (head_ref or "").removeprefix("refs/heads/") or None
    logged, base = _reflog(rig, admin, branch_name), lease.base if lease else None
    asked = [f"refs/heads/{branch_name}" if branch_name else None, f"refs/gt/work/{name}/{fence}", here, base, *logged]
    branch, work, there, known_base, *found = _commits(rig.repo, asked)
    reflog = [oid for oid, one in zip(logged, found, strict=True) if oid == one]
    head = there or (git.commit(admin, "HEAD") if admin and not here else None) or branch or (reflog[0] if reflog else None) or work
    state = _state(admin)
    kept = [oid for oid in (head, branch, work) if oid]
    named = [oid.decode() for _, data in state for oid in re.findall(_OID, data)[:_NAMED]]
    extra = tuple(dict.fromkeys(oid for oid, one in zip(named, _commits(rig.repo, named), strict=True) if oid == one and oid not in kept))
    index, raw = _index(rig.repo, admin, tree) if admin else (None, None)
    return Facts(
        name=name, head=head, head_ref=head_ref, branch_name=branch_name, branch=branch, work=work, base=base,
        index=index, raw_index=raw if index is None else None, files=_files(rig, admin, tree, index), state=state, extra=extra,
        modules=_modules(f"{admin}/modules") if admin else (), lost=_lost(rig.repo, reflog, [*kept, *([known_base] if known_base else [])]),
        stashes=tuple(stashes.own(rig.repo, lease, branch_name)),
        head_files=before.head_files if before is not None and before.head == head else _files_of(rig.repo, head))


def admin_dir(rig: Rig, tree: str) -> str | None:
    """git's own folder for the worktree at `tree`; found from the repository, since the tree's `.git` is in the worker's hands."""
    root = f"{rig.repo}/worktrees"
    wanted = os.path.realpath(tree)
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        pointed = fsio.read(f"{root}/{name}/gitdir")
        if pointed is not None and os.path.realpath(os.path.dirname(os.fsdecode(pointed.strip()))) == wanted:
            return f"{root}/{name}"
    return None


def _head(admin: str | None) -> tuple[str | None, str | None]:
    """The ref that HEAD is, and what to ask the repository for it: a branch or a commit. Anything else the worktree's own git knows."""
    data = (fsio.read(f"{admin}/HEAD") if admin else None) or b""
    if data.startswith(b"ref: "):
        ref = os.fsdecode(data[5:].strip())
        return ref, ref if ref.startswith("refs/heads/") and re.fullmatch(_PLAIN, ref) else None
    return None, data.strip().decode() if re.fullmatch(_OID, data.strip()) else None


def _commits(repo: str, asked: Sequence[str | None]) -> list[str | None]:
    """The commit that each full ref or id leads to; None where there is none."""
    names = [name for name in asked if name]
    if not names:
        return [None for _ in asked]
    lines = b"".join(os.fsencode(f"{name}^{{commit}}\n") for name in names)
    done = git.run(repo, "cat-file", "--batch-check=%(objectname)", input=lines, check=False)
    if done.code or not all(re.fullmatch(_PLAIN, name) for name in names):  # a damaged object ends the answer for all
        return [git.commit(repo, name) if name else None for name in asked]
    found = iter(done.out.split("\n"))
    return [line if name and re.fullmatch(_OID, os.fsencode(line := next(found))) else None for name in asked]


def _files_of(repo: str, commit: str | None) -> dict[str, tuple[str, str]]:
    return {path: (entry.mode, entry.oid) for path, entry in snapshot.listed(repo, commit).items()} if commit else {}


def _reflog(rig: Rig, admin: str | None, branch: str | None) -> list[str]:
    """Commits that the worktree's and the branch's reflog name, the newest first."""
    paths = ([f"{admin}/logs/HEAD"] if admin else []) + ([f"{rig.repo}/logs/refs/heads/{branch}"] if branch else [])
    found: list[bytes] = []
    for path in paths:
        for line in reversed(fsio.whole_lines(fsio.read(path) or b"")):
            found += [line[41:81], line[:40]]
    return list(dict.fromkeys(oid.decode() for oid in found if re.fullmatch(_OID, oid) and oid.strip(b"0")))


def _lost(repo: str, reflog: list[str], kept: list[str]) -> tuple[str, ...]:
    """The tips of what only a reflog still reaches (amended, reset away, rebased)."""
    if set(reflog) <= set(kept):
        return ()
    out = git.run(repo, "rev-list", "--parents", "--stdin", input="\n".join([*reflog, *(f"^{oid}" for oid in kept)]).encode() + b"\n").out
    rows = [line.split(" ") for line in out.splitlines()]
    tips = {row[0] for row in rows} - {parent for row in rows for parent in row[1:]}
    return tuple(oid for oid in reflog if oid in tips)


def _state(admin: str | None) -> tuple[tuple[str, bytes], ...]:
    if admin is None:
        return ()
    paths = list(_STATE_FILES)
    for folder in _STATE_FOLDERS:
        for place, _, names in os.walk(f"{admin}/{folder}"):
            paths += [os.path.relpath(os.path.join(place, name), admin) for name in names]
    found = ((path, fsio.read(f"{admin}/{path}")) for path in paths)
    return tuple(sorted((path, data) for path, data in found if data is not None))


def _index(repo: str, admin: str, tree: str) -> tuple[tuple[Stage, ...] | None, bytes | None]:
    """The entries, and the file's bytes; None for entries that git cannot read."""
    raw = fsio.read(f"{admin}/index")
    if raw is None:
        return (), None
    for place in (repo, admin):  # the worktree's own folder knows a split index, but fails with a broken HEAD
        found = git.run(place, "ls-files", "--stage", "--debug", "-z", env=_env(admin, tree), check=False)
        if found.code == 0:
            rows = list(re.finditer(_ENTRY, found.out))
            stages = (Stage(m[1], m[2], int(m[3]), m[4], int(m[5], 16) & (ASSUMED | INTENT | SKIPPED)) for m in rows)
            return (tuple(stages) if sum(len(m[0]) for m in rows) == len(found.out) else None), raw
    return None, raw


def _files(rig: Rig, admin: str | None, tree: str, index: tuple[Stage, ...] | None) -> Files | None:
    if not os.path.isdir(tree):
        return None
    modules = {stage.path: _module(tree, stage) for stage in index or () if stage.mode == snapshot.MODULE and not stage.number}
    ignored: list[str] = []
    if admin is not None and index is not None:  # with an unreadable index nothing is known to be ignored: all is saved
        ignored = git.run(rig.repo, "ls-files", "--others", "--ignored", "--exclude-standard", "-z", env=_env(admin, tree)).out.split("\0")
    pointer = fsio.read(f"{tree}/.git") if os.path.isfile(f"{tree}/.git") and not os.path.islink(f"{tree}/.git") else None
    skip = frozenset((".git",)) if pointer is not None and pointer.startswith(b"gitdir:") else frozenset()
    return snapshot.look(tree, ignored=frozenset(path for path in ignored if path), modules=modules, skip=skip)


def modules_dir(rig: Rig, tree: str) -> str:
    """Where git keeps the repositories of the worktree's submodules: they go with the worktree."""
    return f"{admin_dir(rig, tree)}/modules"


def _modules(folder: str) -> tuple[tuple[str, Entry], ...]:
    return tuple(snapshot.look(folder).entries.items()) if os.path.isdir(folder) else ()


def _module(tree: str, stage: Stage) -> str:
    """The commit that a submodule has checked out, else the one in the index."""
    place = os.path.join(tree, stage.path)
    return (git.commit(place, "HEAD") if os.path.lexists(f"{place}/.git") else None) or stage.oid


def _env(admin: str, tree: str) -> dict[str, str]:
    # Named one by one: what the worktree's own settings say about its tree or its index does not count.
    return {"GIT_INDEX_FILE": f"{admin}/index", "GIT_WORK_TREE": tree}
