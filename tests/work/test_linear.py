"""landing = "linear": the target is a chain of commits, one a request; the last one of a batch is the tested tree."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.rules import requests
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import linear, proof, settle, stack

GATE = "! grep -rqs BAD --include=*.txt ."
LINEAR = {"landing": "linear"}


@pytest.fixture(params=[False, True], ids=["local", "remote"])
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    made = queueyard.make(tmp_path, remote=request.param)
    made.gates(made.counted(GATE), **LINEAR)
    return made


@pytest.fixture
def near(tmp_path: Path) -> Yard:
    made = queueyard.make(tmp_path)
    made.gates(made.counted(GATE), **LINEAR)
    return made


def log(yard: Yard, span: str, form: str) -> list[str]:
    return yard.rig_git("log", "--reverse", f"--format={form}", span).splitlines()


def test_a_batch_lands_as_a_chain_whose_tip_is_the_tested_tree(yard: Yard, run_cli: builders.Run) -> None:
    """M22 where landing is linear: the tips of batches have gate notes, and prove says which commits lie between."""
    old, made = yard.tip(), yard.many(3)
    heads = [yard.request(one).head for one in made]
    result = yard.round()
    chain = log(yard, f"{old}..main", "%H")
    assert result.landed == list(zip(made, chain, strict=True)) and yard.runs() == 1
    assert log(yard, f"{old}..main", "%P") == [old, *chain[:2]] and yard.tip("refs/gt/landed/main") == chain[-1]
    assert log(yard, f"{old}..main", "%an %s") == [f"Test Owner work on b{n}" for n in range(3)]
    assert log(yard, f"{old}..main", "%cn %(trailers:key=Bead,valueonly,separator=%x20)") == [f"gp/refinery gp-b{n}" for n in range(3)]
    for n, (one, commit, head) in enumerate(zip(made, chain, heads, strict=True)):
        bead = yard.get(f"gp-b{n}")
        assert bead["status"] == "closed" and proof.landed(yard.rig, bead) == commit == yard.get(one)["metadata"]["landed_as"]
        assert not yard.has(f"refs/heads/{yard.branch(f'b{n}', f'w{n}')}") and yard.tip(requests.pin(one)) == head  # nothing is lost
    assert yard.remote is None or yard.remote_tip() == chain[-1]
    assert yard.rig_git("notes", "--ref=gates", "list").split()[1::2] == [chain[-1]]
    told = run_cli("gt", "mq", "prove", cwd=yard.rig.root)
    assert told.code == 0 and "1 landings proven" in told.out and "2 commits lie within" in told.out, told.out + told.err
    found = json.loads(run_cli("gt", "mq", "prove", "--json", cwd=yard.rig.root).out)
    assert found["within"] == [[commit, chain[-1]] for commit in reversed(chain[:2])] and not found["foreign"]
    assert yard.round().words() == "nothing to do"


@pytest.mark.parametrize("bad", [(0,), (3,), (1, 2)])
def test_the_culprits_go_back_and_what_landed_is_one_chain(near: Yard, bad: tuple[int, ...]) -> None:
    """M1 in linear mode: whatever the target was set to has a green record of exactly its tree."""
    old, made = near.tip(), near.many(4, bad)
    result = near.round()
    assert sorted(result.sent_back) == sorted(made[n] for n in bad) and len(result.landed) == 4 - len(bad)
    assert {len(parents.split()) for parents in log(near, f"{old}..main", "%P")} == {1}
    for value in near.rig_git("log", "-g", "--format=%H", "refs/heads/main").splitlines()[:-1]:
        assert json.loads(near.rig_git("notes", "--ref=gates", "show", value))["tree"] == near.rig_git("rev-parse", f"{value}^{{tree}}")


def test_several_commits_become_one_with_all_authors_messages_and_trailers(near: Yard) -> None:
    near.bead("one")
    branch = near.branch("one")
    near.commit(branch, {"a.txt": "a"}, message="first step\n\nBead: gp-one\nRefs: 7")
    builders.git(near.scratch, "config", "user.name", "Ann Other")
    builders.git(near.scratch, "config", "user.email", "ann@example.test")
    near.commit("other", {"theirs.txt": "x"}, base="rig/main")
    head = near.commit(branch, {"b.txt": "b"}, message="second: step")
    near.submit("one", head=head)
    near.round()
    assert log(near, "main~1..main", "%an <%ae>") == ["Ann Other <ann@example.test>"]
    text = near.rig_git("log", "-1", "--format=%B", "main")
    trailers = "Refs: 7\nCo-authored-by: Test Owner <owner@example.test>\nBead: gp-one\n"
    assert text.startswith(f"gp-one: Do one\n\nfirst step\n\nsecond: step\n\n{trailers}") and text.count("Bead: ") == 1


def test_a_branch_that_merged_the_target_in_lands_without_a_merge_commit(near: Yard) -> None:
    """Its commits could not be played again one by one: the merge resolved a conflict."""
    near.bead("one")
    branch = near.branch("one")
    near.commit(branch, {"src/app.py": "mine\n"})
    near.submit("two", {"src/app.py": "theirs\n"}, worker="nux")
    near.round()
    old = near.tip()
    builders.git(near.scratch, "fetch", "-q", near.rig.repo, "main", branch)
    builders.git(near.scratch, "checkout", "-q", "--detach", near.tip(f"refs/heads/{branch}"))
    assert builders.run(["git", "-C", str(near.scratch), "merge", "-q", old]).code == 1
    head = builders.commit(near.scratch, {"src/app.py": "both\n"}, "merge the target")
    builders.git(near.scratch, "push", "-q", near.rig.repo, f"HEAD:refs/heads/{branch}")
    one = near.submit("one", head=head)
    assert near.round().landed == [(one, near.tip())] and near.file("src/app.py") == "both\n"
    assert log(near, "main~1..main", "%P %s") == [f"{old} work"]


def test_an_author_that_git_would_not_take_stops_nobody(near: Yard) -> None:
    near.bead("odd")
    tree = near.rig_git("rev-parse", f"{near.commit('x', {'odd.txt': 'x'})}^{{tree}}")
    raw = f"tree {tree}\nparent {near.tip()}\nauthor  <> 1700000000 +0000\ncommitter a <a@x> 1700000000 +0000\n\nodd\n"
    head = near.rig_git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", input=raw)
    near.rig_git("update-ref", f"refs/heads/{near.branch('odd')}", head)
    odd, one = near.submit("odd", head=head), near.submit("one", worker="nux")
    assert [request for request, _ in near.round().landed] == [odd, one]


def test_the_same_chain_whenever_it_is_built(near: Yard) -> None:
    found = [near.request(one) for one in near.many(3)]
    first, second = (stack.build(near.rig, near.tip(), found) for _ in range(2))
    assert first.tip == second.tip and linear.chain(Repo(near.rig.repo), near.tip(), first.tip, 3) == [one.commit for one in first.members]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", ["_follow", "_close", "_drop_branch", "_refresh"])
@pytest.mark.parametrize("count", [1, 2])
def test_killed_while_it_settles_the_chain_lands_once(yard: Yard, step: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    old, made, real, calls = yard.tip(), yard.many(2), getattr(settle, step), []

    def killed(*args: object) -> object:
        calls.append(1)
        if len(calls) == count:
            raise Killed
        return real(*args)

    monkeypatch.setattr(settle, step, killed)
    try:
        yard.round()
    except Killed:
        pass
    monkeypatch.undo()
    yard.round()
    assert len(log(yard, f"{old}..main", "%H")) == 2 and yard.runs() == 1 and yard.mails() == ["MERGED gp-b0", "MERGED gp-b1"]
    assert [yard.request(one).state for one in made] == [requests.LANDED] * 2 and yard.journal() == ["land", "settled"]


def test_a_duplicate_by_patch_is_no_second_commit(near: Yard) -> None:
    """M11 in linear mode: two beads with the same patch, and a branch that stood on another's."""
    base, one = near.tip(), near.submit("one", {"same.txt": "same\n"})
    two = near.submit("two", {"same.txt": "same\n"}, base=base, worker="nux")
    top = near.submit("top", {"top.txt": "x"}, base=near.request(one).head, worker="max")
    near.round()
    assert log(near, f"{base}..main", "%(trailers:key=Bead,valueonly,separator=%x20)") == ["gp-one", "gp-top"]
    assert near.request(two).state == near.request(top).state == requests.LANDED
