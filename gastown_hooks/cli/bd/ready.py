"""`bd ready`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.rules import graph, ready


@click.command(short_help="Show the work that may begin now.")
@_shared.filter_options
@click.option("--explain", is_flag=True, help="Also show what is not ready, and why.")
@common.json_option
def cli(limit: int, prefix: str | None, explain: bool, as_json: bool, **filters: Any) -> None:
    """Show open beads that nothing holds back, the most urgent first. From the town's top folder: those of all rigs.

    \b
    Examples:
      bd ready
      bd ready -p 0 --unassigned
      bd ready --parent gp-abc12
      bd ready --explain
    """
    now = clock.now()
    where = _shared.world()
    own = _shared.everything(where.shown(prefix))
    known = where.around(own)
    every = [record for record in ready.ready(known, now) if record["id"] in own]
    found = _shared.limited(_shared.selected(where, every, **filters), limit)
    held = _shared.selected(where, [r for r, _ in ready.blocked(known, now) if r["id"] in own], **filters) if explain else []
    if as_json:
        common.emit_json(_explained(found, held, known, now) if explain else _shared.counted(found, known))
        return
    _words.say_ready(found, any(ready.status(record) == "open" and ready.unfit(record, now) is None for record in own.values()))
    if explain:
        common.say(f"\nNot ready ({len(held)}):")
        for record in held:
            common.say(_shared.line(record))
            for reason in ready.blockers(known, record["id"], now):
                common.say(f"    {common.cleaned(reason.text)}")


def _explained(found: list[dict[str, Any]], held: list[dict[str, Any]], known: dict[str, dict[str, Any]], now: int) -> dict[str, Any]:
    blocked = []
    for record in held:
        reasons = ready.blockers(known, record["id"], now)
        by = [_shared.stub(bead_id, known) for bead_id in dict.fromkeys(reason.bead for reason in reasons if reason.bead)]
        blocked.append({**record, "blocked_by": [{key: bead.get(key) for key in ("id", "title", "status", "priority")} for bead in by],
                        "blocked_by_count": len(by), "reasons": [{"rule": r.rule, "text": r.text} for r in reasons]})
    circles = graph.cycles(known)
    return {"ready": [{**record, "reason": "open, nothing holds it"} for record in _shared.counted(found, known)],
            "blocked": blocked, "cycles": circles,
            "summary": {"total_ready": len(found), "total_blocked": len(held), "cycle_count": len(circles)}}
