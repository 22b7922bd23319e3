"""Cycles, trees and descendants."""

from __future__ import annotations

import random
from typing import Any

import pytest
from test_ready import bead, town

from gastown_hooks.rules import graph


@pytest.mark.parametrize(("edges", "new", "circle"), [
    ([("a", "blocks", "b")], ("b", "blocks", "a"), ["b", "a", "b"]),
    ([("a", "blocks", "b"), ("b", "waits-for", "c")], ("c", "conditional-blocks", "a"), ["c", "a", "b", "c"]),
    ([("a", "related", "b")], ("b", "blocks", "a"), None),
    ([("a", "blocks", "b")], ("b", "related", "a"), None),
    ([("a", "blocks", "b")], ("c", "blocks", "a"), None),
    ([], ("a", "blocks", "a"), ["a", "a"]),
    # a child may not wait for its own parent, nor a parent for its child, who shares what holds the parent
    ([("c", "parent-child", "p")], ("c", "blocks", "p"), ["c", "p", "c"]),
    ([("c", "parent-child", "p")], ("p", "blocks", "c"), ["p", "c", "p"]),
    ([("c", "blocks", "p")], ("c", "parent-child", "p"), ["c", "p", "c"]),
    ([("a", "parent-child", "b")], ("b", "parent-child", "a"), ["b", "a", "b"]),
    # a child blocks what blocks its own parent
    ([("c", "parent-child", "p"), ("p", "blocks", "b")], ("b", "blocks", "c"), ["b", "c", "p", "b"]),
    ([("b", "blocks", "c"), ("p", "blocks", "b")], ("c", "parent-child", "p"), ["c", "p", "b", "c"]),
    # brothers may wait for each other
    ([("c", "parent-child", "p"), ("d", "parent-child", "p")], ("c", "blocks", "d"), None),
])
def test_a_new_edge(edges: list[tuple[str, str, str]], new: tuple[str, str, str], circle: list[str] | None) -> None:
    records = {name: bead(name, *((kind, to) for who, kind, to in edges if who == name)) for name in "abcdp"}
    child, kind, parent = new
    assert graph.cycle_from(records, child, parent, kind) == circle
    assert graph.cycles(records) == []
    assert records == {name: bead(name, *((kind, to) for who, kind, to in edges if who == name)) for name in "abcdp"}


def test_cycles_are_listed_once_each() -> None:
    records = town(bead("a", ("blocks", "b")), bead("b", ("blocks", "a")), bead("c", ("blocks", "d")), bead("d", ("parent-child", "c")),
                   bead("e", ("blocks", "e")), bead("f", ("blocks", "a")), bead("g", ("blocks", "g"), status="tombstone"))
    assert graph.cycles(records) == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize("seed", range(40))
def test_cycles_among_some_are_those_of_all(seed: int) -> None:
    dice = random.Random(seed)
    names = [f"b{n}" for n in range(12)]
    kinds = ("blocks", "blocks", "parent-child", "waits-for", "related")
    records = town(*(bead(name, *((dice.choice(kinds), dice.choice([*names, "gone"])) for _ in range(dice.randrange(3))),
                          status=dice.choice(("open", "open", "closed", "tombstone"))) for name in names))
    some = set(dice.sample(names, 3))
    assert [one for one in graph.cycles(records, some) if some & set(one)] == [one for one in graph.cycles(records) if some & set(one)]


@pytest.mark.parametrize("seed", range(60))
def test_an_edge_is_part_of_a_circle_if_it_could_not_be_added(seed: int) -> None:
    dice = random.Random(seed)
    names = [f"b{n}" for n in range(9)]
    edges = list({(*dice.sample(names, 2), dice.choice(("blocks", "blocks", "parent-child", "related"))) for _ in range(11)})

    def records(edges: list[tuple[str, str, str]]) -> dict[str, dict[str, Any]]:
        return town(*(bead(name, *((kind, to) for who, to, kind in edges if who == name)) for name in names))
    for child, target, kind in edges:
        before = records([one for one in edges if one != (child, target, kind)])
        circle = graph.circle_of(records(edges), [(child, target, kind)])
        assert circle is None or (circle[0], circle[-1]) == (child, child)
        assert (circle is None) == (graph.cycle_from(before, child, target, kind) is None)
    assert (graph.circle_of(records(edges), edges) is None) == (graph.cycles(records(edges)) == [])


def test_a_tree_opens_each_bead_once() -> None:
    records = town(bead("a", ("blocks", "b"), ("related", "c")), bead("b", ("blocks", "d")), bead("c", ("blocks", "b")), bead("d"))
    down = [(n.bead, n.depth, n.truncated) for n in graph.tree(records, "a")]
    assert down == [("a", 0, False), ("b", 1, False), ("d", 2, False), ("c", 1, False), ("b", 2, True)]
    assert [n.bead for n in graph.tree(records, "d", upward=True)] == ["d", "b", "a", "c", "a"]
    assert [(n.bead, n.truncated) for n in graph.tree(records, "a", depth=1)] == [("a", False), ("b", True), ("c", True)]


def test_descendants() -> None:
    records = town(bead("e"), bead("e.1", ("parent-child", "e")), bead("e.1.1", ("parent-child", "e.1")), bead("x", ("parent-child", "e")),
                   bead("gone", ("parent-child", "e"), status="tombstone"), bead("y", ("blocks", "e")))
    assert graph.descendants(records, "e") == ["e.1", "x", "e.1.1"]
