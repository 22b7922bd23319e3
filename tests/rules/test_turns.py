"""What a runner does next: the table of facts and steps."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.rules import turns
from gastown_hooks.rules.turns import Facts, Record


def facts(record: Record | None = None, **changes: Any) -> Facts:
    values: dict[str, Any] = {"claim": True, "prepared": True, "submitted": False, "commits": False, "dirty": False,
                              "record": record or Record(1), "max_turns": 8, **changes}
    return Facts(**values)


@pytest.mark.parametrize(("given", "act"), [
    (facts(), "turn"),
    (facts(claim=None), "leave"),
    (facts(claim=None, submitted=True, commits=True), "leave"),
    (facts(claim=False), "retire"),
    (facts(claim=False, commits=True, dirty=True), "retire"),
    (facts(submitted=True), "retire"),
    (facts(submitted=True, prepared=False), "retire"),
    (facts(prepared=False), "leave"),
    (facts(Record(1, 3, "exited", 1, stalled="x")), "leave"),
    (facts(Record(1, 1, "missing")), "stall"),
    (facts(Record(1, 1, "stopped")), "turn"),
    (facts(Record(1, 1, "cut")), "turn"),
    (facts(Record(1, 1, "exited", unfinished=1)), "turn"),
    (facts(Record(1, 2, "exited", unfinished=2), commits=True), "turn"),
    (facts(Record(1, 3, "exited", unfinished=3), commits=True), "finalise"),
    (facts(Record(1, 3, "exited", unfinished=3), dirty=True), "finalise"),
    (facts(Record(1, 3, "exited", unfinished=3)), "stall"),
    (facts(Record(1, 2, "wall", failures=2)), "turn"),
    (facts(Record(1, 3, "exited", 1, failures=3), commits=True), "stall"),
    (facts(Record(1, 8, "exited", 1, failures=1), commits=True), "stall"),
    (facts(Record(1, 8, "exited", 0, unfinished=1), commits=True), "finalise"),
    (facts(Record(1, 8, "stopped")), "stall"),
    (facts(Record(1, 8, "attached")), "turn"),  # the last turn again
    (facts(Record(1, 8, "cut")), "turn"),
])
def test_next_step(given: Facts, act: str) -> None:
    assert turns.next_step(given).act == act


def test_a_failed_turn_waits_longer_each_time() -> None:
    assert [turns.next_step(facts(Record(1, n, "exited", 1, failures=n))).wait for n in (1, 2)] == [1, 2]


@pytest.mark.parametrize(("record", "failures", "unfinished"), [
    (Record(1), 0, 0),
    (Record(1, 1, "exited", 0), 0, 1),
    (Record(1, 2, "exited", 3, failures=1), 2, 0),
    (Record(1, 2, "exited", -9, unfinished=1), 1, 0),
    (Record(1, 2, "idle", 0), 1, 0),
    (Record(1, 2, "cut", 0, failures=1, unfinished=0), 1, 0),
    (Record(1, 2, "stopped", 0, unfinished=1), 0, 1),
    (Record(1, 2, "attached", 0, unfinished=1), 0, 1),
])
def test_counting(record: Record, failures: int, unfinished: int) -> None:
    counted = turns.counted(record)
    assert (counted.failures, counted.unfinished) == (failures, unfinished)


def test_a_bead_is_poison_after_three_different_workers() -> None:
    assert not turns.poisoned(["a@1", "a@2", "b@3"])
    assert turns.poisoned(["a@1", "b@2", "c@3"])
