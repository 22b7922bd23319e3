"""Several requests tested together, on real repositories."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import builders
import pytest
from queueyard import Yard

from gastown_hooks.core import clock
from gastown_hooks.rules import requests
from gastown_hooks.rules.batching import stack_size
from gastown_hooks.work import flakes, land
from gastown_hooks.work.desk import open_desk

GATE = "! grep -rqs BAD --include=*.txt ."


def test_several_requests_take_one_gate_run_and_land_as_one_merge_commit(yard: Yard) -> None:
    yard.gates(yard.counted(GATE))
    old, made = yard.tip(), yard.many(5)
    new = [commit for _, commit in yard.round().landed]
    assert new == [yard.tip()] * 5 and yard.runs() == 1 and yard.journal() == ["land", "settled"]
    first, second = yard.rig_git("rev-list", "--parents", "-1", new[0]).split()[1:]
    assert first == old and yard.rig_git("rev-parse", f"{second}^{{tree}}") == yard.rig_git("rev-parse", f"{new[0]}^{{tree}}")
    message = yard.rig_git("log", "-1", "--format=%B", new[0])
    assert all(f"Merge-Request: {one}" in message and f"Bead: gp-b{n}" in message for n, one in enumerate(made))
    assert all(yard.get(f"gp-b{n}")["status"] == "closed" for n in range(5))
    assert yard.mails() == [f"MERGED gp-b{n}" for n in range(5)]
    yard.check_green()


@pytest.mark.parametrize("bad", [(0,), (4,), (8,), (2, 3), (0, 4, 8)])
def test_the_culprits_go_back_and_all_others_land(near: Yard, bad: tuple[int, ...]) -> None:
    near.gates(GATE)
    made = near.many(9, bad)
    result = near.round()
    assert sorted(result.sent_back) == sorted(made[n] for n in bad)
    assert sorted(request for request, _ in result.landed) == sorted(one for n, one in enumerate(made) if n not in bad)
    assert {near.get(f"gp-b{n}")["status"] for n in bad} == {"open"}
    near.check_green()
    for value in near.rig_git("log", "-g", "--format=%H", "refs/heads/main").splitlines()[:-1]:  # M1: all the target ever was
        assert json.loads(near.rig_git("notes", "--ref=gates", "show", value))["tree"] == near.rig_git("rev-parse", f"{value}^{{tree}}")


def test_the_stack_grows_with_what_lands_and_shrinks_with_what_does_not(near: Yard) -> None:
    near.gates(GATE)
    near.many(6)
    near.round()
    grown = stack_size(open_desk(near.rig, near.now).estimate().rate)
    assert grown > stack_size(0.05)
    near.submit("bad", {"bad.txt": "BAD\n"}, worker="bad")
    near.round()
    assert stack_size(open_desk(near.rig, near.now).estimate().rate) < grown


def test_who_conflicts_only_with_another_of_the_stack_waits_behind_it_and_lands_when_that_is_sent_back(near: Yard) -> None:
    near.gates(near.counted(GATE))
    base = near.tip()
    bad = near.submit("bad", {"src/app.py": "first\n", "bad.txt": "BAD\n"}, worker="bad")
    good = near.submit("good", {"src/app.py": "second\n"}, base=base, worker="good")
    result = near.round()
    assert result.sent_back == [bad] and [request for request, _ in result.landed] == [good]
    assert near.request(bad).state == requests.FAILED and near.file("src/app.py") == "second\n"


def test_conflicts_cost_no_gate_run_and_hold_up_nobody(near: Yard) -> None:
    """M5: 0 gate runs for a change that conflicts; its bead names base, both commits and files."""
    near.gates(near.counted(GATE))
    base = near.tip()
    first = near.submit("first", {"src/app.py": "first\n"}, worker="first")
    clashing = [near.submit(f"c{n}", {"src/app.py": f"c{n}\n"}, base=base, worker=f"c{n}") for n in range(2)]
    made = near.many(4)
    result = near.round()
    assert sorted(request for request, _ in result.landed) == sorted([first, *made]) and sorted(result.sent_back) == sorted(clashing)
    assert near.runs() == 1
    for one in clashing:
        request = near.request(one)
        note = near.get(request.source)["notes"]
        assert request.state == requests.CONFLICT and "src/app.py" in note
        assert all(commit in note for commit in (request.head, base, near.tip()))


def test_green_alone_and_red_together_within_one_stack(near: Yard) -> None:
    """M19: green alone and red together: exactly one goes back, the target stays green."""
    near.gates("test ! -e b1.txt || test ! -e b3.txt")
    made = near.many(5)
    result = near.round()
    assert result.sent_back == [made[3]] and len(result.landed) == 4
    near.check_green()


def _behind(yard: Yard, child: str, parent: str) -> None:
    link = {"issue_id": child, "depends_on_id": parent, "type": "blocks", "created_at": clock.stamp(yard.now), "created_by": "x"}
    yard.put({**yard.get(child), "dependencies": [link]})


def test_a_child_lands_after_its_parent_whatever_their_priorities(near: Yard) -> None:
    """M16: a child never lands before its parent."""
    near.gates(GATE)
    child = near.submit("child", priority=1, worker="c")
    parent = near.submit("parent", priority=3, worker="p")
    _behind(near, "gp-child", "gp-parent")
    assert [request for request, _ in near.round().landed] == [parent, child]


def test_a_child_whose_parent_was_sent_back_is_parked_with_the_reason(near: Yard) -> None:
    """M16: a child never lands before its parent."""
    near.gates(GATE)
    parent = near.submit("parent", {"parent.txt": "BAD\n"}, worker="p")
    child = near.submit("child", worker="c")
    _behind(near, "gp-child", "gp-parent")
    result = near.round()
    assert result.sent_back == [parent] and not result.landed
    assert near.request(child).state == requests.WAITING and "gp-parent" in near.request(child).reason
    near.put({**near.get("gp-child"), "dependencies": []})
    assert [request for request, _ in near.round().landed] == [child]


def test_a_red_base_under_a_stack_blames_nobody(near: Yard) -> None:
    """M20: on a red target only fixes land; somebody is told at once, a fix opens it again."""
    near.gates("test -e fixed.txt")
    made = near.many(4)
    result = near.round()
    assert result.closed and not result.landed and not result.sent_back
    fix = near.submit("fix", {"fixed.txt": "x"}, worker="fix", labels=[requests.FIX_LABEL])
    assert [request for request, _ in near.round().landed] == [fix, *made]
    near.check_green()


def test_what_is_taken_back_while_the_stack_is_tested_does_not_land_the_others_do(near: Yard) -> None:
    made = near.many(3)
    taken = near.get(made[1])
    later = json.dumps({**taken, "status": "closed", "metadata": {**taken["metadata"], "state": "rejected"}})
    script = near.root / "take.py"
    script.write_text(f"import sys; sys.path[:0] = [{str(Path(__file__).parents[2])!r}]\nimport json\n"
                      "from gastown_hooks.core.paths import Town\nfrom gastown_hooks.stores.ledger import Ledger\n"
                      f"Ledger(Town({near.rig.town.root!r}).rig('gp').beads).transact(lambda view: [json.loads({later!r})])\n")
    near.gates(f"{sys.executable} {script}")
    assert [request for request, _ in near.round().landed] == [made[0], made[2]]
    assert near.file("b1.txt") is None
    near.check_green()


def test_a_gate_that_cannot_run_puts_the_stack_off_and_a_shorter_one_is_tried(near: Yard) -> None:  # M14
    near.gates("test ! -e b0.txt || test ! -e b3.txt || kill -9 $$")
    made = near.many(4)
    assert near.round().put_off == made
    landed = [request for request, _ in near.round(later=31).landed]
    assert landed[:2] == made[:2] and all(near.get(one)["metadata"]["state"] != requests.FAILED for one in made)


def test_a_flake_in_a_stack_sends_nobody_back_and_is_in_the_registry(near: Yard) -> None:  # M4, M21
    fails = f"test -e {near.root}/second || {{ touch {near.root}/second; echo 'FAILED tests/test_x.py::test_y - boom'; false; }}"
    near.gates(f"test ! -e b0.txt || {{ {fails}; }}")
    made = near.many(1)
    assert [request for request, _ in near.round().landed] == made
    (flake,) = flakes.listing(near.rig)
    assert flake["test"] == "tests/test_x.py::test_y" and flake["count"] == 1 and flake["trees"] == [near.tip("main^{tree}")]


def test_where_gates_never_err_a_culprit_is_not_asked_twice(near: Yard) -> None:
    near.gates(near.counted(GATE), confirm_red=False)
    near.many(1)
    near.round()
    bad = near.submit("bad", {"bad.txt": "BAD\n"}, worker="bad")
    assert near.round().sent_back == [bad] and near.runs() == 2


def test_a_landing_of_the_older_journal_is_finished(near: Yard) -> None:
    one = near.submit("one")
    desk = open_desk(near.rig, near.now)
    land.look(desk)
    land.check_foreign(desk)
    request = near.request(one)
    commit = land.stack.build(near.rig, near.tip(), [request]).tip
    assert land.gate.run(near.rig, commit, near.now).green
    desk.note("land", {"old": near.tip(), "new": commit, "target": "main", "mr": one, "bead": request.source, "fence": 1,
                       "head": request.head, "branch": request.branch, "gate": {}})
    assert near.round().landed == [(one, commit)] and near.tip() == commit and near.journal() == ["land", "settled"]


def test_a_person_holds_and_approves(near: Yard, run_cli: builders.Run) -> None:
    near.gates(GATE, review="human")
    one, two = near.many(2)
    near.round()
    assert "approval" in near.request(one).reason and near.journal() == []
    assert f"2 to approve in {near.rig.name}: " in run_cli("gt", "status", cwd=near.rig.root).out
    assert run_cli("gt", "mq", "approve", one, "--dry-run", cwd=near.rig.root).code == 0
    assert run_cli("gt", "mq", "approve", one, cwd=near.rig.root).code == 0
    assert [request for request, _ in near.round().landed] == [one]
    signals = near.get(near.request(one).source)["validations"][0]["quality_signals"]
    assert (signals["review_approved"], signals["reviewer"], signals["tests_passed"]) == (True, "overseer", True)
    near.gates(GATE)
    assert run_cli("gt", "mq", "hold", two, cwd=near.rig.root).code == 0
    assert not near.round().landed and "held by overseer" in near.request(two).reason
    worker = {"BD_ACTOR": "gp/polecats/w1", "GT_BEAD": "gp-b1", "GT_FENCE": "1"}
    assert run_cli("gt", "mq", "approve", two, cwd=near.rig.root, env=worker).code == 5
    assert json.loads(run_cli("gt", "mq", "approve", two, "--json", cwd=near.rig.root).out)["review"] == "approved"
    assert [request for request, _ in near.round().landed] == [two]
    assert run_cli("gt", "mq", "hold", two, cwd=near.rig.root).code == 5
