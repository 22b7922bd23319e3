"""A rig's shared bare repository and its linked worktrees: made in an order in which a kill at any point can be repaired.

Each worktree has its own `config.worktree`: its githooks, its sparse checkout, a push address that leads nowhere, and, written
last, the mark that it is complete. git names its folder for a worktree by the leaf and reuses numbers; ours are named by their
place (`polecats-toast`).
"""

from __future__ import annotations

import os

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadInput, Conflict, GitFailed
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import BEADS, SPARSE_EXCLUDED, Rig
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import git, gitdir, stubs

NO_BRANCH = "refs/heads/gt-none"
NO_PUSH = "gt-no-push://gt-done"
# What is ours in a tree; the last: a settings file whose writer was killed.
EXCLUDED = (f"/{BEADS}/", "/.claude/settings.local.json", "/.claude/.settings.local.json.*.tmp")
_SHARED = {"extensions.worktreeconfig": "true", "core.logallrefupdates": "always", "core.fsync": "all"}


@dataclass(frozen=True, slots=True)
class Worktree:
    """A linked worktree: its path, git's folder for it, its branch (full ref) or the commit of a detached HEAD, whether it is
    complete, and whether its tree is there."""

    path: str
    admin: str
    branch: str | None
    commit: str | None
    complete: bool
    present: bool


def prepare_repo(rig: Rig, target: str) -> None:
    """Make the bare repository fit for worktrees; idempotent. The caller holds the rig's lock.

    core.bare moves to the repository's own config.worktree first (left in the shared file it makes every worktree a bare one),
    then one rewritten shared file drops it and switches the extension on.
    """
    stubs.install_guard(rig.guard, rig, target)
    fsio.write(f"{rig.repo}/config.worktree", _config({"core": {"bare": "true", "hooksPath": rig.guard}}))
    hidden = [f"refs/heads/{target}", "refs/gt"]
    edits = [("--replace-all", key, value) for key, value in _SHARED.items()]
    edits += [("--unset-all", "core.bare", "")] if _shared(rig, "core.bare") else []
    edits += [("--add", "receive.hiderefs", ref) for ref in hidden if ref not in _shared(rig, "receive.hiderefs")]
    if any(_shared(rig, key) != ([value] if value else []) for _, key, value in edits):
        _rewrite(rig, edits)
    if fsio.read(f"{rig.repo}/HEAD") != f"ref: {NO_BRANCH}\n".encode():
        git.run(rig.repo, "symbolic-ref", "-m", "gt: no branch is checked out here", "HEAD", NO_BRANCH)
        fsio.sync_folder(rig.repo)
    _exclude(rig)


def add(rig: Rig, path: str, *, branch: str | None = None, start: str, sparse: bool, githooks: str | None, detach: bool = False,
        replace_unready: bool = False, user: tuple[str, str] | None = None) -> None:
    """A linked worktree at `path`: on `branch` (short name, made at commit `start` if it is new), or detached at `start`.

    A complete one of that branch stays as it is. A half-made one (a killed `add`) is made anew with `replace_unready`, which says
    that no agent can have worked in it; else it is a Conflict, as is a branch that another worktree holds. `githooks` None: the
    guard alone. `user`: the name and address that commits made there bear where the environment says nothing.
    """
    if detach == (branch is not None):
        raise BadInput(f"a worktree at {path} is on a branch or detached", why="give one of the two")
    ref = None if branch is None else f"refs/heads/{branch}"
    made = listed(rig)
    holder = next((one.path for one in made.values() if ref is not None and one.branch == ref and one.path != path), None)
    if holder is not None:
        raise Conflict(f"{shown(ref or '')} is checked out at {holder}", next="gt polecat list")
    settings = _settings(rig, sparse, githooks) | ({"user": {"name": user[0], "email": user[1]}} if user else {})
    existing = made.get(path)
    if existing is not None and existing.complete and existing.present and (ref is None or existing.branch == ref):
        _configure(existing.admin, settings, complete=True)
    else:
        _clear_half_made(rig, path, existing, replace_unready)
        if ref is not None:
            _make_branch(rig, ref, start)
        _make(rig, path, ref, start, settings)
    if githooks is not None:
        stubs.chain(githooks, path)


def remove(rig: Rig, path: str) -> None:
    """Remove the worktree and git's folder for it, whatever state they are in; saves nothing. Gone already: nothing happens."""
    fsio.remove_tree(path)
    for admin in _admins_of(rig, path):
        _discard(rig, admin)


def listed(rig: Rig) -> dict[str, Worktree]:
    """Every linked worktree of the rig, by path, half-made ones included."""
    found = {}
    for admin in _admins(rig):
        path = _path_of(rig, admin)
        head = (fsio.read(f"{admin}/HEAD") or b"").decode("utf-8", "surrogateescape").strip()
        branch = head.removeprefix("ref: ") if head.startswith("ref: ") else None
        pointed = gitdir.git_dir(path)
        present = pointed is not None and os.path.realpath(pointed) == os.path.realpath(admin)
        found[path] = Worktree(path, admin, branch, None if branch else head or None, _is_complete(admin), present)
    return found


def refresh(path: str, commit: str, *, clean: bool = False) -> None:
    """Put the detached worktree at `commit`, losing changes to tracked files; `clean` also removes all others, ignored ones too."""
    git.run(path, "update-ref", "--no-deref", "-m", "gt: refresh", "HEAD", commit)
    if clean and _has_hidden_entries(path):
        own = gitdir.git_dir(path)
        fsio.remove(f"{own}/index")
    git.run(path, "-c", "core.trustctime=true", "-c", "core.checkStat=default", "reset", "--quiet", "--hard", commit)
    if clean:
        git.run(path, "clean", "-ffdxq")


def gate_tree(rig: Rig, slot: int, commit: str) -> str:
    """The pool's tree number `slot`, holding exactly the commit's files, none left out; a broken tree is made anew."""
    path = rig.refinery.gate_tree(slot)
    admin = f"{rig.repo}/worktrees/{_name(rig, path)}"
    fsio.make_folder(rig.refinery.gates)
    if (one := listed(rig).get(path)) is not None and one.complete and one.present:
        try:
            _configure(admin, _settings(rig, False, None), complete=True)
            refresh(path, commit, clean=True)
            if not git.run(path, "status", "--porcelain", "-z", "--untracked-files=all", "--ignored").out:
                return path
        except GitFailed:
            pass  # whatever a gate did to it: the next lines make a new one
    remove(rig, path)
    add(rig, path, start=commit, sparse=False, githooks=None, detach=True, replace_unready=True)
    return path


def _make_branch(rig: Rig, ref: str, start: str) -> None:
    """The branch at its start, unless there is one."""
    try:
        git.update_refs(rig.repo, [(ref, start, "")], "gt: worktree")
    except Conflict:
        if git.commit(rig.repo, ref) is None:
            raise


def _make(rig: Rig, path: str, ref: str | None, start: str, settings: dict[str, dict[str, str]]) -> None:
    """The tree's `.git` file, then git's folder for it, staged and renamed: not by `git worktree add`, for while a killed one's
    half-made folder lies in `worktrees`, no fetch of the whole repository succeeds.
    """
    name = _name(rig, path)
    admin, staged = f"{rig.repo}/worktrees/{name}", _aside(rig, name)
    fsio.make_folder(path)
    fsio.make_folder(staged)
    fsio.make_folder(os.path.dirname(admin))
    real = os.path.realpath(path)
    for file, text in (("gitdir", f"{real}/.git"), ("commondir", "../.."), ("HEAD", f"ref: {ref}" if ref else start)):
        fsio.write(f"{staged}/{file}", os.fsencode(f"{text}\n"), mode=0o644)
    _configure(staged, settings, complete=False)
    fsio.write(f"{path}/.git", os.fsencode(f"gitdir: {os.path.realpath(rig.repo)}/worktrees/{name}\n"), mode=0o644)
    fsio.rename(staged, admin)
    git.run(path, "read-tree", "-m", "-u", "--no-recurse-submodules", "HEAD")
    _configure(admin, settings, complete=True)


def _aside(rig: Rig, name: str) -> str:
    """A free place on the same disk where git does not look for worktrees; what a killed run left there is removed."""
    place = f"{rig.worktrees}/{name}"
    fsio.remove_tree(place)
    fsio.make_folder(os.path.dirname(place))
    return place


def _discard(rig: Rig, admin: str) -> None:
    """Remove git's folder for a worktree, in one step for everybody who looks."""
    place = _aside(rig, os.path.basename(admin))
    fsio.rename(admin, place)
    fsio.remove_tree(place)


def _clear_half_made(rig: Rig, path: str, existing: Worktree | None, allowed: bool) -> None:
    """Remove what a killed `add` left; that no agent ever worked there the caller must know."""
    if existing is not None and existing.complete:
        raise Conflict(f"{path} is a worktree of {shown(existing.branch or existing.commit or 'nothing')}",
                       why="somebody may have worked in it", next="gt polecat nuke it (its work is saved), then try again")
    occupied = os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path))
    if (existing is not None or occupied) and not allowed:
        raise Conflict(f"{path} is a half-made worktree", next="gt polecat nuke it (its work is saved), then try again")
    remove(rig, path)
    half = f"{rig.repo}/worktrees/{_name(rig, path)}"
    if os.path.isdir(half):  # killed before git wrote which tree it is for
        if _path_of(rig, half) not in ("", path):
            raise Conflict(f"{half} belongs to {_path_of(rig, half)}", next="git worktree list")
        _discard(rig, half)


def _configure(admin: str, settings: dict[str, dict[str, str]], *, complete: bool) -> None:
    content = _config({**settings, "gt": {"complete": "true"}} if complete else settings)
    if fsio.read(f"{admin}/config.worktree") == content:
        return
    if "sparseCheckout" in settings["core"]:
        fsio.make_folder(f"{admin}/info")
        patterns = "".join(f"{line}\n" for line in _patterns()).encode()
        if fsio.read(f"{admin}/info/sparse-checkout") != patterns:
            fsio.write(f"{admin}/info/sparse-checkout", patterns)
    fsio.write(f"{admin}/config.worktree", content)


def _settings(rig: Rig, sparse: bool, githooks: str | None) -> dict[str, dict[str, str]]:
    core = {"bare": "false", "hooksPath": githooks or rig.guard}
    if sparse:
        core |= {"sparseCheckout": "true", "sparseCheckoutCone": "false"}
    return {"core": core, 'remote "origin"': {"pushurl": NO_PUSH}}


def _patterns() -> list[str]:
    return ["/*", *(f"!{path}" for path in SPARSE_EXCLUDED)]


def _config(sections: dict[str, dict[str, str]]) -> bytes:
    """A configuration file in git's syntax."""
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        for key, value in values.items():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
            lines.append(f'\t{key} = "{escaped}"')
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _shared(rig: Rig, key: str) -> list[str]:
    """The values of a key in the shared file alone."""
    return git.run("/", "config", "-z", "--file", f"{rig.repo}/config", "--get-all", key, check=False).out.split("\0")[:-1]


def _rewrite(rig: Rig, edits: list[tuple[str, str, str]]) -> None:
    """All edits in one new file, under git's own lock on it."""
    path = f"{rig.repo}/config"
    lock = f"{path}.lock"
    text = fsio.read(path) or b""
    if not fsio.create(lock, text, mode=0o600) and not (gitdir.clear_stale(rig.repo, [lock]) and fsio.create(lock, text, mode=0o600)):
        raise GitFailed(f"{path} is locked", next=f"wait for the other git; if none runs, remove {lock}")
    try:
        fsio.remove(f"{lock}.lock")  # of a git that was killed in this loop: only the owner of `lock` edits it
        for how, key, value in edits:
            git.run("/", "config", "--file", lock, how, key, *([value] if value else []))
        fsio.write(lock, fsio.read(lock) or b"")  # git does not sync it
        fsio.rename(lock, path)
    finally:
        fsio.remove(lock)


def _exclude(rig: Rig) -> None:
    path = f"{rig.repo}/info/exclude"
    lines = (fsio.read(path) or b"").decode("utf-8", "surrogateescape").splitlines()
    missing = [line for line in EXCLUDED if line not in lines]
    if missing:
        fsio.make_folder(os.path.dirname(path))
        fsio.write(path, "".join(f"{line}\n" for line in [*lines, *missing]).encode("utf-8", "surrogateescape"))


def _name(rig: Rig, path: str) -> str:
    """git's name for the worktree: its place in the rig, without the leaf that they all share."""
    parts = os.path.relpath(path, rig.root).split("/")
    if len(parts) > 1 and parts[-1] == "rig":
        parts.pop()
    if parts[0] == ".." or not all(parts):
        raise BadInput(f"{path} is not in {rig.root}")
    return "-".join(parts)


def _admins(rig: Rig) -> list[str]:
    root = f"{rig.repo}/worktrees"
    return [f"{root}/{name}" for name in sorted(os.listdir(root))] if os.path.isdir(root) else []


def _admins_of(rig: Rig, path: str) -> list[str]:
    return [admin for admin in _admins(rig) if _path_of(rig, admin) == path]


def _path_of(rig: Rig, admin: str) -> str:
    """The worktree that git's folder belongs to, as the rig spells it (git resolves links); "" when it does not say."""
    path = os.path.dirname(os.fsdecode((fsio.read(f"{admin}/gitdir") or b"").strip()))
    real = os.path.realpath(rig.root)
    return rig.root + path[len(real):] if path.startswith(real + "/") else path


def _is_complete(admin: str) -> bool:
    return b'\n[gt]\n\tcomplete = "true"\n' in b"\n" + (fsio.read(f"{admin}/config.worktree") or b"")


def _has_hidden_entries(path: str) -> bool:
    """Whether index entries are marked "assume unchanged" or "skip": git would not look at those files."""
    return any(line[:1].islower() or line[:1] == "S" for line in git.run(path, "ls-files", "-v", "-z").out.split("\0"))
