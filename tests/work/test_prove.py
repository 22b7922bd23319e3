"""The proof that every landing was green."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.work import prove


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return queueyard.make(tmp_path, remote=True)


def test_every_landing_is_proven_and_foreign_commits_are_listed_apart(yard: Yard, run_cli: builders.Run) -> None:
    """M22: each first-parent commit has a gate note for exactly its tree."""
    assert run_cli("gt", "mq", "prove", cwd=yard.rig.root).code == 3  # nothing landed yet
    yard.submit("one", worker="one")
    yard.submit("two", worker="two")
    yard.round()
    foreign = yard.outsider({"outside.txt": "x"})
    yard.submit("three", worker="three")
    yard.round()
    found = prove.check(yard.rig)
    assert len(found.proven) == 2 and not found.unproven and found.foreign == [(foreign, "passed the gates")]
    done = run_cli("gt", "mq", "prove", "gp", "--json", cwd=yard.rig.root)
    assert done.code == 0 and json.loads(done.out)["proven"] == found.proven
    assert len(prove.check(yard.rig, f"{foreign}..main").proven) == 1
    assert run_cli("gt", "mq", "prove", "--range", "nope..main", cwd=yard.rig.root).code == 3


def test_a_landing_without_its_record_or_with_anothers_is_not_proven(yard: Yard, run_cli: builders.Run) -> None:
    made = []
    for name in ("one", "two", "three"):
        yard.submit(name, worker=name)
        yard.round()
        made.append(yard.tip())
    yard.rig_git("notes", "--ref=gates", "remove", made[0])
    yard.rig_git("notes", "--ref=gates", "copy", "-f", made[2], made[1])
    found = prove.check(yard.rig)
    assert [commit for commit, _ in found.unproven] == [made[1], made[0]] and found.proven == [made[2]]
    done = run_cli("gt", "mq", "prove", cwd=yard.rig.root)
    assert done.code == 1 and f"UNPROVEN {made[0]}: no gate record" in done.out


def test_the_listing_of_flakes(yard: Yard, run_cli: builders.Run) -> None:  # M21
    assert "no gate run failed" in run_cli("gt", "mq", "flakes", cwd=yard.rig.root).out
    yard.gates(f"test -e {yard.root}/second || {{ touch {yard.root}/second; echo '--- FAIL: TestX (0.0s)'; false; }}")
    yard.submit("one")
    yard.round()
    assert json.loads(run_cli("gt", "mq", "flakes", "--json", cwd=yard.rig.root).out)[0]["test"] == "TestX"
    assert "TestX" in run_cli("gt", "mq", "flakes", cwd=yard.rig.root).out
