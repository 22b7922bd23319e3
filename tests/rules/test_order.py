"""The order of the queue."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import clock
from gastown_hooks.rules.order import is_due, queue_order

NOW = clock.parse("2026-03-01T12:00:00Z")
HOUR = 3600 * clock.SECOND


def request(name: str, priority: object, age_hours: float, **metadata: object) -> dict[str, Any]:
    return {"id": name, "priority": priority, "created_at": clock.stamp(NOW - int(age_hours * HOUR)), "metadata": metadata}


def order(*requests: dict[str, Any]) -> list[str]:
    return [found["id"] for found in queue_order(requests, NOW)]


def test_p0_is_never_overtaken_and_a_level_is_an_hour() -> None:
    assert order(request("old4", 4, 100), request("new0", 0, 0)) == ["new0", "old4"]
    assert order(request("p1", 1, 0), request("p2", 2, 1.5)) == ["p2", "p1"]
    assert order(request("p1", 1, 0), request("p2", 2, 0.5)) == ["p1", "p2"]
    assert order(request("young", 2, 1), request("old", 2, 2)) == ["old", "young"]
    assert order(request("a", 0, 1), request("b", 0, 2)) == ["b", "a"]


def test_odd_values_count_as_the_lowest_and_the_youngest() -> None:
    assert order(request("odd", "high", 0), request("p3", 3, 0)) == ["p3", "odd"]
    assert order({"id": "x", "priority": 4, "created_at": "yesterday"}, request("y", 4, 0.1)) == ["y", "x"]


def test_a_request_that_was_put_off_keeps_its_place_but_is_not_due() -> None:
    later = request("later", 0, 1, not_before=clock.stamp(NOW + HOUR))
    assert order(request("p1", 1, 0), later) == ["later", "p1"]
    assert not is_due(later, NOW) and is_due(later, NOW + HOUR) and is_due(request("x", 2, 0), NOW)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 20)), max_size=20), st.randoms())
def test_nobody_is_overtaken_by_what_came_more_than_his_levels_later(rows: list[tuple[int, float]], random: Any) -> None:
    requests = [request(f"r{n}", priority, age) for n, (priority, age) in enumerate(rows)]
    first = queue_order(requests, NOW)
    random.shuffle(requests)
    assert [one["id"] for one in queue_order(requests, NOW)] == [one["id"] for one in first]
    ages = {one["id"]: rows[int(one["id"][1:])] for one in first}
    for place, one in enumerate(first):
        for other in first[:place]:
            (p, age), (q, other_age) = ages[one["id"]], ages[other["id"]]
            assert q == 0 or age - other_age <= p - q + 0.001
