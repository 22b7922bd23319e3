"""The ledger: what is written is there, once, whoever else writes, folds, edits or dies."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gastown_hooks.core import fsio, record
from gastown_hooks.core.errors import Corrupt, Fenced, NotATown
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import lines
from gastown_hooks.stores.callers import Writer
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger, View
from gastown_hooks.stores.pairs import Pair

Bead = dict[str, Any]
T = "2026-01-02T03:04:05Z"


@pytest.fixture(params=[OWN_BRANCH, CODE_BRANCH])
def ledger(request: pytest.FixtureRequest, tmp_path: Any) -> Ledger:
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", request.param)
    return Ledger(beads)


@pytest.fixture
def journaled(tmp_path: Any) -> Ledger:
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", OWN_BRANCH)
    return Ledger(beads)


BAD = [b"not a bead", b'{"id":"gp-3","labels":3}', b'{"id":"gp-0","title":oops}', b'{"id":"gp-zz","title":7}']


def some_bad(dice: random.Random) -> bytes:
    return b"".join(line + b"\n" for line in dice.sample(BAD, dice.randrange(4)))


def bead(bead_id: str, title: str = "x", **more: Any) -> Bead:
    return {"id": bead_id, "title": title, "status": "open", "priority": 2, "created_at": T, "updated_at": T, **more}


def put(*beads: Bead) -> Callable[[View], Iterable[Bead]]:
    return lambda view: beads


def text(ledger: Ledger) -> list[bytes]:
    return fsio.whole_lines(fsio.read(ledger.beads.issues) or b"")


def test_writes_are_seen_by_others_and_after_a_fold(ledger: Ledger) -> None:
    ledger.transact(put(bead("gp-b"), bead("gp-a")))
    ledger.transact(put(bead("gp-a", "new")))
    for _ in range(2):
        other = Ledger(ledger.beads)
        assert other.get("gp-a") == bead("gp-a", "new")
        assert other.get("gp-none") is None
        assert {i: b["title"] for i, b in other.all().items()} == {"gp-a": "new", "gp-b": "x"}
        ledger.fold()
    assert [json.loads(line)["id"] for line in text(ledger)] == ["gp-a", "gp-b"]


def test_a_transaction_is_whole_or_absent(journaled: Ledger) -> None:
    journaled.transact(put(bead("gp-a"), bead("gp-b")))
    before = fsio.read(journaled.beads.journal) or b""
    journaled.transact(put(bead("gp-a", "new"), bead("gp-b", "new")))
    after = fsio.read(journaled.beads.journal) or b""
    for cut in range(len(before), len(after)):  # whatever part of the line a killed writer left
        fsio.write(journaled.beads.journal, after[:cut])
        titles = {b["title"] for b in Ledger(journaled.beads).all().values()}
        assert titles == {"x"}, cut
    journaled.transact(put(bead("gp-c")))
    assert {i: b["title"] for i, b in journaled.all().items()} == {"gp-a": "x", "gp-b": "x", "gp-c": "x"}


def test_an_error_in_a_change_writes_nothing(ledger: Ledger) -> None:
    def change(view: View) -> Iterable[Bead]:
        yield bead("gp-a")
        raise NotATown("no")

    with pytest.raises(NotATown):
        ledger.transact(change)
    assert ledger.all() == {}


def test_an_unchanged_record_is_not_written(journaled: Ledger) -> None:
    journaled.transact(put(bead("gp-a")))
    size = os.stat(journaled.beads.journal).st_size
    assert journaled.transact(put(bead("gp-a"))) == []
    assert os.stat(journaled.beads.journal).st_size == size


def test_a_hand_edit_is_merged_with_what_the_journal_holds(journaled: Ledger) -> None:
    journaled.transact(put(bead("gp-a"), bead("gp-b"), bead("gp-c")))
    journaled.fold()
    journaled.transact(put(bead("gp-a", status="in_progress")))
    edited = b"".join(line.replace(b'"priority":2', b'"priority":0') + b"\n" for line in reversed(text(journaled)))
    with open(journaled.beads.issues, "wb") as file:  # an editor that knows nothing of journals, and shuffles
        file.write(edited)
    found = Ledger(journaled.beads).get("gp-a")
    assert found is not None and (found["status"], found["priority"]) == ("in_progress", 0)
    assert {b["priority"] for b in journaled.all().values()} == {0}
    assert [json.loads(line)["id"] for line in text(journaled)] == ["gp-a", "gp-b", "gp-c"]


def test_half_a_fold_is_finished_by_the_next_reader(journaled: Ledger) -> None:
    """A fold that died between its two renames: the file is new, the journal continues the old one."""
    journaled.transact(put(*(bead(f"gp-{n}") for n in range(9))))
    journaled.fold()
    for n in range(9):
        journaled.transact(put(bead(f"gp-{n}", "second")))
    journal = fsio.read(journaled.beads.journal) or b""
    journaled.fold()
    with_tail = journal + b'gp-1 {"id":"gp-1","title":"third","status":"open","priority":2,"created_at":"%b","updated_at":"%b"}\n' % (
        T.encode(), T.encode())
    fsio.write(journaled.beads.journal, with_tail)
    titles = {i: b["title"] for i, b in Ledger(journaled.beads).all().items()}
    assert titles == {f"gp-{n}": "third" if n == 1 else "second" for n in range(9)}


def test_bad_lines_are_carried_byte_for_byte_and_reported(journaled: Ledger) -> None:
    good, bad = record.encode(bead("gp-b")), [b"<<<<<<< HEAD", b'{"id":"gp-x"', b"\xff\xfe", b'{"id":"gp-y","title":"\\ud800"}', b"[1]"]
    with open(journaled.beads.issues, "wb") as file:
        file.write(b"\n".join([bad[0], bad[1], good, *bad[2:]]) + b"\n")
    assert [p.number for p in journaled.problems()] == [1, 2, 4, 5, 6]
    assert set(journaled.all()) == {"gp-b"}
    journaled.transact(put(bead("gp-a"), bead("gp-c")))
    journaled.fold()
    assert text(journaled) == [record.encode(bead("gp-a")), good, record.encode(bead("gp-c")), *bad]
    assert journaled.get("gp-c") == bead("gp-c") and journaled.get("gp-zz") is None


def test_two_lines_of_one_id_lose_nothing(journaled: Ledger) -> None:
    """Pain point 4: what a union merge left is healed."""
    with open(journaled.beads.issues, "wb") as file:
        file.write(record.encode(bead("gp-a", labels=["one"])) + b"\n" + record.encode(bead("gp-a", labels=["two"])) + b"\n")
    assert [str(p) for p in journaled.problems()] == ["line 2: gp-a stands twice"]
    journaled.transact(put(bead("gp-b")))
    found = journaled.get("gp-a")
    assert found is not None and sorted(found["labels"]) == ["one", "two"]
    assert (fsio.read(journaled.beads.quarantine) or b"").count(b"\n") == 2


def test_unknown_fields_keep_their_place(ledger: Ledger) -> None:
    line = b'{"_type":"issue","id":"gp-a","zz":1,"title":"x","status":"open","priority":2,"created_at":"t","updated_at":"t","aa":{"b":[]}}'
    with open(ledger.beads.issues, "wb") as file:
        file.write(line + b"\n")
    ledger.transact(lambda view: [record.updated(view.get("gp-a") or {}, {"status": "closed"})])
    ledger.fold()
    assert text(ledger) == [line.replace(b"open", b"closed")]


def test_a_stale_claim_writes_nothing(ledger: Ledger) -> None:
    ledger.transact(put(bead("gp-a", assignee="r/polecats/nux", claim_fence=4), bead("gp-b")))
    Ledger(ledger.beads, Writer("r/polecats/nux", "gp-a", 4)).transact(put(bead("gp-b", "mine")))
    for writer in (Writer("r/polecats/nux", "gp-a", 3), Writer("r/polecats/toast", "gp-a", 4), Writer("r/polecats/nux", "gp-none", 4),
                   Writer("r/polecats/nux", "", 0)):
        with pytest.raises(Fenced):
            Ledger(ledger.beads, writer).transact(put(bead("gp-b", "late")))
    assert (ledger.get("gp-b") or {})["title"] == "mine"


def test_a_missing_file_is_an_error_not_an_empty_ledger(journaled: Ledger) -> None:
    """Pain point 7: a failure is never shown as an empty list."""
    journaled.transact(put(bead("gp-a")))
    os.unlink(journaled.beads.issues)
    with pytest.raises(NotATown):
        journaled.all()
    with pytest.raises(NotATown):
        journaled.transact(put(bead("gp-b")))


def test_readers_change_no_file(journaled: Ledger) -> None:
    journaled.transact(put(*(bead(f"gp-{n}") for n in range(50))))
    before = {name: os.stat(f"{journaled.beads.root}/{name}").st_mtime_ns for name in os.listdir(journaled.beads.root)}
    for n in range(50):
        assert journaled.get(f"gp-{n}") is not None
    journaled.all()
    assert before == {name: os.stat(f"{journaled.beads.root}/{name}").st_mtime_ns for name in os.listdir(journaled.beads.root)}


def test_find_agrees_with_a_plain_search() -> None:
    dice = random.Random(7)
    for _ in range(200):
        ids = sorted({f"gp-{dice.randrange(36 ** 2):x}" for _ in range(dice.randrange(12))})
        data = b"".join(record.encode(bead(i)) + b"\n" for i in ids) + some_bad(dice)
        for wanted in [*ids, "gp-", "gp-zzz", "a", "zz"]:
            start, end, found = lines.find(data, wanted)
            assert found == (wanted in ids)
            assert not found or json.loads(data[start:end])["id"] == wanted
        changed = {i: record.encode(bead(i, "new")) for i in [*ids[::2], "gp-0new"]}
        spliced = lines.splice(data, changed)
        assert list(lines.parse(spliced).beads) == sorted({*ids, "gp-0new"}, key=str.encode)
        assert lines.parse(spliced).bad == lines.parse(data).bad and spliced == lines.parse(spliced).text()


@pytest.mark.parametrize("name", ["gp-{0:x}", "gp-{0}", "gp-a{0:05}", "gp-mol-{0:x}.{1}", "gp-{0:x}-{1}", "gp-Z{0:c}x"])
def test_a_search_in_a_file_agrees_with_a_search_in_its_text(name: str) -> None:
    dice = random.Random(8)
    for count, letters in ((300, 0), (3000, 30), (300, 3000), (200, 40_000)):
        ids = sorted({name.format(dice.randrange(48, 36 ** 3), dice.randrange(9)) for _ in range(count)}, key=str.encode)
        data = b"".join(record.encode(bead(i, "x" * dice.randrange(letters + 1))) + b"\n" for i in ids) + some_bad(dice)
        reads: list[int] = []

        def read(start: int, length: int, data: bytes = data, reads: list[int] = reads) -> bytes:
            reads.append(length)
            return data[start:start + length]
        for wanted in [*ids[::7], "gp-", "gp-zzz", "a", "zz", ids[0] + ".1", ids[-1] + ".1"]:
            start, end, found = lines.find(data, wanted)
            assert lines.find_in(read, lines.sound(read, len(data)), wanted) == (data[start:end] if found else None)
            assert len(reads) < 60 and max(reads) < 2_000_000
            reads.clear()


def test_a_line_with_a_wrong_value_hides_no_bead_and_is_kept(ledger: Ledger) -> None:
    """Whatever id it begins with, and also where a bead of that id is written."""
    ledger.transact(put(*(bead(f"gp-{n}") for n in range(9))))
    ledger.fold()
    with open(ledger.beads.issues, "ab") as file:
        file.write(b"\n".join(BAD[::-1]) + b"\n")
    for title in ("one", "two", "three"):
        for n in range(9):
            ledger.transact(put(bead(f"gp-{n}", title)))
            assert ledger.get(f"gp-{n}") == bead(f"gp-{n}", title) and ledger.get("gp-zz") is None
        assert sorted(problem.line for problem in ledger.problems()) == sorted(BAD)
        ledger.fold()
        assert text(ledger) == [record.encode(bead(f"gp-{n}", title)) for n in range(9)] + BAD[::-1]


def test_a_hand_edit_with_a_wrong_value_loses_neither_the_edit_nor_what_was_written(journaled: Ledger) -> None:
    journaled.transact(put(bead("gp-1"), bead("gp-2")))
    journaled.fold()
    journaled.transact(put(bead("gp-2", "new")))
    damaged = record.encode(bead("gp-2"))[:-1] + b',"labels":3}'
    fsio.write(journaled.beads.issues, record.encode(bead("gp-1")) + b"\n" + damaged + b"\n")
    assert journaled.get("gp-2") == bead("gp-2", "new")
    journaled.fold()
    assert text(journaled) == [record.encode(bead("gp-1")), record.encode(bead("gp-2", "new")), damaged]
    assert [str(problem) for problem in journaled.problems()] == ["line 3: labels is no list"]


def test_a_wrong_value_in_the_journal_stops_nobody(journaled: Ledger) -> None:
    """An older version wrote what this one takes for no bead."""
    journaled.transact(put(bead("gp-1"), bead("gp-2")))
    fsio.append(journaled.beads.journal, b"gp-2 " + (damaged := record.encode(bead("gp-2"))[:-1] + b',"labels":3}') + b"\n")
    assert list(journaled.all()) == ["gp-1"]
    assert str(journaled.left_out[0]) == f"line 3: of {journaled.beads.journal}: gp-2: labels is no list"
    with pytest.raises(Corrupt, match="gp-2 is damaged"):
        journaled.get("gp-2")
    journaled.transact(put(bead("gp-3")))
    journaled.fold()
    assert list(journaled.all()) == ["gp-1", "gp-3"] and damaged in text(journaled)


def test_a_search_reads_little_of_a_large_file(journaled: Ledger) -> None:
    """Pain point 9: what is looked for is found without reading the whole."""
    with open(journaled.beads.issues, "wb") as file:
        file.write(b"".join(record.encode(bead(f"gp-{n:05d}", "x" * 400)) + b"\n" for n in range(20_000)))
    journaled.transact(put(bead("gp-99999")))
    pair = Pair.open(journaled.beads, journal=True)
    assert pair is not None and pair.matches() and abs(pair.count() - 20_000) < 200
    before = _bytes_read()
    assert b"gp-12345" in (pair.line("gp-12345") or b"") and pair.line("gp-12345x") is None
    assert _bytes_read() - before < 200_000


def test_tabs_between_another_programs_words_part_nothing(journaled: Ledger) -> None:
    spaced = b'{"id":"gp-a",\t"title": "x",\t"status":"open","priority":2,"created_at":"t","updated_at":"t"}\n'
    with open(journaled.beads.issues, "wb") as file:
        file.write(spaced)
    for title in ("one", "two"):
        journaled.transact(lambda view, title=title: [record.updated(view.get("gp-a") or {}, {"title": title})])  # type: ignore[misc]
        assert {i: b["title"] for i, b in journaled.all().items()} == {"gp-a": title}
    with open(journaled.beads.issues, "wb") as file:
        file.write(spaced.replace(b'"priority":2', b'"priority":1'))
    assert {i: (b["title"], b["priority"]) for i, b in journaled.all().items()} == {"gp-a": ("two", 1)}


def test_an_edit_in_place_while_we_read_is_read_again(journaled: Ledger) -> None:
    journaled.transact(put(bead("gp-a", "old"), bead("gp-b", "old")))
    journaled.fold()
    looks: list[str] = []

    def edit(pair: Pair) -> str:
        if not looks:
            data = fsio.read(journaled.beads.issues) or b""
            with open(journaled.beads.issues, "r+b") as file:
                file.write(data.replace(b'"old"', b'"new"'))
        looks.append("look")
        return str((View(pair).get("gp-a") or {})["title"])
    assert journaled.look(edit) == "new" and len(looks) == 2


def test_a_model_and_the_ledger_agree_over_random_acts(journaled: Ledger) -> None:
    for seed in range(20):
        dice, model = random.Random(seed), {i: b["title"] for i, b in journaled.all().items()}
        for step in range(40):
            act = dice.randrange(10)
            if act < 6:
                chosen = {f"gp-{dice.randrange(30)}": f"{seed}.{step}" for _ in range(dice.randrange(1, 4))}
                journaled.transact(put(*(bead(i, t) for i, t in chosen.items())))
                model.update(chosen)
            elif act < 8:
                journaled.fold()
            elif act == 8 and model:
                shuffled = text(journaled)
                dice.shuffle(shuffled)
                with open(journaled.beads.issues, "wb") as file:
                    file.write(b"".join(line + b"\n" for line in shuffled))
            else:
                with open(journaled.beads.journal, "ab") as file:
                    file.write(b'gp-1 {"id":"gp-1","title":"never acknow')
        assert {i: b["title"] for i, b in Ledger(journaled.beads).all().items()} == model, f"seed {seed}"


def test_writers_folders_and_readers_at_once_lose_nothing(journaled: Ledger) -> None:
    """Eight processes add to one counter each, two fold, while readers check that a pair of beads always moves together."""
    journaled.transact(put(bead("gp-pair1", "0"), bead("gp-pair2", "0"), *(bead(f"gp-c{n}", "0") for n in range(8))))
    children = [_forked(lambda n=n: _count(journaled.beads, n)) for n in range(8)]  # type: ignore[misc]
    children += [_forked(lambda: [Ledger(journaled.beads).fold() for _ in range(60)]) for _ in range(2)]
    stop, torn = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            seen = Ledger(journaled.beads).all()
            if seen["gp-pair1"]["title"] != seen["gp-pair2"]["title"]:
                torn.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    stop.set()
    reader.join()
    assert statuses == [0] * 10 and not torn
    found = journaled.all()
    assert [found[f"gp-c{n}"]["title"] for n in range(8)] == ["60"] * 8
    assert found["gp-pair1"]["title"] == found["gp-pair2"]["title"] == "480"


def _count(beads: Beads, n: int) -> None:
    for _ in range(60):
        def change(view: View) -> list[Bead]:
            return [bead(i, str(int((view.get(i) or {})["title"]) + 1)) for i in (f"gp-c{n}", "gp-pair1", "gp-pair2")]
        Ledger(beads).transact(change)


def _forked(act: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return pid


def _bytes_read() -> int:
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


def test_who_names_a_text_is_found_in_file_and_journal_but_not_in_lines_that_are_no_bead(ledger: Ledger) -> None:
    ledger.transact(put(bead("gp-a"), bead("gp-b", notes="after gp-a"), bead("gp-c", notes="after gp-a"), bead("gp-d")))
    ledger.fold()
    ledger.transact(put(bead("gp-c"), bead("gp-e", comments=[{"id": "1", "text": "like gp-a"}])))
    with open(ledger.beads.issues, "ab") as file:
        file.write(b'{"id":"gp-zz","title":7,"notes":"gp-a"}\n')
    found = set(ledger.view(lambda view: list(view.naming(["gp-a"]))))
    assert {"gp-a", "gp-b", "gp-e"} <= found
    assert found <= ({"gp-a", "gp-b", "gp-e"} if not ledger.write_through else {"gp-a", "gp-b", "gp-c", "gp-d", "gp-e"})
