"""What git knows about beads: the versions of one, a ledger as it was, and the open ones that commits name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gastown_hooks.core import clock, record
from gastown_hooks.core.errors import NotFound, Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import TRACKED_ARCHIVE, TRACKED_LEDGER, Wisps
from gastown_hooks.rules import versions
from gastown_hooks.stores import git
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import ledger_git
from gastown_hooks.work.world import World

Record = dict[str, Any]
_FORMAT = "--format=%x00%H%x00%ct%x00%an%x00%s"


def of_bead(where: World, ledger: Ledger, bead_id: str) -> list[Record]:
    """The versions of a bead, the newest first: {commit,date,author,message,changes}; `commit` None: not committed yet."""
    place = _place(where, ledger)
    if place.resolve(place.tip) is None:
        return []
    pattern = f'"id":"{re.escape(bead_id)}"'
    text = git.run(place.repo, "log", "-p", "-U0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", _FORMAT, "-G", pattern,
                   place.tip, "--", TRACKED_LEDGER, TRACKED_ARCHIVE).out
    found: list[Record] = []
    last: Record | None = None
    for part in reversed(re.split(r"\0(?=[0-9a-f]{40}\0)", text)[1:]):
        commit, at, author, rest = part.split("\0", 3)
        message, _, diff = rest.partition("\n")
        before, after = _sides(diff, bead_id)
        changes = versions.changed_fields(before or last or {}, after or {})  # one back from the archive, where a copy stays, is only added
        last = after or last
        if changes:
            found.insert(0, {"commit": commit, "date": clock.stamp(int(at) * clock.SECOND), "author": author, "message": message,
                             "changes": changes})
    now = ledger.get(bead_id) or {}
    committed = _records(place.everything(place.resolve(place.tip))).get(bead_id) or {}
    fresh = versions.changed_fields(committed, now)
    return ([{"commit": None, "date": now.get("updated_at"), "author": now.get("updated_by"), "message": "(not committed yet)",
              "changes": fresh}] if fresh else []) + found


def at(where: World, ledger: Ledger, rev: str) -> dict[str, Record]:
    """The ledger's beads in that commit. Raises NotFound."""
    place = _place(where, ledger)
    commit = place.resolve(rev)
    if commit is None:
        raise NotFound(f"no commit {shown(rev)}", why=f"in {place.repo}", next="git log --oneline")
    return _records(place.everything(commit))


def _place(where: World, ledger: Ledger) -> ledger_git.Place:
    if isinstance(ledger.beads, Wisps):
        raise Refused("a wisp has no history", why="git never sees it", next="bd audit --bead ID")
    return ledger_git.place(ledger, where.caller)


def named_in_log(repo: str, bead_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Bead to (commit, subject) of the newest commit below HEAD whose message names it."""
    wanted = set(bead_ids)
    found: dict[str, tuple[str, str]] = {}
    begun = wanted and git.run(repo, "rev-parse", "--verify", "--quiet", "HEAD", check=False).code == 0
    log = git.run(repo, "log", "--format=%x00%H%x00%B").out if begun else ""
    for part in re.split(r"\0(?=[0-9a-f]{40}\0)", log)[1:]:
        commit, _, message = part.partition("\0")
        for word in re.findall(r"[A-Za-z0-9_][\w.-]*[A-Za-z0-9_]", message):
            if word in wanted:
                found.setdefault(word, (commit, message.strip().split("\n")[0]))
    return found


def _sides(diff: str, bead_id: str) -> tuple[Record | None, Record | None]:
    sides: dict[str, Record] = {}
    for line in diff.split("\n"):
        if line[:2] in ("-{", "+{") and f'"id":"{bead_id}"' in line:
            found = _record(line[1:].encode("utf-8", "surrogateescape"))
            sides |= {line[0]: found} if found and found["id"] == bead_id else {}
    return sides.get("-"), sides.get("+")


def _records(text: bytes) -> dict[str, Record]:
    return {found["id"]: found for line in text.split(b"\n") if line.strip() and (found := _record(line))}


def _record(line: bytes) -> Record | None:
    try:
        return record.decode(line)
    except ValueError:
        return None  # no bead: `bd doctor` tells of it
