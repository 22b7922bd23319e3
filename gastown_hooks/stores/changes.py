"""What a work tree holds that its last commit does not, as git status tells it."""

from __future__ import annotations

import os

from gastown_hooks.core.paths import SPARSE_EXCLUDED
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import git

_STATUS = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames")
_FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Change:
    """A path whose content or mode is not the last commit's. `unstaged`: nor is it the index's, so git add has something to do."""

    path: str
    unstaged: bool


def listed(tree: str) -> list[Change]:
    """Every change, untracked files included, ignored ones not.

    A file that git calls modified although it is byte by byte the index's is none: its attributes (line ends, filters) would make
    another content of it, nobody edited it, and nobody could take that back.
    """
    found, doubtful = [], {}
    for entry in git.run(tree, *_STATUS).out.split("\0"):
        if entry.startswith("1 "):
            _, state, _, _, in_index, in_tree, _, oid, path = entry.split(" ", 8)
            found.append((path, state))
            if state[1] == "M" and in_index == in_tree and in_tree in _FILES:
                doubtful[path] = oid
        elif entry.startswith("u "):
            found.append((entry.split(" ", 10)[10], "UU"))
        elif entry.startswith("? "):
            found.append((entry[2:], "??"))
    same = _unedited(tree, doubtful)
    return [Change(path, state[1] != "." and path not in same) for path, state in found if path not in same or state[0] != "."]


def uncommitted(tree: str) -> list[Change]:
    """What is not committed in a worker's tree, without the paths that its sparse checkout leaves out."""
    return [change for change in listed(tree) if not _outside(change.path)]


def _outside(path: str) -> bool:
    return any(f"/{path}" == excluded.rstrip("/") or f"/{path}".startswith(excluded if excluded.endswith("/") else excluded + "/")
               for excluded in SPARSE_EXCLUDED)


def _unedited(tree: str, oids: dict[str, str]) -> set[str]:
    """The paths whose file holds exactly the given object."""
    asked = [path for path in oids if not path.startswith('"') and "\n" not in path]
    if not asked:
        return set()
    names = b"".join(os.fsencode(path) + b"\n" for path in asked)
    made = git.run(tree, "hash-object", "--no-filters", "--stdin-paths", input=names, check=False).out.split()
    return {path for path, oid in zip(asked, made, strict=False) if oid == oids[path]}
