"""The commands: broken at every k-th file call of their whole process tree, then run again."""

from __future__ import annotations

import pytest
from e2e import badinput

from crash import atomic, convoys, engine, rarer, refinery, scenarios, strace, trackers, verbs
from crash.conftest import Matrix

SCENARIOS = [scenario for scenario in [*verbs.SCENARIOS, *refinery.SCENARIOS, *convoys.SCENARIOS, *trackers.SCENARIOS, *atomic.SCENARIOS,
                                       *rarer.SCENARIOS] if not scenario.broken]
NAMES = [scenario.name for scenario in SCENARIOS]
COUNTED = ("install", "rig-add", "bd-create", "bd-close", "sling", "done", "refinery", "polecat-nuke")


@pytest.mark.parametrize("name", NAMES)
def test_broken_at_any_call_and_run_again(matrix: Matrix, name: str) -> None:
    report = matrix(name, seconds=1.5)
    assert report.points.get("kill-before") and report.points.get("kill-after")
    assert not report.violations, "\n".join(report.violations)


def test_every_verb_of_bd_that_writes_is_among_them() -> None:
    """A verb under two names, and what writes by the very same act as another one, is there once."""
    acts = [command.argv for one in SCENARIOS if one.name.startswith("bd-") for command in one.act("/nowhere")]  # type: ignore
    there = {words: command for words, command in badinput.commands("bd").items()
             if words[-1] == "merge" or any("--dry-run" in param.opts for param in command.params)}
    covered = {id(command.callback) for words, command in there.items() if any(argv[:len(words)] == words for argv in acts)}
    missing = {" ".join(words) for words, command in there.items() if id(command.callback) not in covered}
    assert missing <= {"bd audit label", "bd config set", "bd config unset"}  # audit record's append, config set-many's file


@pytest.mark.parametrize("name", COUNTED)
def test_the_count_agrees_with_strace(bench: engine.Bench, name: str) -> None:
    if not strace.works():
        pytest.skip("strace does not work here")
    scenario = scenarios.ALL[name]
    bench.prepare(scenario)
    ours, theirs = strace.both(bench, scenario)
    assert abs(ours - theirs) <= 0.1 * theirs, f"{name}: the shim counts {ours}, strace {theirs}"
    print(f"{name}: the shim counts {ours}, strace {theirs}")
