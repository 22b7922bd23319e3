"""How work went, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.rules import track
from gastown_hooks.work import track as work

_HEADER = ("TASKS", "LANDED", "CLOSED", "RETURNED", "FIRST TRY", "VALIDATED", "HOURS", "TOKENS", "USD")


def found(actor: str, tags: Sequence[str], prefix: str | None) -> list[track.Job]:
    """The jobs that an actor and tags mean."""
    where = _shared.world()
    return track.among(work.jobs(where.shown(prefix), where.caller.town, actor), actor, tags)


def show(actor: str, tags: Sequence[str], group: str, prefix: str | None, as_json: bool) -> None:
    """`bd stats --actor … --tag … --group-by …`: a row a group, and all of them together."""
    jobs = found(actor, tags, prefix)
    rows, whole = track.grouped(jobs, group), track.summary(jobs)
    if as_json:
        common.emit_json({"summary": whole, "groups": rows})
        return
    if not jobs:
        common.say("Nothing was done yet" + (" that fits" if actor or tags else ""))
        return
    lines = [(row[group] or "-", *_cells(row)) for row in rows]
    common.table([*lines, *([("all", *_cells(whole))] if len(rows) > 1 and group != "tag" else [])], (group.upper(), *_HEADER))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    said = row["validations"]
    hours = "-" if row["average_hours"] is None else row["average_hours"]
    return (row["tasks"], row["landed"], row["closed"], row["returned"], f"{100 * row['success_rate']:.0f}%",
            f"{said['passed']} of {sum(said.values())}" if any(said.values()) else "-", hours, row["tokens"] or "-",
            f"{row['cost']:.2f}" if row["cost"] else "-")
