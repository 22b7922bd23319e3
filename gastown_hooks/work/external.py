"""Beads of other projects: which ours depend on, how they stand, and asking the projects' remotes anew when a person wants to know."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core.errors import BadInput, GastownError
from gastown_hooks.rules import foreign, graph
from gastown_hooks.rules.fields import is_foreign
from gastown_hooks.stores import clones, external, known
from gastown_hooks.work.world import World

Record = dict[str, Any]


def depended_on(where: World) -> dict[str, list[str]]:
    """Each reference to a bead of another project, with the beads that depend on it."""
    found: dict[str, list[str]] = {}
    for ledger in where.shown():
        its = known.known(ledger)
        for target, bead_id in _foreign(ledger.all()) if its is None else its.index.foreign():
            found.setdefault(target, []).append(bead_id)
    return {target: list(dict.fromkeys(found[target])) for target in sorted(found)}


def _foreign(records: dict[str, Record]) -> list[tuple[str, str]]:
    return [(edge.target, name) for name, record in records.items() if record.get("status") != "tombstone"
            for edge in graph.edges(record) if is_foreign(edge.target)]


def states(where: World, references: dict[str, list[str]]) -> list[Record]:
    """How each stands."""
    records = external.look(where.home().beads, references)
    return [{"reference": name, "status": record["status"], "bead": record.get("bead"), "title": record["title"],
             "as_of": record.get("as_of"), "why": record["note"] if record["status"] == foreign.UNKNOWN else "",
             "needed_by": references[name]}
            for name, record in records.items()]


def refresh(where: World, references: dict[str, list[str]], *, dry_run: bool = False) -> list[Record]:
    """Fetch into each configured clone and read it anew: {project, folder, branch, why}; `why` it could not be, its beads being unknown."""
    there = external.home(where.home().beads)
    folders = external.projects(there)
    names: dict[str, list[str]] = {}
    for reference in references:
        try:
            project, name = foreign.parsed(reference)
        except BadInput:
            continue
        names.setdefault(project, []).append(name)
    if dry_run:
        return [{"project": project, "folder": clones.place(there, folder), "branch": "", "why": ""} for project, folder in folders.items()]
    branches, failed = dict.fromkeys(folders, ""), dict.fromkeys(folders, "")
    for project, folder in folders.items():
        try:
            branches[project] = clones.fetch(there, folder)
        except GastownError as error:
            failed[project] = f"{project} could not be fetched: {error.why or error.what}"
    entries = clones.look_again(there, folders, names, failed) if folders else {}
    return [{"project": project, "folder": clones.place(there, folder), "branch": branches[project],
             "why": entries[project]["offline"] or entries[project]["why"]} for project, folder in folders.items()]
