"""The events of a ledger: every change once, whoever folds, edits or dies."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import builders
import pytest

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import audit
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger, View

T = "2026-01-02T03:04:05.000000Z"


def made(folder: Path, mode: str) -> Ledger:
    Ledger.create_files(Beads(f"{folder}/.beads"), "gp", mode)
    return Ledger(Beads(f"{folder}/.beads"))


@pytest.fixture(params=[OWN_BRANCH, CODE_BRANCH])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return made(tmp_path, request.param)


def put(ledger: Ledger, *names: str, **fields: Any) -> None:
    def change(view: View) -> Iterable[dict[str, Any]]:
        new = {"title": "x", "status": "open", "priority": 2, "created_at": T, "created_by": "me", "updated_at": T, "updated_by": "me"}
        return [{"id": name, **(view.get(name) or new), **fields} for name in names]
    ledger.transact(change)


def told(ledger: Ledger, behind: int = 0) -> list[tuple[Any, ...]]:
    return [(event["payload"]["bead"], event["type"], event["payload"].get("changes"))
            for event in audit.look(Ledger(ledger.beads)).after(behind)]


def test_each_kind_of_change_has_its_event(ledger: Ledger) -> None:
    put(ledger, "gp-a")
    steps: list[tuple[str, dict[str, Any]]] = [
        ("updated", {"assignee": "toast"}), ("closed", {"status": "closed"}), ("reopened", {"status": "open"}),
        ("deleted", {"status": "tombstone"}), ("restored", {"status": "open"}), ("updated", {"status": "in_progress"})]
    for kind, fields in steps:
        put(ledger, "gp-a", **fields, updated_by=kind, updated_at="2026-01-03T03:04:05+01:00")
    found = audit.look(ledger).after(0)
    assert [event["type"] for event in found] == ["created", *(kind for kind, _ in steps)]
    assert found[0] == {"ts": T, "type": "created", "actor": "me", "payload": {"bead": "gp-a", "title": "x", "issue_type": "task"}}
    assert found[2] == {"ts": "2026-01-03T02:04:05.000000Z", "type": "closed", "actor": "closed",
                        "payload": {"bead": "gp-a", "changes": {"status": ["open", "closed"]}}}


def test_a_bead_under_another_id_is_the_same(ledger: Ledger) -> None:
    """Also where its events are kept elsewhere since, and only its own are asked for; not what has its old id after it."""
    def rename(view: View) -> list[dict[str, Any]]:
        bead = view.get("gp-a") or {}
        gone = {"status": "tombstone", "deleted_by": "joe", "deleted_at": T, "delete_reason": "now gp-b"}
        return [{**bead, "id": "gp-b"}, {**bead, **gone}]

    put(ledger, "gp-a", "gp-c")
    put(ledger, "gp-a", status="closed")
    ledger.transact(rename)
    for _ in range(2):
        events = audit.look(ledger).backwards(holding=b'"bead":"gp-b"')
        found = [(one["payload"]["bead"], one["type"], one["actor"]) for one in events if one["payload"]["bead"] == "gp-b"]
        assert found == [("gp-b", "renamed", "joe"), ("gp-b", "closed", "me"), ("gp-b", "created", "me")]
        ledger.fold()
    put(ledger, "gp-a", status="open")
    assert told(ledger)[-1][:2] == ("gp-a", "restored")


def test_a_bead_from_elsewhere_tells_who_made_it_and_who_closed_it(ledger: Ledger) -> None:
    put(ledger, "gp-a", status="closed", updated_at="2026-02-02T00:00:00Z", updated_by="toast")
    put(ledger, "gp-b", created_at="yesterday", updated_at=None)
    events = audit.look(ledger).after(0)
    assert [(event["ts"][:10], event["type"], event["actor"]) for event in events] == [
        ("2026-01-02", "created", "me"), ("2026-02-02", "closed", "toast"), ("1970-01-01", "created", "me")]


def test_long_values_are_named_not_repeated(ledger: Ledger) -> None:
    put(ledger, "gp-a")
    put(ledger, "gp-a", description="y" * 2000, priority=1)
    assert told(ledger, 1) == [("gp-a", "updated", {"priority": [2, 1], "description": None})]


def test_whatever_is_folded_when_all_is_told_once_and_in_order(ledger: Ledger) -> None:
    chance, wanted = random.Random(1), 0
    for number in range(120):
        names = chance.sample(["gp-a", "gp-b", "gp-c"], chance.randrange(1, 4))
        put(ledger, *names, estimate=number)
        wanted += len(names)
        if chance.random() < 0.2:
            ledger.fold()
        seen = audit.look(ledger)
        assert seen.count == wanted
        assert [event["payload"]["bead"] for event in seen.after(wanted - len(names))] == names
    values = [change["estimate"][1] for _, _, change in told(ledger) if change]
    assert values == sorted(values) and len(told(ledger)) == wanted and audit.look(ledger).after(wanted) == []


def test_events_outlive_an_edit_of_the_file_from_outside(ledger: Ledger) -> None:
    put(ledger, "gp-a")
    put(ledger, "gp-a", priority=0)
    with open(ledger.beads.issues, "ab") as file:
        file.write(b'{"id":"gp-z","title":"by hand","created_at":"%b","updated_at":"%b"}\n' % (T.encode(), T.encode()))
    put(ledger, "gp-z", priority=1)
    assert told(ledger) == [("gp-a", "created", None), ("gp-a", "updated", {"priority": [2, 0]}),
                            ("gp-z", "updated", {"priority": [None, 1]})]


def test_what_a_killed_writer_left_half_is_passed_over(ledger: Ledger) -> None:
    put(ledger, "gp-a")
    ledger.fold()
    put(ledger, "gp-a", priority=0)
    ledger.fold()
    whole, before = Path(ledger.beads.events).read_bytes(), told(ledger)
    for left in (b'{"ts":"2026', b'{"ts":"2026-01-01T00:00:00Z","type":"closed","actor":"x","payload":{"bead":"gp-a"}}\n', b"\0\n\0"):
        fsio.write(ledger.beads.events, whole + left)
        assert told(ledger) == before
        put(ledger, "gp-b", title=f"{left!r}")
        ledger.fold()
        assert told(ledger)[:len(before)] == before and len(told(ledger)) == len(before) + 1
        before = told(ledger)
        whole = Path(ledger.beads.events).read_bytes()


def test_a_swap_that_did_not_come_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = made(tmp_path, CODE_BRANCH)
    put(ledger, "gp-a")
    with monkeypatch.context() as patch:
        patch.setattr(fsio, "write", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            put(ledger, "gp-a", priority=0)
    assert len(told(ledger)) == 1
    put(ledger, "gp-a", priority=1)
    assert told(ledger) == [("gp-a", "created", None), ("gp-a", "updated", {"priority": [2, 1]})]


def test_a_look_at_the_last_hours_reads_the_end_of_the_log_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = made(tmp_path, OWN_BRANCH)
    start = clock.parse(T)
    for day in range(200):
        monkeypatch.setattr(clock, "now", lambda day=day: start + day * 86400 * clock.SECOND)
        put(ledger, "gp-a", estimate=day, description="z" * 300)
        ledger.fold()
    read = builders.read_sizes(monkeypatch)
    size = os.stat(ledger.beads.events).st_size
    assert len(list(audit.look(ledger).backwards(start + 198 * 86400 * clock.SECOND))) == 2
    assert sum(read) < size / 2 and size > 50_000
    read.clear()
    assert len(audit.look(ledger).after(198)) == 2 and sum(read) < size / 2
    assert len(list(audit.look(ledger).backwards(holding=b'"estimate":[77,78]'))) == 1


def test_a_line_that_is_no_event_is_named(ledger: Ledger) -> None:
    put(ledger, "gp-a")
    ledger.fold()
    path = Path(ledger.beads.events)
    path.write_bytes(path.read_bytes().replace(b'"type":"created"', b'"type":"creat"""'))
    with pytest.raises(Corrupt, match=r"events\.log"):
        told(ledger)


def test_json_of_marks_is_plain(ledger: Ledger) -> None:
    """Whoever reads the file with jq finds {ts,type,actor,payload} in every line."""
    put(ledger, "gp-a", metadata={"type": "mark", "actor": ""})
    put(ledger, "gp-a", metadata={"type": "mark", "actor": "", "n": 1})
    ledger.fold()
    lines = [json.loads(line) for line in Path(ledger.beads.events).read_text().splitlines()]
    assert all(list(line) == ["ts", "type", "actor", "payload"] for line in lines)
    assert len(told(ledger)) == 2


@pytest.mark.parametrize(("old", "new"), [
    (b'"count":', b'"n":'), (b'"start":', b'"start":-'), (b'"previous":', b'"previous":9'), (b'"payload":{"count"', b'"payload":[{"count"'),
    (b'"actor":"","payload":{"count":', b'"actor":"","payload":{"count":"'), (b'{"ts":"', b'{"ts":"never'), (b'"to":', b'"to":"x","t":')])
def test_a_spoilt_mark_stops_no_writer(tmp_path: Path, old: bytes, new: bytes) -> None:
    ledger = made(tmp_path, OWN_BRANCH)
    for priority in (2, 1, 0):
        put(ledger, "gp-a", priority=priority)
        ledger.fold()
    path = Path(ledger.beads.events)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(old, new)]))
    put(ledger, "gp-a", priority=3)
    assert ledger.fold()
    found = told(ledger)
    assert found[:2] == [("gp-a", "created", None), ("gp-a", "updated", {"priority": [2, 1]})] and found[-1][2] == {"priority": [0, 3]}
