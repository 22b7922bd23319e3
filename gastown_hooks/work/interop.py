"""Beads of other programs come in and go out: `bd import`, `bd export`. A line keeps its bytes where nothing changes its bead.

Every era of the format is read: tombstones, unknown keys, dotted ids, any zone, lines of any length, and the early manifest of
deletions (`{"id","ts","by","reason"}`), whose entries become tombstones. Whatever is there already is merged by the one engine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gastown_hooks.core import clock, ids, record
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.jsons import canonical
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import health, merge3, states
from gastown_hooks.stores import events, quarantine
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.stores.lines import Problem, decoded

Record = dict[str, Any]
_NAMED = 8
_MANY = 200  # beads; above, the whole ledger is read at once
_CLAIM = ("status", "assignee", "claim_fence", "closed_at", "closed_by", "close_reason")


@dataclass(slots=True)
class Incoming:
    """What a file holds: beads with their lines, entries of a deletion manifest, and the lines that are neither."""

    records: dict[str, Record] = field(default_factory=dict)
    lines: dict[str, bytes] = field(default_factory=dict)
    deleted: dict[str, Record] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Imported:
    """What an import did, or would do."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: int = 0
    skipped: int = 0
    conflicts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(data: bytes, foreign: Collection[str] = ()) -> Incoming:
    """Read a whole file. `foreign`: prefixes whose beads are kept in other ledgers; a line of theirs is a problem here."""
    found = Incoming()
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if not line.strip():
            continue
        try:
            bead = record.decode(line)
            if bead.keys() <= {"id", "ts", "by", "reason"}:
                found.deleted[bead["id"]] = {**found.deleted.get(bead["id"], {}), **bead}
                continue
            wrong = health.faults(bead)
            if foreign and ids.prefix_of(bead["id"], set(foreign)):
                wrong.append(f"{ids.shown(bead['id'])} is a bead of another ledger")
            if wrong:
                raise ValueError(", ".join(wrong))
        except ValueError as error:
            found.problems.append(Problem(number, str(error), line))
            continue
        _take(found, number, line, bead)
    return found


def _take(found: Incoming, number: int, line: bytes, bead: Record) -> None:
    name = bead["id"]
    found.warnings += [f"line {number}: {ids.shown(name)}: {odd}" for odd in health.oddities(bead)]
    there = found.records.get(name)
    if there is None:
        found.records[name] = bead
        found.lines[name] = record.encode(bead) if b"\t" in line else line  # a tab parts the journal's entries
    elif found.lines[name] != line:
        found.records[name] = merge3.merge_record(None, there, bead).record or bead
        found.lines[name] = record.encode(found.records[name])
        found.warnings.append(f"line {number}: {ids.shown(name)} stands twice; both lines are merged")


def bring_in(ledger: Ledger, caller: Caller, now: int, source: str, found: Incoming, *, skip_bad: bool = False,
             dry_run: bool = False) -> Imported:
    """Write what the file holds into the ledger, all in one transaction. Raises Corrupt for bad lines, unless they may be skipped."""
    if found.problems and not skip_bad:
        named = "; ".join(str(problem) for problem in found.problems[:_NAMED])
        more = f"; and {len(found.problems) - _NAMED} more" if len(found.problems) > _NAMED else ""
        raise Corrupt(f"nothing is imported, {ids.shown(source)} has {len(found.problems)} bad line{'s'[:len(found.problems) > 1]}",
                      why=named + more, next="mend them, or bd import --skip-bad")
    result = Imported()

    def change(view: View) -> dict[str, bytes]:
        nonlocal result
        result = Imported(skipped=len(found.problems), warnings=found.warnings)
        return dict(_changes(view, found, now, result))

    if dry_run:
        ledger.view(change)
        return result
    if found.problems:
        quarantine.keep(ledger.beads, (problem.line for problem in found.problems))
    if ledger.put(change):
        counts = {"created": len(result.created), "updated": len(result.updated)}
        events.emit(caller.town, "imported", caller.actor, {"source": source, **counts}, now)
    return result


def _changes(view: View, found: Incoming, now: int, result: Imported) -> Iterator[tuple[str, bytes]]:
    there = _lines(view, [*found.lines, *found.deleted])
    for name, line in found.lines.items():
        yield from _one(name, there.get(name), line, found.records[name], result)
    for name, entry in found.deleted.items():
        if name not in found.lines:
            yield from _deletion(name, there.get(name), entry, now, result)


def _lines(view: View, names: list[str]) -> dict[str, bytes]:
    if len(names) > _MANY:
        return view.lines()
    return {name: line for name in names if (line := view.line(name)) is not None}


def _one(name: str, before: bytes | None, line: bytes, bead: Record, result: Imported) -> Iterator[tuple[str, bytes]]:
    if before is None:
        result.created.append(name)
        yield name, line
        return
    if before == line:
        result.unchanged += 1
        return
    ours = decoded(before, name)
    if states.needs_landing(ours):  # a worker's claim here is not for another file to change
        bead = record.updated(bead, {key: ours.get(key) for key in _CLAIM})
    made = [merge3.instant(one.get("created_at")) for one in (ours, bead)]
    if None not in made and made[0] != made[1] and ours.get("title") != bead.get("title"):
        result.warnings.append(f"{name} is another bead here: {ids.shown(str(ours.get('title')))}; both become one "
                               "(to keep them apart: bd rename the one here first)")
    merged = merge3.merge_record(None, ours, bead)
    after = merged.record or ours
    if canonical(after) == canonical(ours):
        result.unchanged += 1
        return
    result.updated.append(name)
    result.conflicts += [str(conflict) for conflict in merged.conflicts]
    yield name, line if canonical(after) == canonical(record.decode(line)) else record.encode(after)


def _deletion(name: str, before: bytes | None, entry: Record, now: int, result: Imported) -> Iterator[tuple[str, bytes]]:
    """An entry of the manifest as a tombstone; a bead that was written after it lives."""
    ours = decoded(before, name) if before else None
    at = merge3.instant(entry.get("ts"))
    if ours is not None and (at is None or ours.get("status") == states.TOMBSTONE or (merge3.instant(ours.get("updated_at")) or 0) > at):
        result.unchanged += 1
        return
    when = entry["ts"] if at is not None else clock.stamp(now)
    deleted = {"status": states.TOMBSTONE, "deleted_at": when, "deleted_by": entry.get("by"), "delete_reason": entry.get("reason"),
               "updated_at": when}
    base = ours or {"id": name, "title": "(deleted)", "priority": 2, "created_at": when}
    (result.updated if ours else result.created).append(name)
    yield name, record.encode(record.updated(base, {**deleted, "original_type": base.get("issue_type"), "closed_at": None}))
