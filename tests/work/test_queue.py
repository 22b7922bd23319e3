"""Merge requests as beads: submitting, order, retry, reject."""

from __future__ import annotations

import time
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput, Corrupt, Fenced, NotFound, Refused
from gastown_hooks.rules import requests
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import queue


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return queueyard.make(tmp_path)


def test_a_request_is_a_bead_that_other_readers_know(yard: Yard) -> None:
    one = yard.submit("one", priority=1)
    found = yard.get(one)
    assert one.startswith("gp-mr-") and found["issue_type"] == "merge-request" and found["status"] == "open" and found["priority"] == 1
    assert found["metadata"] == {"branch": "polecat/toast/one@1", "head": yard.tip("refs/heads/polecat/toast/one@1"), "base": yard.tip(),
                                 "target": "main", "source": "gp-one", "worker": "gp/polecats/toast", "fence": 1, "state": "queued"}
    assert yard.tip(requests.pin(one)) == found["metadata"]["head"]
    assert yard.get("gp-one")["status"] == "in_progress"


def test_submitting_twice_is_submitting_once(yard: Yard) -> None:
    one, base = yard.submit("one"), yard.tip()
    before = yard.get(one)
    assert yard.submit("one", head=before["metadata"]["head"], base=base) == one
    assert yard.get(one) == before and len(queue.requests(yard.rig)) == 1


@pytest.mark.parametrize("branch", ["", "-D", "--upload-pack=x", "a..b", "x.lock", "a/.b", "@{1}", "refs/heads/main", "HEAD", "main",
                                    "a b", "a\nb", "a\x1bb", "a//b", "a/", "x~1", "a:b", "b" * 300])
def test_a_branch_that_is_no_branch_is_refused(yard: Yard, branch: str) -> None:  # S11
    yard.bead("one")
    head = yard.commit("polecat/toast/one@1", {"a": "a"})
    with pytest.raises(BadInput):
        _submit(yard, head, branch=branch)


def test_a_head_that_is_not_the_branchs_work_is_refused(yard: Yard) -> None:  # S12
    yard.bead("one")
    head = yard.commit("polecat/toast/one@1", {"a": "a"})
    other = yard.commit("polecat/toast/other@1", {"b": "b"})
    unborn = builders.run(["git", f"--git-dir={yard.rig.repo}", "commit-tree", f"{head}^{{tree}}", "-m", "unrelated"]).out.strip()
    yard.rig_git("update-ref", "refs/heads/polecat/toast/unrelated@1", unborn)
    yard.rig_git("tag", "-a", "-m", "x", "v1", head)
    tag = yard.rig_git("rev-parse", "v1")
    for bad, why in ((other, "not a commit of branch"), (yard.tip(), "changes nothing"), ("1" * 40, "not in the repository"),
                     (tag, "it is a tag"), (yard.rig_git("rev-parse", f"{head}^{{tree}}"), "it is a tree")):
        with pytest.raises(Refused, match=why):
            _submit(yard, bad)
    with pytest.raises(Refused, match="no common history"):
        _submit(yard, unborn, branch="polecat/toast/unrelated@1")
    for bad in ("0" * 40, "HEAD", head[:12], "", "main"):
        with pytest.raises(BadInput):
            _submit(yard, bad)
    assert queue.requests(yard.rig) == []


def test_a_stale_claim_cannot_submit(yard: Yard) -> None:
    yard.bead("one", fence=2, worker="nux")
    head = yard.commit("polecat/toast/one@1", {"a": "a"})
    with pytest.raises(Fenced):
        _submit(yard, head)
    yard.put({**yard.get("gp-one"), "claim_fence": 1})  # the fence fits, the holder does not
    with pytest.raises(Fenced):
        _submit(yard, head)
    assert queue.requests(yard.rig) == []


def test_a_bead_that_nobody_was_given_and_a_closed_one_are_refused(yard: Yard) -> None:
    yard.bead("one", fence=0)
    head = yard.commit("polecat/toast/one@1", {"a": "a"})
    with pytest.raises(BadInput, match="never assigned"):
        _submit(yard, head, fence=0)
    yard.put({**yard.get("gp-one"), "claim_fence": 1, "status": "closed"})
    with pytest.raises(Refused, match="closed already"):
        _submit(yard, head)


def _submit(yard: Yard, head: str, *, branch: str = "polecat/toast/one@1", fence: int = 1) -> object:
    return queue.submit(yard.rig, yard.get("gp-one"), head=head, branch=branch, worker="gp/polecats/toast", fence=fence, target="main",
                        caller=yard.worker("gp-one", fence=fence), now=yard.now)


def test_retry_needs_the_same_fence_and_an_open_end(yard: Yard) -> None:
    yard.gates("test ! -e one.txt")
    one = yard.submit("one")
    yard.gates("test ! -e one.txt")
    yard.round()
    assert yard.request(one).state == requests.FAILED
    before = yard.get(one)
    assert queue.retry(yard.rig, one, caller=yard.person(), now=yard.now, dry_run=True) == before == yard.get(one)
    yard.put({**yard.get("gp-one"), "claim_fence": 2})
    with pytest.raises(Fenced):
        queue.retry(yard.rig, one, caller=yard.person(), now=yard.now)
    with pytest.raises(NotFound):
        queue.retry(yard.rig, "gp-one", caller=yard.person(), now=yard.now)


def test_reject_closes_the_request_and_opens_the_bead_with_the_reason(yard: Yard) -> None:
    one = yard.submit("one")
    with pytest.raises(BadInput):
        queue.reject(yard.rig, one, reason=" ", caller=yard.person(), now=yard.now)
    queue.reject(yard.rig, one, reason="not wanted", caller=yard.person(), now=yard.now)
    queue.reject(yard.rig, one, reason="not wanted", caller=yard.person(), now=yard.now)
    bead = yard.get("gp-one")
    assert yard.request(one).state == requests.REJECTED and bead["status"] == "open" and not bead.get("assignee")
    assert bead["notes"].count("not wanted") == 1 and yard.has(requests.pin(one))
    assert yard.round().words() == "nothing to do"
    with pytest.raises(Refused):
        queue.retry(yard.rig, one, caller=yard.person(), now=yard.now)


def test_a_worker_may_not_decide_about_others_work(yard: Yard) -> None:
    one = yard.submit("one")
    with pytest.raises(Refused):
        queue.reject(yard.rig, one, reason="mine first", caller=yard.worker("gp-two", "nux"), now=yard.now)


def test_a_damaged_request_is_said_so_and_holds_up_nobody(yard: Yard) -> None:
    one = yard.submit("one")
    yard.put({**yard.get(one), "id": "gp-mr-other", "metadata": {"state": "queued"}})
    yard.put({"id": "gp-mr-bare", "title": "Merge: x", "status": "open", "priority": 0, "issue_type": "merge-request",
              "created_at": clock.stamp(yard.now), "updated_at": clock.stamp(yard.now)})
    assert [found["id"] for found in queue.in_order(yard.rig, yard.now)] == [one]
    result = yard.round()
    assert [request for request, _ in result.landed] == [one]
    assert "gp-mr-bare is damaged" in result.words() and "gp-mr-other is damaged" in result.words()
    with pytest.raises(Corrupt):
        queue.find(yard.rig, "gp-mr-bare")


def test_a_bead_of_the_towns_own_ledger_lands_too(yard: Yard) -> None:
    Ledger(yard.rig.town.beads).transact(lambda view: [{
        "id": "hq-one", "title": "town work", "status": "in_progress", "priority": 2, "issue_type": "task", "claim_fence": 1,
        "assignee": "gp/polecats/toast", "created_at": clock.stamp(yard.now), "updated_at": clock.stamp(yard.now)}])
    source = Ledger(yard.rig.town.beads).get("hq-one")
    assert source is not None
    head = yard.commit("polecat/toast/one@1", {"a": "a"})
    queue.submit(yard.rig, source, head=head, branch="polecat/toast/one@1", worker="gp/polecats/toast", fence=1, target="main",
                 caller=yard.worker("hq-one"), now=yard.now)
    assert len(yard.round().landed) == 1
    closed = Ledger(yard.rig.town.beads).get("hq-one")
    assert closed is not None and closed["status"] == "closed"


def test_five_hundred_requests_are_listed_quickly(yard: Yard) -> None:  # M17
    one = yard.submit("one")
    template = yard.get(one)
    Ledger(yard.rig.beads).transact(lambda view: [{**template, "id": f"gp-mr-x{n}", "priority": n % 5} for n in range(500)])
    times = []
    for _ in range(5):
        started = time.perf_counter()
        assert len(queue.in_order(yard.rig, yard.now)) == 501
        times.append(time.perf_counter() - started)
    assert sorted(times)[2] < 0.2
