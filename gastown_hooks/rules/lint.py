"""What a bead's description should have, by its type: headings such as `## Acceptance Criteria`. Pure."""

from __future__ import annotations

from gastown_hooks.rules import ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.record import Record

_CRITERIA = "Acceptance Criteria"
WANTED = {
    "bug": ("Steps to Reproduce", _CRITERIA), "task": (_CRITERIA,), "feature": (_CRITERIA,), "epic": ("Success Criteria",),
    "decision": ("Decision", "Rationale", "Alternatives Considered"), "spike": ("Goal", "Findings")}


_ALL = {kind: [f"## {heading}" for heading in wanted] for kind, wanted in WANTED.items()}


def missing(record: Record) -> list[str]:
    """The headings that its texts lack; the field for acceptance criteria stands for theirs."""
    wanted, text = _ALL.get(ready.kind(record), []), record.get("description") or ""
    there = {line.lstrip("#").strip().lower() for line in text.split("\n") if line.startswith("#")} if "#" in text else set()
    if record.get("acceptance_criteria"):
        there |= {_CRITERIA.lower(), "success criteria"}
    return [heading for heading in wanted if heading[3:].lower() not in there] if there else wanted
