"""What of the last day the records themselves do not tell: how often beads were reopened, and the ledger committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.paths import TRACKED_LEDGER
from gastown_hooks.rules import ready, statistics
from gastown_hooks.stores import git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import activity, ledger_place

Record = dict[str, Any]


def counts(ledgers: Iterable[Ledger], caller: Caller, now: int, *, assigned: bool = False) -> dict[str, int]:
    """`commit_count` and `issues_reopened`, the town's own records left out; `assigned`: only the caller's own beads."""
    since, reopened, commits = statistics.begin(now), 0, 0
    fits = _of(caller.actor) if assigned else lambda record: ready.kind(record) not in ready.HIDDEN
    for ledger in ledgers:
        events = activity.recent([ledger], None, activity.Wanted(since=since, types=("reopened",)), 0)
        beads = ledger.some({event["payload"]["bead"] for event in events})
        reopened += sum(fits(beads.get(event["payload"]["bead"], {})) for event in events)
        commits += _commits(ledger, caller, since)
    return {"commit_count": commits, "issues_reopened": reopened}


def _of(actor: str) -> Callable[[Record], bool]:
    return lambda record: ready.kind(record) not in ready.HIDDEN and record.get("assignee") == actor


def _commits(ledger: Ledger, caller: Caller, since: int) -> int:
    try:
        place = ledger_place.place(ledger, caller)
    except Refused:
        return 0  # it is kept out of git
    found = git.run(place.repo, "rev-list", "--count", f"--since={since // clock.SECOND}", place.tip, "--", TRACKED_LEDGER, check=False)
    return int(found.out) if found.code == 0 else 0
