"""What an index tells of circles, of beads that say the same and of all that is connected is what all beads together tell."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gastown_hooks.cli.bd import _outline, _words
from gastown_hooks.core import clock, record
from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import drawing, graph, steps, twins
from gastown_hooks.stores import index
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.work import deep, links
from gastown_hooks.work.world import World

IDS = [f"gp-{number:02d}" for number in range(14)]
KINDS = ("blocks", "parent-child", "conditional-blocks", "waits-for", "related", "waits_for", "parent_child")
AT = clock.stamp(clock.parse("2026-01-01T00:00:00Z"))


def any_bead(dice: random.Random, name: str, targets: list[str]) -> dict[str, Any]:
    edges = [{"issue_id": name, "depends_on_id": dice.choice(targets), "type": dice.choice(KINDS)}
             for _ in range(dice.choice((0, 1, 1, 2)))]
    return record.arrange({
        "id": name, "title": dice.choice(("One", "one ", "o  NE", "ΟΔΟΣ", "οδος", "Two")),
        "description": dice.choice(("", "a", "A\n", "b")),
        "issue_type": dice.choice(("task", "bug", "merge-request")), "priority": 2, "created_at": AT, "updated_at": AT,
        "status": dice.choice(("open", "open", "in_progress", "closed", "tombstone")), "dependencies": edges})


@pytest.mark.parametrize("seed", range(60))
def test_the_index_tells_what_all_beads_do(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", OWN_BRANCH)
    ledger = Ledger(beads)
    for elsewhere in ([], ["gp-none"], ["external:a:b"]):
        made = [any_bead(dice, name, [*IDS, *elsewhere]) for name in IDS]
        ledger.transact(lambda view, made=made: made)
        assert index.current(ledger) is not None
        where, everything = World(Caller("overseer", str(tmp_path), None)), Ledger(beads).all()
        known, circles = deep.circles(where)
        assert circles == graph.cycles(where.around(everything))
        assert all(name in known for circle in circles for name in circle)
        assert links.twins(where) == twins.groups(everything)
        assert deep.missing(where) == deep.loose(everything, where.around(everything))
        monkeypatch.setattr(_outline, "_MANY", seed % 5)
        whole, root = where.known([ledger]), IDS[seed % len(IDS)]
        drawn = _outline.connected(where, ledger, root)
        assert drawn is not None or "external:a:b" in elsewhere or everything[root]["status"] == "tombstone"
        if drawn is not None:
            assert list(drawn) == graph.connected(whole, root) and steps.waves(drawn, drawn) == steps.waves(whole, drawn)
            assert drawing.draw(drawn.values(), "dot") == drawing.draw([whole[name] for name in drawn], "dot")
            assert [_words.line(bead) for bead in drawn.values()] == [_words.line(whole[name]) for name in drawn]


@pytest.mark.parametrize("seed", range(40))
def test_no_bead_of_a_circle_is_left_out(seed: int) -> None:
    dice = random.Random(seed)
    records = {name: any_bead(dice, name, IDS) | {"status": "open"} for name in IDS}
    edges = [(name, edge.target, edge.kind == graph.PARENT) for name, bead in records.items() for edge in graph.edges(bead)
             if edge.kind in graph.BLOCKING]
    ends = [[edge[end] for edge in edges if edge[2] == is_parent] for is_parent in (False, True) for end in (0, 1)]
    found = {name for circle in graph.cycles(records) for name in circle}
    assert found <= graph.entangled(*ends) and bool(found) == bool(graph.entangled(*ends))


def test_one_bead_in_two_ledgers_is_no_twin_of_itself() -> None:
    bead = any_bead(random.Random(1), "gp-01", IDS) | {"status": "open", "issue_type": "task"}
    assert twins.groups({"gp-01": bead}, twins.likely(["gp-01"] * 2, ["one"] * 2)) == []


def test_what_is_missing_is_told_in_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", OWN_BRANCH)
    for name in ("gp-02", "gp-01"):
        edge = {"issue_id": name, "depends_on_id": "gp-none", "type": "blocks"}
        bead = any_bead(random.Random(1), name, IDS) | {"status": "open", "dependencies": [edge]}
        Ledger(beads).transact(lambda view, bead=bead: [bead])
    where = World(Caller("overseer", str(tmp_path), None))
    assert deep.missing(where) == [("gp-01", "gp-none"), ("gp-02", "gp-none")]
    monkeypatch.setattr(deep.known, "known", lambda ledger: None)
    assert deep.missing(where) == [("gp-01", "gp-none"), ("gp-02", "gp-none")]
