"""A plan's beads (rules/plan) made in one transaction: all or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gastown_hooks.core.errors import Refused
from gastown_hooks.core.ids import shown
from gastown_hooks.core.record import touched
from gastown_hooks.rules import graph
from gastown_hooks.rules.plan import End, Plan
from gastown_hooks.stores.known import Together
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.beadwrite import Draft, check_edge, commit, edge, existing, round_of
from gastown_hooks.work.verbs import put_new
from gastown_hooks.work.world import World

Record = dict[str, Any]


def make(where: World, ledger: Ledger, plan: Plan, now: int, *, dry_run: bool = False) -> dict[str, Record]:
    """Key to the bead made, in the plan's order. Ids in the plan are whole ids. Raises NotFound, Refused (a cycle)."""
    around = where.beyond(ledger)
    ids: dict[str, str] = {}

    def fill(draft: Draft) -> None:
        ids.clear()
        for node in plan.nodes:
            above = _id(ids, node.parent) if node.parent else None
            links = [(graph.PARENT, above)] if above else []
            refs = {field: ids.get(key, "") for field, key in node.refs.items()}
            given = {"priority": 2, "issue_type": "task", **node.values}
            if refs:
                given["metadata"] = {**given.get("metadata", {}), **refs}
            ids[node.key] = put_new(draft, ledger, where.caller, now, given, parent=above, edges=links, circles=False)["id"]
        for node in plan.nodes:
            late = {field: ids[key] for field, key in node.refs.items()}
            if late:
                record = draft.changed[ids[node.key]]
                draft.put({**record, "metadata": {**record["metadata"], **late}})
        edges: dict[str, list[tuple[str, str]]] = {}
        for start, end, kind in plan.edges:
            edges.setdefault(_id(ids, start), []).append((kind, _id(ids, end)))
        for child, wanted in edges.items():
            _link(where, draft, around, child, wanted, now)
        new = [(bead_id, one.target, one.kind) for bead_id in ids.values() for one in graph.edges(draft.changed[bead_id])]
        new += [(child, target, kind) for child, wanted in edges.items() for kind, target in wanted]
        circle = graph.circle_of(Together([draft.linked(), around]), new)
        if circle is not None:
            keys = {bead_id: shown(key) for key, bead_id in ids.items()}  # nobody has seen the ids
            raise Refused("the plan makes a cycle", why=round_of([keys.get(one, one) for one in circle]), next="mend the plan's edges")

    draft = commit(ledger, fill, dry_run, linked=True)
    return {key: draft.changed[bead_id] for key, bead_id in ids.items()}


def _id(ids: Mapping[str, str], end: End) -> str:
    return ids[end.name] if end.is_key else end.name


def _link(where: World, draft: Draft, around: Mapping[str, Record], child: str, wanted: list[tuple[str, str]], now: int) -> None:
    record = existing(draft, child)
    there = {(found.kind, found.target) for found in graph.edges(record)}
    new = [one for one in dict.fromkeys(wanted) if one not in there]
    for kind, target in new:
        two = {name: found for name in (child, target) if (found := draft.get(name) or around.get(name))}
        check_edge(two, child, kind, target, circles=False)
    more = [edge(child, kind, target, where.caller, now) for kind, target in new]
    draft.put(touched(record, {"dependencies": [*(record.get("dependencies") or []), *more]} if more else {}, where.caller.actor, now))
