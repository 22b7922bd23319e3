"""Convoys over two rigs: made, added to, landed once, told once; launched ones go on by themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import builders
import pytest
import rigtown

from gastown_hooks.cli import fast_hook
from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Conflict, NotFound, Refused
from gastown_hooks.core.paths import Town
from gastown_hooks.rules import convoys as rules
from gastown_hooks.stores import config, index, mail
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, convoy, hook, launch, prime, queue, sling, tracking, wake
from gastown_hooks.work.world import World

Record = dict[str, Any]
NOW = rigtown.NOW


class Yard:
    """Two rigs, `web` (we-) and `api` (ap-), in a town by hand."""

    def __init__(self, path: Path) -> None:
        self.town: Town = rigtown.make_town(path)
        self.me: Caller = rigtown.overseer(self.town)
        for name in ("web", "api"):
            rigtown.add(self.town, name, builders.make_repo(path / name, {"README.md": f"{name}\n"}), prefix=name[:2], gates=["true"])

    def bead(self, prefix: str, title: str = "Work", **more: Any) -> str:
        return str(beads.create(World(self.me).at(prefix), self.me, NOW, title, **more)["id"])

    def get(self, bead: str) -> Record:
        found = World(self.me).of(bead).get(bead)
        assert found is not None
        return found

    def close(self, *names: str, now: int = NOW) -> None:
        for name in names:
            beads.close(World(self.me).of(name), self.me, now, [name], "done")

    def create(self, *names: str, **more: Any) -> str:
        return str(convoy.create(self.town, "The batch", names, caller=self.me, now=NOW, **more)["id"])

    def patrol(self, now: int = NOW) -> list[str]:
        found = launch.patrol(self.town, Caller("deacon", self.town.root, self.town), now)
        assert found.troubles == []
        return found.done

    def convoys(self) -> list[Record]:
        return [one for one in Ledger(self.town.beads).all().values() if rules.is_convoy(one)]

    def mails(self) -> list[str]:
        return [one.subject for one in mail.messages(self.town.overseer.mail)]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def test_a_convoy_lands_once_and_tells_once(yard: Yard) -> None:
    one, two = yard.bead("we"), yard.bead("ap")
    batch = yard.create(one, two, notify=["human", "overseer", "mayor/"])
    record = yard.get(batch)
    assert batch.startswith("hq-cv-") and record["issue_type"] == "convoy" and record["labels"] == ["gt:convoy"]
    assert [(edge["type"], edge["depends_on_id"]) for edge in record["dependencies"]] == [("tracks", one), ("tracks", two)]
    yard.close(one)
    assert wake.is_dirty(yard.town, "deacon"), "who closes a tracked bead has the deacon look"
    assert yard.patrol() == [] and yard.get(batch)["status"] == "open"
    yard.close(two)
    assert yard.patrol() == [f"{batch} landed"] and yard.patrol() == []
    assert yard.get(batch)["status"] == "closed" and "untold" not in yard.get(batch)["metadata"]
    assert yard.mails() == [f"Convoy landed: The batch ({batch})"] and len(mail.messages(yard.town.mayor.mail)) == 1
    [letter] = mail.messages(yard.town.overseer.mail)
    assert f"✓ {one}: Work" in letter.body and f"✓ {two}: Work" in letter.body
    three = yard.bead("we")
    assert convoy.add(yard.town, batch, [three], yard.me, NOW)["status"] == "open"
    yard.close(three)
    yard.patrol(NOW + clock.SECOND)
    assert len(yard.mails()) == 2, "it landed twice"


@pytest.mark.parametrize("stop", ["after-close", "before-mark"])
def test_a_kill_between_closing_and_telling_loses_and_doubles_nothing(yard: Yard, monkeypatch: pytest.MonkeyPatch, stop: str) -> None:
    one = yard.bead("we")
    batch = yard.create(one, notify=["overseer"])
    yard.close(one)

    class Killed(BaseException):
        pass

    deliver = mail.deliver

    def dies(*args: Any, **more: Any) -> str:
        if stop == "before-mark":
            deliver(*args, **more)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(mail, "deliver", dies)
        yard.patrol()
    assert yard.get(batch)["status"] == "closed" and yard.get(batch)["metadata"]["untold"] is True
    yard.patrol(NOW + clock.SECOND)
    assert len(yard.mails()) == 1 and "untold" not in yard.get(batch)["metadata"]


def test_what_nobody_tracks_wakes_nobody(yard: Yard) -> None:
    yard.create(yard.bead("we"))
    yard.close(yard.bead("we"))
    assert not wake.is_dirty(yard.town, "deacon")


def test_wrong_input_changes_nothing(yard: Yard) -> None:
    one = yard.bead("we")
    batch, epic = yard.create(one), yard.bead("hq", "Empty", values={"issue_type": "epic"})
    before = Ledger(yard.town.beads).all()
    for error, call in (
            (NotFound, lambda: yard.create("we-none1")), (NotFound, lambda: yard.create(one, notify=["nobody/here"])),
            (Refused, lambda: yard.create(batch)), (Refused, lambda: yard.create(epic=epic)),
            (NotFound, lambda: yard.create(epic="hq-zzzzz")), (NotFound, lambda: convoy.add(yard.town, one, [one], yard.me, NOW)),
            (NotFound, lambda: launch.launch(yard.town, one, caller=yard.me, now=NOW)),
            (Refused, lambda: convoy.close(yard.town, batch, "no", caller=yard.me, now=NOW))):
        with pytest.raises(error):
            call()
    assert Ledger(yard.town.beads).all() == before
    assert yard.create(one, dry_run=True) and Ledger(yard.town.beads).all() == before


def test_closed_by_force_it_starts_nothing_and_says_unfinished(yard: Yard) -> None:
    batch = yard.create(yard.bead("we"), notify=["overseer"])
    assert convoy.close(yard.town, batch, "not wanted", force=True, caller=yard.me, now=NOW)["close_reason"] == "not wanted"
    assert yard.mails() == [f"Convoy closed unfinished: The batch ({batch})"]
    with pytest.raises(Refused, match="closed"):
        launch.launch(yard.town, batch, caller=yard.me, now=NOW)


def test_a_sling_makes_one_convoy_for_the_call(yard: Yard) -> None:
    one, two, three = yard.bead("we", "First"), yard.bead("we", "Second"), yard.bead("we", "Third")
    mine = yard.create(three)
    made = sling.sling(yard.town, [one, two, three], yard.town.rig("web"), caller=yard.me, now=NOW)
    [own] = [found for found in yard.convoys() if found["id"] != mine]
    assert (own["title"], rules.tracked(own)) == ("Work: First and 1 more", [one, two]) and len(made) == 3
    convoy.ensure(yard.town, [yard.get(one), yard.get(two)], yard.me, NOW)
    yard.patrol()
    assert len(yard.convoys()) == 2


def test_a_claim_without_a_convoy_gets_one_at_the_next_round(yard: Yard) -> None:
    one = yard.bead("we", "Cut short")
    beads.update(World(yard.me).of(one), yard.me, NOW, [one], {"status": "hooked", "assignee": "web/polecats/toast", "claim_fence": 1})
    yard.patrol()
    yard.patrol()
    assert [(found["title"], rules.tracked(found)) for found in yard.convoys()] == [("Work: Cut short", [one])]
    convoy.close(yard.town, yard.convoys()[0]["id"], "not wanted", force=True, caller=yard.me, now=NOW)
    yard.patrol()
    assert len(yard.convoys()) == 1, "what a person closed does not come back"


def test_an_epic_over_two_rigs(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bead of one rig becomes ready by the closing of another rig's; a launched epic goes on by itself, in a running town only."""
    monkeypatch.setenv("GT_WAKE", "off")
    epic = yard.bead("hq", "Epic", values={"issue_type": "epic"})
    one = yard.bead("ap", "One", parent=epic)
    two = yard.bead("we", "Two", parent=epic, deps=[("blocks", one)])
    assert one.startswith("ap-") and two.startswith("we-")
    with pytest.raises(Refused, match=one):
        sling.sling(yard.town, [two], yard.town.rig("web"), caller=yard.me, now=NOW)
    batch, made = launch.launch(yard.town, epic, caller=yard.me, now=NOW)
    assert [found.bead for found in made] == [one] and rules.tracked(batch) == [one, two]
    again, nothing = launch.launch(yard.town, epic, caller=yard.me, now=NOW)
    assert again["id"] == batch["id"] and nothing == []
    with pytest.raises(Refused):
        yard.close(epic)
    beads.close(World(yard.me).of(one), yard.me, NOW, [one], "nothing to do", no_code=True)
    three = yard.bead("ap", "Three", parent=epic)
    yard.patrol()
    assert [yard.get(found)["status"] for found in (two, three)] == ["open", "open"], "a town by hand starts nothing"
    config.set_mode(yard.town, "running")
    assert len(yard.patrol()) == 2
    assert [yard.get(found)["assignee"] for found in (two, three)] == ["web/polecats/toast", "api/polecats/nux"]
    beads.update(World(yard.me).of(three), yard.me, NOW, [three], {"status": "open", "assignee": None})
    yard.patrol()
    assert yard.get(three)["status"] == "open", "what came back waits for somebody's word"


def test_a_full_rig_takes_no_more(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GT_WAKE", "off")
    rig = yard.town.rig("web")
    fsio.write_json(rig.settings, {"gates": "none", "max_workers": 2})
    batch = yard.create(*(yard.bead("we") for _ in range(4)), yard.bead("hq", "A person's chore"))
    _, made = launch.launch(yard.town, batch, caller=yard.me, now=NOW)
    assert len(made) == 2 == len(os.listdir(rig.polecats))
    with pytest.raises(Conflict):
        sling.sling(yard.town, [made[0].bead], rig, caller=yard.me, now=NOW)


def test_progress_names_state_worker_and_reason(yard: Yard) -> None:
    one = yard.bead("ap")
    two = yard.bead("we", deps=[("blocks", one)])
    batch = yard.create(one, two)
    sling.sling(yard.town, [one], yard.town.rig("api"), caller=yard.me, now=NOW)
    [found] = convoy.progress(yard.me, NOW)
    assert found.record["id"] == batch and found.done == 0
    assert [(bead.state, bead.worker, bead.waits_for) for bead in found.beads] == [
        ("working", "api/polecats/toast", []), ("blocked", "", [f"{one} is hooked"])]


@pytest.mark.parametrize("across", [False, True])
def test_progress_in_brief_tells_the_same_states(yard: Yard, across: bool) -> None:
    """By the index; where a bead waits for one of another ledger as well."""
    one, other = yard.bead("ap"), yard.bead("we" if across else "ap")
    over, put_off, pinned = yard.bead("ap"), yard.bead("ap"), yard.bead("ap", deps=[("blocks", one)])
    waits = yard.bead("ap", deps=[("blocks", other)])
    epic, free = yard.bead("ap", values={"issue_type": "epic"}), yard.bead("ap")
    yard.bead("ap", deps=[("parent-child", epic)])
    yard.create(one, other, over, put_off, pinned, waits, epic, free)
    yard.close(over)
    for name, change in ((put_off, {"status": "deferred"}), (pinned, {"pinned": True})):
        beads.update(World(yard.me).of(name), yard.me, NOW, [name], change)
    sling.sling(yard.town, [one], yard.town.rig("api"), caller=yard.me, now=NOW)
    [brief], [whole] = (convoy.progress(yard.me, NOW, brief=brief) for brief in (True, False))
    assert [bead.state for bead in brief.beads] == ["working", "ready", "closed", "deferred", "blocked", "blocked", "blocked", "ready"]
    assert [(bead.state, bead.title, bead.kind, bead.worker) for bead in brief.beads] == [
        (bead.state, bead.title, bead.kind, bead.worker) for bead in whole.beads]


@pytest.mark.parametrize("searched", [1 << 17, 0])
def test_who_is_followed(yard: Yard, monkeypatch: pytest.MonkeyPatch, searched: int) -> None:
    """The same by a search of the bytes and by the index; what was written since is seen too."""
    monkeypatch.setattr(tracking, "_SEARCHED", searched)
    one, two = yard.bead("we"), yard.bead("we")
    assert not tracking.is_followed(yard.town, [one, two]) and not tracking.is_followed(None, [one])
    yard.create(one)
    assert tracking.is_followed(yard.town, [two, one]) and not tracking.is_followed(yard.town, [two])
    Ledger(yard.town.beads).fold()
    assert tracking.is_followed(yard.town, [one]) and not tracking.is_followed(yard.town, [two])


def test_a_hook_names_the_convoys_of_its_bead(yard: Yard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = yard.bead("ap"), yard.bead("ap")
    batches = sorted([yard.create(one, two), yard.create(one)])
    over = yard.create(one)
    convoy.close(yard.town, over, "not wanted", force=True, caller=yard.me, now=NOW)
    assert tracking.convoys_of(yard.town, [one, "ap-none"]) == {one: batches, "ap-none": []}
    sling.sling(yard.town, [one], yard.town.rig("api"), caller=yard.me, now=NOW)
    worker = Caller("api/polecats/toast", yard.town.root, yard.town, bead=one, fence=1)
    assert all(f"Its convoy: {batch}\n" in prime.text(worker) for batch in batches)
    fast_hook.say_hook(worker, hook.hooked(worker), False)
    assert f"({', '.join(batches)})" in capsys.readouterr().out
    monkeypatch.setattr(index, "current", lambda ledger: None)
    assert tracking.convoys_of(yard.town, [one, "ap-none"]) == {one: batches, "ap-none": []}
    Path(yard.town.beads.issues).unlink()
    assert "unknown (" in tracking.convoys_of(yard.town, [one])[one][0]


def test_a_request_waits_for_another_rigs_bead(yard: Yard) -> None:
    one = yard.bead("ap")
    two = yard.bead("we", deps=[("blocks", one)], parent=yard.bead("hq", "Epic", values={"issue_type": "epic"}))
    rig = yard.town.rig("web")
    request = {**yard.get(two), "id": "we-mr-1", "issue_type": "merge-request", "dependencies": [], "metadata": {
        "source": two, "branch": "b", "head": "0" * 40, "target": "main", "worker": "w", "fence": 1, "state": "queued"}}
    Ledger(rig.beads).transact(lambda view: [request])
    found = queue.turn_of(rig, NOW, size=4)
    assert (found.batch, found.held) == ([], {"we-mr-1": f"behind {one}: {one} is open"})
    yard.close(one)
    assert [request.id for request in queue.turn_of(rig, NOW, size=4).batch] == ["we-mr-1"]
