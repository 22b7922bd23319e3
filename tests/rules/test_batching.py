"""How the queue tests requests together: the decisions, and what they cost over many simulated histories."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from gastown_hooks.rules.batching import CULPRIT, DONE, LONGEST, PROBE, Estimate, Search, next_probe, stack_size

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
    assert next_probe(search, 0.05) == (PROBE, 8)
    assert next_probe(search.after(8, True), 0.05) == (DONE, 0)
    search = search.after(8, False)
    word, prefix = next_probe(search, 0.05)
    assert word == PROBE and 0 < prefix < 8
    assert next_probe(Search(8, 4, 5), 0.05) == (CULPRIT, 5)
    assert next_probe(Search(8, 4, 5).after(5, True), 0.05) == (PROBE, 8)  # a flake: what was red is unknown again


def test_any_single_bad_one_is_found_and_all_before_it_land() -> None:
    for size, bad in ((length, place) for length in range(1, LONGEST + 1) for place in range(1, length + 1)):
        search, runs = Search(size), 0
        while (step := next_probe(search, 0.05))[0] == PROBE:
            search, runs = search.after(step[1], step[1] < bad), runs + 1
        assert step == (CULPRIT, bad) and search.green == bad - 1 and runs <= size.bit_length() + 4


def simulate(seed: int, rate: float, flakes: float = 0.0, *, confirm: bool) -> tuple[int, int, int]:
    """(gate runs, innocents sent back, bad ones landed) for 100 requests."""
    chance = random.Random(seed)
    queue = [chance.random() < rate for _ in range(100)]
    estimate, runs, innocents, landed_bad = Estimate(), 0, 0, 0

    def passes(prefix: list[bool]) -> bool:
        return not any(prefix) and chance.random() >= flakes

    while queue:
        stack = queue[:stack_size(estimate.rate)]
        search, sent_back = Search(len(stack)), 0
        while (step := next_probe(search, estimate.rate))[0] != DONE:
            if step[0] == CULPRIT and not confirm:
                passed = False
            else:
                passed, runs = passes(stack[:step[1]]), runs + 1
            if step[0] == CULPRIT and not passed:
                innocents, sent_back = innocents + (not stack[step[1] - 1]), 1
                break
            landed_bad += passed and any(stack[:step[1]])
            search = search.after(step[1], passed)
        estimate = estimate.after(good=search.green, bad=sent_back)
        queue = queue[search.green + sent_back:]
    return runs, innocents, landed_bad


def costs(rate: float, flakes: float, *, confirm: bool) -> tuple[float, float, int]:
    found = [simulate(seed, rate, flakes, confirm=confirm) for seed in range(SEEDS)]
    return mean(runs for runs, _, _ in found), mean(lost for _, lost, _ in found), sum(bad for _, _, bad in found)


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
