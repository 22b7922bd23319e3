"""What reaches the target past the queue."""

from __future__ import annotations

from pathlib import Path

import builders
import pygit2
import pytest
from queueyard import Yard

from gastown_hooks.core.errors import Refused
from gastown_hooks.rules import requests
from gastown_hooks.stores import events
from gastown_hooks.work import foreign, proof


@pytest.mark.parametrize("how", ["update-ref", "pygit2", "raw", "delete"])
def test_a_local_move_of_the_target_is_saved_put_back_and_told(yard: Yard, how: str) -> None:
    yard.submit("zero")
    yard.round()
    good = yard.tip()
    bad = yard.commit("polecat/toast/evil@1", {"evil.txt": "x"})
    _move(yard, how, bad)

    result = yard.round()

    assert yard.tip() == good and not result.landed
    if how == "delete":
        return
    assert yard.tip(foreign.salvage_ref(bad)) == bad and result.foreign == [bad]
    assert yard.mails("overseer") == ["gp: main was moved past the merge queue"]
    assert [event["was"] for event in yard.events("target_put_back")] == [bad]
    assert yard.round().foreign == [] and len(yard.mails("overseer")) == 1


@pytest.mark.parametrize("yard", ["near", "far"])
def test_a_local_move_while_the_gate_runs_is_handled_before_the_landing(request: pytest.FixtureRequest, yard: str) -> None:
    found: Yard = request.getfixturevalue(yard)
    bad = found.commit("polecat/toast/evil@1", {"evil.txt": "x"})
    once = f"test -e {found.root}/runs || git --git-dir={found.rig.repo} -c core.hooksPath=/dev/null update-ref refs/heads/main {bad}"
    found.gates(f"{once}; {found.counted()}")
    one = found.submit("one")
    result = found.round()
    assert result.foreign == [bad] and found.tip(foreign.salvage_ref(bad)) == bad and found.runs() == 1
    assert [landed for landed, _ in result.landed] == [one] and found.file("evil.txt") is None
    told = [event["type"] for event in events.read(found.rig.town) if event["type"] in ("target_put_back", "merged")]
    assert told == ["target_put_back", "merged"]


def _move(yard: Yard, how: str, commit: str) -> None:
    if how == "update-ref":
        builders.git(yard.rig.repo, f"--git-dir={yard.rig.repo}", "-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main", commit)
    elif how == "pygit2":
        pygit2.Repository(yard.rig.repo).references["refs/heads/main"].set_target(commit)
    elif how == "raw":
        Path(yard.rig.repo, "refs/heads/main").write_text(commit + "\n")
    else:
        builders.git(yard.rig.repo, f"--git-dir={yard.rig.repo}", "-c", "core.hooksPath=/dev/null", "update-ref", "-d", "refs/heads/main")


def test_a_moved_target_proves_nothing(yard: Yard) -> None:
    one = yard.submit("one")
    _move(yard, "update-ref", yard.request(one).head)
    assert proof.landed(yard.rig, yard.get("gp-one")) is None
    yard.round()
    assert yard.get("gp-one")["status"] == "closed"  # through the queue


def test_what_people_pushed_is_gated_once_and_adopted(far: Yard) -> None:
    far.gates(far.counted())
    outside = far.outsider({"crew.txt": "x"})
    result = far.round()
    assert result.foreign == [outside] and far.tip() == outside == far.tip("refs/gt/landed/main") and far.runs() == 1
    assert far.tip(foreign.salvage_ref(outside)) == outside
    (event,) = far.events("foreign_adopted")
    assert event["commits"] == [outside] and event["count"] == 1
    far.round()
    assert far.runs() == 1
    one = far.submit("one")
    assert [request for request, _ in far.round().landed] == [one] and far.file("crew.txt") == "x"
    far.check_green()


def test_a_red_push_closes_the_target_until_somebody_mends_it(far: Yard) -> None:
    far.gates(far.counted("test ! -e bad.txt"))
    landed = far.tip()
    bad = far.outsider({"bad.txt": "x"})
    one = far.submit("one")
    result = far.round()
    assert result.closed and not result.landed and not result.sent_back and far.runs() == 2
    assert far.tip() == landed and far.request(one).state == requests.WAITING
    far.round()
    assert far.runs() == 2 and far.mails("overseer") == ["gp: main is closed"] and len(far.events("escalation")) == 1
    far.outsider({"bad.txt": None})
    result = far.round()
    assert [request for request, _ in result.landed] == [one] and not result.closed
    assert far.remote_tip() == far.tip() and bad in far.rig_git("rev-list", "main")
    assert "gp: main is open again" in far.mails("overseer")


def test_only_a_labelled_fix_lands_on_a_red_tip(far: Yard) -> None:
    far.gates("test ! -e bad.txt")
    bad = far.outsider({"bad.txt": "x"})
    one = far.submit("one")
    far.round()
    fix = far.submit("fix", {"bad.txt": None}, base=bad, worker="nux", labels=[requests.FIX_LABEL])
    assert [request for request, _ in far.round().landed] == [fix, one]
    assert far.remote_tip() == far.tip() == far.tip("refs/gt/landed/main")


def test_a_rewritten_history_closes_the_target_until_a_person_decides(far: Yard) -> None:
    one = far.submit("one")
    far.round()
    landed, start = far.tip(), far.rig_git("rev-list", "--max-parents=0", "main")
    rewritten = far.outsider({"other.txt": "x"}, force=True, base=start)
    two = far.submit("two", worker="nux")
    result = far.round()
    assert "rewritten" in result.closed and not result.landed and far.remote_tip() == rewritten
    assert far.tip(foreign.salvage_ref(rewritten)) == rewritten and far.tip() == landed
    with pytest.raises(Refused):
        foreign.accept(far.rig, landed, caller=far.person(), now=far.now)
    foreign.accept(far.rig, rewritten, caller=far.person(), now=far.now)
    assert far.tip(foreign.salvage_ref(landed)) == landed  # nothing that landed is lost
    assert [request for request, _ in far.round().landed] == [two]
    assert far.request(one).state == requests.LANDED and far.file("other.txt") == "x"


def test_a_history_that_is_restored_opens_the_target_by_itself(far: Yard) -> None:
    far.submit("one")
    far.round()
    landed, start = far.tip(), far.rig_git("rev-list", "--max-parents=0", "main")
    far.outsider({"other.txt": "x"}, force=True, base=start)
    assert far.round().closed
    builders.git(far.rig.repo, f"--git-dir={far.rig.repo}", "push", "-q", "--force", str(far.remote), f"{landed}:refs/heads/main")
    two = far.submit("two", worker="nux")
    assert [request for request, _ in far.round().landed] == [two]


def test_a_worker_that_pushes_to_the_target_itself_is_judged_and_its_bead_closes_as_landed(far: Yard) -> None:
    one = far.submit("one")
    head = far.request(one).head
    builders.git(far.scratch, "push", "-q", "--no-verify", str(far.remote), f"{head}:refs/heads/main")
    result = far.round()
    assert result.foreign == [head] and result.landed == [(one, head)]
    assert far.get("gp-one")["status"] == "closed" and proof.landed(far.rig, far.get("gp-one")) == head


def test_an_infrastructure_failure_judges_no_outsider(far: Yard) -> None:
    far.gates("no-such-program")
    far.outsider({"crew.txt": "x"})
    result = far.round()
    assert "cannot judge" in result.waiting and not result.closed and far.mails("overseer") == []
