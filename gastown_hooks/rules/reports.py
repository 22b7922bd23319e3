"""What an agent program reported at the end of a turn, and what that makes of the turn."""

from __future__ import annotations

from typing import Any

from gastown_hooks.core.values import dataclass, field, replace
from gastown_hooks.rules import turns
from gastown_hooks.rules.turns import Record

FIRST_WAIT, LONGEST_WAIT = 60, 3600
TOO_MANY, OVERLOADED = 429, 529
_ACCOUNT = (401, 402, 403)


@dataclass(frozen=True, slots=True)
class Report:
    """`key` names the report for ever. `status` is the HTTP status of the model's server when the turn failed on it (0: it never answered),
    None otherwise; `resets_at` when its limit ends (seconds since the epoch, 0: not told); `refused` names the tools that the permission
    mode denied; `cost` is in US dollars, None where the program died before it could tell; `model` is the one that wrote most of it."""

    key: str
    session: str = ""
    text: str = ""
    failed: bool = False
    status: int | None = None
    resets_at: int = 0
    over_budget: bool = False
    lost_session: bool = False
    refused: tuple[str, ...] = ()
    cost: float | None = None
    tokens: dict[str, int] = field(default_factory=dict)
    model: str = ""


def judged(record: Record, report: Report, now: int) -> Record:
    """The record with the turn's end named by what was reported; `now` in seconds. A turn that a limit, an outage or a lost session
    ended says nothing about the worker."""
    if report.lost_session:
        return replace(record, ended=turns.CUT)
    if report.over_budget:
        return replace(record, ended=turns.BUDGET, why=report.text)
    if report.failed and report.status is not None:
        if report.status in _ACCOUNT:
            return replace(record, ended=turns.ACCOUNT, why=report.text)
        if report.status in (0, TOO_MANY) or report.status >= 500:
            return replace(record, ended=turns.LIMITED, why=report.text, limited=record.limited + 1, until=_until(record, report, now))
    return replace(record, limited=0, until=0, refused=list(report.refused))


def _until(record: Record, report: Report, now: int) -> int:
    """When the next try is due: when the limit ends, or after a wait that doubles."""
    if record.until > now:
        return record.until  # judged already
    if report.resets_at > now or (report.resets_at and not record.limited):
        return max(report.resets_at, now)  # over already: once at once, then with waits
    return now + min(LONGEST_WAIT, FIRST_WAIT << min(record.limited, 10))


def summed(entries: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Recorded turns summed by `bead`, `agent` or `model`: {key, turns, tokens, cost, unknown}; `unknown`: turns without a cost."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = str(entry.get(key) or "")
        row = found.setdefault(name, {key: name, "turns": 0, "tokens": {}, "cost": 0.0, "unknown": 0})
        row["turns"] += 1
        row["cost"] += entry["cost"] or 0.0
        row["unknown"] += entry["cost"] is None
        for kind, count in (entry.get("tokens") or {}).items():
            row["tokens"][kind] = row["tokens"].get(kind, 0) + count
    return list(found.values())
