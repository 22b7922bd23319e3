"""bench/queue_histories.py in small: what the real queue does with requests of which some are bad, counted in gate runs."""

from __future__ import annotations

import json
import sys

import builders
import pytest

BENCH = builders.ROOT / "bench"
SCRIPT = """
import json, sys
import queue_histories as histories
histories.COUNT = 12
histories.start(sys.argv[1])
told = [histories.history(histories.Task(3, 0.25, flakes, order, slots))[1]
        for flakes, order, slots in ((0.0, "random", 1), (0.0, "alternating", 4), (0.3, "last of stack", 1))]
print(json.dumps([told, histories.fed(1, 0.9)]))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[list[list[float]]]:
    """Outcomes of three histories, and the waits of one."""
    done = builders.run([sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("histories"))], cwd=BENCH, timeout=100)
    assert done.code == 0, done.err
    found: list[list[list[float]]] = json.loads(done.out)
    return found


def test_the_good_land_and_no_bad_one(told: list[list[list[float]]]) -> None:
    plain, in_slots, flaky = told[0]
    assert plain[2:] == in_slots[2:] == [0, 0] and flaky[3] == 0
    assert 2 <= plain[0] == plain[1] <= 24


def test_slots_save_time_not_runs(told: list[list[list[float]]]) -> None:
    runs, time = told[0][1][:2]
    assert time < runs <= 4 * time


def test_nobody_waits_beyond_its_age_and_what_was_before_it(told: list[list[list[float]]]) -> None:
    urgent, low, most = told[1]
    assert len(low) == len(most) and urgent + low
    assert min(urgent + low) >= 1.0 and all(wait <= limit for wait, limit in zip(low, most, strict=True))


@pytest.mark.parametrize(("order", "expected"), [
    ("bad first", "###....."), ("bad last", ".....###"), ("alternating", "#.#.#..."), ("clustered", "..###..."),
    ("first of stack", "#..#..#."), ("last of stack", ".##..#..")])
def test_an_order_keeps_the_number_of_bad_ones(order: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import queue_histories
    found = queue_histories.arranged([True, False, True, False, False, True, False, False], order, 3)
    assert "".join(".#"[bad] for bad in found) == expected
