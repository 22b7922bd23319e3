"""gt mq."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.rules import requests


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return queueyard.make(tmp_path)


def test_list_next_and_status(yard: Yard, run_cli: builders.Run) -> None:
    two, one = yard.submit("two", priority=3), yard.submit("one", priority=1, title="x\x1b[31my")
    done = run_cli("gt", "mq", "list", cwd=yard.rig.root)
    assert done.code == 0 and done.out.index(one) < done.out.index(two) and "gates: true\n" in done.out, done.err
    found = json.loads(run_cli("gt", "mq", "list", "gp", "--json", cwd=yard.rig.root).out)
    assert [request["id"] for request in found["requests"]] == [one, two] and found["gates"] == ["true"]
    assert run_cli("gt", "mq", "next", cwd=yard.rig.town.root).out.startswith(one)
    assert json.loads(run_cli("gt", "mq", "status", one, "--json", cwd=yard.rig.root).out)["source"] == "gp-one"
    assert "\x1b" not in run_cli("gt", "mq", "status", one, cwd=yard.rig.root).out


def test_a_listing_says_what_the_gates_are(yard: Yard, run_cli: builders.Run) -> None:
    """M12: without gates nothing lands, and every listing says so."""
    yard.gates(none=True)
    assert "gates: none" in run_cli("gt", "mq", "list", cwd=yard.rig.root).out
    Path(yard.rig.settings).unlink()
    assert "nothing lands" in run_cli("gt", "mq", "list", cwd=yard.rig.root).out


def test_reject_and_retry(yard: Yard, run_cli: builders.Run) -> None:
    yard.gates("test ! -e one.txt")
    one = yard.submit("one")
    yard.round()
    assert run_cli("gt", "mq", "retry", one, "--dry-run", cwd=yard.rig.root).code == 0
    assert yard.request(one).state == requests.FAILED
    done = run_cli("gt", "mq", "retry", one, "--json", cwd=yard.rig.root)
    assert json.loads(done.out)["state"] == "queued", done.err
    assert run_cli("gt", "mq", "reject", one, cwd=yard.rig.root).code == 2
    assert run_cli("gt", "mq", "reject", one, "--reason", "no", "--dry-run", cwd=yard.rig.root).code == 0
    assert yard.request(one).state == requests.QUEUED
    assert run_cli("gt", "mq", "reject", one, "--reason", "no", cwd=yard.rig.root).code == 0
    assert yard.request(one).state == requests.REJECTED
    assert run_cli("gt", "mq", "retry", one, cwd=yard.rig.root).code == 5
    assert run_cli("gt", "mq", "status", "gp-nope", cwd=yard.rig.root).code == 3


def test_a_crew_member_submits_a_branch_and_the_bead_closes_when_it_landed(yard: Yard, run_cli: builders.Run) -> None:
    crew = Path(yard.rig.crew("ann").tree)
    builders.git(yard.root, "clone", "-q", yard.rig.repo, str(crew), "-b", "main")
    builders.git(crew, "switch", "-q", "-c", "topic")
    builders.commit(crew, {"crew.txt": "x"}, "crew work")
    yard.put({"id": "gp-crew", "title": "by hand", "status": "open", "priority": 2, "issue_type": "task",
              "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
    assert "would submit" in run_cli("gt", "mq", "submit", "--bead", "gp-crew", "--dry-run", cwd=crew).out
    done = run_cli("gt", "mq", "submit", "--bead", "gp-crew", "--json", cwd=crew)
    one = json.loads(done.out)["id"]
    assert json.loads(run_cli("gt", "mq", "submit", "--bead", "gp-crew", "--json", cwd=crew).out)["id"] == one
    assert yard.get("gp-crew")["assignee"] == "gp/crew/ann" and yard.get("gp-crew")["claim_fence"] == 1
    yard.now = yard.now * 2
    assert [request for request, _ in yard.round().landed] == [one] and yard.file("crew.txt") == "x"
    assert yard.get("gp-crew")["status"] == "closed"


def test_submit_takes_the_bead_on_the_callers_hook(yard: Yard, run_cli: builders.Run) -> None:
    crew = Path(yard.rig.crew("ann").tree)
    builders.git(yard.root, "clone", "-q", yard.rig.repo, str(crew), "-b", "main")
    builders.git(crew, "switch", "-q", "-c", "topic")
    builders.commit(crew, {"crew.txt": "x"}, "crew work")
    for name in ("one", "two"):
        yard.put({"id": f"gp-{name}", "title": name, "status": "open", "priority": 2, "issue_type": "task",
                  "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
    done = run_cli("gt", "mq", "submit", cwd=crew)
    assert done.code == 2 and "hook of gp/crew/ann: nothing" in done.err and "gt mq submit --bead ID" in done.err
    assert run_cli("gt", "hook", "gp-one", cwd=crew).code == 0
    done = run_cli("gt", "mq", "submit", "--json", cwd=crew)
    assert json.loads(done.out)["source"] == "gp-one", done.err
    assert run_cli("gt", "hook", "gp-two", cwd=crew).code == 0
    assert "gp-one, gp-two" in run_cli("gt", "mq", "submit", cwd=crew).err


def test_a_request_is_found_by_its_bead(yard: Yard, run_cli: builders.Run) -> None:
    assert "nothing waits" in run_cli("gt", "mq", "list", cwd=yard.rig.root).out
    yard.gates("test ! -e one.txt")
    one = yard.submit("one")
    yard.round()
    shown = run_cli("gt", "mq", "status", "gp-one", cwd=yard.rig.root)
    assert one in shown.out and f"gt mq retry {one}" in shown.out.splitlines()[-1], shown.err
    assert run_cli("gt", "mq", "retry", "gp-one", cwd=yard.rig.root).code == 0 and yard.request(one).state == requests.QUEUED
    tip = builders.git(yard.rig.repo, "rev-parse", "main")
    assert "would test" in run_cli("gt", "mq", "accept", tip, "gp", "--dry-run", cwd=yard.rig.root).out
