"""Whether many workers can do an epic at once, and in which waves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gastown_hooks.rules import fields, graph, ready, steps

Record = dict[str, Any]


def validated(records: Mapping[str, Record], epic: str) -> dict[str, Any]:
    """{epic_id,epic_title,total_issues,closed_issues,ready_fronts:[{wave,issues}],max_parallelism,estimated_sessions,warnings,errors,
    swarmable,issues}; a session a bead that is not closed."""
    names = graph.descendants(records, epic)
    left = [name for name in names if ready.status(records[name]) not in ("closed", "tombstone")]
    inside, errors, warnings = {epic, *names}, list[str](), list[str]()
    for name in left:
        for edge in graph.edges(records[name]):
            if edge.kind not in graph.BLOCKING or edge.target in inside:
                continue
            if edge.target not in records and not fields.is_foreign(edge.target):
                errors.append(f"{name} waits for {edge.target}, which is not there")
            elif ready.status(records.get(edge.target, {})) not in ("closed", "tombstone"):
                word = "of another project" if fields.is_foreign(edge.target) else "not part of it"
                warnings.append(f"{name} waits for {edge.target}, which is {word}")
    errors += [f"a cycle: {' -> '.join([*circle, circle[0]])}" for circle in graph.cycles(records, inside) if inside & set(circle)]
    errors += [] if names else ["it has no children"]
    work = [name for name in left if ready.kind(records[name]) != "epic"]
    fronts = steps.waves(records, work)
    return {"epic_id": epic, "epic_title": records[epic].get("title", ""), "total_issues": len(names),
            "closed_issues": len(names) - len(left), "ready_fronts": [{"wave": n, "issues": wave} for n, wave in enumerate(fronts, 1)],
            "max_parallelism": max(map(len, fronts), default=0), "estimated_sessions": len(work), "warnings": warnings, "errors": errors,
            "swarmable": not errors, "issues": {name: records[name] for name in names}}
