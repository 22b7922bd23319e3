"""The proof that the target was never red: every landing's commit has a green gate record for exactly its tree. Git alone is asked.

Where landing is "linear", a landing of several requests is a chain of commits, and its last one is the tested tree.
"""

from __future__ import annotations

import json
from typing import Any

from gastown_hooks.core.errors import NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import asdict, dataclass, field
from gastown_hooks.rules import requests
from gastown_hooks.stores import config, git
from gastown_hooks.work import gate
from gastown_hooks.work.desk import landed_by_us


@dataclass(slots=True)
class Proof:
    """First-parent commits of `span`: `proven` landings, those `within` a linear landing (and which one: only its last commit is a
    tested tree), landings without their record, and what came past the queue."""

    span: str
    proven: list[str] = field(default_factory=list)
    within: list[tuple[str, str]] = field(default_factory=list)
    unproven: list[tuple[str, str]] = field(default_factory=list)
    foreign: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(rig: Rig, span: str | None = None) -> Proof:
    """Of a range of the target's commits, by default from what the queue began with to what landed last. Raises NotFound."""
    span = span or _whole(rig)
    notes = f"refs/notes/{gate.NOTES}"
    found, ours = Proof(span), landed_by_us(rig)
    listed = git.run(rig.repo, "log", "--first-parent", f"--notes={notes}", "--format=%H%x00%T%x00%N%x01", "--end-of-options", span,
                     check=False)
    if listed.code:
        raise NotFound(f"git knows no range of commits {shown(span)}", next=f"gt mq prove {rig.name}")
    for entry in listed.out.split("\x01"):
        if not entry.strip():
            continue
        commit, tree, note = entry.lstrip("\n").split("\0", 2)
        why = _missing(note.strip(), tree)
        if commit not in ours:
            found.foreign.append((commit, why or "passed the gates"))
        elif ours[commit] != commit:
            found.within.append((commit, ours[commit]))
        elif why:
            found.unproven.append((commit, why))
        else:
            found.proven.append(commit)
    return found


def _missing(text: str, tree: str) -> str:
    """What is wrong with a gate record; "" for a pass of this tree."""
    try:
        note = json.loads(text) if text else None
    except ValueError:
        return "its gate record cannot be read"
    if not isinstance(note, dict):
        return "no gate record"
    if note.get("tree") != tree:
        return f"its gate record is for tree {shown(str(note.get('tree')))}"
    return "" if note.get("verdict") == gate.PASS else f"its gate record says {shown(str(note.get('verdict')))}"


def _whole(rig: Rig) -> str:
    """From the first commit that `refs/gt/landed/<target>` was at, by its log."""
    ref = requests.landed_ref(config.rig_config(rig).target)
    log = git.run(rig.repo, "log", "--walk-reflogs", "--format=%H", "--end-of-options", ref, check=False)
    if log.code or not log.out.split():
        raise NotFound(f"nothing landed in {rig.name} yet", next=f"gt mq list {rig.name}")
    return f"{log.out.split()[-1]}..{ref}"
