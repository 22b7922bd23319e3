"""The one shape of a command that edits beads: a pure change of each (rules/edits), in one transaction a ledger, or only tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gastown_hooks.cli.bd import _shared
from gastown_hooks.cli.plain import emit_json, say
from gastown_hooks.core import clock
from gastown_hooks.core.record import touched
from gastown_hooks.stores.callers import Caller
from gastown_hooks.work.beadwrite import each

Record = dict[str, Any]


def edited(bead_ids: Sequence[str], changes: Callable[[Record, Caller, int], Record], *, dry_run: bool) -> list[Record]:
    """The beads after `changes(record, caller, now)` of each; all or none."""
    now, where = clock.now(), _shared.world()
    return _shared.change(where, bead_ids, lambda ledger, names, dry: each(
        ledger, names,
        lambda draft, record: touched(record, changes(record, where.caller, now), where.caller.actor, now), dry), dry_run)


def report(after: list[Record], done: str, *, dry_run: bool, as_json: bool) -> None:
    """The beads as JSON, or a line each: `✓ Deferred gp-abc12`, `Would be: Deferred gp-abc12`."""
    if as_json:
        emit_json(after)
        return
    for record in after:
        say(f"{'Would be:' if dry_run else '✓'} {done} {record['id']}")
