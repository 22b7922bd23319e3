"""How the queue tests requests together: the decisions, and what they cost over many simulated histories."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from gastown_hooks.rules.batching import CULPRIT, DONE, LONGEST, PROBE, Estimate, Search, next_probes, stack_size

SEEDS = 200


def test_the_estimate_begins_with_its_prior_and_forgets() -> None:
    assert Estimate().rate == 0.05
    assert Estimate().after(bad=1).rate == pytest.approx(1.5 / 11)
    half = Estimate(bad=8.0).after(good=50)
    assert half.bad == pytest.approx(4.0) and half.good == 50


@pytest.mark.parametrize(("rate", "size"), [(0.0, 64), (0.005, 64), (0.01, 64), (0.02, 33), (0.05, 15), (0.10, 7), (0.15, 4), (0.20, 3),
                                            (0.30, 2), (0.31, 1), (1.0, 1)])
def test_the_stack_is_as_long_as_pays(rate: float, size: int) -> None:
    assert abs(stack_size(rate) - size) <= size / 7  # the cost is flat around its least
    assert stack_size(rate, limit=2) <= 2


def test_a_green_stack_takes_one_run_a_red_one_is_cut_until_one_is_left() -> None:
    search = Search(8)
    assert next_probes(search, 0.05) == (PROBE, [8])
    assert next_probes(search.after(8, True), 0.05) == (DONE, [])
    search = search.after(8, False)
    word, (prefix,) = next_probes(search, 0.05)
    assert word == PROBE and 0 < prefix < 8
    assert next_probes(Search(8, 4, 5), 0.05) == (CULPRIT, [5])
    assert next_probes(Search(8, 4, 5).after(5, True), 0.05) == (PROBE, [8])  # a flake: what was red is unknown again


@pytest.mark.parametrize(("search", "running", "wanted"), [
    (Search(16), [], [4, 8, 12, 16]), (Search(3), [], [1, 2, 3]), (Search(16, 4), [8, 12, 16], [8, 12, 16]),  # no more until one is red
    (Search(16, 0, 8), [4, 12, 16], [1, 2, 4, 6]), (Search(16, 4, 8), [1, 6], [5, 6, 7]), (Search(16, 0, 3), [], [1, 2]),
    (Search(16, 7, 8), [9, 12], [8]), (Search(16, 16), [], [])])
def test_four_slots_test_what_can_still_tell_something(search: Search, running: list[int], wanted: list[int]) -> None:
    assert next_probes(search, 0.001, 4, running)[1] == wanted


def test_results_count_in_any_order() -> None:
    search = Search(16).after(12, False).after(8, False)
    assert search == Search(16).after(8, False).after(12, False) == Search(16, 0, 8)
    assert search.after(4, True).after(2, False) == Search(16, 4, 8)
    assert search.after(12, True) == Search(16, 12)  # its tree passed: 8 failed by chance, or what came behind mended it


@pytest.mark.parametrize("slots", [1, 2, 4, 7])
def test_any_single_bad_one_is_found_and_all_before_it_land(slots: int) -> None:
    for size, bad in ((length, place) for length in range(1, LONGEST + 1, slots) for place in range(1, length + 1)):
        search, rounds = Search(size), 0
        while (step := next_probes(search, 0.05, slots))[0] == PROBE:
            assert 0 < len(step[1]) <= slots
            for prefix in step[1]:
                search = search.after(prefix, prefix < bad)
            rounds += 1
        assert step == (CULPRIT, [bad]) and search.green == bad - 1 and rounds <= size.bit_length() + 4


def simulate(seed: int, rate: float, flakes: float = 0.0, *, confirm: bool, slots: int = 1) -> tuple[int, int, int]:
    """(gate units of time, innocents sent back, bad ones landed) for 100 requests; with one slot the time is the number of runs."""
    chance = random.Random(seed)
    queue = [chance.random() < rate for _ in range(100)]
    estimate, wall, innocents, landed_bad = Estimate(), 0, 0, 0

    def passes(prefix: list[bool]) -> bool:
        return not any(prefix) and chance.random() >= flakes

    while queue:
        stack = queue[:stack_size(estimate.rate, slots)]
        search, sent_back = Search(len(stack)), 0
        while (step := next_probes(search, estimate.rate, slots))[0] != DONE:
            if step[0] == CULPRIT and not confirm:
                found = {step[1][0]: False}
            else:
                found, wall = {prefix: passes(stack[:prefix]) for prefix in step[1]}, wall + 1
            for prefix, passed in found.items():
                landed_bad += passed and any(stack[:prefix])
                search = search.after(prefix, passed)
            if step[0] == CULPRIT and not found[step[1][0]]:
                innocents, sent_back = innocents + (not stack[step[1][0] - 1]), 1
                break
        estimate = estimate.after(good=search.green, bad=sent_back)
        queue = queue[search.green + sent_back:]
    return wall, innocents, landed_bad


def costs(rate: float, flakes: float, *, confirm: bool, slots: int = 1) -> tuple[float, float, int]:
    found = [simulate(seed, rate, flakes, confirm=confirm, slots=slots) for seed in range(SEEDS)]
    return mean(wall for wall, _, _ in found), mean(lost for _, lost, _ in found), sum(bad for _, _, bad in found)


@pytest.mark.parametrize(("rate", "most"), [(0.0, 4), (0.02, 18), (0.05, 34), (0.10, 55), (0.20, 84)])
def test_gate_runs_for_a_hundred_where_gates_never_err(rate: float, most: float) -> None:  # M2
    assert costs(rate, 0.0, confirm=False)[0] <= most


@pytest.mark.parametrize(("rate", "most"), [(0.0, 4.5), (0.02, 21), (0.05, 42), (0.10, 69), (0.20, 109)])
def test_gate_runs_for_a_hundred_where_one_run_in_fifty_errs(rate: float, most: float) -> None:  # M2, M4
    runs, innocents, landed_bad = costs(rate, 0.02, confirm=True)
    assert runs <= most and innocents <= 0.05 and landed_bad == 0


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.20])
def test_few_innocents_where_one_run_in_twenty_errs(rate: float) -> None:  # M4
    assert costs(rate, 0.05, confirm=True)[1] <= 0.15


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4])
def test_never_much_worse_than_one_at_a_time(rate: float) -> None:  # M3
    assert costs(rate, 0.0, confirm=False)[0] <= 110
    assert costs(rate, 0.0, confirm=True)[0] <= 1.1 * (100 + 100 * rate)  # one at a time confirms, too


@pytest.mark.parametrize(("rate", "most"), [(0.0, 3), (0.02, 10), (0.05, 18), (0.10, 29), (0.20, 43)])
def test_the_time_that_four_slots_take_for_a_hundred(rate: float, most: float) -> None:  # M6
    assert costs(rate, 0.0, confirm=False, slots=4)[0] <= most
    _, innocents, landed_bad = costs(rate, 0.02, confirm=True, slots=4)
    assert innocents <= 0.05 and landed_bad == 0
