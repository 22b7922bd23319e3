"""A damaged ledger: each bad line is named by its number and put away, every good line keeps its bytes; what a clone lacks is made."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import ledgers
import pytest
import warm

from gastown_hooks.core.paths import Beads, Wisps
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import doctor

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda line: line[:len(line) // 2], "NUL": lambda line: line[:9] + b"\0" * 20 + line[29:],
    "marker": lambda line: b"<<<<<<< HEAD", "bad UTF-8": lambda line: line[:-2] + b'\xff"}', "array": lambda line: b"[" + line + b"]",
    "surrogate": lambda line: line[:-1] + b',"x":"\\ud800"}'}


@pytest.fixture(params=["--stealth", "--own-branch", None], ids=["stealth", "own-branch", "code-branch"])
def ledger(request: pytest.FixtureRequest, repo: Path) -> Ledger:
    done = builders.run(builders.command("bd", "init", "--prefix", "bd", *([request.param] if request.param else [])), cwd=repo)
    assert done.code == 0, done.err
    return Ledger(Beads(str(repo / ".beads")))


def report(ledger: Ledger, *words: str) -> tuple[int, Any]:
    done = builders.run(builders.command("bd", "doctor", "--json", *words), cwd=Path(ledger.beads.root).parent)
    return done.code, json.loads(done.out)


def test_one_line_in_a_hundred_is_damaged(ledger: Ledger) -> None:
    chance, path = random.Random(3), Path(ledger.beads.issues)
    good = ledgers.sample("beads_v0.47.0").splitlines()
    where = sorted(chance.sample(range(1, len(good), 2), max(14, len(good) // 100)))
    kinds = dict(zip(where, [*DAMAGE, "twice"] * len(where), strict=False))
    found = [line if n not in kinds else good[n - 1] if kinds[n] == "twice" else DAMAGE[kinds[n]](line) for n, line in enumerate(good)]
    path.write_bytes(b"".join(line + b"\n" for line in found))
    code, told = report(ledger)
    assert code == 1 and sorted(one["line"] for one in told["findings"] if one["check"] in ("lines", "order")) == [n + 1 for n in where]
    assert report(ledger, "--fix", "--dry-run")[0] == 1 and path.read_bytes().splitlines() == found
    code, told = report(ledger, "--fix")
    assert code == 0 and told["ok"], told
    assert path.read_bytes().splitlines() == [line for n, line in enumerate(good) if n not in kinds]
    quarantined = Path(ledger.beads.quarantine).read_bytes().splitlines()
    assert sorted(quarantined) == sorted({found[n] for n in where if kinds[n] != "twice"}), "letter by letter, the same line once"
    assert not list(path.parent.glob("*.lock"))
    again = report(ledger, "--fix")
    assert again[0] == 0 and not [one for one in again[1]["findings"] if not one["remark"]]
    assert Path(ledger.beads.quarantine).read_bytes().splitlines() == quarantined


def test_a_conflict_that_somebody_committed_is_resolved(ledger: Ledger) -> None:
    base = {"id": "bd-a", "title": "A", "priority": 2, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    ours, theirs = {**base, "labels": ["x"]}, {**base, "notes": "theirs"}
    lines = [b"<<<<<<< HEAD", json.dumps(ours).encode(), b"=======", json.dumps(theirs).encode(), b">>>>>>> other"]
    Path(ledger.beads.issues).write_bytes(b"\n".join(lines))
    _, told = report(ledger)
    assert [(one["line"], one["text"]) for one in told["findings"] if one["check"] == "lines"][1][0] == 3
    assert {one["line"] for one in told["findings"] if one["check"] == "lines"} == {1, 3, 4, 5}
    assert report(ledger, "--fix")[0] == 0
    assert ledger.all() == {"bd-a": {**base, "labels": ["x"], "notes": "theirs"}}
    assert set(Path(ledger.beads.quarantine).read_bytes().splitlines()) == set(lines)


def test_what_was_written_since_is_not_lost_by_a_cure(ledger: Ledger) -> None:
    Path(ledger.beads.issues).write_bytes(ledgers.generated(20) + b"{broken\n")
    edits = ledgers.Edits("a", 1)
    beads = ledger.all()
    for _ in range(30):
        bead = edits.one(beads)
        beads[bead["id"]] = bead
        ledger.transact(lambda view, bead=bead: [bead])
    ledger.mend()
    assert not ledgers.lost(ledgers.generated(20), ledger.text(), [edits]) and not ledger.problems()
    assert Path(ledger.beads.quarantine).read_bytes() == b"{broken\n"


@pytest.mark.parametrize(("spoil", "check"), [
    (lambda root: (root / "issues.jsonl").write_bytes(b'{"id":"bd-b","title":"B"}\n{"id":"bd-a","title":"A"}'), "order"),
    (lambda root: (root / "issues.jsonl").write_bytes(b'{"id":"bd-b","title":"B"}\n' * 2), "order"),
    (lambda root: (root / "issues.jsonl").write_bytes(b'{"id":"bd-b","title":7}\n'), "lines"),
    (lambda root: (root / "issues.jsonl").write_bytes(b'{"id":"bd-b"}\n'), "values"),
    (lambda root: (root / "beads.jsonl").write_bytes(b""), "strays")])
def test_each_check_finds_what_it_looks_for(spoil: Callable[[Path], object], check: str, repo: Path) -> None:
    assert builders.run(builders.command("bd", "init", "--prefix", "bd"), cwd=repo).code == 0
    ledger, caller = Ledger(Beads(str(repo / ".beads"))), Caller("overseer", str(repo))
    assert doctor.examine(ledger, caller) == []
    spoil(repo / ".beads")
    assert check in {finding.check for finding in doctor.examine(ledger, caller)}
    assert "order" not in {finding.check for finding in doctor.cure(doctor.examine(ledger, caller))}


def test_a_clone_without_the_merge_driver_is_told_and_set_up(repo: Path) -> None:
    assert builders.run(builders.command("bd", "init", "--prefix", "bd"), cwd=repo).code == 0
    builders.git(repo, "config", "--unset", "merge.beads.driver")
    ledger = Ledger(Beads(str(repo / ".beads")))
    code, told = report(ledger)
    assert code == 0 and [(one["check"], one["fixable"], one["remark"]) for one in told["findings"]] == [("git", True, True)]
    assert report(ledger, "--fix")[1]["findings"][0]["fixed"] and report(ledger)[1]["findings"] == []
    assert builders.git(repo, "config", "merge.beads.driver")


def test_a_damaged_journal_is_told(repo: Path) -> None:
    assert builders.run(builders.command("bd", "init", "--own-branch", "--prefix", "bd"), cwd=repo).code == 0
    assert builders.run(builders.command("bd", "create", "A"), cwd=repo).code == 0
    journal = repo / ".beads/issues.journal"
    journal.write_bytes(journal.read_bytes().replace(b'"title"', b'"tit\0e"'))
    code, told = report(Ledger(Beads(str(repo / ".beads"))))
    assert code == 1 and told["findings"][0]["check"] == "journal" and not told["findings"][0]["fixable"]


def test_wrong_words(repo: Path, run_cli: builders.Run) -> None:
    assert run_cli("bd", "doctor", cwd=repo).code == 1, "no ledger"
    assert run_cli("bd", "init", cwd=repo).code == 0
    done = run_cli("bd", "doctor", "--dry-run", cwd=repo)
    assert done.code == 2 and "--dry-run goes with --fix" in done.err
    done = run_cli("bd", "doctor", cwd=repo)
    assert (done.code, done.out) == (0, "✓ The ledger is sound\n")


def test_an_index_that_lies_is_found_and_thrown_away(repo: Path) -> None:
    for words in (("init", "-q", "--own-branch", "-p", "bd"), ("create", "One", "--id", "bd-one"), ("ready",)):
        assert warm.run("bd", *words, cwd=repo).code == 0
    beads = Beads(str(repo / ".beads"))
    with sqlite3.connect(beads.index) as db:
        db.execute("UPDATE bead SET status = 'closed'")
    db.close()
    done = warm.run("bd", "doctor", "--deep", cwd=repo)
    assert (done.code, done.out) == (1, "✗ index: it says otherwise of 1 beads, such as bd-one (bd doctor --fix)\n1 left\n")
    assert warm.run("bd", "doctor", "--deep", "--fix", cwd=repo).code == 0
    assert warm.run("bd", "doctor", "--deep", cwd=repo).out == "✓ The ledger is sound\n"
    for words in (("delete", "bd-one", "--force"), ("list",), ("delete", "bd-one", "--hard", "--force"), ("list",), ("doctor", "--deep")):
        done = warm.run("bd", *words, cwd=repo)
        assert done.code == 0, (words, done.out)


def test_edges_that_lead_nowhere_are_named_and_put_right(repo: Path) -> None:
    """As a write leaves them that raced with `bd delete --hard`, or `bd rename`, in another ledger."""
    for words in (("init", "-q", "-p", "bd"), *(("create", name, "--id", f"bd-{name}") for name in ("one", "two", "gone", "old")),
                  ("create", "Wisp", "--ephemeral", "--id", "bd-wisp-a"), ("dep", "add", "bd-one", "bd-two"),
                  ("dep", "add", "bd-one", "bd-gone"), ("dep", "add", "bd-wisp-a", "bd-old"), ("rename", "bd-old", "bd-new")):
        assert warm.run("bd", *words, cwd=repo).code == 0, words
    path, wisps = repo / ".beads/issues.jsonl", Ledger(Wisps(Beads(str(repo / ".beads"))))
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(keepends=True) if not line.startswith(b'{"id":"bd-gone"')))
    wisp = wisps.all()["bd-wisp-a"]
    wisp["dependencies"][0]["depends_on_id"] = "bd-old"
    wisps.transact(lambda view: [wisp])
    done = warm.run("bd", "doctor", "--deep", cwd=repo)
    assert (done.code, done.out.splitlines()) == (1, [
        "✗ graph: bd-one depends on bd-gone, which is not there (bd doctor --fix)",
        "✗ graph: bd-wisp-a depends on bd-old, which is bd-new now (bd doctor --fix)", "2 left"])
    assert warm.run("bd", "ready", cwd=repo).out.count("bd-one") == 0, "what is not known holds"
    for _ in range(2):
        assert warm.run("bd", "doctor", "--deep", "--fix", cwd=repo).code == 0
    one, wisp = (json.loads(warm.run("bd", "show", name, "--json", cwd=repo).out)[0] for name in ("bd-one", "bd-wisp-a"))
    assert [edge["id"] for edge in one["dependencies"]] == ["bd-two"] and [edge["id"] for edge in wisp["dependencies"]] == ["bd-new"]
    assert one["notes"] == "It depended (blocks) on bd-gone, which is not there."
