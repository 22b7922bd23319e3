"""Import and export: every era's lines come out as they went in; what is there is merged; bad lines stop the whole import."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ledgers
import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.stores.lines import parse
from gastown_hooks.work import interop

NOW = clock.parse("2026-02-01T00:00:00Z")
T0, T1 = "2026-01-01T00:00:00Z", "2026-01-02T01:00:00+09:00"


@pytest.fixture
def new_ledger(tmp_path: Path) -> Callable[..., Ledger]:
    def make(mode: str = CODE_BRANCH, name: str = "one") -> Ledger:
        beads = Beads(str(tmp_path / name / ".beads"))
        Ledger.create_files(beads, "bd", mode)
        return Ledger(beads)
    return make


def bring(ledger: Ledger, data: bytes, **options: bool) -> interop.Imported:
    return interop.bring_in(ledger, Caller("overseer", "/"), NOW, "file", interop.read(data), **options)


def line(**values: Any) -> bytes:
    return json.dumps({"id": "bd-a", "title": "A", "priority": 2, "created_at": T0, "updated_at": T0} | values).encode() + b"\n"


def beads(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {bead["id"]: bead for bead in map(json.loads, ledger.text().splitlines())}


@pytest.mark.parametrize("mode", [CODE_BRANCH, OWN_BRANCH])
@pytest.mark.parametrize("era", ledgers.ERAS)
def test_each_era_goes_in_and_out_byte_for_byte(era: str, mode: str, new_ledger: Callable[..., Ledger]) -> None:
    ledger, data = new_ledger(mode), ledgers.sample(era)
    done = bring(ledger, data)
    assert len(done.created) == data.count(b"\n") and not done.updated
    ledger.fold()
    assert b"".join(one + b"\n" for one in parse(ledger.text()).lines.values()) == data == Path(ledger.beads.issues).read_bytes()
    again = bring(ledger, data)
    assert (again.created, again.updated, again.unchanged) == ([], [], len(done.created))


def test_three_thousand_beads_take_a_second(new_ledger: Callable[..., Ledger]) -> None:
    ledger, data = new_ledger(), ledgers.generated(2800)
    began = time.process_time()
    assert len(bring(ledger, data).created) > 3000
    assert time.process_time() - began < 1


def test_what_is_there_is_merged_and_nothing_is_lost(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    bring(ledger, line(labels=["x"], title="Mine", updated_at=T1, mine={"deep": 1}, assignee="alice"))
    theirs = line(labels=["y"], title="Theirs", theirs=[1], notes="n")
    assert bring(ledger, theirs).updated == ["bd-a"]
    found = beads(ledger)["bd-a"]
    assert found["labels"] == ["x", "y"] and (found["mine"], found["theirs"], found["notes"]) == ({"deep": 1}, [1], "n")
    assert found["title"] == "Mine" and "Theirs" in found["comments"][0]["text"] and found["assignee"] == "alice"
    before = ledger.text()
    assert bring(ledger, theirs).unchanged == 1 and ledger.text() == before, "a second time changes nothing"


def test_another_projects_bead_under_an_id_of_here_is_told(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    bring(ledger, line(title="Mine"))
    assert not bring(ledger, line(title="Mine, said better", updated_at=T1)).warnings
    told = bring(ledger, line(title="Theirs", created_at=T1), dry_run=True).warnings
    assert len(told) == 1 and "bd-a is another bead here: 'Mine, said better'" in told[0] and "bd rename" in told[0]


def test_two_eras_of_one_project_imported_in_turn_settle(new_ledger: Callable[..., Ledger]) -> None:
    ledger, old, new = new_ledger(), ledgers.sample("beads_v0.30.0"), ledgers.sample("beads_v0.47.0")
    for data in (old, new):
        bring(ledger, data)
    settled = ledger.text()
    assert {json.loads(one)["id"] for one in (old + new).splitlines()} == beads(ledger).keys()
    for data in (old, new):
        assert not bring(ledger, data).updated
    assert ledger.text() == settled


@pytest.mark.parametrize(("bad", "why"), [
    (b"<<<<<<< HEAD", ""), (b'{"id":"bd-b","title":"cut', ""), (b'{"id":"bd-b"\0}', ""),
    (b'{"id":"bd-b","title":"\xff"}', "not UTF-8"), (b'{"id":"bd-b","title":"\\ud800"}', "a lone surrogate"), (b"[1]", "not a JSON object"),
    (b'{"title":"x"}', "no usable id"), (b'{"id":"../x","title":"x"}', "no usable id"), (b'{"id":"bd-b","title":5}', "title is no text"),
    (b'{"id":"bd-b","title":"x","labels":[1]}', "labels is no list of texts"), (b'{"id":"bd-b","title":"x","priority":"P1"}', "priority")])
def test_a_bad_line_stops_the_import_and_is_named(bad: bytes, why: str, new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    data = line() + bad + b"\n\n" + line(id="bd-c")
    with pytest.raises(Corrupt, match="line 2: .*" + why):
        bring(ledger, data)
    assert ledger.text() == b""
    assert bring(ledger, data, skip_bad=True, dry_run=True).skipped == 1 and ledger.text() == b""
    for _ in range(2):
        assert bring(ledger, data, skip_bad=True).skipped == 1
    assert sorted(beads(ledger)) == ["bd-a", "bd-c"] and Path(ledger.beads.quarantine).read_bytes() == bad + b"\n"


def test_a_manifest_of_deletions_makes_tombstones(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    bring(ledger, line(issue_type="bug", x=1) + line(id="bd-b", updated_at="2026-01-05T00:00:00Z") + line(id="bd-c"))
    entries = [{"id": "bd-a", "ts": T1, "by": "bob", "reason": "dup"}, {"id": "bd-a"}, {"id": "bd-b", "ts": T1}, {"id": "bd-c"},
               {"id": "bd-d", "ts": T1, "by": "bob"}]
    done = bring(ledger, b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
    found = beads(ledger)
    assert (done.created, done.updated) == (["bd-d"], ["bd-a"]) and found["bd-d"]["status"] == "tombstone"
    wanted = {"status": "tombstone", "deleted_at": T1, "deleted_by": "bob", "delete_reason": "dup", "original_type": "bug", "x": 1}
    assert found["bd-a"].items() >= wanted.items()
    assert "status" not in found["bd-b"], "written after its deletion: it lives"


def test_a_workers_claim_is_not_for_a_file_to_change(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    bring(ledger, line(status="hooked", assignee="gp/polecats/toast", claim_fence=2))
    bring(ledger, line(status="closed", closed_at=T1, updated_at=T1, claim_fence=9, assignee="x", notes="from outside"))
    found = beads(ledger)["bd-a"]
    assert (found["status"], found["assignee"], found["claim_fence"]) == ("hooked", "gp/polecats/toast", 2)
    assert found["notes"] == "from outside" and "closed_at" not in found


def test_two_lines_of_one_bead_are_merged_and_told(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    done = bring(ledger, b"\xef\xbb\xbf" + line(labels=["x"]).rstrip(b"\n") + b"\r\n" + line(labels=["y"]))
    assert done.created == ["bd-a"] and "line 2: bd-a stands twice" in done.warnings[0]
    assert beads(ledger)["bd-a"]["labels"] == ["x", "y"]
