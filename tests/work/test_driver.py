"""git merges ledgers by `bd merge`: real clones, thousands of random edits, and a reader that knows nothing of the merge."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import builders
import ledgers
import pytest

from gastown_hooks.core.paths import Beads
from gastown_hooks.stores.ledger import Ledger


def set_up(repo: Path) -> Ledger:
    """`bd init`, as a process."""
    done = builders.run(builders.command("bd", "init", "-q", "--prefix", "bd"), cwd=repo)
    assert done.code == 0, done.err
    return Ledger(Beads(str(repo / ".beads")))


def edit(ledger: Ledger, edits: ledgers.Edits, count: int) -> None:
    beads, changed = ledger.all(), {}
    for _ in range(count):
        bead = edits.one(beads)
        beads[bead["id"]] = changed[bead["id"]] = bead
    ledger.transact(lambda view: changed.values())


def commit(repo: Path, words: str) -> None:
    builders.git(repo, "add", "-A")
    builders.git(repo, "commit", "-q", "-m", words)


@pytest.mark.parametrize(("era", "way"), [
    ("beads_v0.47.0", "merge --no-edit"), ("beads_v0.47.0", "rebase"), ("beads_v0.47.0", "cherry-pick"), ("br", "merge --no-edit")])
def test_a_thousand_random_edits_in_two_clones_merge_without_conflict(era: str, way: str, tmp_path: Path) -> None:
    """Pain point 4: git merges the ledger without a person."""
    one = builders.make_repo(tmp_path / "one", {"README.md": "hello\n"})
    here, data = set_up(one), ledgers.sample(era)
    Path(here.beads.issues).write_bytes(data)
    commit(one, "start")
    builders.git(tmp_path, "clone", "-q", str(one), "other")
    there = set_up(tmp_path / "other")
    clones = [ledgers.Edits("a", 1), ledgers.Edits("b", 2)]
    for ledger, edits in zip((here, there), clones, strict=True):
        edit(ledger, edits, 500)
        commit(Path(ledger.beads.root).parent, "edits")
    builders.git(one, "fetch", "-q", "../other", "main")
    done = builders.run(["git", *way.split(), "FETCH_HEAD"], cwd=one)
    assert done.code == 0, done.out + done.err
    after = Path(here.beads.issues).read_bytes()
    assert not ledgers.lost(data, after, clones)
    builders.git(tmp_path / "other", "pull", "-q", "--no-rebase", "--no-edit", "../one", "main")
    assert Path(there.beads.issues).read_bytes() == after and builders.git(one, "status", "--porcelain") == ""


@pytest.mark.parametrize("words", ["%O %A %B", "%O %A %B %P", "%A %O %A %B"], ids=["three", "ours", "the original's"])
def test_the_words_of_either_program_merge(words: str, repo: Path) -> None:
    ledger, lines = set_up(repo), [line + b"\n" for line in ledgers.generated(4).splitlines()]
    builders.git(repo, "config", "merge.beads.driver", " ".join(map(shlex.quote, builders.command("bd", "merge"))) + " " + words)
    for branch, chosen in (("main", [1]), ("side", [1, 2]), ("main", [0, 1])):
        builders.git(repo, "switch", "-q", *(["-c"] if branch == "side" else []), branch)
        builders.commit(repo, {".beads/issues.jsonl": b"".join(lines[n] for n in chosen)}, branch)
    builders.git(repo, "merge", "-q", "--no-edit", "side")
    assert Path(ledger.beads.issues).read_bytes() == b"".join(lines[:3])


def test_a_lost_edit_would_show() -> None:
    data, edits = ledgers.generated(50), ledgers.Edits("a", 1)
    beads = {bead["id"]: bead for bead in map(json.loads, data.splitlines())}
    for _ in range(100):
        bead = edits.one(beads)
        beads[bead["id"]] = bead
    after = ledgers.text(list(beads.values()))
    assert not ledgers.lost(data, after, [edits])
    for name, key, value in edits.written[-30:]:
        broken = json.loads(json.dumps(beads))
        broken[name].pop(key)
        if key in ledgers.LISTS or (name, key, value) not in edits.replaced:
            assert ledgers.lost(data, ledgers.text(list(broken.values())), [edits]), (name, key)


def test_what_a_clone_needs_is_made_once(tmp_path: Path, run_cli: builders.Run) -> None:
    one = builders.make_repo(tmp_path / "one's 100% place", {"README.md": "hello\n"})
    ledger = set_up(one)
    assert "issues.jsonl: merge: beads" in builders.git(one, "check-attr", "merge", ".beads/issues.jsonl")
    before = (one / ".git/config").read_bytes(), sorted(path.name for path in (one / ".beads").iterdir())
    again = run_cli("bd", "init", "--json", cwd=one)
    assert again.code == 0 and json.loads(again.out)["acts"] == []
    assert before == ((one / ".git/config").read_bytes(), sorted(path.name for path in (one / ".beads").iterdir()))
    builders.git(one, "config", "merge.beads.driver", "gone/bd merge %O %A %B %P")
    assert len(json.loads(run_cli("bd", "init", "--json", cwd=one).out)["acts"]) == 1
    assert run_cli("bd", "init", "--prefix", "zz", cwd=one).code == 1 and ledger.prefix == "bd"
    assert run_cli("bd", "init", "--own-branch", cwd=one).code == 1 and ledger.write_through


def test_another_programs_repository_is_taken_over_as_it_is(repo: Path, run_cli: builders.Run) -> None:
    data, theirs = ledgers.sample("bv"), {"config.yaml": "issue-prefix: x\n", "metadata.json": "{}", ".gitignore": "*.db\ndaemon.*"}
    builders.commit(repo, {".beads/issues.jsonl": data, **{f".beads/{name}": text for name, text in theirs.items()}}, "beads")
    done = json.loads(run_cli("bd", "init", "--json", cwd=repo).out)
    prefix = json.loads(data.splitlines()[0])["id"].rpartition("-")[0]
    assert (done["issues"], done["prefix"]) == (data.count(b"\n"), prefix)
    assert run_cli("bd", "create", "One", cwd=repo).code == 0 and json.loads(run_cli("bd", "init", "--json", cwd=repo).out)["acts"] == []
    names = {line[3:] for line in builders.git(repo, "status", "--porcelain", "--untracked-files=all").splitlines()}
    assert {f".beads/{name}" for name in (".gitattributes", "config.json", "issues.jsonl", ".gitignore")} == names | {".beads/issues.jsonl"}
    assert (repo / ".beads/.gitignore").read_text().startswith("*.db\ndaemon.*\n")
    assert set(data.splitlines()) < set((repo / ".beads/issues.jsonl").read_bytes().splitlines())


@pytest.mark.parametrize("option", ["--stealth", "--own-branch"])
def test_a_hidden_ledger_is_none_of_gits_business(option: str, repo: Path, run_cli: builders.Run) -> None:
    assert run_cli("bd", "init", option, cwd=repo).code == 0
    assert run_cli("bd", "create", "One", cwd=repo).code == 0
    assert builders.git(repo, "status", "--porcelain", "--untracked-files=all") == ""
    assert not (repo / ".beads/.gitattributes").exists()
    assert json.loads(run_cli("bd", "init", "--json", cwd=repo).out)["acts"] == []


@pytest.mark.parametrize("option", ["--stealth", "--own-branch"])
def test_a_tracked_ledger_is_not_hidden(option: str, repo: Path, run_cli: builders.Run) -> None:
    builders.commit(repo, {".beads/issues.jsonl": ledgers.generated(3)}, "ledger")
    done = run_cli("bd", "init", option, cwd=repo)
    assert done.code == 1 and "git rm --cached" in done.err and not (repo / ".beads/config.json").exists()


@pytest.mark.parametrize("words", [["merge"], ["merge", "a", "b"], ["merge", "no", "no", "no"], ["merge", "a", "b", "c", "d", "e"]])
def test_wrong_words_change_nothing(words: list[str], repo: Path, run_cli: builders.Run) -> None:
    done = run_cli("bd", *words, cwd=repo)
    assert done.code in (1, 2) and done.err.startswith("bd: ") and builders.git(repo, "status", "--porcelain") == ""
