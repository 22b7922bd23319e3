"""What was saved, and bringing it back: a new worktree in which HEAD, index, files and stash are as they were.

A key is `<rig>/<name>/<fence>`, with `.2` and so on for later states of the same claim; `<name>/<fence>` where that is unique.
The salvage refs stay after a restore.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from gastown_hooks.core import fsio, lock
from gastown_hooks.core.errors import BadInput, Conflict, NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import git, worktrees
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import salvage, snapshot, stashes, worktree_state
from gastown_hooks.work.containment import contained
from gastown_hooks.work.snapshot import Entries
from gastown_hooks.work.worktree_state import ASSUMED, INTENT, SKIPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")

_KEY = r"(?:([a-z][a-z0-9_-]*)/)?([a-z][a-z0-9_-]*)/(\d+)(?:\.(\d+))?"
LONGEST_NAME = 255
# Operations that go on where they stopped. A rebase names the worker's branch, which is gone: its notes stay in `meta`.
_RESUMED = ("MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "CHERRY_PICK_HEAD", "REVERT_HEAD", "SQUASH_MSG")
_COMMITS = ("head", "branch", "work")


@dataclass(frozen=True, slots=True)
class Saved:
    """One saved state. `head` its commit, `files` whether uncommitted files are in it, `stashes` (commit, message) pairs."""

    rig: str
    name: str
    fence: int
    generation: int
    refs: dict[str, str]

    @property
    def key(self) -> str:
        """As `gt rescue` takes it."""
        return f"{self.rig}/{self.name}/{self.fence}" + (f".{self.generation}" if self.generation > 1 else "")

    @property
    def prefix(self) -> str:
        """The start of its refs."""
        return f"{salvage.ROOT}/{self.key.partition('/')[2]}"

    @property
    def head(self) -> str | None:
        return next((self.refs[ref] for ref in _COMMITS if self.refs.get(ref)), None)

    @property
    def label(self) -> str:
        """`<name>-<fence>`: the restored folder and branch."""
        return f"{self.name}-{self.fence}" + (f".{self.generation}" if self.generation > 1 else "")


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a saved state is on disk. `existed`: an earlier restore made it. `notes` are things to know."""

    path: str
    branch: str
    existed: bool
    notes: list[str]


def entries(rig: Rig) -> list[Saved]:
    """Everything saved in the rig, by name, fence and generation."""
    found = []
    for prefix, refs in salvage.prefixes(rig).items():
        match = re.fullmatch(_KEY, prefix.removeprefix(f"{salvage.ROOT}/"))
        if match is not None:
            found.append(Saved(rig.name, match[2], int(match[3]), int(match[4] or 1), refs))
    return sorted(found, key=lambda saved: (saved.name, saved.fence, saved.generation))


def landed(rig: Rig, found: Sequence[Saved]) -> set[str]:
    """Keys of those of these saved states that hold nothing but commits which have landed since."""
    if not found:
        return set()
    repo = Repo(rig.repo)
    tips = list(repo.refs("refs/gt/landed/").values())

    def there(ref: str, oid: str) -> bool:
        return repo.kind(oid) == "commit" and any(
            repo.is_ancestor(oid, tip) or (ref in _COMMITS and contained(repo, None, oid, tip)) for tip in tips)

    return {saved.key for saved in found if all(there(*entry) for entry in saved.refs.items())}


def find(town: Town, key: str) -> tuple[Rig, Saved]:
    """The rig and state that a key names. Raises BadInput, NotFound, Conflict when a short key fits several rigs."""
    match = re.fullmatch(_KEY, key)
    if match is None:
        raise BadInput(f"{shown(key)} is no key", why="keys look like RIG/NAME/FENCE or NAME/FENCE", next="gt rescue list")
    wanted = match[2], int(match[3]), int(match[4] or 1)
    rigs = [rig for rig in town.rigs() if match[1] in (None, rig.name)]
    found = [(rig, saved) for rig in rigs for saved in entries(rig) if (saved.name, saved.fence, saved.generation) == wanted]
    if not found:
        raise NotFound(f"nothing is saved under {shown(key)}", next="gt rescue list")
    if len(found) > 1:
        raise Conflict(f"{key} is saved in several rigs", why=", ".join(saved.key for _, saved in found), next="give the whole key")
    return found[0]


def show(rig: Rig, saved: Saved) -> dict[str, Any]:
    """Everything about a saved state, as JSON-able values."""
    about: dict[str, Any] = {"key": saved.key, "rig": saved.rig, "name": saved.name, "fence": saved.fence, "head": saved.head,
                             "refs": {f"{saved.prefix}/{ref}": oid for ref, oid in sorted(saved.refs.items())},
                             "stashes": [message for _, message in _stashes(rig, saved)], "restored": _existing(rig, saved)}
    if "meta" not in saved.refs:
        return about
    meta = snapshot.listed(rig.repo, saved.refs["meta"])
    kept = _json(rig, meta, "salvage.json")
    files = snapshot.listed(rig.repo, f"{saved.refs['tree']}^{{tree}}")
    staged = snapshot.listed(rig.repo, f"{saved.refs['index']}^{{tree}}")
    head = snapshot.listed(rig.repo, saved.head) if saved.head else {}
    about |= {key: kept[key] for key in ("bead", "branch", "base", "special_files")}
    conflicts = {path.split("/", 2)[2] for path in meta if path.startswith("conflicts/")}
    flags = {os.fsdecode(name): bits for bits, _, _, _, name in _records(_blob(rig, meta, "index"))}
    about["staged"] = [path for path in _differing(head, staged) if path not in conflicts]
    about["unstaged"] = [path for path in _differing(staged, files) if path in flags and path not in conflicts
                         and (path in files or not flags[path] & SKIPPED)]
    about["untracked"] = [path for path in files if path not in flags]
    about["conflicts"] = sorted(conflicts)
    about["in_progress"] = sorted(path.removeprefix("state/") for path in meta if path.startswith("state/"))
    ignored = _blob(rig, meta, "ignored").decode().splitlines()
    about["ignored"] = [{"path": json.loads(line.partition("\t")[2]), "size": int(line.partition("\t")[0])} for line in ignored]
    return about


def restore(rig: Rig, saved: Saved, to: str | None = None) -> Restored:
    """Make a worktree with the saved state: HEAD, index, files, a merge in progress, and the stash entries.

    By default at `<rig>/rescued/<name>-<fence>`. One that was restored before stays as it is. Raises Conflict when the folder
    is something else.
    """
    path, branch = os.path.abspath(to or place(rig, saved)), f"rescue/{saved.label}"
    with lock.acquire(rig.lock("rescue"), timeout=60):
        _check_place(path)
        if (mark := _mark(rig, path)) is not None and fsio.read(mark) == saved.key.encode() + b"\n":
            return Restored(path, branch, True, [])
        begun = _is_begun(rig, path, branch)
        if not begun and os.path.isdir(path) and os.listdir(path):
            raise Conflict(f"{shown(path)} is not empty", why="it is no restore of ours", next="gt rescue restore KEY --to DIR")
        commit = saved.head or saved.refs.get("tree")
        if commit is None:
            raise NotFound(f"{saved.key} holds no commit", why="only stash entries were saved", next=f"gt rescue show {saved.key}")
        notes = _branch(rig, branch, commit)
        if begun:
            worktrees.remove(rig, path)
        git.run(rig.repo, "worktree", "add", "--quiet", "--detach", "--no-checkout", "--force", "--", path, commit)
        git.run(path, "symbolic-ref", "-m", "gt: rescue", "HEAD", f"refs/heads/{branch}")
        notes += _fill(rig, saved, path) if "tree" in saved.refs else _check_out(path)
        notes += _put_stashes_back(rig, saved, path)
        mark = _mark(rig, path)
        assert mark is not None
        fsio.write(mark, saved.key.encode() + b"\n")
    return Restored(path, branch, False, notes)


def _check_place(path: str) -> None:
    """Before anything is written: what git, and the name of its folder for the worktree, could not be made from."""
    if os.path.lexists(path) and not os.path.isdir(path):
        raise Conflict(f"{shown(path)} is no folder", next="gt rescue restore KEY --to DIR")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in path.split("/")):
        raise BadInput(f"{shown(path)} has too long a name in it", next="gt rescue restore KEY --to DIR")


def place(rig: Rig, saved: Saved) -> str:
    """Where it is restored to by default."""
    plain = rig.rescued(saved.name, saved.fence)
    return plain if saved.generation == 1 else f"{plain}.{saved.generation}"


def _existing(rig: Rig, saved: Saved) -> str | None:
    mark = _mark(rig, place(rig, saved))
    return place(rig, saved) if mark is not None and fsio.read(mark) is not None else None


def _mark(rig: Rig, path: str) -> str | None:
    """In git's folder for the worktree: written last, it says that the restore is whole."""
    admin = worktree_state.admin_dir(rig, path) if os.path.isdir(path) else None
    return None if admin is None else f"{admin}/gt-rescued"


def _is_begun(rig: Rig, path: str, branch: str) -> bool:
    """Whether a killed restore left this worktree: on our branch without the mark, or still without a file (its folder may be gone)."""
    admin = worktree_state.admin_dir(rig, path)
    if admin is None or fsio.read(f"{admin}/gt-rescued") is not None:
        return admin is not None and not os.path.isdir(path)
    ours = fsio.read(f"{admin}/HEAD") == f"ref: refs/heads/{branch}\n".encode()
    return ours or not os.path.isdir(path) or set(os.listdir(path)) <= {".git"}


def _branch(rig: Rig, branch: str, commit: str) -> list[str]:
    """Point the restored branch at the saved head; commits that somebody made on it stay under another name."""
    ref = f"refs/heads/{branch}"
    there = git.run(rig.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", ref, check=False).line
    if there == commit:
        return []
    if not there:
        git.update_refs(rig.repo, [(ref, commit, "")], "gt rescue")
        return []
    kept = f"{ref}-{there[:12]}"
    git.update_refs(rig.repo, [(kept, there, None), (ref, commit, there)], "gt rescue")
    return [f"the branch {branch} was elsewhere: that is now {kept.removeprefix('refs/heads/')}"]


def _check_out(path: str) -> list[str]:
    git.run(path, "read-tree", "-m", "-u", "--no-recurse-submodules", "HEAD")
    return []


def _fill(rig: Rig, saved: Saved, path: str) -> list[str]:
    meta = snapshot.listed(rig.repo, saved.refs["meta"])
    kept = _json(rig, meta, "salvage.json")
    files = snapshot.listed(rig.repo, f"{saved.refs['tree']}^{{tree}}")
    own = {name: entry for name, entry in files.items() if name.split("/")[0] != ".git"}
    notes = [f"the worker had a repository of its own in place of .git: {saved.prefix}/tree:%gt%.git"] if len(own) < len(files) else []
    _write_files(rig, path, own)
    for folder in (name for name in kept["empty_folders"] if name.split("/")[0] != ".git"):
        fsio.make_folder(f"{path}/{folder}")
    admin = worktree_state.admin_dir(rig, path)
    assert admin is not None
    _write_modules(rig, path, f"{admin}/modules", meta)
    if kept["index_readable"]:
        _write_index(path, _blob(rig, meta, "index"))
    elif "index.raw" in meta:
        notes.append(f"the index could not be read when it was saved: its bytes are {saved.prefix}/meta:index.raw")
    for name in _RESUMED:
        if f"state/{name}" in meta:
            fsio.write(f"{admin}/{name}", _blob(rig, meta, f"state/{name}"))
    left = sorted({name.split("/")[1] for name in meta if name.startswith("state/")} - {*_RESUMED, "ORIG_HEAD", "AUTO_MERGE"})
    return notes + ([f"not resumed, kept in {saved.prefix}/meta: state/{', state/'.join(left)}"] if left else [])


def _write_modules(rig: Rig, path: str, modules: str, meta: Entries) -> None:
    """The submodules' files and repositories, each pointing to the other at its new place."""
    _write_files(rig, modules, {name.partition("/")[2]: entry for name, entry in meta.items() if name.startswith("modules/")})
    embedded = {name.partition("/")[2]: entry for name, entry in meta.items() if name.startswith("embedded/")}
    _write_files(rig, path, embedded)
    for name in embedded:
        folder, leaf = os.path.split(f"{path}/{name}")
        pointer = fsio.read(f"{path}/{name}") or b"" if leaf == ".git" and os.path.isfile(f"{path}/{name}") else b""
        own = os.fsdecode(pointer.strip().rpartition(b"/modules/")[2])
        if pointer.startswith(b"gitdir: ") and f"modules/{own}/config" in meta:
            fsio.write(f"{path}/{name}", b"gitdir: " + os.fsencode(f"{modules}/{own}") + b"\n", mode=0o644)
            git.run("/", "config", "--file", f"{modules}/{own}/config", "core.worktree", folder)


def _write_files(rig: Rig, root: str, files: Entries) -> None:
    """Write the files' exact bytes; a folder is made where a file needs it."""
    places: dict[str, list[str]] = {}
    folders = set()
    for path, entry in files.items():
        if entry.mode == snapshot.MODULE:
            fsio.make_folder(f"{root}/{path}")
            continue
        places.setdefault(entry.oid, []).append(path)
        folders.add(os.path.dirname(f"{root}/{path}"))
    for folder in sorted(folders):
        fsio.make_folder(folder)
    for oid, data in snapshot.sized_blobs(rig.repo, (entry for entry in files.values() if entry.mode != snapshot.MODULE)):
        for path in places[oid]:
            if files[path].mode == snapshot.LINK:
                fsio.link(os.fsdecode(data), f"{root}/{path}")
            else:
                fsio.write(f"{root}/{path}", data, mode=0o755 if files[path].mode == snapshot.PROGRAM else 0o644, durable=False)


def _write_index(path: str, listing: bytes) -> None:
    """Every entry with its stage and flags. `git add -N` entries have no blob, so git makes them from the files."""
    records = _records(listing)
    plain = b"".join(b"%s %s %s\t%s\0" % (mode, oid, stage, name) for flags, mode, oid, stage, name in records if not flags & INTENT)
    git.run(path, "read-tree", "--empty")
    git.run(path, "update-index", "-z", "--index-info", input=plain)
    for bit, option in ((SKIPPED, "--skip-worktree"), (ASSUMED, "--assume-unchanged")):
        names = b"".join(name + b"\0" for flags, _, _, _, name in records if flags & bit and not flags & INTENT)
        if names:
            git.run(path, "update-index", option, "-z", "--stdin", input=names)
    intended = [os.fsdecode(name) for flags, _, _, _, name in records if flags & INTENT]
    absent = [name for name in intended if not os.path.lexists(f"{path}/{name}")]
    for name in absent:
        fsio.make_folder(os.path.dirname(f"{path}/{name}"))
        fsio.write(f"{path}/{name}", b"", durable=False)
    if intended:
        git.run(path, "add", "--intent-to-add", "--force", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul",
                input=b"".join(os.fsencode(name) + b"\0" for name in intended), env={"GIT_LITERAL_PATHSPECS": "1"})
    for name in absent:
        fsio.remove(f"{path}/{name}")


def _records(listing: bytes) -> list[tuple[int, bytes, bytes, bytes, bytes]]:
    """(flags, mode, object, stage, path) of each index entry (see `worktree_state.Stage.line`)."""
    found = []
    for record in listing.split(b"\0")[:-1]:
        head, _, name = record.partition(b"\t")
        flags, mode, oid, stage = head.split(b" ")
        found.append((int(flags, 16), mode, oid, stage, name))
    return found


def _stashes(rig: Rig, saved: Saved) -> list[tuple[str, str]]:
    """(commit, message), the newest first."""
    if "stashes" not in saved.refs:
        return []
    _, data = next(snapshot.blobs(rig.repo, [saved.refs["stashes"]]))
    return [(entry["oid"], entry["message"]) for entry in json.loads(data)]


def _put_stashes_back(rig: Rig, saved: Saved, path: str) -> list[str]:
    """Put the entries that are not there back on the stash, the oldest first, with their messages."""
    there = {stash.oid for stash in stashes.entries(rig.repo)}
    wanted = [(oid, message) for oid, message in reversed(_stashes(rig, saved)) if oid not in there]
    for oid, message in wanted:
        git.run(path, "stash", "store", "--message", message, oid)
    return [f"{len(wanted)} stash entries are back: git stash list"] if wanted else []


def _differing(one: Entries, other: Entries) -> list[str]:
    return [path for path in sorted({*one, *other}) if _same(one, path) != _same(other, path)]


def _same(files: Entries, path: str) -> tuple[str, str] | None:
    return (files[path].mode, files[path].oid) if path in files else None


def _blob(rig: Rig, meta: Entries, path: str) -> bytes:
    return next(snapshot.blobs(rig.repo, [meta[path].oid]))[1]


def _json(rig: Rig, meta: Entries, path: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_blob(rig, meta, path))
    return value
