"""What is ready and why not: a row for each rule, and chains that no recursion would survive."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gastown_hooks.core import clock
from gastown_hooks.rules import graph, ready, states
from gastown_hooks.stores.known import Changed, Together

NOW = clock.parse("2026-06-01T00:00:00Z")


def bead(name: str, *edges: tuple[str, str] | tuple[str, str, str], **fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"id": name, "title": name, "status": "open", "priority": 2, "created_at": "2026-01-01T00:00:00Z", **fields}
    if edges:
        record["dependencies"] = [{"issue_id": name, "depends_on_id": e[1], "type": e[0]} | ({"metadata": e[2]} if len(e) > 2 else {})
                                  for e in edges]
    return record


def town(*beads: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in beads}


def names(*beads: dict[str, Any]) -> list[str]:
    return [record["id"] for record in ready.ready(town(*beads), NOW)]


@pytest.mark.parametrize("fields", [
    {"status": "in_progress"}, {"status": "hooked"}, {"status": "closed"}, {"status": "tombstone"}, {"status": "blocked"},
    {"status": "deferred"}, {"status": "pinned"}, {"status": "custom"}, {"pinned": True}, {"ephemeral": True},
    {"wisp_type": "patrol"}, {"is_template": True}, {"labels": ["template"]}, {"defer_until": "2026-06-02T00:00:00Z"},
    {"defer_until": "nonsense"}, *({"issue_type": kind} for kind in sorted(ready.NOT_WORK))])
def test_not_work(fields: dict[str, Any]) -> None:
    assert names(bead("t-a", **fields)) == []
    assert ready.explain(town(bead("t-a", **fields)), "t-a", NOW)


@pytest.mark.parametrize("fields", [{}, {"status": ""}, {"defer_until": "2026-05-31T00:00:00Z"}, {"issue_type": "epic"}, {"labels": ["x"]}])
def test_work(fields: dict[str, Any]) -> None:
    assert names(bead("t-a", **fields)) == ["t-a"]
    assert ready.explain(town(bead("t-a", **fields)), "t-a", NOW) == []


@pytest.mark.parametrize("status", ["open", "in_progress", "blocked", "deferred", "hooked", "pinned", "submitted"])
@pytest.mark.parametrize("kind", ["blocks", "conditional-blocks", "waits-for"])
def test_only_closed_lets_go(kind: str, status: str) -> None:
    assert "t-b" not in names(bead("t-a", status=status), bead("t-b", (kind, "t-a")))


@pytest.mark.parametrize(("kind", "reason", "wanted"), [
    ("blocks", "done", True), ("blocks", "failed", True), ("conditional-blocks", "done", False),
    ("conditional-blocks", "gate failed twice", True), ("waits-for", "done", True), ("related", "done", True)])
def test_closed_blockers(kind: str, reason: str, wanted: bool) -> None:
    found = names(bead("t-a", status="closed", close_reason=reason), bead("t-b", (kind, "t-a")))
    assert found == (["t-b"] if wanted else [])


@pytest.mark.parametrize("target", ["external:other:thing", "beads://host/o/r/x-1", "t-none"])
def test_the_unknown_holds(target: str) -> None:
    assert names(bead("t-a", ("blocks", target))) == []
    assert [r.rule for r in ready.blockers(town(bead("t-a", ("blocks", target))), "t-a", NOW)] == ["unknown"]
    assert names(bead("t-a", ("related", target))) == ["t-a"]


def test_a_deleted_blocker_holds_nothing() -> None:
    assert names(bead("t-a", status="tombstone"), bead("t-b", ("blocks", "t-a"))) == ["t-b"]


@pytest.mark.parametrize("fields", [{"ephemeral": True}, {"wisp_type": "patrol"}])
def test_wisps_are_ready_for_who_asks_for_them(fields: dict[str, Any]) -> None:
    held = town(bead("t-a"), bead("t-w", ("blocks", "t-a"), **fields), bead("t-x", **fields))
    assert [record["id"] for record in ready.ready(held, NOW, wisps=True)] == ["t-a", "t-x"]
    assert [reason.rule for reason in ready.explain(held, "t-w", NOW, wisps=True)] == ["blocks"]
    assert [record["id"] for record, _ in ready.blocked(held, NOW, wisps=True)] == ["t-w"] and ready.blocked(held, NOW) == []


@pytest.mark.parametrize("waits", [{"issue_type": "epic"}, {"dependencies": [{"depends_on_id": "t-e", "type": "waits-for"}]}])
@pytest.mark.parametrize("ephemeral", [False, True])
def test_a_kept_bead_waits_for_no_wisp(waits: dict[str, Any], ephemeral: bool) -> None:
    family = [bead("t-e", status="closed"), bead("t-a", ephemeral=ephemeral, **waits)]
    below = bead("t-w", ("parent-child", "t-a" if "issue_type" in waits else "t-e"), ephemeral=True)
    found = [record["id"] for record in ready.ready(town(*family, below), NOW, wisps=True)]
    assert ("t-a" in found) is not ephemeral


def test_children_share_their_parents_blockers_and_deferral() -> None:
    family = [bead("t-e", ("blocks", "t-x"), issue_type="epic"), bead("t-e.1", ("parent-child", "t-e")),
              bead("t-e.1.1", ("parent_child", "t-e.1"))]
    assert names(bead("t-x"), *family) == ["t-x"]
    assert names(bead("t-x", status="closed"), *family) == ["t-e.1", "t-e.1.1"]
    reasons = ready.blockers(town(bead("t-x"), *family), "t-e.1.1", NOW)
    assert [(r.rule, r.bead) for r in reasons] == [("parent", "t-x")]
    assert names(bead("t-e", status="deferred"), bead("t-e.1", ("parent-child", "t-e"))) == []


def test_an_epic_is_work_when_its_children_are_over() -> None:
    child = bead("t-e.1", ("parent-child", "t-e"))
    assert names(bead("t-e", issue_type="epic"), child) == ["t-e.1"]
    assert names(bead("t-e", issue_type="epic"), {**child, "status": "closed"}) == ["t-e"]


def test_waits_for_children() -> None:
    fan = [bead("t-s", status="in_progress"), bead("t-s.1", ("parent-child", "t-s"), status="closed"),
           bead("t-s.2", ("parent-child", "t-s"), status="in_progress")]
    assert names(*fan, bead("t-b", ("waits-for", "t-s"))) == []
    assert names(*fan, bead("t-b", ("waits-for", "t-s", '{"gate":"any-children"}'))) == ["t-b"]
    assert names(*fan, bead("t-x"), bead("t-b", ("waits-for", "t-x", '{"gate":"any-children","spawner_id":"t-s"}'))) == ["t-b", "t-x"]
    fan[2]["status"] = "closed"
    assert names(*fan, bead("t-b", ("waits-for", "t-s", "not json"))) == ["t-b"]


def test_the_order_is_priority_age_id() -> None:
    assert names(bead("t-d"), bead("t-c", created_at="2026-01-01T02:00:00+02:00"), bead("t-b", priority=0),
                 bead("t-a", created_at="2026-01-02T00:00:00Z"), bead("t-z", created_at="2025-01-01T00:00:00Z")) == [
        "t-b", "t-z", "t-c", "t-d", "t-a"]


def test_circles_end() -> None:
    circle = [bead("t-a", ("parent-child", "t-b")), bead("t-b", ("parent-child", "t-a"), ("blocks", "t-b"))]
    assert names(*circle) == []
    assert ready.blockers(town(*circle), "t-a", NOW)


@pytest.mark.parametrize("kind", ["blocks", "parent-child"])
def test_a_chain_of_ten_thousand(kind: str) -> None:
    chain = [bead("t-0", ("blocks", "t-x")), *(bead(f"t-{i}", (kind, f"t-{i - 1}")) for i in range(1, 10_000)), bead("t-x")]
    records = town(*chain)
    assert names(*chain) == ["t-x"]
    assert ready.blockers(records, "t-9999", NOW)
    assert len(ready.blocked(town(*chain[:100], chain[-1]), NOW)) == 100
    assert graph.cycles(records) == []
    circle = graph.cycle_from(records, "t-0", "t-9999", kind)
    assert circle is not None and len(circle) == 10_001
    assert len(graph.tree(records, "t-9999", depth=20_000)) == 10_001


@pytest.mark.parametrize("seed", range(30))
def test_what_a_close_frees_is_what_became_ready(seed: int) -> None:
    chance = random.Random(seed)
    made = []
    for number in range(40):
        edges: list[Any] = [(chance.choice(["blocks", "parent-child", "waits-for", "related", "conditional-blocks"]),
                             f"b{chance.randrange(number)}") for _ in range(min(number, chance.randrange(3)))]
        made.append(bead(f"b{number}", *edges, issue_type=chance.choice(["task", "epic"]), status=chance.choice(["open", "closed"])))
        for raw in made[-1].get("dependencies", ()):
            if raw["type"] == "waits-for" and chance.random() < 0.5:
                raw["metadata"] = {"gate": chance.choice(["any-children", "all-children"]), "spawner_id": f"b{chance.randrange(number)}"}
    before = Together([town(*made)])
    for name in [one["id"] for one in made if one["status"] == "open"]:
        after = Changed(before, {name: {**before[name], "status": "closed", "close_reason": "failed"}})
        was = {one["id"] for one in ready.ready(before, NOW, wisps=True)}
        wanted = [one["id"] for one in ready.ready(after, NOW, wisps=True) if one["id"] not in was]
        assert [one["id"] for one in states.unblocked_by(before, after, [name], NOW)] == wanted
