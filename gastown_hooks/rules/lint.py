"""What a bead's description should have, by its type: headings such as `## Acceptance Criteria`. Pure."""

from __future__ import annotations

from typing import Any

from gastown_hooks.rules import ready

_CRITERIA = "Acceptance Criteria"
WANTED = {
    "bug": ("Steps to Reproduce", _CRITERIA), "task": (_CRITERIA,), "feature": (_CRITERIA,), "epic": ("Success Criteria",),
    "decision": ("Decision", "Rationale", "Alternatives Considered"), "spike": ("Goal", "Findings")}


def missing(record: dict[str, Any]) -> list[str]:
    """The headings that its texts lack; the field for acceptance criteria stands for theirs."""
    there = {line.lstrip("#").strip().lower() for line in str(record.get("description") or "").split("\n") if line.startswith("#")}
    if record.get("acceptance_criteria"):
        there |= {_CRITERIA.lower(), "success criteria"}
    return [f"## {heading}" for heading in WANTED.get(ready.kind(record), ()) if heading.lower() not in there]
