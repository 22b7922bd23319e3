"""A bead in words and as JSON, as the bd commands show it. Imported at every hot command: lean."""

from __future__ import annotations

from gastown_hooks.cli.plain import brief as brief
from gastown_hooks.cli.plain import cleaned, emit_json, remark, say
from gastown_hooks.core import record as records
from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import graph, ready, states
else:
    graph, states = late("gastown_hooks.rules.graph"), late("gastown_hooks.rules.states")

ICONS = {"open": "○", "in_progress": "◐", "blocked": "●", "closed": "✓", "deferred": "❄", "pinned": "📌", "hooked": "◇"}
_LINES = (("Assignee", "assignee"), ("Created", "created_at"), ("Created by", "created_by"), ("Updated", "updated_at"),
          ("Started", "started_at"), ("Closed", "closed_at"), ("Close reason", "close_reason"), ("Due", "due_at"),
          ("Deferred until", "defer_until"), ("Estimate", "estimated_minutes"), ("External", "external_ref"), ("Claim", "claim_fence"),
          ("As of", "as_of"))
_TEXTS = (("Description", "description"), ("Design", "design"), ("Acceptance Criteria", "acceptance_criteria"), ("Notes", "notes"),
          ("Run", "run"))


def line(record: Record) -> str:
    """`○ gp-abc12 [P2] [task] @who [labels] - Title`"""
    status = records.status(record)
    parts = [ICONS.get(status, "?"), record["id"], f"[P{records.priority(record)}]", f"[{records.kind(record)}]"]
    if record.get("assignee"):
        parts.append(f"@{record['assignee']}")
    if record.get("labels"):
        parts.append(f"[{' '.join(map(str, record['labels']))}]")
    return cleaned(" ".join(parts) + f" - {record.get('title', '')}")


def counted(records: Iterable[Record], known: Mapping[str, Record]) -> list[Record]:
    """The records as listings give them in JSON: with counts and the parent."""
    above = graph.dependents(known)
    return [with_counts(record, above) for record in records]


def with_counts(record: Record, above: Mapping[str, list[tuple[str, str]]]) -> Record:
    edges = _edges(record)
    parents = [edge.target for edge in edges if edge.kind == graph.PARENT]
    return {**record, "dependency_count": len(edges), "dependent_count": len(above.get(record["id"], ())),
            "comment_count": len(record.get("comments") or ()), **({"parent": parents[0]} if parents else {})}


def _edges(record: Record) -> list[graph.Edge]:
    return list(graph.edges(record)) if record.get("dependencies") else []  # most have none: nothing to import


def stub(bead_id: str, known: Mapping[str, Record]) -> Record:
    """The bead, or what is known of one that is elsewhere."""
    return known.get(bead_id) or {"id": bead_id, "title": "(not known here)", "status": "unknown", "priority": 2}


def page(record: Record, known: Mapping[str, Record], above: Mapping[str, list[tuple[str, str]]]) -> Record:
    """The record as `show --json` gives it."""
    bead_id = record["id"]
    found = {**with_counts(record, above), "labels": record.get("labels") or [], "comments": record.get("comments") or [],
            "dependencies": [{**stub(edge.target, known), "dependency_type": edge.kind} for edge in _edges(record)],
            "dependents": [{**stub(other, known), "dependency_type": kind} for other, kind in above.get(bead_id, ())]}
    if records.kind(record) == "epic":
        below = [known[child] for child, kind in above.get(bead_id, ()) if kind == graph.PARENT]
        closed = sum(records.status(child) in ("closed", states.TOMBSTONE) for child in below)
        found |= {"epic_total_children": len(below), "epic_closed_children": closed, "epic_closeable": closed == len(below)}
    return found


def say_page(page: Record, first: bool) -> None:
    if not first:
        say("\n" + "─" * 60)
    say(f"{ICONS.get(records.status(page), '?')} {page['id']}: {cleaned(page.get('title', ''))}")
    say(f"Status: {records.status(page)}\nPriority: P{records.priority(page)}\nType: {records.kind(page)}")
    for name, key in _LINES:
        if page.get(key):
            say(f"{name}: {cleaned(str(page[key]))}")
    if page["labels"]:
        say(f"Labels: {cleaned(' '.join(map(str, page['labels'])))}")
    for name, key in _TEXTS:
        if page.get(key):
            say(f"\n{name}:\n{page[key]}")
    _say_beads("Depends on", "→", page["dependencies"])
    _say_beads("Needed by", "←", page["dependents"])
    if page["comments"]:
        say(f"\nComments ({len(page['comments'])}):")
        for comment in page["comments"]:
            say(f"  [{cleaned(str(comment.get('created_at', '')))}] {cleaned(str(comment.get('author', '')))}: "
                       f"{comment.get('text', '')}")


def _say_beads(title: str, arrow: str, beads: list[Record]) -> None:
    if beads:
        say(f"\n{title} ({len(beads)}):")
        for bead in beads:
            say(f"  {arrow} {brief(bead)} ({cleaned(bead['dependency_type'])})")


def say_blocked(found: list[tuple[Record, list[ready.Reason]]], count: int, limit: int, as_json: bool) -> None:
    """The first of `count` blocked beads, each with its reasons, as JSON or in words."""
    by = {record["id"]: list(dict.fromkeys(reason.bead for reason in reasons if reason.bead)) for record, reasons in found}
    if as_json:
        emit_json([{**record, "blocked_by_count": len(by[record["id"]]), "blocked_by": by[record["id"]]} for record, _ in found], count)
        return
    if count > len(found):
        remark(f"bd: {limit} of {count} shown; -n 0 shows all")
    if not found:
        say("✨ No blocked issues")
        return
    say(f"🚫 Blocked issues ({len(found)}):\n")
    for record, reasons in found:
        say(f"[P{records.priority(record)}] {record['id']}: {cleaned(record.get('title', ''))}")
        say(f"  Blocked by {len(by[record['id']])} open dependencies: [{' '.join(map(cleaned, by[record['id']]))}]")
        for reason in reasons:
            if reason.rule == "unknown":
                say(f"    {cleaned(reason.text)}")


def say_ready(found: list[Record], some_open: bool) -> None:
    if not found:
        why = "No ready work found (all issues have blocking dependencies or are filtered out)" if some_open else "No open issues"
        say(f"✨ {why}")
        return
    lines = [f"📋 Ready work ({len(found)} issues with no blockers):\n"]
    for number, record in enumerate(found, 1):
        title = cleaned(record.get("title", ""))
        lines.append(f"{number}. [P{records.priority(record)}] [{records.kind(record)}] {record['id']}: {title}")
        if record.get("estimated_minutes"):
            lines.append(f"   Estimate: {record['estimated_minutes']} min")
        if record.get("assignee"):
            lines.append(f"   Assignee: {cleaned(record['assignee'])}")
    say("\n".join(lines))
