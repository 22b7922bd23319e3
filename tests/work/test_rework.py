"""A conflict gets one fresh worker."""

from __future__ import annotations

import sys
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.rules import requests
from gastown_hooks.stores import config
from gastown_hooks.work import rework
from gastown_hooks.work.desk import open_desk


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    made = queueyard.make(tmp_path)
    base = made.tip()
    made.submit("first", {"src/app.py": "first\n"}, worker="first")
    made.submit("second", {"src/app.py": "second\n"}, base=base, worker="second")
    made.round()
    return made


def send(yard: Yard) -> list[str]:
    return rework.send_workers(open_desk(yard.rig, yard.now))


def test_in_a_running_town_a_conflict_gets_exactly_one_worker(yard: Yard) -> None:
    """M5: 0 gate runs for a change that conflicts; its bead names base, both commits and files."""
    assert send(yard) == [] and yard.get("gp-second")["status"] == "open"  # by hand
    config.set_mode(yard.rig.town, "running")
    (words,) = send(yard)
    bead = yard.get("gp-second")
    assert bead["status"] == "hooked" and bead["claim_fence"] == 2 and bead["assignee"] in words
    assert Path(yard.rig.polecat(bead["assignee"].rpartition("/")[2]).tree, "src/app.py").read_text() == "first\n"
    assert send(yard) == [] and len(yard.events("sling")) == 1
    yard.put({**bead, "status": "open", "assignee": None})  # that worker gave up: nobody is sent for the same conflict again
    assert send(yard) == []


def test_what_cannot_be_slung_now_is_tried_again(yard: Yard) -> None:
    config.set_mode(yard.rig.town, "running")
    yard.gates("true", max_workers=1)
    busy = Path(yard.rig.polecat("busy").root)
    busy.mkdir()
    (busy / "lease.json").write_text("{}")
    (words,) = send(yard)
    assert "max_workers" in words and yard.get("gp-second")["status"] == "open"
    yard.gates("true")
    assert len(send(yard)) == 1 and yard.get("gp-second")["status"] == "hooked"


def test_a_bead_that_came_back_too_often_is_a_persons(yard: Yard) -> None:
    config.set_mode(yard.rig.town, "running")
    (one,) = requests.among([yard.get(mail.split()[1]) for mail in yard.mails() if "REWORK" in mail])
    yard.put({**one, "metadata": {**one["metadata"], "tries": rework.MOST}})
    assert send(yard) == [] and send(yard) == []
    assert [mail for mail in yard.mails("overseer") if "keeps coming back" in mail] == ["gp: gp-second keeps coming back"]
    assert yard.get("gp-second")["status"] == "open"


def test_the_refinerys_round_sends_it(yard: Yard) -> None:
    config.set_mode(yard.rig.town, "running")
    role = Path(__file__).resolve().parents[2] / "roles/refinery.py"
    done = builders.run([sys.executable, str(role), "patrol", "--town", yard.rig.town.root, "--rig", "gp"])
    assert done.code == 0 and "resolves the conflict" in done.out, done.err
