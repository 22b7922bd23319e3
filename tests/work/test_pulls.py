"""review = "pr": pull requests through gh, of which tests/peers/gh.py is a stand-in, over a real remote."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import builders
import pytest
import queueyard
from peers.gh import Host
from queueyard import Yard

from gastown_hooks.rules import requests
from gastown_hooks.stores import gh, known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import proof, queue

URL = "https://host.test/o/r/pull/1"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    made = queueyard.make(tmp_path, remote=True)
    made.gates(made.counted(), review="pr")
    return made


@pytest.fixture
def host(yard: Yard, tmp_path: Path) -> Host:
    assert yard.remote is not None
    return Host(tmp_path / "home", yard.remote)


def verbs(host: Host) -> list[str]:
    return [words[1] for words in host.calls]


def soon(yard: Yard) -> list[str]:
    return [request for request, _ in yard.round(later=31).landed]


@pytest.mark.parametrize("protected", [True, False], ids=["decision", "reviews alone"])
def test_a_request_waits_for_its_pull_request_and_lands_once_that_is_approved(yard: Yard, host: Host, protected: bool,
                                                                              run_cli: builders.Run) -> None:
    one = yard.submit("one", title="--body=x $(touch /tmp/x) `y`")
    assert not yard.round().landed and yard.runs() == 0 and yard.request(one).reason == f"waits for the approval of {URL}"
    pull = host.pull()
    assert (pull["headRefName"], pull["headRefOid"]) == (yard.branch("one"), yard.request(one).head) and one in pull["body"]
    assert pull["title"] == "gp-one: --body=x $(touch /tmp/x) `y`"
    listed = json.loads(run_cli("gt", "mq", "list", "gp", "--json", cwd=yard.rig.root).out)["requests"][0]["pull"]
    assert (listed["url"], listed["state"]) == (URL, "open")
    assert f"{URL} (open)" in run_cli("gt", "mq", "status", one, cwd=yard.rig.root).out
    host.change(reviewDecision="REVIEW_REQUIRED" if protected else "")
    assert not soon(yard)
    host.review("APPROVED", protected=protected)
    assert soon(yard) == [one] and verbs(host).count("create") == 1
    assert host.pull()["state"] == "MERGED" and not {"comment", "close"} & set(verbs(host))  # the host saw it by itself
    assert yard.get(one)["metadata"]["pull"]["state"] == "merged" and yard.get("gp-one")["status"] == "closed"


def test_where_the_host_does_not_see_the_landing_it_is_told_once(yard: Yard, host: Host) -> None:
    yard.gates("true", review="pr", landing="linear")
    one = yard.submit("one")
    yard.round()
    host.review("APPROVED")
    assert soon(yard) == [one]
    assert host.pull()["state"] == "CLOSED"
    assert [comment["body"] for comment in host.pull()["comments"]] == [f"{one} landed on main as {yard.tip()}"]
    queue.annotate(yard.rig, one, caller=yard.person(), now=yard.now, pull={"number": 1, "url": URL, "state": "open"})  # killed before
    yard.round()
    assert len(host.pull()["comments"]) == 1


@pytest.mark.parametrize("at_last", ["MERGED", "CLOSED"])
def test_a_host_that_is_slow_to_see_a_merge_has_time(yard: Yard, host: Host, at_last: str) -> None:
    one = yard.submit("one")
    yard.round()
    host.review("APPROVED")
    host.mode("slow")
    assert soon(yard) == [one] and host.pull()["state"] == "OPEN" and yard.request(one).untold
    host.mode("" if at_last == "MERGED" else "slow")
    yard.round(later=31)
    assert host.pull()["state"] == at_last and len(host.pull()["comments"]) == (at_last == "CLOSED") and not yard.request(one).untold


def test_requested_changes_send_it_back_with_the_reviewers_words(yard: Yard, host: Host) -> None:
    one = yard.submit("one")
    yard.round()
    host.review("CHANGES_REQUESTED", "name it \x07well\nand test it")
    result = yard.round(later=31)
    notes = yard.get("gp-one")["notes"]
    assert result.sent_back == [one] and yard.request(one).state == requests.FAILED and yard.get("gp-one")["status"] == "open"
    assert "ann: name it \\x07well\nand test it" in notes and URL in notes and host.pull()["state"] == "OPEN"
    again = {**yard.get("gp-one"), "status": "in_progress", "claim_fence": 2, "assignee": "gp/polecats/nux"}
    yard.put(again)
    two = yard.submit("one", {"one.txt": "better\n"}, worker="nux", fence=2)
    yard.round()
    assert host.pull()["state"] == "CLOSED" and f"superseded by {two}" in host.pull()["comments"][0]["body"]
    assert host.pull(2)["state"] == "OPEN" and yard.request(two).open


def test_a_pull_request_into_another_branch_is_not_the_requests_own(yard: Yard, host: Host) -> None:
    """Who approves it for a branch of trials, or turns it round to one, did not say that it may go into the target."""
    one = yard.submit("one")
    yard.round()
    host.change(baseRefName="trials")
    host.review("APPROVED")
    assert not soon(yard) and host.pull(2)["baseRefName"] == "main" and yard.get(one)["metadata"]["pull"]["number"] == 2
    host.review("APPROVED", number=2)
    assert soon(yard) == [one] and host.pull()["state"] != "CLOSED"


def test_a_closed_pull_request_rejects_its_request(yard: Yard, host: Host) -> None:
    one = yard.submit("one")
    yard.round()
    host.change(state="CLOSED")
    yard.round(later=31)
    assert yard.request(one).state == requests.REJECTED and yard.get("gp-one")["status"] == "open" and URL in yard.get("gp-one")["notes"]
    assert yard.mails() == [f"MERGE_REJECTED {one}"] and yard.round(later=31).words() == "nothing to do"


@pytest.mark.parametrize("how", ["squash", "merge"])
def test_merged_at_the_host_is_landed_elsewhere(yard: Yard, host: Host, how: str) -> None:
    """M11: a foreign commit with our patch closes the request with proof, and nothing is landed twice."""
    one = yard.submit("one")
    yard.round()
    new = host.merge(how)
    later = yard.outsider({"one.txt": "changed since\n"})
    result = yard.round(later=31)
    assert result.foreign == [later] and result.landed == [(one, new)] and yard.remote_tip() == later
    assert yard.get("gp-one")["status"] == "closed" and proof.landed(yard.rig, yard.get("gp-one")) == new
    assert yard.get(one)["metadata"]["pull"]["state"] == "merged"


def test_merged_at_the_host_but_not_there_for_git_waits_and_says_so(yard: Yard, host: Host) -> None:
    one = yard.submit("one")
    yard.round()
    host.change(state="MERGED", mergeCommit={"oid": "1" * 40})
    yard.round(later=31)
    assert yard.request(one).open and "git does not find its work" in yard.request(one).reason
    assert yard.get("gp-one")["status"] == "in_progress"


@pytest.mark.parametrize("mode, words", [("offline", "error connecting"), ("auth", "gh auth login"), ("garbage", "gave no answer"),
                                         ("odd", "cannot be read"),
                                         ("missing", "gh is missing")])
def test_a_host_that_cannot_be_asked_is_nobodys_change(yard: Yard, host: Host, mode: str, words: str, tmp_path: Path) -> None:
    one = yard.submit("one")
    if mode == "missing":
        (tmp_path / "home/.bin/gh").rename(tmp_path / "gh")
    host.mode(mode)
    result = yard.round()
    assert not result.landed and not result.sent_back and not result.aside and yard.mails("overseer") == []
    assert yard.request(one).state == requests.WAITING and words in yard.request(one).reason
    queue.review(yard.rig, one, requests.APPROVED, caller=yard.person(), now=yard.now)  # a person's word needs no host
    assert [request for request, _ in yard.round().landed] == [one]
    if mode == "missing":
        (tmp_path / "gh").rename(tmp_path / "home/.bin/gh")
    host.mode("")
    two = yard.submit("two", worker="nux")
    yard.round(later=31)
    assert yard.request(two).reason.startswith("waits for the approval of")


def test_the_role_itself_asks_and_a_rejection_by_hand_is_told_at_the_next_tick(yard: Yard, host: Host, run_cli: builders.Run) -> None:
    role = Path(__file__).resolve().parents[2] / "roles/refinery.py"
    words = [sys.executable, str(role), "patrol", "--town", yard.rig.town.root, "--rig", "gp"]
    one = yard.submit("one")
    assert builders.run(words).code == 0 and yard.request(one).pull["url"] == URL
    assert run_cli("gt", "mq", "reject", one, "--reason", "not now", cwd=yard.rig.root).code == 0
    assert requests.has_work(known.kept(Ledger(yard.rig.beads))) and builders.run(words).code == 0
    assert host.pull()["state"] == "CLOSED" and host.pull()["comments"][0]["body"] == f"{one} was rejected: not now"
    assert not requests.has_work(known.kept(Ledger(yard.rig.beads)))


def test_the_host_is_asked_once_an_interval(yard: Yard, host: Host) -> None:
    yard.submit("one")
    yard.round()
    host.forget()
    yard.round()
    assert host.calls == []
    two = yard.submit("two", worker="nux")
    yard.round()  # a new request is not kept waiting
    assert "create" in verbs(host) and yard.request(two).pull["number"] == 2
    host.forget()
    yard.round(later=31)
    assert verbs(host) == ["list"]


@pytest.mark.parametrize("step", ["create", "comment", "close", "annotate"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_word_to_the_host_and_run_again_each_is_said_once(yard: Yard, host: Host, step: str, before: bool,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    one = yard.submit("one")
    with killing(monkeypatch, step, before):
        yard.round()
    yard.round(later=31)
    queue.reject(yard.rig, one, reason="no", caller=yard.person(), now=yard.now)
    with killing(monkeypatch, step, before):
        yard.round()
    yard.round()
    assert verbs(host).count("create") == verbs(host).count("close") == len(host.pull()["comments"]) == 1
    assert yard.request(one).pull["state"] == "closed" and not yard.request(one).untold


@contextmanager
def killing(monkeypatch: pytest.MonkeyPatch, step: str, before: bool) -> Iterator[None]:
    """Whatever runs in here ends right before, or right after, its first such step."""
    owner: object = queue if step == "annotate" else gh.Host
    real = getattr(owner, step)

    def stand_in(*args: object, **named: object) -> None:
        if not before:
            real(*args, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, step, stand_in)
    try:
        yield
    except KeyboardInterrupt:
        pass
    monkeypatch.setattr(owner, step, real)


def test_an_approval_counts_for_the_submitted_commit_alone(yard: Yard, host: Host) -> None:
    """M10: an approval of an older commit is none, and what is pushed to the branch later does not land."""
    one = yard.submit("one")
    yard.round()
    host.review("APPROVED", commit="1" * 40)
    assert not soon(yard)
    host.review("APPROVED")
    builders.git(yard.scratch, "fetch", "-q", str(yard.remote), yard.branch("one"))
    builders.git(yard.scratch, "checkout", "-q", "--detach", "FETCH_HEAD")
    builders.commit(yard.scratch, {"late.txt": "x"}, "later")
    builders.git(yard.scratch, "push", "-q", str(yard.remote), f"HEAD:refs/heads/{yard.branch('one')}")
    assert not soon(yard) and "another commit than was submitted" in yard.request(one).reason


def test_a_new_submission_of_the_branch_takes_the_pull_request_over(yard: Yard, host: Host) -> None:
    one, base = yard.submit("one"), yard.tip()
    yard.round()
    builders.git(yard.scratch, "checkout", "-q", "--detach", base)
    amended = builders.commit(yard.scratch, {"one.txt": "amended\n"}, "work")
    builders.git(yard.scratch, "push", "-q", "-f", yard.rig.repo, f"HEAD:refs/heads/{yard.branch('one')}")
    two = yard.submit("one", head=amended)
    yard.round()
    assert host.pull()["headRefOid"] == amended and host.pull()["state"] == "OPEN" and verbs(host).count("create") == 1
    assert yard.request(one).state == requests.SUPERSEDED and yard.request(two).pull["number"] == 1
    host.review("APPROVED")
    assert soon(yard) == [two]


def test_a_refused_pull_request_is_put_aside_and_the_others_go_on(yard: Yard, host: Host) -> None:
    odd, one = yard.submit("odd"), yard.submit("one", worker="nux")
    host.mode(yard.branch("odd"))
    assert list(yard.round().aside) == [odd] and "not possible" in yard.request(odd).reason
    host.review("APPROVED")
    assert soon(yard) == [one]


def test_a_hold_outweighs_the_host_and_an_approval_can_be_taken_back(yard: Yard, host: Host) -> None:
    one = yard.submit("one")
    yard.round()
    queue.review(yard.rig, one, requests.HELD, caller=yard.person(), now=yard.now)
    host.review("APPROVED")
    assert not soon(yard) and "held by overseer" in yard.request(one).reason
    queue.annotate(yard.rig, one, caller=yard.person(), now=yard.now, review=None, reviewer=None)
    yard.gates("kill -9 $$", review="pr")
    yard.round(later=31)
    assert yard.request(one).review == requests.APPROVED
    host.change(reviewDecision="REVIEW_REQUIRED", latestReviews=[])
    yard.gates("true", review="pr")
    assert not soon(yard) and yard.request(one).review == ""


def test_without_a_remote_it_says_what_to_do(tmp_path: Path) -> None:
    near = queueyard.make(tmp_path)
    near.gates("true", review="pr")
    one = near.submit("one")
    near.round()
    assert "no remote" in near.request(one).reason and "gt config set gp.review human" in near.request(one).reason
