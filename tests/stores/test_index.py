"""The index says what the rules say of the ledger, whatever happened; and where it cannot, it says nothing."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gastown_hooks.core import clock, fsio, lock, record
from gastown_hooks.core.errors import NotATown, StorageFailed
from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import fields, graph, ready, states, steps
from gastown_hooks.stores import external, index, indexing, known, lines, pairs, unseen
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import hook

Bead = dict[str, Any]
DAY = 86400 * clock.SECOND
START = clock.parse("2026-01-01T00:00:00Z")
NOWS = (START, START + 5 * DAY, START + 500 * DAY)
IDS = [f"gp-{n:02d}" for n in range(24)]
OPEN = {*states.STATUSES} - {"closed"}
KINDS = ("blocks", "parent-child", "conditional-blocks", "waits-for", "related", "waits_for")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", OWN_BRANCH)
    return Ledger(beads)


def bead(bead_id: str, **more: Any) -> Bead:
    at = clock.stamp(START)
    return record.arrange({"id": bead_id, "title": "x", "status": "open", "priority": 2, "created_at": at, "updated_at": at, **more})


def put(ledger: Ledger, *beads: Bead) -> None:
    ledger.transact(lambda view: beads)


def edge(source: str, target: str, kind: str, **more: Any) -> Bead:
    return {"issue_id": source, "depends_on_id": target, "type": kind, **more}


def any_bead(dice: random.Random) -> Bead:
    bead_id = dice.choice(IDS)
    edges = [edge(bead_id, dice.choice([*IDS, *IDS, "gp-none", "hq-1", "external:a:b"]), dice.choice(KINDS),
                  **({"metadata": {"gate": dice.choice(("any-children", "all-children")), "spawner_id": dice.choice(["", *IDS])}}
                     if dice.random() < 0.3 else {})) for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 3)))]
    more: Bead = {"status": dice.choice(("open", "open", "open", "closed", "in_progress", "deferred", "hooked", "blocked", "tombstone")),
                  "issue_type": dice.choice(("task", "task", "epic", "epic", "merge-request")), "priority": dice.randrange(5),
                  "title": f"t{dice.randrange(99)}", "dependencies": edges, "created_at": clock.stamp(START - dice.randrange(9) * DAY)}
    if dice.random() < 0.15:
        more["defer_until"] = dice.choice((clock.stamp(START + dice.randrange(-9, 9) * DAY), "soon", "9999-01-01T00:00:00Z"))
    if more["status"] == "closed":
        more["close_reason"] = dice.choice(("done", "it failed"))
    if dice.random() < 0.3:
        more |= {"assignee": dice.choice(("a", "b")), "claim_fence": dice.randrange(4)}
    if dice.random() < 0.1:
        more["pinned"] = True
    if dice.random() < 0.2:
        more["metadata"] = dice.choice([{"pull": {"state": "open"}}, {"pull": {"state": "closed"}}, {"pull": "open"},
                                        {"source": dice.choice(IDS), "fence": dice.randrange(2)}])
    return bead(bead_id, **more)


def check(ledger: Ledger) -> index.Index:
    """The index agrees with the rules on the whole ledger."""
    found = index.current(ledger)
    assert found is not None
    records = Ledger(ledger.beads).all()
    for now in NOWS:
        wanted = [bead["id"] for bead in ready.ready(records, now)]
        assert [row[2] for row in found.ready(now, 0)] == wanted
        assert found.count_ready(now) == len(wanted)
        assert [row[2] for row in found.ready(now, 2)] == wanted[:2]
    above = graph.dependents(records)
    for bead_id in records:
        assert found.dependents(bead_id) == above.get(bead_id, [])
    for who in ("a", "b", "c"):
        assert found.held_by(who) == sorted(i for i, bead in records.items()
                                            if bead.get("assignee") == who and bead["status"] in ("hooked", "in_progress"))
    missing = {one.target for bead in records.values() if bead["status"] != "tombstone" for one in graph.edges(bead)
               if one.kind in graph.BLOCKING and one.target not in records and not one.target.startswith("external:")}
    assert missing <= set(found.unknown())
    return found


@pytest.mark.parametrize("seed", range(12))
def test_index_and_rules_agree_over_random_histories(ledger: Ledger, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(25):
        act = dice.randrange(20)
        if act < 16:
            put(ledger, *{one["id"]: one for one in (any_bead(dice) for _ in range(dice.randrange(1, 4)))}.values())
        elif act < 18:
            ledger.fold()
        elif act == 18:
            data = fsio.read(ledger.beads.issues) or b""
            fsio.write(ledger.beads.issues, data.replace(b'"priority":2', b'"priority":0'))
        else:
            fsio.remove(ledger.beads.index)
        if dice.random() < 0.7 and fsio.read(ledger.beads.journal):
            check(ledger)


def small_change(dice: random.Random, records: dict[str, Bead]) -> Bead:
    """What somebody does to one bead: more often what moves no other."""
    old = records.get(dice.choice(IDS))
    kind = dice.choice(("note", "note", "claim", "claim", "close", "reopen", "defer", "delete", "new", "any"))
    if old is None or kind == "new":
        return bead(f"gp-n{dice.randrange(999)}", priority=dice.randrange(5), labels=["template"] if dice.random() < 0.1 else [])
    return any_bead(dice) if kind == "any" else record.updated(old, {
        "note": {"notes": "x", "title": f"t{dice.randrange(99)}", "estimated_minutes": 5},
        "claim": {"status": "in_progress", "assignee": "a"},
        "close": {"status": "closed", "close_reason": "done"}, "reopen": {"status": "open", "close_reason": None},
        "defer": {"defer_until": clock.stamp(START + dice.randrange(-9, 9) * DAY)}, "delete": {"status": "tombstone"}}[kind])


@pytest.mark.parametrize("seed", range(12))
def test_a_little_that_was_not_seen_is_looked_at_beside_the_index(ledger: Ledger, seed: int) -> None:
    dice = random.Random(seed)
    put(ledger, *{one["id"]: one for one in (any_bead(dice) for _ in range(40))}.values())
    beside = 0
    for _ in range(40):
        index.current(ledger)
        for _ in range(dice.randrange(1, 4)):
            put(ledger, small_change(dice, ledger.all()))
        if dice.random() < 0.1:
            ledger.fold()
        found, records = unseen.for_ready(ledger), ledger.all()
        assert found is not None
        beside += not found.whole
        for now in NOWS:
            wanted = [unseen.row(one) for one in ready.ready(records, now)]
            assert [row[:6] for row in found.ready(now, 0)] == [row[:6] for row in wanted]
            assert [row[2] for row in found.ready(now, 3)] == [row[2] for row in wanted[:3]]
            assert found.count_ready(now) == len(wanted)
    assert beside > 5


def test_when_a_bead_alone_is_ready_or_blocked_is_what_the_lists_say() -> None:
    for seed in range(300):
        dice = random.Random(seed)
        records = {one["id"]: one for one in (any_bead(dice) for _ in range(dice.randrange(1, 30)))}
        family = graph.children(records)
        when = {bead_id: ready.when(records, family, bead_id) for bead_id in records}
        for now in NOWS:
            begin = {bead_id for bead_id, (at, _) in when.items() if at is not None and at <= now}
            assert begin == {one["id"] for one in ready.ready(records, now)}, seed
            wait = {bead_id for bead_id, (_, held) in when.items() if held and held[0] <= now and (held[1] is None or now < held[1])}
            assert wait == {one["id"] for one, _ in ready.blocked(records, now)}, seed


def test_what_a_fold_moved_is_not_read_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    put(ledger, bead("gp-01"), bead("gp-02", dependencies=[edge("gp-02", "gp-01", "blocks")]))
    check(ledger)
    built: list[int] = []
    monkeypatch.setattr(indexing, "_build", lambda *_: built.append(1))
    for status in ("closed", "open", "closed"):
        ledger.fold()
        put(ledger, bead("gp-01", status=status))
        check(ledger)
    assert not built


@pytest.mark.parametrize(("old", "new", "anew"), [
    ('"title":"one"', '"title":"uno"', 0), ('"priority":2', '"priority":1', 0), ('"gp-01","title', '"gp-05","title', 1),
    ('"title":"one"', '"title":"one', 1), ('{"id":"gp-03"', '{"id":"gp-00","title":"new","status":"open"}\n{"id":"gp-03"', 0),
    ('{"id":"gp-03"', '<<<<<<<\n{"id":"gp-03"', 1)])
def test_of_an_edited_file_the_changed_lines_are_read(ledger: Ledger, old: str, new: str, anew: int,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    put(ledger, bead("gp-01", title="one"), bead("gp-02", dependencies=[edge("gp-02", "gp-01", "blocks")]), bead("gp-03"))
    ledger.fold()
    check(ledger)
    put(ledger, bead("gp-04", dependencies=[edge("gp-04", "gp-00", "parent-child")]))
    built, build = list[int](), indexing._build
    monkeypatch.setattr(indexing, "_build", lambda *given: built.append(1) or build(*given))
    for one, other in ((old, new), ('"status":"open"', '"status":"closed"')):
        data = (fsio.read(ledger.beads.issues) or b"").decode()
        assert one in data
        fsio.write(ledger.beads.issues, data.replace(one, other, 1).encode())
        assert set(check(ledger).ids(())) == set(ledger.all())
    assert bool(built) == bool(anew)


@pytest.mark.parametrize("again", ["", '{"id":"gp-003","title":"another"}\n'])
def test_a_file_read_in_parts_is_the_same_file(ledger: Ledger, again: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f'{{"id":"gp-{number:03d}","title":"{"x" * (number * 7 % 90)}"}}\n\n' for number in range(40))
    fsio.write(ledger.beads.issues, f'{text}{again}{{"id":"gp-050","title":1}}\n<<<<<<<\n{{"id":"gp-060"}}'.encode())
    os.mkdir(ledger.beads.archive)
    fsio.write(ledger.beads.archived("2025"), b'{"id":"gp-001","title":"old"}\n{"id":"gp-old"}\nbad\n')
    fsio.write(ledger.beads.journal, b'{"_journal":1}\ngp-002 {"id":"gp-002","title":"now"}\tgp-new {"id":"gp-new"}\ngp-004 {}\n')
    for size in (1, 64, 300, 1 << 16):
        monkeypatch.setattr(lines, "_PART", size)
        parted, whole = (pairs.Pair.open(ledger.beads, journal=True) for _ in range(2))
        assert parted and whole
        found, marks = parted.marked(bytes.upper)
        assert (found, [str(one) for one in parted.problems]) == (whole.records(), [str(one) for one in whole.problems])
        assert {name: marks[name] for name in found} == {name: whole.lines()[name].upper() for name in found}


def test_writes_lost_before_they_were_seen_build_it_anew(ledger: Ledger) -> None:
    put(ledger, bead("gp-01"))
    check(ledger)
    put(ledger, bead("gp-02"))
    ledger.fold()  # the index has not seen gp-02's line, and its journal is gone
    check(ledger)
    data = fsio.read(ledger.beads.journal) or b""
    put(ledger, bead("gp-03", title="one"))
    check(ledger)
    fsio.write(ledger.beads.journal, data)  # a power cut took the line that the index saw
    put(ledger, bead("gp-03", title="two"), bead("gp-04"))
    check(ledger)


@pytest.mark.parametrize("harm", ["garbage", "cut", "empty", "folder", "other version", "other boot"])
def test_a_broken_index_is_made_again_or_left_alone(ledger: Ledger, harm: str) -> None:
    put(ledger, *(bead(f"gp-{n:03d}") for n in range(200)))
    check(ledger)
    path = ledger.beads.index
    data = fsio.read(path) or b""
    if harm == "folder":
        fsio.remove(path)
        os.mkdir(path)
        assert index.current(ledger) is None
        assert len(ledger.view(lambda view: view.linked())) == 200
        return
    if harm.startswith("other"):
        db = index.connect(ledger.beads)
        db.execute("UPDATE state SET " + ("version = 99" if harm == "other version" else "boot = 'before'"))
        db.close()
    else:
        fsio.write(path, {"garbage": b"x" * 5000, "cut": data[: len(data) // 2], "empty": b""}[harm])
    put(ledger, bead("gp-200"))
    check(ledger)


def test_damage_that_only_a_question_meets_is_told_and_away(ledger: Ledger) -> None:
    put(ledger, *(bead(f"gp-{n:03d}") for n in range(200)))
    check(ledger)
    data = fsio.read(ledger.beads.index) or b""
    boot = clock.boot_id().encode()  # the page that says what the index has seen stays whole, and the first one
    pages = [data[at:at + 4096] for at in range(0, len(data), 4096)]
    fsio.write(ledger.beads.index, b"".join(page if not at or boot in page or b"gp-" not in page else b"\xff" * 4096
                                            for at, page in enumerate(pages)))
    its = index.opened(ledger.beads)
    assert its is not None
    with pytest.raises(StorageFailed, match="was damaged, and is gone"):
        its.listed(0, ())
    assert not os.path.exists(ledger.beads.index)
    check(ledger)


def test_who_reads_keeps_what_was_there_and_holds_up_nobody(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    put(ledger, bead("gp-01"))
    first = check(ledger)
    built: list[int] = []
    monkeypatch.setattr(indexing, "_remove", lambda *_: built.append(1))
    begun = time.monotonic()
    looks = []
    for number in range(2, 7):
        put(ledger, bead(f"gp-{number:02d}"))
        looks.append(check(ledger))  # it goes on reading while the next one wants to write
    assert time.monotonic() - begun < 1.5  # five times as long as SQLite would have waited for one of them
    assert not built
    assert [len(one.ids(())) for one in (first, *looks)] == [1, 2, 3, 4, 5, 6]


def test_odd_values_are_told(ledger: Ledger) -> None:
    put(ledger, bead("gp-01"))
    assert check(ledger).odd == 0
    put(ledger, bead("gp-02", priority=1 << 70), bead("gp-03", created_at="soon"))
    found = index.current(ledger)
    assert found is not None and found.odd == 2
    put(ledger, bead("gp-02"), bead("gp-03"))
    assert check(ledger).odd == 0
    with open(ledger.beads.issues, "ab") as file:
        file.write(b"<<<<<<<\n")
    found = index.current(ledger)
    assert found is not None and found.odd == 1


def test_ledgers_without_a_journal_have_none(ledger: Ledger, tmp_path: Path) -> None:
    assert index.current(ledger) is None  # nothing was written yet
    beads = Beads(f"{tmp_path}/other/.beads")
    Ledger.create_files(beads, "gp", CODE_BRANCH)
    put(Ledger(beads), bead("gp-01"))
    assert index.current(Ledger(beads)) is None
    put(ledger, bead("gp-01"))
    os.unlink(ledger.beads.issues)
    with pytest.raises(NotATown):
        index.current(ledger)


def same_order(ledger: Ledger, found: Mapping[str, Bead], records: Mapping[str, Bead]) -> None:
    """What waits for what, and what comes next, is told without reading the beads, and alike."""
    living = [name for name in records if records[name]["status"] != states.TOMBSTONE]
    assert graph.statuses(found, [*IDS, "gp-none"]) == graph.statuses(records, [*IDS, "gp-none"])
    assert graph.needs(found, living) == graph.needs(records, living)
    around = {**records, **external.look(ledger.beads, fields.foreign_targets(records.values()))}
    for name in living:
        one, other = (steps.following(some, name, "app/polecats/w1", START) for some in (found, around))
        assert (one.molecule, one.step, one.complete, one.why) == (other.molecule, other.step, other.complete, other.why)


@pytest.mark.parametrize("seed", range(4))
def test_an_index_that_lags_still_tells_the_edges(ledger: Ledger, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(6):
        put(ledger, *{one["id"]: one for one in (any_bead(dice) for _ in range(8))}.values())
        index.current(ledger)
        put(ledger, *{one["id"]: one for one in (any_bead(dice) for _ in range(5))}.values())
        records, found = ledger.all(), ledger.view(lambda view: view.linked())
        assert isinstance(found, known.Known) and len(found.behind) > 1
        same_order(ledger, found, records)
        for name in [*IDS, "gp-none"]:
            assert found.get(name) == records.get(name)
            assert found.family.get(name, []) == graph.children(records).get(name, [])
            assert found.above.get(name, []) == graph.dependents(records).get(name, [])
        assert sorted(found.named("gp-1")) == sorted(name for name in records if name.startswith("gp-1"))
        held = {name for name, one in records.items() if one["status"] in states.CLAIMED and one.get("claim_fence")}
        assert held <= {one["id"] for one in found.claims()}
        assert all(found.those(known.OPEN_REQUESTS)[name] == one for name, one in records.items()
                   if one.get("issue_type") == "merge-request" and one["status"] in OPEN)


def test_who_read_by_an_index_lets_go_of_it_without_the_collector(ledger: Ledger) -> None:
    put(ledger, bead("gp-01"))
    found = known.known(ledger)
    assert found is not None
    its, records = weakref.ref(found.index), known.Together([known.Changed(found, {"gp-02": bead("gp-02")})])
    assert "gp-01" not in records.family and "gp-01" not in records.above and "gp-02" in records
    gc.disable()
    try:
        del found, records
        assert its() is None  # or who writes next would wait for it, and copy the file
    finally:
        gc.enable()


def test_edges_wait_a_little_for_an_index_that_is_written(ledger: Ledger) -> None:
    put(ledger, bead("gp-01"))
    index.current(ledger)
    held = lock.acquire(ledger.beads.index_lock)
    assert not isinstance(ledger.view(lambda view: view.linked()), known.Known), "not for ever"
    threading.Timer(0.02, held.release).start()
    assert isinstance(ledger.view(lambda view: view.linked()), known.Known)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_when_asked_for_is_what_the_ledger_holds(ledger: Ledger, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(known, "_SOME", (500, 3)[seed % 2])
    for _ in range(4):
        put(ledger, *{one["id"]: one for one in (any_bead(dice) for _ in range(12))}.values())
        if dice.random() < 0.5:
            ledger.fold()
        found, records = known.known(ledger), ledger.all()
        assert found is not None
        same_order(ledger, found, records)
        family, above = graph.children(records), graph.dependents(records)
        for name in [*IDS, "gp-none"]:
            assert found.get(name) == records.get(name)
            assert found.family.get(name) == family.get(name) and found.above.get(name) == above.get(name)
            if name in records:
                around = {**records, **external.look(ledger.beads, fields.foreign_targets(records.values()))}
                assert repr(ready.blockers(found, name, START)) == repr(ready.blockers(around, name, START))
                assert graph.descendants(found, name) == graph.descendants(records, name)
        assert found.those(known.OPEN_REQUESTS) == {
            name: one for name, one in records.items() if one.get("issue_type") == "merge-request" and one["status"] in OPEN}
        assert {one["id"]: one for one in known.kept(ledger)} == {
            name: one for name, one in records.items() if one.get("issue_type") == "merge-request" and (
                one["status"] in OPEN or (one["status"] == "closed" and one.get("metadata") == {"pull": {"state": "open"}}))}
        keys = ("id", "status", "assignee", "claim_fence")
        assert sorted([one[key] for key in keys] for one in known.claims(ledger)) == sorted(
            [one.get(key, "") for key in keys] for one in records.values() if one["status"] in states.CLAIMED and one.get("claim_fence"))
        assert known.last_fence(found) == known.last_fence(records)
        for one in records.values():
            assert known.open_request(found, one) == known.open_request(records, one)
            assert known.requests_of(found, one["id"]) == known.requests_of(records, one["id"])
        assert dict(known.Together([found])) == records
        assert ready.ready_among(found, [*IDS, "gp-none"], START) == ready.ready(records, START) == ready.ready_among(records, IDS, START)


def test_a_hook_needs_no_index_that_is_up_to_date(ledger: Ledger) -> None:
    put(ledger, bead("gp-01"), bead("gp-02", status="hooked", assignee="a"), bead("gp-03", status="hooked", assignee="a"))
    index.current(ledger)
    put(ledger, bead("gp-01", status="in_progress", assignee="a"), bead("gp-03", status="closed", assignee="a"))
    assert {"gp-01", "gp-02"} <= {one["id"] for one in hook._candidates(ledger, "a")}
    its = unseen.lagging(ledger)
    assert its is not None and not its.whole, "nobody had to write it"
    put(ledger, *(bead(f"gp-{n}", description="x" * 999) for n in range(10, 30)))
    assert "gp-02" in {one["id"] for one in hook._candidates(ledger, "a")}
    its = unseen.lagging(ledger)
    assert its is not None and its.whole
