"""Landed means landed (I4): what git proves about a bead's work.

The truth is `refs/gt/landed/<target>`: the tip that the refinery landed or adopted last, which where there is a remote is in the
remote's target branch. A target branch that somebody moved behind the refinery's back proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import requests
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work.containment import contained

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
    for other in known.requests_of(known.beads(Ledger(rig.beads)), record["id"]) if fence >= 1 else ():
        found = _landed_by(repo, other["metadata"]) if other["metadata"].get("fence") == fence else None
        if found is not None:
            return found
    return None


def _landed_by(repo: Repo, metadata: Record) -> str | None:
    target, head, commit = metadata.get("target"), metadata.get("head"), metadata.get("landed_as")
    tip = repo.resolve(requests.landed_ref(str(target)))
    if tip is None:
        return None
    if isinstance(commit, str) and repo.kind(commit) == "commit" and repo.is_ancestor(commit, tip):
        return commit
    if not isinstance(head, str) or repo.kind(head) != "commit":
        return None
    base = metadata.get("base")
    return tip if contained(repo, base if isinstance(base, str) else None, head, tip) else None
