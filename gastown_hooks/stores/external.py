"""What other projects' beads are, as far as it is known here. Hot: the usual look is one file read and a few `stat`.

`local/external.json` holds what `stores/clones` found in the configured clones, and the files there whose change makes it stale. So a
clone that was pulled counts at once and an unreadable one not at all, and nobody waits for a network: `bd external refresh` alone asks
one. In a town the town's own ledger configures the projects of all rigs.
"""

from __future__ import annotations

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadInput, Corrupt
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Beads, find_town
from gastown_hooks.core.system import os
from gastown_hooks.rules import foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import clones, config
else:
    clones, config = late("gastown_hooks.stores.clones"), late("gastown_hooks.stores.config")

_KEYS = {"at", "beads", "folder", "offline", "origin", "watched", "why"}


def home(beads: Beads) -> Beads:
    """The ledger that configures the projects of this one."""
    town = find_town(os.path.dirname(beads.root))
    return town.beads if town else beads


def look(beads: Beads, references: Iterable[str]) -> dict[str, Record]:
    """A record for each reference, by its text; see `rules/foreign`."""
    wanted = {reference: _parsed(reference) for reference in references}
    if not wanted:
        return {}
    there = home(beads)
    known, entries = projects(there), read(there)
    if any("/" in project and project not in known for project, _ in wanted.values()):
        entries = _current(there, known, entries, {project: [] for project in known})
        wanted = {reference: (_by_origin(project, known, entries), name) for reference, (project, name) in wanted.items()}
    names: dict[str, list[str]] = {}
    for project, name in wanted.values():
        if project in known:
            names.setdefault(project, []).append(name)
    entries = _current(there, known, entries, names)
    return {reference: _record(reference, *what, known, entries) for reference, what in wanted.items()}


def _current(there: Beads, known: dict[str, str], entries: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """The entries, with what the clones of these projects say now of these beads."""
    stale = {project: items for project, items in names.items() if not _fresh(entries.get(project), known[project], items)}
    return clones.look_again(there, {project: known[project] for project in stale}, stale) if stale else entries


def _by_origin(project: str, known: dict[str, str], entries: dict[str, Any]) -> str:
    """The configured project whose clone came from HOST/ORG/REPO, where that is no name of its own; else the name itself."""
    if project in known or "/" not in project:
        return project
    return next((name for name in known if foreign.is_origin(entries[name]["origin"], project)), project)


def projects(there: Beads) -> dict[str, str]:
    """The configured clones: name to folder, as written."""
    found: dict[str, str] = config.ledger_settings(there).external_projects
    return found


def read(there: Beads) -> dict[str, Any]:
    """The file, by project, without what is damaged: that is made anew."""
    try:
        found = fsio.read_json(there.external)
    except Corrupt:
        return {}
    if not isinstance(found, dict):
        return {}
    return {project: entry for project, entry in found.items() if isinstance(entry, dict) and entry.keys() >= _KEYS
            and isinstance(entry["beads"], dict) and isinstance(entry["watched"], dict)}


def signature(path: str) -> list[int] | None:
    """Changes whenever the file does; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_ctime_ns, status.st_ino]  # ctime: also what becomes readable changes


def unchanged(entry: Any, folder: str) -> bool:
    """Whether the clone is what it was when this was found."""
    return entry is not None and entry["folder"] == folder and all(signature(path) == seen for path, seen in entry["watched"].items())


def _fresh(entry: Any, folder: str, names: list[str]) -> bool:
    return unchanged(entry, folder) and all(name in entry["beads"] for name in names)


def _parsed(reference: str) -> tuple[str, str]:
    try:
        return foreign.parsed(reference)
    except BadInput:
        return "", ""


def _record(reference: str, project: str, name: str, known: dict[str, str], entries: dict[str, Any]) -> Record:
    if project not in known:
        why = f"no project {project} is configured" if project else "it names no bead of another project"
        return foreign.unknown(reference, why)
    entry = entries[project]
    bead = entry["beads"].get(name)
    why = entry["offline"] or entry["why"] or ("" if bead else f"{project} has no bead and no capability {name}")
    if why:
        return foreign.unknown(reference, f"{why}; it was {bead['status']} before" if bead else why)
    return {"title": "", **bead, "id": reference, "issue_type": foreign.KIND, "as_of": entry["at"], "note": f"as of {entry['at']}"}


__all__ = ["home", "look", "projects", "read", "signature", "unchanged"]
