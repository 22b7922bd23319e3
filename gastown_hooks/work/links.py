"""Several dependencies at once, and what goes with them: one bead put in another's place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gastown_hooks.core.record import touched
from gastown_hooks.rules import convoys, graph
from gastown_hooks.work import beads, convoy
from gastown_hooks.work.beadwrite import Draft, check_edge, commit, edge, existing
from gastown_hooks.work.world import World

Record = dict[str, Any]
Edge = tuple[str, str, str]  # who depends, on what, how


def add(where: World, edges: Sequence[Edge], now: int, *, dry_run: bool = False) -> None:
    """All or none, each checked with those before it; with several ledgers all are tried before any is written. A closed convoy that
    tracks more is open again."""
    groups: dict[str, list[Edge]] = {}
    for one in edges:
        groups.setdefault(where.of(one[0]).beads.root, []).append(one)
    for dry in ([True] if dry_run else [True, False] if len(groups) > 1 else [False]):
        for group in groups.values():
            _add(where, group, now, dry)


def _add(where: World, edges: list[Edge], now: int, dry_run: bool) -> None:
    around = where.around({}, [target for _, target, _ in edges])

    def fill(draft: Draft) -> None:
        for child, target, kind in edges:
            record = existing(draft, child)
            if any((found.kind, found.target) == (kind, target) for found in graph.edges(record)):
                continue
            check_edge({**around, **draft.all()}, child, kind, target)
            found = [*(record.get("dependencies") or []), edge(child, kind, target, where.caller, now)]
            again = convoy.reopening(record) if kind == convoys.TRACKS else {}
            draft.put(touched(record, {"dependencies": found, **again}, where.caller.actor, now))

    commit(where.of(edges[0][0]), where.caller, now, fill, dry_run)


def replace(where: World, old: str, new: str, kind: str, now: int, *, dry_run: bool = False) -> Record:
    """Close a bead because another stands for it (`kind`: duplicates or supersedes), with the edge that says so."""
    ledger, reason = where.of(old), f"{'Duplicate of' if kind == 'duplicates' else 'Superseded by'} {new}"
    beads.close(ledger, where.caller, now, [old], reason, dry_run=True)  # what speaks against it is told before anything is written
    add(where, [(old, new, kind)], now, dry_run=dry_run)
    return beads.close(ledger, where.caller, now, [old], reason, dry_run=dry_run)[0]
