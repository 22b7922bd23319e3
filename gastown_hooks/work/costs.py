"""What turns cost: `<rig>/costs.jsonl`, one line a turn, {key, bead, worker, fence, agent, model, session, tokens, cost, at}.

`key` names the turn's report, so a turn that is told twice counts once. `cost` is in US dollars, null where the program died before it
could tell; `tokens` holds what is known by kind. No file: nothing was spent.
"""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import clock, fsio, jsons, lock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.paths import Rig
from gastown_hooks.rules.reports import Report
from gastown_hooks.stores import config, events
from gastown_hooks.work.lease import Lease


def add(rig: Rig, lease: Lease, report: Report, now: int) -> None:
    """Record a turn's usage, once, and tell it as the event `usage`. A report of nothing used is nothing to record."""
    if not report.cost and not any(report.tokens.values()):
        return
    entry = {"key": report.key, "bead": lease.bead, "worker": lease.actor, "fence": lease.fence, "agent": lease.agent,
             "model": report.model, "session": report.session, "tokens": report.tokens, "cost": report.cost, "at": clock.stamp(now)}
    with lock.acquire(rig.lock("costs")):
        # Not by `read`: a line that somebody spoilt stops no worker but one that has a budget.
        if b'{"key":%s,' % jsons.dumps_ascii(report.key).encode() in (fsio.read(rig.costs) or b""):
            return
        fsio.append(rig.costs, jsons.dumps_ascii(entry).encode() + b"\n")
    events.emit(rig.town, "usage", lease.actor, {"bead": lease.bead, "tokens": report.tokens, "cost": report.cost}, now)


def read(rig: Rig) -> list[dict[str, Any]]:
    """Every recorded turn, oldest first. Raises Corrupt naming the line that does not parse."""
    found = []
    for number, line in enumerate(fsio.whole_lines(fsio.read(rig.costs) or b""), 1):
        try:
            entry = jsons.loads(line.decode())
            found.append({**entry, "key": str(entry["key"]), "bead": str(entry["bead"]), "cost": _number(entry["cost"])})
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{rig.costs} line {number}", why=str(error), next=f"sed -n {number}p {rig.costs}") from None
    return found


def spent(rig: Rig, bead: str) -> float:
    """What the bead's turns cost so far, under whatever claim."""
    return sum(entry["cost"] or 0.0 for entry in read(rig) if entry["bead"] == bead)


def left(rig: Rig, bead: str) -> float | None:
    """What the bead may still cost; None where the rig sets no budget."""
    budget = float(config.rig_settings(rig).budget_usd)
    return budget - spent(rig, bead) if budget else None


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no cost")
    return float(value)
