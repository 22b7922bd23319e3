"""Lines after a pattern with fields in braces, as `bd list --format '{{.ID}} {{.Title}}'` takes it. Pure.

`{{.Field}}` and nothing else of the language that other programs have behind such braces. A pattern that names an end of a dependency
(`{{.IssueID}} {{.DependsOnID}}`) is filled once for each dependency between the beads, any other once for each bead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import filters, graph, ready

Record = dict[str, Any]
DIGRAPH = "{{.IssueID}} {{.DependsOnID}}"
FIELDS = {"ID": "id", "Title": "title", "Description": "description", "Design": "design", "AcceptanceCriteria": "acceptance_criteria",
          "Notes": "notes", "Status": "status", "Priority": "priority", "IssueType": "issue_type", "Assignee": "assignee", "Owner": "owner",
          "EstimatedMinutes": "estimated_minutes", "CreatedAt": "created_at", "CreatedBy": "created_by", "UpdatedAt": "updated_at",
          "StartedAt": "started_at", "ClosedAt": "closed_at", "CloseReason": "close_reason", "DueAt": "due_at", "DeferUntil": "defer_until",
          "ExternalRef": "external_ref", "SpecID": "spec_id", "Labels": "labels"}
ENDS = ("IssueID", "DependsOnID", "Type")
_PART = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"\s*\.(\w+)\s*")


def lines(pattern: str, records: Iterable[Record]) -> list[str]:
    """The filled lines. Raises BadInput for a field that there is not."""
    names = [_name(found[1]) for found in _PART.finditer(pattern)]
    if not names:
        raise BadInput(f"{shown(pattern)} is no format", why="dot, mermaid, digraph, or a text with {{.Field}}s",
                       next="bd list --format '{{.ID}} {{.Title}}'")
    beads = {record["id"]: record for record in records}
    if not set(names) & set(ENDS):
        return [_filled(pattern, bead, {}) for bead in beads.values()]
    return [_filled(pattern, bead, {"IssueID": bead["id"], "DependsOnID": edge.target, "Type": edge.kind})
            for bead in beads.values() for edge in graph.edges(bead) if edge.target in beads]


def _name(text: str) -> str:
    found = _NAME.fullmatch(text)
    if found is None or found[1] not in (*FIELDS, *ENDS):
        raise BadInput(f"{{{{{shown(text)}}}}} is no field", why=f"known: {', '.join('.' + name for name in (*ENDS, *FIELDS))}")
    return found[1]


def _filled(pattern: str, bead: Record, ends: dict[str, str]) -> str:
    values = {**{name: bead.get(key) for name, key in FIELDS.items()}, "Status": ready.status(bead), "Priority": ready.priority(bead),
              "IssueType": ready.kind(bead), "Labels": " ".join(filters.labels(bead)), **ends}
    return _PART.sub(lambda found: "" if (value := values[_name(found[1])]) is None else str(value), pattern)
