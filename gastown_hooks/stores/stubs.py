"""The folder that a worktree's core.hooksPath names: generated sh files, and links to them under the githooks' names.

`_run` does a worker's duties and then the user's own hook; `_chain` is the user's own hook alone (their core.hooksPath, the
repository's hooks folder, the pre-commit framework) and is linked to only under names for which there is one;
`reference-transaction` keeps the target branch. git goes on in silence when the folder is gone, so doctor looks at it.
"""

from __future__ import annotations

import os
import re
import sys

from gastown_hooks.core import data, fsio
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.stores import git, gitdir

_CODE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DUTIES = ("post-commit", "prepare-commit-msg", "pre-push")
# Client-side githooks that carry no duty: linked to `_chain` while the user has one.
CHAINED = ("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "commit-msg", "pre-rebase",
           "post-checkout", "post-merge", "post-rewrite", "pre-auto-gc", "sendemail-validate", "push-to-checkout")
_FRAMEWORK = ".pre-commit-config.yaml"
_FRAMEWORK_STAGES = ("pre-merge-commit", "commit-msg", "post-checkout", "post-merge", "post-rewrite", "pre-rebase")


def install(folder: str, home: Home, rig: Rig, target: str) -> None:
    """Write the folder for the worker of `home` and the claim that its lease holds now; the target is a short branch name.

    Repeating it brings the folder up to date. Without a lease commits are not signed or pinned.
    """
    lease = fsio.read_json(home.lease) or {}
    claim = {key: str(lease.get(key, "")) for key in ("bead", "actor", "fence")}
    values = {"folder": folder, "guard": rig.guard, "name": home.name, "tree": home.tree,
              "target": target, **claim}
    fsio.make_folder(folder)
    _write(folder, "_run", values)
    _write(folder, "_chain", values)
    for name in DUTIES:
        _link(folder, name, "_run")
    if gitdir.git_dir(home.tree) is not None:  # not made yet, or half made: worktrees.add chains when it is whole
        chain(folder, home.tree)
    install_guard(folder, rig, target)


def install_guard(folder: str, rig: Rig, target: str) -> None:
    """Write the guard of the target branch into the folder; a user's own hook of that name goes on working."""
    fsio.make_folder(folder)
    users = f"{users_folder(folder, rig.repo, rig.guard)}/reference-transaction"
    _write(folder, "reference-transaction", {"target": f"refs/heads/{target}", "users": users if os.access(users, os.X_OK) else ""})


def chain(folder: str, tree: str) -> list[str]:
    """Link to `_chain` the hooks that the user of `tree` has, unlink those that are gone; returns the linked names."""
    users = users_folder(folder, tree, _guard_of(folder))
    framework = (fsio.read(f"{tree}/{_FRAMEWORK}") or b"").decode("utf-8", "replace") if os.path.isfile(f"{tree}/{_FRAMEWORK}") else ""
    linked = []
    for name in CHAINED:
        stage = bool(framework) and (name == "pre-commit" or (name in _FRAMEWORK_STAGES and name in framework))
        if stage or os.access(f"{users}/{name}", os.X_OK):
            _link(folder, name, "_chain")
            linked.append(name)
        elif os.path.islink(f"{folder}/{name}"):
            fsio.remove(f"{folder}/{name}")
    return linked


def users_folder(ours: str, tree: str, guard: str) -> str:
    """Where the user's own hooks are: the last core.hooksPath that is not ours, else the repository's hooks folder."""
    values = git.run(tree, "config", "-z", "--type=path", "--get-all", "core.hooksPath", check=False).out.split("\0")
    own = [value for value in values if value and value not in (ours, guard, os.devnull)]
    if own:
        return os.path.join(tree, own[-1])
    return f"{gitdir.common_dir(tree) or os.path.join(tree, git.run(tree, 'rev-parse', '--git-common-dir').line)}/hooks"


def _guard_of(folder: str) -> str:
    """The guard folder that the installed `_chain` knows."""
    text = (fsio.read(f"{folder}/_chain") or b"").decode("utf-8", "surrogateescape")
    found = re.search(r"^guard='((?:[^']|'\\'')*)'$", text, re.M)
    return found[1].replace("'\\''", "'") if found else ""


def rendered(name: str, values: dict[str, str]) -> bytes:
    """A githook from its template, each `@value@` as one word of sh; `@python@` and `@code@` are this program's."""
    template = (fsio.read(f"{data.folder('templates')}/githooks/{name}") or b"").decode()
    values = {"python": sys.executable, "code": _CODE, **values}
    return re.sub(r"@([a-z]+)@", lambda found: _quoted(values[found[1]]), template).encode("utf-8", "surrogateescape")


def _write(folder: str, name: str, values: dict[str, str]) -> None:
    content = rendered(name, values)
    if fsio.read(f"{folder}/{name}") != content or not os.access(f"{folder}/{name}", os.X_OK):
        fsio.write(f"{folder}/{name}", content, mode=0o700)


def _link(folder: str, name: str, target: str) -> None:
    path = f"{folder}/{name}"
    if not os.path.islink(path) or os.readlink(path) != target:
        fsio.link(target, path)


def _quoted(value: str) -> str:
    """One word of sh, whatever it holds."""
    return "'" + value.replace("'", "'\\''") + "'"
