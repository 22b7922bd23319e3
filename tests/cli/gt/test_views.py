"""What looks at a town says the same from the index, from the whole ledgers, and through click."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from rigtown import NOW, add, make_town

from gastown_hooks import front
from gastown_hooks.core import clock, errors, record
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger

VIEWS = ["status", "agents", "polecat list", "polecat list app", "rig list", "rig status app", "mq list", "mq list app --all",
         "mq next app", "convoy list", "convoy list --all --tree", "convoy status", "convoy show hq-cv-1"]
WRONG = ["rig status none", "rig status", "mq next none", "mq next app app", "convoy status hq-none", "polecat list none", "status --none",
         "mq", "convoy list --status open"]


def any_bead(dice: random.Random, number: int) -> dict[str, Any]:
    at = clock.stamp(NOW + number * clock.SECOND)
    bead: dict[str, Any] = {
        "id": f"ap-{number}", "title": f"t{number} é\x07", "issue_type": dice.choice(("task", "task", "bug", "epic")),
        "status": dice.choice(("open", "open", "closed", "in_progress", "hooked", "blocked", "tombstone")), "priority": dice.randrange(5),
        "created_at": at, "updated_at": at, "unknown": {"kept": 1}}
    if bead["status"] == "closed":
        bead["closed_at"] = dice.choice((at, clock.stamp(clock.now()), "soon"))
    if dice.random() < 0.6:
        bead |= {"assignee": dice.choice(("ann", "app/polecats/nux", f"app/polecats/w{number}", "app/polecats/-", "other/polecats/nux")),
                 "claim_fence": dice.randrange(3)}
    kinds = [dice.choice(("blocks", "parent-child", "conditional-blocks")) for _ in range(dice.randrange(3)) if number]
    edges = [(kind, f"ap-{dice.randrange(number)}") for kind in kinds]
    bead["dependencies"] = [{"issue_id": bead["id"], "depends_on_id": target, "type": kind} for kind, target in edges]
    return record.arrange(bead)


def request(dice: random.Random, number: int, source: dict[str, Any]) -> dict[str, Any]:
    state = dice.choice(("queued", "queued", "waiting", "failed", "conflict", "landed"))
    data = {"branch": "x", "head": "1" * 40, "target": "main", "source": source["id"], "worker": "w",
            "reason": dice.choice(("", "why \x1b")), "fence": source.get("claim_fence", 0), "state": state,
            **({"review": "held"} if dice.random() < 0.2 else {})}
    if dice.random() < 0.1:
        del data[dice.choice(list(data))]
    status = {"queued": "open", "waiting": "open", "landed": "closed"}.get(state, "blocked")
    return record.arrange({**source, "id": f"ap-mr-{number}", "issue_type": "merge-request", "status": status, "metadata": data,
                           "dependencies": [], "assignee": None})


def convoy(dice: random.Random, number: int) -> dict[str, Any]:
    name, at = f"hq-cv-{number}", clock.stamp(NOW)
    tracked = [f"ap-{dice.randrange(45)}" for _ in range(8)]
    return record.arrange({"id": name, "title": "A batch", "status": "closed" if number == 2 else "open", "priority": 2,
                           "issue_type": "convoy", "created_at": at, "updated_at": at,
                           "dependencies": [{"issue_id": name, "depends_on_id": one, "type": "tracks"} for one in tracked]})


def said(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = errors.handled("gt", lambda: front._run("gt", words.split(), "--json" in words))
    return code, *capsys.readouterr()


@pytest.fixture
def town(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    made = make_town(tmp_path)
    add(made, "app", repo, gates=["true"], prefix="ap")
    monkeypatch.chdir(made.root)
    monkeypatch.setattr(clock, "now", lambda: NOW + 40 * clock.SECOND)
    return made


@pytest.mark.parametrize("seed", range(3))
def test_a_view_says_the_same_however_it_is_asked(seed: int, town: Town, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(seed)
    found = [any_bead(dice, number) for number in range(40)]
    found += [request(dice, number, dice.choice(found)) for number in range(12)]
    Ledger(town.rig("app").beads).transact(lambda view: found)
    Ledger(town.beads).transact(lambda view: [convoy(dice, number) for number in range(4)])
    asked = [*VIEWS, *(f"{words} --json" for words in VIEWS), *WRONG]
    assert known.known(Ledger(town.rig("app").beads)) is not None
    quick = [said(words, capsys) for words in asked]
    monkeypatch.setattr(front, "_fast", lambda name, words: None)
    assert [said(words, capsys) for words in asked] == quick
    monkeypatch.setattr(known, "known", lambda ledger: None)
    slow = [said(words, capsys) for words in asked]
    assert slow == quick
    assert all(code == 0 and out for code, out, _ in quick[:len(VIEWS)])


def test_a_view_is_not_asked_of_click(town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(front, "_click", lambda name, words: 9)
    assert {said(words, capsys)[0] for words in [*VIEWS[:-1], *(f"{words} --json" for words in VIEWS[:-1])]} == {0}
    assert {said(words, capsys)[0] for words in ("status --watch", "mq", "mq next app app", "rig status")} == {9}
