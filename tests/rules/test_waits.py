"""What a gate waits for, and what may go on once it is closed."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.core import clock
from gastown_hooks.rules import ready, states, steps, waits

NOW = clock.parse("2026-06-01T12:00:00Z")
HOUR = 3600 * clock.SECOND


def bead(bead_id: str, *deps: tuple[str, str], **fields: Any) -> dict[str, Any]:
    edges = [{"depends_on_id": target, "type": kind} for kind, target in deps]
    return {"id": bead_id, "title": bead_id, "status": "open", "created_at": "2026-06-01T11:00:00Z",
            **({"dependencies": edges} if edges else {}), **fields}


def gate(**fields: Any) -> dict[str, Any]:
    return bead("t-g", issue_type="gate", **fields)


@pytest.mark.parametrize(("fields", "wanted"), [
    ({}, ""), ({"await_type": "human", "await_id": "ann"}, ""), ({"await_type": "gh:pr", "await_id": "12"}, "gh:pr 12"),
    ({"await_type": "mail"}, "mail"), ({"await_type": "timer", "timeout": HOUR}, ""),
    ({"await_type": "timer", "timeout": HOUR + 1}, "timer, until 2026-06-01T12:00:00.000000Z"), ({"await_type": "timer"}, "timer"),
    ({"await_type": "timer", "timeout": 1, "created_at": "x"}, "timer"), ({"await_type": "bead", "await_id": "t-open"}, "bead t-open"),
    ({"await_type": "bead", "await_id": "rig:t-closed"}, ""), ({"await_type": "bead", "await_id": "t-none"}, "bead t-none")])
def test_what_a_gate_waits_for(fields: dict[str, Any], wanted: str) -> None:
    records = {one["id"]: one for one in (gate(**fields), bead("t-open"), bead("t-closed", status="closed"))}
    assert waits.pending(records, records["t-g"], NOW) == wanted
    against = [one for one in states.objections(records, "t-g", NOW, landed=False) if one.rule == "gate"]
    assert [one.text for one in against] == ([f"it is a gate that waits for {wanted}"] if wanted else [])


@pytest.mark.parametrize("kind", ["blocks", "waits-for", "conditional-blocks"])
@pytest.mark.parametrize("await_type", waits.TYPES)
def test_only_a_closed_gate_lets_go(kind: str, await_type: str) -> None:
    """Whatever it waits for, and even if that has happened."""
    records = {one["id"]: one for one in (gate(await_type=await_type, timeout=1), bead("t-a", (kind, "t-g")))}
    assert ready.ready(records, NOW) == []
    assert "t-g is open (a gate: " in ready.blockers(records, "t-a", NOW)[0].text


@pytest.mark.parametrize(("changes", "found"), [
    ({}, ["t-a"]), ({"t-g": {"status": "open"}}, []), ({"t-a": {"status": "in_progress"}}, []), ({"t-m": {"status": "hooked"}}, []),
    ({"t-m": {"status": "in_progress"}}, ["t-a"]), ({"t-b": {"status": "closed"}}, ["t-a"]),
    ({"t-g": {"issue_type": "task"}}, []), ({"t-a": {"ephemeral": True}}, ["t-a"])])
def test_what_a_gate_held(changes: dict[str, dict[str, Any]], found: list[str]) -> None:
    """Ready steps behind a closed gate, of a molecule that is on nobody's hook."""
    records = {one["id"]: {**one, **changes.get(one["id"], {})} for one in (
        bead("t-m", issue_type="molecule"), {**gate(status="closed"), "closed_at": "2026-06-01T11:30:00Z"},
        bead("t-a", ("parent-child", "t-m"), ("blocks", "t-g")), bead("t-b", ("blocks", "t-g"), ("blocks", "t-x")), bead("t-x"),
        bead("t-c", ("related", "t-g")))}
    assert [one.step["id"] for one in steps.resumed(records, records.values(), NOW)] == found
    assert all((one.whole["id"], one.gate["id"]) == ("t-m", "t-g") for one in steps.resumed(records, records.values(), NOW))
