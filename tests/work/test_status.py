from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from builders import git
from rigtown import NOW, add, make_town, overseer, slung

from gastown_hooks.core import clock, lock
from gastown_hooks.core.paths import Home, Town
from gastown_hooks.rules import agent_states
from gastown_hooks.rules.liveness import Worker
from gastown_hooks.stores import beats, config, mail, processes
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease as leases
from gastown_hooks.work import queue, status


@pytest.fixture
def town(tmp_path: Path, repo: Path) -> Town:
    made = make_town(tmp_path)
    add(made, "app", repo, gates="none")
    return made


def agent(town: Town, actor: str) -> status.Agent:
    return next(found for found in status.agents(town, clock.now()) if found.actor == actor)


def beat(home: Home, process: processes.Process) -> None:
    beats.write(home.heartbeat, beats.Beat(actor="a", session="s", pid=process.pid, start=process.start, boot_id=process.boot_id,
                                           seq=3, progress="p", state="turn", bead="ap-1"))


def submit(town: Town, bead: str, home: Home) -> str:
    rig = town.rig("app")
    lease = leases.read(home)
    assert lease is not None
    record = Ledger(rig.beads).get(bead)
    assert record is not None
    (Path(home.tree) / "new").write_text("x")
    git(home.tree, "add", "new")
    git(home.tree, "commit", "-q", "-m", "work")
    made = queue.submit(rig, record, head=git(home.tree, "rev-parse", "HEAD"), branch=lease.branch, worker=lease.actor, fence=lease.fence,
                        target="main", caller=overseer(town), now=NOW)
    return str(made["id"])


# ---- the rule

BASE = {"claimed": True, "submitted": False, "home": True, "lease": "ready", "running": False, "alive": False, "stalled": False,
        "agents_start": True}


@pytest.mark.parametrize(("facts", "state"), [
    ({}, "zombie"), ({"running": True}, "working"), ({"running": True, "stalled": True}, "stalled"), ({"stalled": True}, "stalled"),
    ({"alive": True}, "by-hand"), ({"agents_start": False}, "by-hand"), ({"submitted": True}, "done"), ({"lease": "done"}, "done"),
    ({"claimed": False}, "zombie"), ({"claimed": None}, "unknown"), ({"lease": None}, "unknown"), ({"alive": None}, "unknown"),
    ({"lease": "preparing"}, "waiting"), ({"lease": "", "home": False}, "waiting"), ({"running": True, "claimed": None}, "working")])
def test_the_state_of_a_worker(facts: dict[str, object], state: str) -> None:
    assert agent_states.of_worker(Worker(**{**BASE, **facts})) == state  # type: ignore[arg-type]
    assert state in agent_states.URGENCY


# ---- agents

def test_the_roles_of_a_quiet_town(town: Town) -> None:
    found = status.agents(town, clock.now())
    assert [(a.actor, a.state) for a in found] == [(n, "resting") for n in ("app/refinery", "app/witness", "deacon", "mayor")]
    assert found[0].age is None and found[0].evidence == {"lock": False, "beat": "none"}


def test_a_role_that_holds_its_lock_works(town: Town) -> None:
    with lock.acquire(town.lock("app.witness")):
        assert agent(town, "app/witness").state == "working"


def test_a_worker_with_its_evidence(town: Town) -> None:
    bead, home = slung(town.rig("app"))
    assert agent(town, "app/polecats/toast").state == "by-hand"
    config.set_mode(town, "running")
    found = agent(town, "app/polecats/toast")
    assert (found.state, found.bead, found.age) == ("zombie", bead, None)
    beat(home, processes.Process(2 ** 22 - 2, 1, clock.boot_id()))
    with lock.acquire(home.runner_lock):
        found = agent(town, "app/polecats/toast")
    assert found.state == "working" and found.age is not None and 0 <= found.age < 60
    assert found.evidence == {"lock": True, "fence": 1, "lease": "ready", "pid": 2 ** 22 - 2, "alive": False, "seq": 3,
                              "says": "turn", "this_boot": True}
    beat(home, processes.this())
    assert agent(town, "app/polecats/toast").state == "by-hand"


def test_a_stalled_a_damaged_and_a_submitted_worker(town: Town) -> None:
    bead, home = slung(town.rig("app"))
    Path(home.turns).write_text(json.dumps({"fence": 1, "stalled": "three turns failed"}))
    found = agent(town, "app/polecats/toast")
    assert (found.state, found.why) == ("stalled", "three turns failed")
    submit(town, bead, home)
    assert agent(town, "app/polecats/toast").state == "done"
    Path(home.lease).write_text("{broken")
    found = agent(town, "app/polecats/toast")
    assert found.state == "unknown" and "lease.json" in found.why
    Path(home.heartbeat).write_text("garbage")
    assert "heartbeat" in str(agent(town, "app/polecats/toast").evidence["beat"])


def test_a_claim_whose_slot_was_never_made(town: Town) -> None:
    bead, home = slung(town.rig("app"))
    os.rename(home.root, f"{town.root}/aside")
    config.set_mode(town, "running")
    assert (agent(town, "app/polecats/toast").state, agent(town, "app/polecats/toast").bead) == ("waiting", bead)


def test_crew(town: Town) -> None:
    Path(town.rig("app").crew("max").tree).mkdir(parents=True)
    assert agent(town, "app/crew/max").state == "by-hand"


# ---- the overview

def test_the_order_of_an_overview(town: Town) -> None:
    bead, home = slung(town.rig("app"))
    other, _ = slung(town.rig("app"), "Other")
    request = submit(town, bead, home)
    found = status.overview(town, clock.now())
    assert [w["bead"] for w in found.working] == [other] and [w["id"] for w in found.waiting] == [request]
    assert found.needs_you == found.failed == found.done == []
    assert list(found.as_json()) == ["town", "mode", "links", "needs_you", "failed", "working", "waiting", "convoys", "done"]
    assert [link["link"] for link in found.links] == ["tick", "deacon", "app/witness", "app/refinery"]
    json.dumps(found.as_json())


def test_what_needs_you(town: Town, repo: Path) -> None:
    add(town, "two", repo)  # no gates
    mail.deliver(town.overseer.mail, "app/witness", "overseer", "Help\x1b[31m", "body", now=NOW)
    bead, home = slung(town.rig("app"))
    Path(home.turns).write_text(json.dumps({"fence": 1, "stalled": "stuck"}))
    Path(town.rig("half").root).mkdir()
    Path(town.rig("half").adding).write_text("{}")
    words = [need["what"] for need in status.overview(town, clock.now()).needs_you]
    assert any("half" in w for w in words) and any(w.startswith("Help") for w in words)
    assert "two has no gates" in words and f"app/polecats/toast is stalled on {bead}" in words


def test_mail_that_was_read_as_told_needs_nobody(town: Town) -> None:
    mail.deliver(town.overseer.mail, "app/witness", "overseer", "Help", "the body", now=NOW)
    [need] = status.overview(town, clock.now()).needs_you
    told = subprocess.run(["sh", "-c", need["next"]], capture_output=True, text=True, check=True)
    assert "the body" in told.stdout and status.overview(town, clock.now()).needs_you == []


def test_a_town_that_is_up_and_has_no_tick_needs_you(town: Town) -> None:
    config.set_mode(town, "running")
    assert status.overview(town, clock.now()).needs_you == []
    [need] = status.overview(town, clock.now() + 700 * clock.SECOND).needs_you
    assert (need["what"], need["next"]) == ("nothing ticks", "gt daemon status")
    Path(town.last_tick).write_text("{}")
    os.utime(town.mode, ns=(0, 0))
    assert status.overview(town, clock.now()).needs_you == []


def test_one_broken_rig_hides_no_other(town: Town, repo: Path) -> None:
    add(town, "two", repo, gates="none")
    bead, _ = slung(town.rig("two"))
    Path(town.rig("app").settings).write_text("{")
    with open(town.rig("two").beads.issues, "ab") as file:
        file.write(b"<<<<<<< ours\n")
    found = status.overview(town, clock.now())
    assert [w["bead"] for w in found.working] == [bead]
    words = [need["what"] for need in found.needs_you]
    assert "app cannot be read" in words and any("line 2 is no bead" in w for w in words)


def test_done_in_the_last_day(town: Town) -> None:
    def closed(view: object) -> list[dict[str, object]]:
        return [{"id": f"ap-{n}", "title": n, "status": "closed", "priority": 2, "issue_type": "task", "created_at": clock.stamp(NOW),
                 "updated_at": clock.stamp(NOW), "closed_at": when, "claim_fence": fence}
                for n, when, fence in (("new", clock.stamp(NOW - clock.SECOND), 1), ("old", clock.stamp(NOW - status.RECENT), 1),
                                       ("chore", clock.stamp(NOW), 0), ("odd", "yesterday", 1))]

    Ledger(town.rig("app").beads).transact(closed)
    assert [d["id"] for d in status.overview(town, NOW).done] == ["ap-new"]
