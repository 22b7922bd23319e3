"""The verbs on beads: what they write, who is refused, and that closed means landed."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import builders
import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Conflict, Fenced, NotFound, Refused
from gastown_hooks.core.paths import Beads, Rig, Town
from gastown_hooks.core.record import updated
from gastown_hooks.rules import requests, states
from gastown_hooks.stores import audit
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import beads, links, proof
from gastown_hooks.work.world import World

NOW = clock.parse("2026-06-01T00:00:00Z")
STAMP = clock.stamp(NOW)
LATER = NOW + clock.SECOND


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    folder = Beads(str(tmp_path / ".beads"))
    Ledger.create_files(folder, "gp", CODE_BRANCH)
    return Ledger(folder)


@pytest.fixture
def me(tmp_path: Path) -> Caller:
    return Caller("overseer", str(tmp_path))


def make(ledger: Ledger, me: Caller, name: str, **more: Any) -> dict[str, Any]:
    return beads.create(ledger, me, NOW, name, bead_id=f"gp-{name}", **more)


def test_create_signs_and_dates(ledger: Ledger, me: Caller) -> None:
    record = beads.create(ledger, me, NOW, "Title")
    assert record == {"id": record["id"], "title": "Title", "status": "open", "priority": 2, "issue_type": "task", "created_at": STAMP,
                      "created_by": "overseer", "updated_at": STAMP, "updated_by": "overseer"}
    assert ledger.all() == {record["id"]: record}
    assert len(record["id"]) >= len("gp-") + 5


def test_a_dry_run_decides_the_same_and_writes_nothing(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    before = Path(ledger.beads.issues).read_bytes()
    assert make(ledger, me, "b1", dry_run=True)["id"] == "gp-b1"
    assert beads.close(ledger, me, NOW, ["gp-a1"], "r", dry_run=True)[0]["status"] == "closed"
    with pytest.raises(Conflict):
        make(ledger, me, "a1", dry_run=True)
    assert Path(ledger.beads.issues).read_bytes() == before


def test_dates_of_a_life(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    started = beads.update(ledger, me, LATER, ["gp-a1"], claim=True)[0]
    assert (started["status"], started["assignee"], started["started_at"]) == ("in_progress", "overseer", clock.stamp(LATER))
    closed = beads.close(ledger, me, LATER + 1000, ["gp-a1"], "done")[0]
    assert (closed["closed_at"], closed["close_reason"], closed["started_at"]) == (
        clock.stamp(LATER + 1000), "done", started["started_at"])
    assert beads.close(ledger, me, LATER * 2, ["gp-a1"], "again") == [closed]
    opened = beads.reopen(ledger, me, LATER, ["gp-a1"])[0]
    assert opened["status"] == "open" and not {"closed_at", "closed_by", "close_reason"} & set(opened)


def test_a_change_to_the_same_is_no_change(ledger: Ledger, me: Caller) -> None:
    record = make(ledger, me, "a1")
    assert beads.update(ledger, me, LATER, ["gp-a1"], {"priority": 2, "title": "a1"}) == [record]
    assert beads.reopen(ledger, me, LATER, ["gp-a1"]) == [record]


def test_all_or_none(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    with pytest.raises(NotFound):
        beads.close(ledger, me, NOW, ["gp-a1", "gp-b1"], "r")
    assert ledger.get("gp-a1") == make(ledger, me, "c1") | {"id": "gp-a1", "title": "a1"}


def test_unknown_fields_stay_in_their_place(ledger: Ledger, me: Caller) -> None:
    line = b'{"id":"gp-a1","title":"T","x-mine":{"b":1,"a":null},"priority":2,"created_at":"2026-01-01T00:00:00-08:00","updated_at":"x"}\n'
    Path(ledger.beads.issues).write_bytes(line)
    beads.update(ledger, me, NOW, ["gp-a1"], {"priority": 1})
    signed = f'"{STAMP}","updated_by":"overseer"}}'.encode()
    assert Path(ledger.beads.issues).read_bytes() == line.replace(b":2,", b":1,").replace(b'"x"}', signed)


def test_edges_are_a_set_of_target_and_type(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    make(ledger, me, "b1")
    for kind in ("blocks", "related", "blocks"):
        links.add(World(me), [("gp-b1", "gp-a1", kind)], NOW)
    assert [edge["type"] for edge in (ledger.get("gp-b1") or {})["dependencies"]] == ["blocks", "related"]
    links.remove(World(me), [("gp-b1", "gp-a1", "blocks")], NOW)
    assert [edge["type"] for edge in (ledger.get("gp-b1") or {})["dependencies"]] == ["related"]
    links.remove(World(me), [("gp-b1", "gp-a1", None)], NOW)
    assert "dependencies" not in (ledger.get("gp-b1") or {})


def test_deleted_children_keep_their_numbers(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "e1")
    child = beads.create(ledger, me, NOW, "one", parent="gp-e1")
    ledger.transact(lambda view: [updated(child, {"status": "tombstone", "deleted_at": STAMP})])
    assert beads.create(ledger, me, NOW, "two", parent="gp-e1")["id"] == "gp-e1.2"
    for verb in (lambda: beads.update(ledger, me, NOW, [child["id"]], {"priority": 0}),
                 lambda: beads.close(ledger, me, NOW, [child["id"]], "r"), lambda: beads.reopen(ledger, me, NOW, [child["id"]])):
        with pytest.raises(NotFound, match="deleted"):
            verb()


def test_what_happened_is_told_once(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    for _ in range(2):
        beads.update(ledger, me, LATER, ["gp-a1"], {"priority": 0, "description": "x" * 2000})
        beads.close(ledger, me, LATER, ["gp-a1"], "done")
    lines = audit.look(ledger).after(0)
    assert [line["type"] for line in lines] == ["created", "updated", "closed"]
    assert lines[1]["payload"] == {"bead": "gp-a1", "changes": {"priority": [2, 0], "description": None}}


def _label(root: str, number: int) -> None:
    ledger = Ledger(Beads(root))
    me = Caller("overseer", root)
    beads.update(ledger, me, NOW, ["gp-a1"], add_labels=[f"l{number}"])
    beads.create(ledger, me, NOW, "child", parent="gp-a1")


@pytest.mark.parametrize("mode", [CODE_BRANCH, OWN_BRANCH])
def test_many_writers_at_once_lose_nothing(tmp_path: Path, mode: str) -> None:
    """Pain point 2: no update is lost, there is no second copy to race with."""
    folder = Beads(str(tmp_path / "many"))
    Ledger.create_files(folder, "gp", mode)
    make(Ledger(folder), Caller("overseer", str(tmp_path)), "a1")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_label, args=(folder.root, number)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    record = Ledger(folder).get("gp-a1")
    assert record is not None and record["labels"] == [f"l{number}" for number in range(8)]
    assert {f"gp-a1.{number}" for number in range(1, 9)} < set(Ledger(folder).all())


def _claim(root: str, name: str, won: Any) -> None:
    try:
        beads.update(Ledger(Beads(root)), Caller(name, root), NOW, ["gp-a1"], claim=True)
        won.put(name)
    except Conflict:
        won.put("")


def test_a_claim_has_one_winner(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    context = multiprocessing.get_context("fork")
    won = context.Queue()
    workers = [context.Process(target=_claim, args=(ledger.beads.root, f"w{number}", won)) for number in range(8)]
    for worker in workers:
        worker.start()
    answers = [won.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    winners = [name for name in answers if name]
    assert len(winners) == 1 and (ledger.get("gp-a1") or {})["assignee"] == winners[0]


# ---- I4: closed means landed

def claimed(ledger: Ledger, name: str, **more: Any) -> dict[str, Any]:
    record = ledger.get(f"gp-{name}")
    assert record is not None
    new = updated(record, {"status": "hooked", "assignee": "green/polecats/toast", "claim_fence": 1, **more})
    ledger.transact(lambda view: [new])
    return new


@pytest.fixture
def rig(tmp_path: Path, repo: Path, run_cli: builders.Run) -> Rig:
    town = tmp_path / "town"
    assert run_cli("gt", "install", str(town)).code == 0
    done = run_cli("gt", "rig", "add", "green", str(repo), "--prefix", "gp", "--gate", "none", cwd=town)
    assert done.code == 0, done.err
    return Town(str(town)).rig("green")


def test_a_workers_bead_closes_by_proof_alone(rig: Rig) -> None:
    ledger, me = Ledger(rig.beads), Caller("overseer", rig.root, rig.town)
    make(ledger, me, "a1")
    claimed(ledger, "a1")
    for attempt in (lambda: beads.close(ledger, me, NOW, ["gp-a1"], "r"), lambda: beads.close(ledger, me, NOW, ["gp-a1"], "r", force=True),
                    lambda: beads.update(ledger, me, NOW, ["gp-a1"], {"status": "closed"}),
                    lambda: beads.update(ledger, me, NOW, ["gp-a1"], {"status": "closed"}, force=True)):
        with pytest.raises(Refused, match="not in the target branch"):
            attempt()
    landing = proof.Landing("c" * 40, "main", "gp-mr-1", "green/refinery")
    with pytest.raises(Refused):
        beads.close(ledger, me, NOW, ["gp-a1"], "of an older claim", proof=landing, fence=0)
    closed = beads.close(ledger, me, NOW, ["gp-a1"], "landed", proof=landing)[0]
    assert closed["status"] == "closed" and closed["metadata"] == {"landed_as": "c" * 40}
    assert closed["validations"][0]["validated_by"] == "green/refinery"


def test_the_proof_is_found_in_git(rig: Rig) -> None:
    ledger, me = Ledger(rig.beads), Caller("overseer", rig.root, rig.town)
    make(ledger, me, "a1")
    claimed(ledger, "a1")
    commit = builders.git(rig.repo, "rev-parse", "refs/heads/main")
    builders.git(rig.repo, "update-ref", requests.landed_ref("main"), commit)
    request = {"source": "gp-a1", "fence": 1, "target": "main", "head": commit, "landed_as": commit, "branch": "b", "worker": "w",
               "state": "landed"}
    beads.create(ledger, me, NOW, "mr", bead_id="gp-mr-1", values={"issue_type": "merge-request", "metadata": {**request, "fence": 2}})
    with pytest.raises(Refused):
        beads.close(ledger, me, NOW, ["gp-a1"], "an older claim's landing")
    beads.create(ledger, me, NOW, "mr", bead_id="gp-mr-2", values={"issue_type": "merge-request", "metadata": request})
    closed = beads.close(ledger, me, NOW, ["gp-a1"], "landed")[0]
    assert closed["metadata"] == {"landed_as": commit}
    assert beads.reopen(ledger, me, NOW, ["gp-a1"])[0].get("assignee") is None


def test_without_code_the_word_is_kept(ledger: Ledger, me: Caller) -> None:
    make(ledger, me, "a1")
    claimed(ledger, "a1")
    with pytest.raises(Refused):
        beads.close(ledger, me, NOW, ["gp-a1"], "r", force=True)
    closed = beads.close(ledger, me, NOW, ["gp-a1"], "answered by mail", no_code=True)[0]
    assert closed["metadata"]["no_code"] == {"by": "overseer", "reason": "answered by mail", "at": STAMP, "fence": 1}


@pytest.mark.parametrize("how", ["close", "update"])
def test_who_closed_a_bead_did_it_whoever_says_something_of_it_later(ledger: Ledger, me: Caller, how: str) -> None:
    make(ledger, me, "a1")
    joe, ann = Caller("joe", me.cwd), Caller("ann", me.cwd)
    if how == "close":
        beads.close(ledger, joe, NOW, ["gp-a1"], "r")
    else:
        beads.update(ledger, joe, NOW, ["gp-a1"], {"status": "closed"})
    beads.update(ledger, ann, LATER, ["gp-a1"], add_labels=["x"])
    found = ledger.all()["gp-a1"]
    assert (found["updated_by"], found["closed_by"], states.doer(found)) == ("ann", "joe", "joe")
    assert states.doer({**found, "assignee": "zoe"}) == "zoe" and states.doer({**found, "status": "open"}) == ""
    assert states.doer(updated(found, {"closed_by": None})) == "ann"  # of another program


@pytest.mark.parametrize("fields", [{"source_location": "steps[2]"}, {"ephemeral": True}, {"claim_fence": 0}])
def test_steps_wisps_and_ones_own_beads_close_when_asked(ledger: Ledger, me: Caller, fields: dict[str, Any]) -> None:
    make(ledger, me, "a1")
    claimed(ledger, "a1", **fields)
    assert beads.close(ledger, me, NOW, ["gp-a1"], "r")[0]["status"] == "closed"


@pytest.mark.parametrize(("fields", "words"), [
    ({"pinned": True}, "pinned"), ({"status": "pinned"}, "pinned"), ({"issue_type": "gate", "await_type": "gh:run"}, "gate")])
def test_guards_that_a_person_may_insist_against(ledger: Ledger, me: Caller, fields: dict[str, Any], words: str) -> None:
    record = make(ledger, me, "a1")
    ledger.transact(lambda view: [updated(record, fields)])
    for attempt in (lambda: beads.close(ledger, me, NOW, ["gp-a1"], "r"),
                    lambda: beads.update(ledger, me, NOW, ["gp-a1"], {"status": "closed"})):
        with pytest.raises(Refused, match=words):
            attempt()
    assert beads.close(ledger, me, NOW, ["gp-a1"], "r", force=True)[0]["status"] == "closed"


def test_a_worker_whose_claim_is_over_writes_nothing(rig: Rig) -> None:
    ledger, me = Ledger(rig.beads), Caller("overseer", rig.root, rig.town)
    make(ledger, me, "a1")
    make(ledger, me, "b1")
    claimed(ledger, "a1", claim_fence=2)
    old = Caller("green/polecats/toast", rig.root, rig.town, bead="gp-a1", fence=1)
    theirs = Ledger(rig.beads, old.writer())
    for attempt in (lambda: beads.update(theirs, old, NOW, ["gp-b1"], {"priority": 0}),
                    lambda: beads.close(theirs, old, NOW, ["gp-b1"], "r"),
                    lambda: beads.create(theirs, old, NOW, "x"), lambda: links.add(World(old), [("gp-b1", "gp-a1", "blocks")], NOW)):
        with pytest.raises(Fenced):
            attempt()
    new = Caller("green/polecats/toast", rig.root, rig.town, bead="gp-a1", fence=2)
    assert beads.update(Ledger(rig.beads, new.writer()), new, NOW, ["gp-b1"], {"priority": 0})[0]["priority"] == 0
