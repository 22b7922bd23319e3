"""Whether work is in a commit already: the one definition, for the queue, for the proof that closes a bead, for what is removed.

By ancestry; else by what merging would change: nothing means that it is there, something that it is not. Where the target changed the
same lines since, and merging says nothing therefore, by patch (a squash, a rebase, somebody else's same commit).
"""

from __future__ import annotations

from gastown_hooks.core.errors import GitFailed
from gastown_hooks.core.ids import shown
from gastown_hooks.stores import git
from gastown_hooks.stores.repo import Repo

Merged = tuple[str, tuple[str, ...]]


def merge(repo: str, one: str, other: str) -> Merged:
    """(tree, files in conflict). The tree is the merged one when there are no such files."""
    found = git.run(repo, "merge-tree", "--write-tree", "--no-messages", "--name-only", "-z", one, other, check=False)
    if found.code not in (0, 1):
        raise GitFailed(f"cannot merge {other[:12]} into {one[:12]}", why=shown(found.err.strip(), 300))
    tree, *files = found.out.rstrip("\0").split("\0")
    if found.code == 1 and not files:
        raise GitFailed(f"cannot merge {other[:12]} into {one[:12]}", why="git names no file in conflict")
    return tree.strip(), tuple(dict.fromkeys(files))


def merges(repo: str, one: str, others: list[str]) -> dict[str, Merged]:
    """`merge` of each of these commits into `one`, by a single git; a commit that it did not tell of is not among them."""
    told = git.run(repo, "merge-tree", "--write-tree", "--no-messages", "--name-only", "--stdin", check=False,
                   input="".join(f"{one} {other}\n" for other in others).encode()).out if others else ""
    found: dict[str, Merged] = {}
    for other, words in zip(others, told.split("\0\0")[:-1], strict=False):
        state, _, rest = words.partition("\0")
        tree, *files = rest.split("\0")
        if len(tree) != 40 or state != ("0" if files else "1"):
            return {}  # a git that says it in another way
        found[other] = tree, tuple(dict.fromkeys(files))
    return found


def contained(repo: Repo, base: str | None, head: str, tip: str, merged: Merged | None = None) -> bool:
    """Whether everything that `base..head` does is in `tip`; `merged` is what merging them gave, if that is known.

    A change that does nothing (base and head hold the same tree) is never contained: it would prove anything.
    """
    start = repo.merge_base(head, tip)
    begin = base if base is not None and repo.kind(base) == "commit" else start
    if start is None or begin is None or repo.tree(begin) == repo.tree(head):
        return False
    if start == head:
        return True
    tree, files = merged or merge(repo.path, tip, head)
    return repo.contains_patch(head, start, tip) if files else tree == repo.tree(tip)
