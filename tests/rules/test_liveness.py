"""What the witness does about a worker, and when something may start again."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.rules import liveness
from gastown_hooks.rules.liveness import SECOND, Worker


def worker(**changes: Any) -> Worker:
    values: dict[str, Any] = {"claimed": True, "submitted": False, "home": True, "lease": "ready", "running": False, "alive": False,
                              "stalled": False, "agents_start": True, **changes}
    return Worker(**values)


@pytest.mark.parametrize(("given", "verdict"), [
    (worker(), "restart"),
    (worker(agents_start=False), "nothing"),
    (worker(stalled=True), "nothing"),
    (worker(running=True), "nothing"),
    (worker(running=True, claimed=False, lease="done"), "nothing"),
    (worker(alive=True), "nothing"),
    (worker(alive=True, claimed=False), "nothing"),
    (worker(alive=None), "unknown"),
    (worker(alive=None, claimed=False), "unknown"),
    (worker(claimed=None), "unknown"),
    (worker(claimed=None, lease="done"), "unknown"),
    (worker(lease=None), "unknown"),
    (worker(lease=None, claimed=False), "unknown"),
    (worker(lease="preparing"), "prepare"),
    (worker(lease=""), "prepare"),
    (worker(home=False, lease=""), "prepare"),
    (worker(home=False, lease="", submitted=True), "nothing"),
    (worker(home=False, lease="", claimed=False), "nothing"),
    (worker(lease="done"), "retire"),
    (worker(lease="done", agents_start=False), "retire"),
    (worker(claimed=False), "retire"),
    (worker(claimed=False, lease=""), "retire"),
    (worker(submitted=True), "retire"),
    (worker(running=True, hung=True), "take over"),
    (worker(running=False, hung=True), "restart"),
    (worker(running=True, hung=True, claimed=None), "unknown"),
])
def test_verdict(given: Worker, verdict: str) -> None:
    assert liveness.verdict(given) == verdict


def test_restarts_back_off_and_end_in_a_loop() -> None:
    now, times, waits = 1000 * SECOND, list[int](), list[int]()
    while (at := liveness.restart(times, now).at) is not None:
        waits.append((at - now) // SECOND)
        now = at
        times = [*liveness.kept(times, now), now]
    assert waits == [0, 30, 60, 120, 240]  # the sixth death within a quarter of an hour is not followed by a start
    assert liveness.restart(times, times[-1] + 1800 * SECOND).at is not None  # half an hour of rest forgets it


def test_the_longest_wait_is_ten_minutes() -> None:
    times = [n * 700 * SECOND for n in range(1, 12)]
    assert liveness.restart(times, times[-1]).at == times[-1] + 600 * SECOND


def test_what_failed_is_tried_again_for_ever() -> None:
    now, times, waits = 1000 * SECOND, list[int](), list[int]()
    for _ in range(9):
        at = liveness.retry(times, now)
        waits.append((at - now) // SECOND)
        now, times = at, [*liveness.kept(times, at), at]
    assert waits[:5] == [0, 30, 60, 120, 240] and set(waits[5:]) <= {480, 600}


@pytest.mark.parametrize(("before", "since"), [
    (None, 50), ([20, 1, 2], 20), ([20, 1, 3], 50), ([90, 1, 2], 50), ([], 50), ({"a": 1}, 50), (["x", 1, 2], 50), ([20], 50)])
def test_since_when_signs_are_the_same(before: object, since: int) -> None:
    assert liveness.stale_since(before, [1, 2], 50) == since  # a clock that went back says nothing
