"""The events of several ledgers and of the town, told together; and as they come."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Beads, Town
from gastown_hooks.stores import audit, events
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.work import activity, verbs
from gastown_hooks.work.activity import Follower, Wanted

NOW = clock.parse("2026-01-02T03:04:05Z")
HOUR = 3600 * clock.SECOND


@pytest.fixture
def ledgers(tmp_path: Path) -> list[Ledger]:
    found = []
    for prefix in ("gp", "wy"):
        Ledger.create_files(Beads(f"{tmp_path}/{prefix}/.beads"), prefix, OWN_BRANCH)
        found.append(Ledger(Beads(f"{tmp_path}/{prefix}/.beads")))
    return found


def caller(ledger: Ledger, actor: str = "overseer") -> Caller:
    return Caller(actor, ledger.beads.root)


def names(found: list[activity.Event]) -> list[tuple[str, str]]:
    return [(event["payload"].get("bead", ""), event["type"]) for event in found]


def test_all_sources_are_told_in_the_order_of_time(ledgers: list[Ledger], tmp_path: Path) -> None:
    town = Town(str(tmp_path))
    for hour, ledger in enumerate([*ledgers, *ledgers]):
        verbs.create(ledger, caller(ledger, f"a{hour}"), NOW + hour * HOUR, "x", bead_id=f"{ledger.prefix}-{hour}")
        events.emit(town, "sling", f"a{hour}", {"bead": f"{ledger.prefix}-{hour}"}, NOW + hour * HOUR + 1000)
        ledger.fold()
    every = [(f"{p}-{n}", kind) for n, p in enumerate(["gp", "wy", "gp", "wy"]) for kind in ("created", "sling")]
    assert names(activity.recent(ledgers, town, Wanted(), 0)) == every
    assert names(activity.recent(ledgers, town, Wanted(), 3)) == every[-3:]
    assert names(activity.recent(ledgers, town, Wanted(since=NOW + 2 * HOUR), 0)) == every[4:]
    assert names(activity.recent(ledgers, town, Wanted(actor="a1"), 0)) == every[2:4]
    assert names(activity.recent(ledgers, None, Wanted(actor="*3", beads=("wy-3",)), 0)) == [("wy-3", "created")]
    assert names(activity.recent(ledgers, town, Wanted(types=("sling",)), 1)) == every[-1:]


def test_who_follows_sees_each_event_once_whoever_folds(ledgers: list[Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = ledgers
    verbs.create(one, caller(one), NOW, "x", bead_id="gp-1")
    seen = Follower(ledgers, Wanted(beads=("gp-1", "gp-2", "wy-1"), root="gp-1"))
    assert names(seen.last(5)) == [("gp-1", "created")] and seen.new() == []
    looks: list[str] = []
    real = audit.look
    monkeypatch.setattr(audit, "look", lambda ledger: looks.append(ledger.prefix) or real(ledger))  # type: ignore[func-returns-value]
    verbs.create(other, caller(other), NOW, "x", bead_id="wy-1")
    verbs.create(one, caller(one), NOW + 1000, "x", parent="gp-1")
    one.fold()
    verbs.create(one, caller(one), NOW + HOUR, "x", bead_id="gp-3")
    verbs.update(one, caller(one), NOW + HOUR, ["gp-1"], {"priority": 0})
    assert names(seen.new()) == [("wy-1", "created"), ("gp-1.1", "created"), ("gp-1", "updated")] and looks == ["gp", "wy"]
    one.fold()
    assert seen.new() == [] and looks == ["gp", "wy", "gp"]
    assert seen.new() == [] and len(looks) == 3, "nobody wrote, so nothing is read"
