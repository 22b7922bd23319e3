"""Edges that lead nowhere put right: a write in one ledger may have raced with a deletion or a renaming in another."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core.record import noted, touched
from gastown_hooks.rules import graph, states
from gastown_hooks.work.beadwrite import Draft, each
from gastown_hooks.work.world import World

Record = dict[str, Any]


def may_mend(where: World, target: str) -> bool:
    """Whether it is known here that a bead is not there: its ledger is here, and no archive has it."""
    return any(target.startswith(f"{prefix}-") for prefix in where.prefixes()) and not where.of(target).archived([target])


def mend(where: World, bead_id: str, now: int) -> None:
    """The bead's edges to what has another id now lead there; those to what is not there go, and its notes tell of them."""
    def one(draft: Draft, record: Record) -> Record:
        kept: list[Record] = []
        for edge in graph.edges(record):
            target = _end(where, edge.target)
            if target is None and may_mend(where, edge.target):
                record = {**record, "notes": noted(record, f"It depended ({edge.kind}) on {edge.target}, which is not there.")}
            elif target is None or target == edge.target:
                kept.append(edge.raw)
            elif target != bead_id and not any(_is(other, edge.kind, target) for other in graph.edges(record)):
                kept.append({**edge.raw, "depends_on_id": target})
        return touched(draft.get(bead_id) or record, {"dependencies": kept or None, "notes": record.get("notes")}, where.caller.actor, now)

    each(where.of(bead_id), [bead_id], one, dry_run=False)


def _is(edge: graph.Edge, kind: str, target: str) -> bool:
    return edge.kind == kind and edge.target == target


def _end(where: World, target: str) -> str | None:
    """The id under which a bead goes on; None where there is no such bead."""
    seen = set[str]()
    while target not in seen:
        seen.add(target)
        found = where.of(target).get(target) if ":" not in target else {}
        if found is None or not states.renamed(found):
            return target if found is not None else None
        target = states.renamed(found)
    return None
