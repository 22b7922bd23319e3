"""The commands: broken at every k-th file call of their whole process tree, then run again."""

from __future__ import annotations

import pytest

from crash import atomic, convoys, engine, refinery, scenarios, strace, trackers, verbs
from crash.conftest import Matrix

NAMES = [scenario.name for scenario in [*verbs.SCENARIOS, *refinery.SCENARIOS, *convoys.SCENARIOS, *trackers.SCENARIOS,
                                       *atomic.SCENARIOS]
         if not scenario.broken]
COUNTED = ("install", "rig-add", "bd-create", "bd-close", "sling", "done", "refinery", "polecat-nuke")


@pytest.mark.parametrize("name", NAMES)
def test_broken_at_any_call_and_run_again(matrix: Matrix, name: str) -> None:
    report = matrix(name, seconds=1.5)
    assert report.points.get("kill-before") and report.points.get("kill-after")
    assert not report.violations, "\n".join(report.violations)


@pytest.mark.parametrize("name", COUNTED)
def test_the_count_agrees_with_strace(bench: engine.Bench, name: str) -> None:
    if not strace.works():
        pytest.skip("strace does not work here")
    scenario = scenarios.ALL[name]
    bench.prepare(scenario)
    ours, theirs = strace.both(bench, scenario)
    assert abs(ours - theirs) <= 0.1 * theirs, f"{name}: the shim counts {ours}, strace {theirs}"
    print(f"{name}: the shim counts {ours}, strace {theirs}")
