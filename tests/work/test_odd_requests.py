"""One odd request never stops the others: it is put aside with a reason, told once, and goes on when it can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.core import clock
from gastown_hooks.rules import requests
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import proof, queue, settle
from gastown_hooks.work.desk import RoundResult


class Killed(BaseException):
    pass


def killed_before_settling(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(settle, "_settle", killed)
    with pytest.raises(Killed):
        yard.round()
    monkeypatch.undo()


def landed(result: RoundResult) -> list[str]:
    return [request for request, _ in result.landed]


def unrouted(yard: Yard, prefix: str) -> None:
    path = Path(yard.rig.town.beads.routes)
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if prefix not in line))


def town_bead(yard: Yard) -> str:
    """A request for a bead of the town's own ledger."""
    stamp = clock.stamp(yard.now)
    source = {"id": "hq-one", "title": "town work", "status": "in_progress", "priority": 2, "issue_type": "task", "claim_fence": 1,
              "assignee": "gp/polecats/toast", "created_at": stamp, "updated_at": stamp}
    Ledger(yard.rig.town.beads).transact(lambda view: [source])
    head = yard.commit("polecat/toast/one@1", {"hq.txt": "x"})
    made = queue.submit(yard.rig, source, head=head, branch="polecat/toast/one@1", worker="gp/polecats/toast", fence=1, target="main",
                        caller=yard.worker("hq-one"), now=yard.now)
    return str(made["id"])


def test_a_request_that_is_damaged_while_it_lands_is_settled_from_the_journal(near: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    one = near.submit("one")
    killed_before_settling(near, monkeypatch)
    near.put({**near.get(one), "metadata": {"x": "kept"}})
    assert landed(near.round()) == [one] and near.journal() == ["land", "settled"]
    assert near.get("gp-one")["status"] == "closed" and near.mails() == ["MERGED gp-one"]
    assert near.request(one).state == requests.LANDED and near.get(one)["metadata"]["x"] == "kept"
    assert proof.landed(near.rig, near.get("gp-one")) == near.tip()


def test_a_bead_whose_ledger_is_unknown_is_put_aside_and_told_once(near: Yard) -> None:
    odd = town_bead(near)
    unrouted(near, "hq-")
    one = near.submit("one", worker="nux")
    first = near.round()
    assert landed(first) == [one] and list(first.aside) == [odd] and f"put aside {odd}" in first.words()
    assert near.request(odd).state == requests.WAITING and "hq-one" in near.request(odd).reason
    near.round()
    assert near.mails("overseer") == [f"gp: {odd} is put aside"]
    with Path(near.rig.town.beads.routes).open("a") as routes:
        routes.write(json.dumps({"prefix": "hq-", "path": "."}) + "\n")
    assert landed(near.round()) == [odd]


def test_a_landing_that_cannot_be_settled_now_holds_up_nobody(near: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = town_bead(near)
    killed_before_settling(near, monkeypatch)
    unrouted(near, "hq-")
    one = near.submit("one", worker="nux")
    assert landed(near.round()) == [one] and near.journal() == ["land", "land", "settled"]
    assert near.round().landed == [] and near.file("one.txt") == "one\n"
    with Path(near.rig.town.beads.routes).open("a") as routes:
        routes.write(json.dumps({"prefix": "hq-", "path": "."}) + "\n")
    assert landed(near.round()) == [odd] and near.journal()[-1] == "settled"
    assert near.mails() == ["MERGED gp-one", "MERGED hq-one", f"gp: {odd} is put aside"]


def test_a_ref_that_moves_while_outsiders_are_judged_ends_no_round(tmp_path: Path) -> None:
    far = queueyard.make(tmp_path, remote=True)
    far.submit("zero")
    far.round()
    other, outside = far.tip("main~1"), far.outsider({"crew.txt": "x"})
    move = f"git --git-dir={far.rig.repo} update-ref refs/gt/landed/main {other}"
    far.gates(f"test -e {far.root}/moved || {{ touch {far.root}/moved; {move}; }}")
    assert far.round().waiting and far.tip("refs/gt/landed/main") == other
    assert far.round().foreign[-1] == outside and far.tip() == outside


def test_the_same_patch_from_an_old_branch_is_closed_as_landed(near: Yard) -> None:
    """M11: also when the target has changed the same lines since."""
    base = near.tip()
    near.submit("one", {"same.txt": "same\n"}, worker="nux")
    near.round()
    near.submit("later", {"same.txt": "other\n"}, worker="max")
    near.round()
    tip = near.tip()
    two = near.submit("two", {"same.txt": "same\n"}, base=base)
    assert near.round().landed == [(two, tip)] and near.tip() == tip
    assert near.get("gp-two")["status"] == "closed" and proof.landed(near.rig, near.get("gp-two")) == tip


def test_a_patch_that_was_taken_back_is_not_in_the_target(near: Yard) -> None:
    """A bead never closes on work whose effect is gone: what merges and changes something lands."""
    base = near.tip()
    near.submit("one", {"same.txt": "same\n"}, worker="nux")
    near.round()
    near.submit("back", {"same.txt": None}, worker="max")
    near.round()
    two = near.submit("two", {"same.txt": "same\n"}, base=base)
    assert proof.landed(near.rig, near.get("gp-two")) is None
    assert landed(near.round()) == [two] and near.file("same.txt") == "same\n"


def test_a_patch_that_was_taken_back_is_not_found_where_merging_says_nothing(near: Yard) -> None:
    """Applied, taken back, and then the same lines were written otherwise: it conflicts, and nobody closes it."""
    base = near.tip()
    for name, text in (("one", "same\n"), ("back", None), ("other", "other\n")):
        near.submit(name, {"same.txt": text}, worker=f"w-{name}")
        near.round()
    two = near.submit("two", {"same.txt": "same\n"}, base=base)
    assert near.round().sent_back == [two] and near.request(two).state == requests.CONFLICT
    assert near.get("gp-two")["status"] == "open" and near.file("same.txt") == "other\n"


def test_what_a_person_holds_closes_when_it_came_in_by_another_way(tmp_path: Path) -> None:
    """M11: a person merged it by hand meanwhile."""
    far = queueyard.make(tmp_path, remote=True)
    far.gates("true", review="human")
    one = far.submit("one")
    assert not far.round().landed
    outside = far.outsider({"one.txt": "one\n"})
    assert far.round().landed == [(one, outside)] and far.get("gp-one")["status"] == "closed"


def test_a_replaced_object_deceives_no_gate(near: Yard) -> None:
    """`git replace` in any worker's tree is the whole rig's; the remote, and everybody's clone, see the object itself."""
    near.gates("! grep -q BAD b0.txt")
    (made,) = near.many(1, (0,))
    bad = near.rig_git("rev-parse", f"{near.request(made).head}:b0.txt")
    near.rig_git("replace", bad, near.rig_git("hash-object", "-w", "--stdin", input="fine\n"))
    assert near.round().sent_back == [made] and near.file("b0.txt") is None
