"""Landed means landed (I4): what git proves about a bead's work.

The truth is `refs/gt/landed/<target>`: the tip that the refinery landed or adopted last, which where there is a remote is in the
remote's target branch. A target branch that somebody moved behind the refinery's back proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Rig
from gastown_hooks.rules import requests
from gastown_hooks.stores import git
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.repo import Repo

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Landing:
    """The proof that closes a bead: its work is in `target` by `commit`, under merge request `request`.

    `by` is who landed it; `signals` what is known about its quality.
    """

    commit: str
    target: str
    request: str
    by: str
    signals: Mapping[str, object] = field(default_factory=dict)

    def validation(self, now: int) -> Record:
        """The bead's `validations` entry."""
        return {"validated_by": self.by, "validation_type": "merge", "timestamp": clock.stamp(now),
                "quality_signals": {**self.signals, "commit": self.commit, "merge_request": self.request}}


def landed(rig: Rig, record: Record) -> str | None:
    """The commit by which the bead's current work is in the target branch; None when git does not prove it.

    Looks at the merge requests of the bead's present fence only: what an earlier claim landed proves nothing about this one.
    """
    fence = record.get("claim_fence") or 0
    repo = Repo(rig.repo)
    for other in requests.among(Ledger(rig.beads).all().values(), closed=True):
        metadata = other.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("source") != record["id"] or metadata.get("fence") != fence or fence < 1:
            continue
        found = _landed_by(rig, repo, metadata)
        if found is not None:
            return found
    return None


def contained(repo_path: str, base: str | None, head: str, tip: str) -> bool:
    """Whether everything that `base..head` does is in `tip` already: by ancestry, by the merged tree, or by patch.

    A change that does nothing (base and head hold the same tree) is never contained: it would prove anything.
    """
    repo = Repo(repo_path)
    if contained_by_ancestry(repo_path, base, head, tip):
        return True
    start = repo.merge_base(head, tip)
    if start is None or repo.tree(start) == repo.tree(head):
        return False
    merged = git.run(repo_path, "merge-tree", "--write-tree", "--no-messages", tip, head, check=False)
    if merged.code == 0 and merged.line == repo.tree(tip):
        return True
    return repo.contains_patch(head, start, tip)


def contained_by_ancestry(repo_path: str, base: str | None, head: str, tip: str) -> bool:
    """Whether `tip` has `head` in its history and `base..head` changes something."""
    repo = Repo(repo_path)
    start = base or repo.merge_base(head, tip)
    return start is not None and repo.tree(start) != repo.tree(head) and repo.is_ancestor(head, tip)


def _landed_by(rig: Rig, repo: Repo, metadata: Record) -> str | None:
    target, head, commit = metadata.get("target"), metadata.get("head"), metadata.get("landed_as")
    tip = repo.resolve(requests.landed_ref(str(target)))
    if tip is None or not isinstance(head, str) or repo.resolve(head) is None:
        return None
    if isinstance(commit, str) and repo.resolve(commit) is not None and repo.is_ancestor(commit, tip):
        return commit
    base = metadata.get("base")
    return tip if contained(rig.repo, base if isinstance(base, str) else None, head, tip) else None
