"""Reading other projects' ledgers in their clones on disk, and, only when a person asks, fetching into them.

A bead counts as the later of two states: the clone's own ledger, and what the clone last fetched (the branch `beads`, else the branch
that the remote calls its default). Nothing is written into a clone but what a fetch writes.
"""

from __future__ import annotations

import os
from typing import Any

from gastown_hooks.core import clock, fsio, jsons, lock
from gastown_hooks.core.errors import GastownError, LockTimeout, StorageFailed
from gastown_hooks.core.paths import BEADS, TRACKED_LEDGER, Beads, follow_redirect
from gastown_hooks.rules import foreign
from gastown_hooks.stores import archive, external, git, lines, pairs
from gastown_hooks.stores.gitdir import common_dir

Record = dict[str, Any]
Entry = dict[str, Any]
_REMOTE = "refs/remotes/origin"
_LEDGER_BRANCH = "beads"


def look_again(there: Beads, folders: dict[str, str], names: dict[str, list[str]], fetched: dict[str, str] | None = None) -> dict[str, Any]:
    """Read these projects' clones, remember what was found of `names` (and of what was asked before), and give all that is known.

    `fetched`: after a fetch, why it failed, or "". What is known of a project that could not be fetched counts for nothing until its
    clone changes.
    """
    try:
        fsio.make_folder(os.path.dirname(there.external_lock))
        with lock.acquire(there.external_lock):
            entries = _read(there, folders, names, fetched)
            fsio.write(there.external, jsons.dumps(entries).encode() + b"\n", durable=False)
            return entries
    except (StorageFailed, LockTimeout):
        return _read(there, folders, names, fetched)  # not remembered, and right


def _read(there: Beads, folders: dict[str, str], names: dict[str, list[str]], fetched: dict[str, str] | None) -> dict[str, Any]:
    entries = external.read(there)
    for project, folder in folders.items():
        before = entries.get(project)
        same = external.unchanged(before, folder)
        asked = dict.fromkeys([*(before["beads"] if before and same else ()), *names.get(project, ())])
        offline = (before["offline"] if before and same else "") if fetched is None else fetched.get(project, "")
        entries[project] = {**_entry(there, folder, list(asked)), "offline": offline}
    return entries


def place(there: Beads, folder: str) -> str:
    """The clone's folder; what is written in the settings is relative to the folder that holds `.beads`."""
    return os.path.normpath(os.path.join(os.path.dirname(there.root), os.path.expanduser(folder)))


def _entry(there: Beads, folder: str, names: list[str]) -> Entry:
    top = place(there, folder)
    entry: Entry = {"folder": folder, "at": clock.stamp(clock.now()), "why": "", "beads": dict.fromkeys(names), "origin": "",
                    "watched": _signatures([top, Beads(f"{top}/{BEADS}").redirect])}
    try:
        own = follow_redirect(Beads(f"{top}/{BEADS}"))
        # Before anything is read: a change in between must show.
        entry["watched"] = _signatures([Beads(f"{top}/{BEADS}").redirect, own.issues, own.journal, *(_ref_files(top) or [top])])
        if common_dir(top) is not None:
            entry["origin"] = git.run(top, "config", "--get", "remote.origin.url", check=False).line
        beads = _together(_ledger(own), _fetched(top))
    except (GastownError, OSError, ValueError) as error:
        entry["why"] = f"{folder} is unreadable: {getattr(error, 'what', error)}"
        return entry
    if beads is None:
        entry["why"] = f"there is no ledger in {folder}"
    else:
        entry["beads"] = {name: foreign.found(beads, name) for name in names}
    return entry


def _signatures(paths: list[str]) -> dict[str, list[int] | None]:
    return {path: external.signature(path) for path in paths}


def _together(one: dict[str, Record] | None, other: dict[str, Record] | None) -> dict[str, Record] | None:
    if one is None or other is None:
        return one if other is None else other
    return {**other, **{name: foreign.newer(bead, other[name]) if name in other else bead for name, bead in one.items()}}


def _ledger(beads: Beads) -> dict[str, Record] | None:
    """The beads of the clone's own ledger; None where it has none. Raises ValueError when it keeps changing."""
    for _ in range(3):
        pair = pairs.Pair.open(beads, journal=True)
        if pair is None:
            return None
        found = pair.records()
        if pair.matches() and pair.steady():
            return found
    raise ValueError("its ledger is being changed")


def _fetched(top: str) -> dict[str, Record] | None:
    """The beads as the clone last fetched them; None where it has no remote, or no ledger came."""
    if common_dir(top) is None:
        return None
    for ref in (f"{_REMOTE}/{_LEDGER_BRANCH}", f"{_REMOTE}/{_branch(top)}"):
        blob = git.run(top, "cat-file", "blob", f"{ref}:{TRACKED_LEDGER}", check=False)
        if blob.code == 0:
            beads = lines.parse(blob.out.encode("utf-8", "surrogateescape")).beads
            for text in archive.committed(top, ref).values():
                beads = {**lines.parse(text).beads, **beads}
            return beads
    return None


def _branch(top: str) -> str:
    """The branch that the remote calls its default, as far as the clone knows; else the one that is checked out."""
    for name in (f"{_REMOTE}/HEAD", "HEAD"):
        found = git.run(top, "symbolic-ref", "--quiet", name, check=False).line
        if found:
            return found.removeprefix(f"{_REMOTE}/").removeprefix("refs/heads/")
    return "main"


def _ref_files(top: str) -> list[str]:
    """The files of which one changes when what was fetched does."""
    common = common_dir(top)
    if common is None:
        return []
    refs = [f"{_REMOTE}/{name}" for name in (_LEDGER_BRANCH, "HEAD", _branch(top))]
    return [f"{common}/{name}" for name in (*refs, "packed-refs", "reftable/tables.list", "config")]


def fetch(there: Beads, folder: str) -> str:
    """Bring what the project's remote has into the clone; which branch, or "" where it has no remote. Raises GitFailed, RemoteAway."""
    top = place(there, folder)
    if common_dir(top) is None or git.run(top, "config", "--get", "remote.origin.url", check=False).code:
        return ""
    branch = _branch(top)
    if git.remote_tip(top, f"refs/heads/{_LEDGER_BRANCH}") is not None:
        branch = _LEDGER_BRANCH
    git.fetch(top, branch)
    return branch


__all__ = ["fetch", "look_again", "place"]
