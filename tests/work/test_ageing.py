"""Old beads in the archive: nobody's answer changes, nothing is lost; shortened ones are as they were once restored."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import builders
import ledgers
import pytest
import test_ledger_git
from test_ledger_git import Yard

from gastown_hooks.core import clock
from gastown_hooks.core.errors import NotFound, Refused
from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import ageing as rules
from gastown_hooks.rules import ready
from gastown_hooks.stores import archive, index, known
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import ageing, beads, doctor, removal
from gastown_hooks.work.world import World

NOW = clock.parse("2026-06-01T00:00:00Z")
OLD = "2025-03-01T00:00:00Z"
MODES = [OWN_BRANCH, CODE_BRANCH]
EDGE = {"created_at": OLD}


def bead(name: str, status: str = "open", /, *deps: tuple[str, str], **more: Any) -> dict[str, Any]:
    found = {"id": f"gp-{name}", "title": name, "status": status, "priority": 2, "issue_type": "task", "created_at": OLD, "updated_at": OLD}
    found |= {"closed_at": OLD} if status == "closed" else {}
    edges = [{"issue_id": f"gp-{name}", "depends_on_id": f"gp-{on}", "type": kind, **EDGE} for kind, on in deps]
    return found | ({"dependencies": edges} if edges else {}) | more


def those() -> list[dict[str, Any]]:
    return [
        bead("done", "closed"), bead("chain", "closed", ("blocks", "done")), bead("epic", "closed", issue_type="epic"),
        bead("epic.1", "closed", ("parent-child", "epic")), bead("needed", "closed"), bead("user", "open", ("blocks", "needed")),
        bead("cond", "open", ("conditional-blocks", "failed")), bead("failed", "closed", close_reason="failed"),
        bead("open"), bead("new", "closed", closed_at="2026-05-30T00:00:00Z"), bead("pin", "closed", pinned=True),
        bead("wisp", "closed", ephemeral=True), bead("kept", "closed", issue_type="event", event_kind="memory"),
        bead("last", "closed", closed_at="2024-12-31T23:00:00-05:00", x_unknown={"b": 1, "a": "ü"}),
        bead("gone", "tombstone", deleted_at=OLD), bead("odd", "closed", closed_at="someday")]


RIPE = ["gp-chain", "gp-done", "gp-epic", "gp-epic.1", "gp-last"]


@pytest.fixture(params=MODES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    found = Ledger(Beads(str(tmp_path / ".beads")))
    Ledger.create_files(found.beads, "gp", request.param)
    found.transact(lambda view: those())
    return found


def me(ledger: Ledger) -> Caller:
    return Caller("overseer", str(Path(ledger.beads.root).parent))


def shelve(ledger: Ledger, now: int = NOW, **more: Any) -> list[str]:
    return [one["id"] for one in ageing.shelve(World(me(ledger)), ledger, now, 90, **more)]


def in_file(ledger: Ledger) -> set[str]:
    return {json.loads(line)["id"] for line in ledger.text().splitlines()}


def answers(ledger: Ledger) -> dict[str, Any]:
    records = ledger.all()
    its = index.current(ledger)
    lazily = known.beads(ledger)
    return {
        "all": dict(sorted(records.items())), "each": {name: ledger.get(name) for name in records}, "some": ledger.some(records),
        "ready": [one["id"] for one in ready.ready(records, NOW)],
        "why": {name: [str(why) for why in ready.explain(records, name, NOW)] for name in sorted(records)},
        "lazily": {name: [str(why) for why in ready.explain(lazily, name, NOW)] for name in sorted(records)},
        "lines": ledger.view(lambda view: dict(sorted(view.lines().items()))),
        "index": its and (its.ready(NOW, 0), its.listed(0, []), {name: its.dependents(name) for name in sorted(records)})}


def test_the_last_fence_stays(ledger: Ledger) -> None:
    ledger.transact(lambda view: [bead("early", "closed", claim_fence=3), bead("late", "closed", claim_fence=7)])
    assert shelve(ledger) == sorted([*RIPE, "gp-early"]) and "gp-late" in in_file(ledger)


def test_what_is_ripe() -> None:
    records = {one["id"]: one for one in those()}
    assert [one["id"] for one in rules.ripe(records, NOW, 90)] == RIPE
    assert [rules.year(records[name]) for name in RIPE] == ["2025", "2025", "2025", "2025", "2025"]  # 23:00-05:00 is the next day
    assert rules.ripe(records, NOW, 458) == []


def test_no_answer_changes_and_each_bead_is_in_one_place(ledger: Ledger) -> None:
    before = answers(ledger)
    lines = {name: ledger.view(lambda view, name=name: view.line(name)) for name in RIPE}  # type: ignore[misc]
    assert shelve(ledger, dry_run=True) == RIPE and not archive.years(ledger.beads)
    assert shelve(ledger) == RIPE
    assert in_file(ledger) == set(before["all"]) - set(RIPE)
    assert archive.text(ledger.beads, "2025") == b"".join((line or b"") + b"\n" for _, line in sorted(lines.items()))
    assert answers(ledger) == before
    assert shelve(ledger) == [] and answers(ledger) == before
    Path(ledger.beads.index).unlink(missing_ok=True)
    assert answers(ledger) == before


def test_the_index_goes_on_without_being_built_anew(tmp_path: Path) -> None:
    found = Ledger(Beads(str(tmp_path / ".beads")))
    Ledger.create_files(found.beads, "gp", OWN_BRANCH)
    found.transact(lambda view: those())
    assert index.current(found) is not None
    inode = Path(found.beads.index).stat().st_ino
    assert shelve(found) == RIPE
    beads.update(found, me(found), NOW, ["gp-done"], {"priority": 0})
    its = index.current(found)
    assert its is not None and Path(found.beads.index).stat().st_ino == inode
    assert ("gp-chain", "blocks") in its.dependents("gp-done")


def test_at_least_so_many(ledger: Ledger) -> None:
    assert shelve(ledger, at_least=6) == [] and shelve(ledger, at_least=6, dry_run=True) == []
    assert shelve(ledger, at_least=5) == RIPE


def test_who_changes_an_archived_bead_brings_it_back_and_it_stays(ledger: Ledger) -> None:
    shelve(ledger)
    beads.reopen(ledger, me(ledger), NOW, ["gp-done"])
    assert (ledger.get("gp-done") or {})["status"] == "open" and "gp-done" in in_file(ledger)
    assert [str(one) for one in ready.blockers(ledger.all(), "gp-chain", NOW)] == ["gp-done is open"]
    beads.close(ledger, me(ledger), NOW, ["gp-done"], "again")
    assert shelve(ledger) == []  # closed just now
    later = clock.parse("2027-01-01T00:00:00Z")
    assert "gp-done" in shelve(ledger, later)
    assert (ledger.get("gp-done") or {})["close_reason"] == "again"
    line = b'{"id":"gp-done"'
    assert line not in archive.text(ledger.beads, "2025") and line in archive.text(ledger.beads, "2026")


def test_a_deleted_one_is_deleted(ledger: Ledger) -> None:
    shelve(ledger)
    removal.delete(ledger, me(ledger), NOW, ["gp-last"])
    assert (ledger.get("gp-last") or {})["status"] == "tombstone"
    with pytest.raises(NotFound):
        beads.update(ledger, me(ledger), NOW, ["gp-last"], {"priority": 1})


def test_restore_brings_it_back_for_as_long_again(ledger: Ledger) -> None:
    shelve(ledger)
    before = ledger.get("gp-last") or {}
    after = removal.restore(ledger, me(ledger), NOW, ["gp-last", "gp-open"])
    assert {**after[0], "updated_at": OLD} == {**before, "updated_at": OLD, "updated_by": "overseer"}
    assert "gp-last" in in_file(ledger) and shelve(ledger) == []
    assert removal.restore(ledger, me(ledger), NOW + 1, ["gp-last"]) == after[:1]


def test_an_id_of_the_archive_is_not_given_again(ledger: Ledger) -> None:
    shelve(ledger)
    assert beads.create(ledger, me(ledger), NOW, "Child", parent="gp-open")["id"] == "gp-open.1"
    beads.reopen(ledger, me(ledger), NOW, ["gp-epic"])
    assert beads.create(ledger, me(ledger), NOW, "Child", parent="gp-epic")["id"] == "gp-epic.2"


def test_doctor_tells_of_a_bad_line_and_takes_it_out(ledger: Ledger) -> None:
    shelve(ledger)
    path = Path(ledger.beads.archived("2025"))
    good = path.read_bytes()
    path.write_bytes(b"<<<<<<< HEAD\n" + b"".join(reversed(good.splitlines(keepends=True))))
    found = [one for one in doctor.examine(ledger, me(ledger)) if one.check == "archive"]
    assert len(found) == 1 and f"{path} line 1: " in found[0].text
    doctor.cure(found)
    assert path.read_bytes() == good and Path(ledger.beads.quarantine).read_bytes() == b"<<<<<<< HEAD\n"


# ---- compaction

LONG = "What it was.\n\n" + "and why " * 100


@pytest.fixture
def tracked(tmp_path: Path) -> Ledger:
    place = tmp_path / "proj"
    builders.make_repo(place, {"code.txt": "1\n"})
    found = Ledger(Beads(str(place / ".beads")))
    Ledger.create_files(found.beads, "gp", CODE_BRANCH)
    found.transact(lambda view: [bead("long", "closed", description=LONG, notes="some", comments=[{"id": 1, "text": "hi"}]),
                                 bead("short", "closed", description="brief"), bead("fresh", description=LONG)])
    return found


def test_only_what_git_has_is_shortened_and_restore_gives_it_back(tracked: Ledger) -> None:
    where, repo = World(me(tracked)), Path(tracked.beads.root).parent
    before = tracked.get("gp-long") or {}
    with pytest.raises(Refused, match="git does not have these beads"):
        ageing.compact(where, tracked, NOW, 30)
    builders.git(repo, "add", "-A")
    builders.git(repo, "commit", "-q", "-m", "beads")
    assert [one["id"] for one in ageing.compact(where, tracked, NOW, 30, dry_run=True)] == ["gp-long"]
    assert tracked.get("gp-long") == before
    after, = ageing.compact(where, tracked, NOW, 30)
    head = builders.git(repo, "rev-parse", "HEAD")
    assert tracked.get("gp-long") == after
    assert (after["description"], after["compacted_at_commit"], after["comments"]) == ("What it was.", head, before["comments"])
    assert "notes" not in after and after["original_size"] == len(LONG) + 4
    assert builders.git(repo, "rev-parse", f"{ageing.PIN}{head}") == head
    assert ageing.compact(where, tracked, NOW, 30) == []
    assert shelve(tracked) == ["gp-long", "gp-short"]  # shortening it made it no younger
    back, = removal.restore(tracked, me(tracked), NOW, ["gp-long"])
    assert {**back, "updated_at": OLD} == {**before, "updated_at": OLD, "updated_by": "overseer"}


def test_a_text_written_since_is_kept(tracked: Ledger) -> None:
    where, repo = World(me(tracked)), Path(tracked.beads.root).parent
    builders.git(repo, "add", "-A")
    builders.git(repo, "commit", "-q", "-m", "beads")
    ageing.compact(where, tracked, NOW, 30, ["gp-long"])
    beads.update(tracked, me(tracked), NOW, ["gp-long"], {"description": "Another story", "notes": "new"})
    back, = removal.restore(tracked, me(tracked), NOW, ["gp-long"])
    assert (back["description"], back["notes"]) == ("Another story", "new")
    with pytest.raises(Refused, match="gp-fresh cannot be compacted"):
        ageing.compact(where, tracked, NOW, 30, ["gp-fresh"])


# ---- several clones

def everything(yard: Yard, n: int) -> tuple[bytes, dict[str, bytes]]:
    found = yard.ledger(n)
    return found.text(), {year: archive.text(found.beads, year) for year in archive.years(found.beads)}


@pytest.mark.parametrize("mode", test_ledger_git.MODES)
def test_what_one_clone_archives_leaves_the_others_and_what_they_changed_stays(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 2, ledgers.text([bead(name, "closed") for name in ("a", "b", "c")] + [bead("open")]))
    one, two = yard.ledger(0), yard.ledger(1)
    assert shelve(one) == ["gp-a", "gp-b", "gp-c"]
    beads.update(two, me(two), NOW, ["gp-b"], {"title": "theirs"})
    removal.delete(two, me(two), NOW, ["gp-c"])
    for n in (0, 1, 0, 1):
        yard.sync(n)
    assert everything(yard, 0) == everything(yard, 1)
    assert in_file(one) == {"gp-b", "gp-c", "gp-open"} and b'"id":"gp-a"' in archive.text(two.beads, "2025")
    assert (one.get("gp-b") or {})["title"] == "theirs" and (one.get("gp-c") or {})["status"] == "tombstone"
    removal.restore(two, me(two), NOW, ["gp-a"])
    for n in (1, 0):
        yard.sync(n)
    assert everything(yard, 0) == everything(yard, 1) and "gp-a" in in_file(one)
    assert index.current(one) is None if mode == "code-branch" else known.beads(one)["gp-a"]["status"] == "closed"


@pytest.mark.parametrize("mode", test_ledger_git.MODES)
def test_clones_that_archive_restore_and_edit_converge_and_lose_nothing(mode: str, tmp_path: Path) -> None:
    names, chance = [f"n{n}" for n in range(24)], random.Random(11)
    yard = Yard(tmp_path, mode, 3, ledgers.text([bead(name, "closed") for name in names]))
    for turn in range(30):
        n = chance.randrange(3)
        ledger, name = yard.ledger(n), f"gp-{chance.choice(names)}"
        match chance.randrange(4):
            case 0:
                shelve(ledger)
            case 1:
                removal.restore(ledger, me(ledger), NOW + turn, [name])
            case 2:
                beads.update(ledger, me(ledger), NOW + turn, [name], append_notes=f"turn {turn}")
            case _:
                yard.sync(n)
    for n in (0, 1, 2, 0, 1, 2):
        yard.sync(n)
    assert everything(yard, 0) == everything(yard, 1) == everything(yard, 2)
    assert {name.removeprefix("gp-") for name in yard.ledger(0).all()} == set(names)
    noted = sorted(note for one in yard.ledger(0).all().values() for note in str(one.get("notes", "")).split("\n") if note)
    assert len(noted) == len(set(noted)) > 3
