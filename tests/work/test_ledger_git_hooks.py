"""The hooks of a tracked ledger: they do their duty, never stop git, and leave everybody else's hooks working."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import builders
import pytest

NAMES = ["pre-commit", "prepare-commit-msg", "pre-push", "post-merge", "post-checkout"]


@pytest.fixture
def tracked(repo: Path, run_cli: builders.Run) -> Path:
    """A repository with a committed ledger and our hooks."""
    for words in (["init", "--prefix", "bd"], ["hooks", "install"], ["create", "One"]):
        assert run_cli("bd", *words, cwd=repo).code == 0
    builders.git(repo, "commit", "-q", "--allow-empty", "-m", "ledger")
    return repo


def bd(repo: Path, *words: str) -> str:
    done = builders.run(builders.command("bd", *words), cwd=repo)
    assert done.code == 0, done.err
    return done.out


def test_the_ledger_goes_into_the_commit_with_the_code(tracked: Path) -> None:
    assert builders.git(tracked, "status", "--porcelain") == "" and "One" in builders.git(tracked, "show", "HEAD:.beads/issues.jsonl")
    bd(tracked, "create", "Two")
    builders.write_files(tracked, {"code.txt": "x"})
    builders.git(tracked, "add", "code.txt")
    builders.git(tracked, "commit", "-q", "-m", "code")
    assert builders.git(tracked, "status", "--porcelain") == "" and "Two" in builders.git(tracked, "show", "HEAD:.beads/issues.jsonl")
    bd(tracked, "create", "Three")
    builders.write_files(tracked, {"code.txt": "y"})
    builders.git(tracked, "commit", "-q", "-m", "only this", "code.txt")
    assert builders.git(tracked, "status", "--porcelain") == " M .beads/issues.jsonl", "a commit of named paths holds those"


def test_an_agents_commit_is_signed_once(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BD_ACTOR", "gp/crew/ann")
    builders.git(tracked, "commit", "-q", "--allow-empty", "-m", "work")
    builders.git(tracked, "commit", "-q", "--allow-empty", "--amend", "--no-edit")
    assert builders.git(tracked, "log", "-1", "--format=%B").strip() == "work\n\nExecuted-By: gp/crew/ann"
    monkeypatch.delenv("BD_ACTOR")
    builders.git(tracked, "commit", "-q", "--allow-empty", "-m", "mine")
    assert builders.git(tracked, "log", "-1", "--format=%B").strip() == "mine"


def test_remarks_that_stop_nothing(tracked: Path, tmp_path: Path) -> None:
    bare = builders.make_bare(tmp_path / "remote.git")
    bd(tracked, "create", "Two")
    pushed = builders.run(["git", "push", str(bare), "main"], cwd=tracked)
    assert pushed.code == 0 and "changes that are in no commit" in pushed.err
    builders.git(tracked, "switch", "-q", "-c", "bad")
    builders.commit(tracked, {".beads/issues.jsonl": b"<<<<<<< HEAD\n"}, "bad")
    switched = [builders.run(["git", "switch", "-q", name], cwd=tracked) for name in ("main", "bad")]
    assert [done.code for done in switched] == [0, 0] and "damaged lines, such as line 1" in switched[1].err and not switched[0].err


@pytest.mark.parametrize("name", NAMES)
def test_a_hook_that_was_there_runs_first_and_comes_back(name: str, repo: Path, run_cli: builders.Run) -> None:
    """Pain point 19: nobody's hook is taken over."""
    own = repo / ".git/hooks" / name
    own.parent.mkdir(exist_ok=True)
    own.write_text('#!/bin/sh\necho "$0 $#" >> ran\nexit ${FAIL:-0}\n')
    own.chmod(0o755)
    text = own.read_text()
    bd(repo, "init")
    before = json.loads(bd(repo, "hooks", "install", "--dry-run", "--json"))["acts"]
    assert own.read_text() == text and len(before) == 5
    assert json.loads(bd(repo, "hooks", "install", "--json"))["acts"] == before
    assert json.loads(bd(repo, "hooks", "install", "--json"))["acts"] == [], "once is enough"
    assert set(json.loads(bd(repo, "hooks", "list", "--json"))["hooks"].values()) == {"installed"}
    for code in (0, 3):
        done = builders.run([str(own), "msg"], cwd=repo, env={"FAIL": str(code)})
        assert done.code == code, done.err
    assert (repo / "ran").read_text().count(" 1\n") == 2
    bd(repo, "hooks", "uninstall")
    assert own.read_text() == text and {path.name for path in own.parent.iterdir() if not path.name.endswith(".sample")} == {name}


def test_nothing_of_ours_stops_git(tracked: Path) -> None:
    (tracked / ".beads/config.json").write_text("{broken")
    done = builders.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=tracked)
    assert done.code == 0 and "config.json is not JSON" in done.err
    hook = tracked / ".git/hooks/pre-commit"
    hook.write_text(hook.read_text().replace("code='", "code='/gone"))
    done = builders.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=tracked)
    assert done.code == 0 and "is missing: pre-commit does nothing" in done.err
    assert json.loads(bd(tracked, "hooks", "list", "--json"))["hooks"]["pre-commit"] == "outdated"


def test_a_hooks_folder_of_the_project_is_used_and_one_of_everybody_refused(repo: Path, tmp_path: Path, run_cli: builders.Run) -> None:
    builders.git(repo, "config", "core.hooksPath", ".githooks")
    bd(repo, "hooks", "install")
    assert (repo / ".githooks/pre-commit").exists() and not (repo / ".git/hooks/pre-commit").exists()
    builders.git(repo, "config", "core.hooksPath", str(tmp_path / "everybodys"))
    done = run_cli("bd", "hooks", "install", cwd=repo)
    assert done.code == 1 and "other repositories may use that folder too" in done.err and not (tmp_path / "everybodys").exists()


@pytest.mark.parametrize("words", [["hooks", "run"], ["hooks", "run", "post-everything"], ["hooks", "instal"]])
def test_wrong_words(words: list[str], repo: Path, run_cli: builders.Run) -> None:
    done = run_cli("bd", *words, cwd=repo)
    assert done.code == 2 and done.err.startswith("bd: ")


@pytest.mark.parametrize("option", ["--own-branch", "--stealth"])
def test_a_linked_worktree_is_led_to_the_main_ones_ledger(option: str, repo: Path, run_cli: builders.Run) -> None:
    bd(repo, "init", option, "--prefix", "bd")
    bd(repo, "create", "One")
    tree = repo.parent / "linked"
    builders.git(repo, "worktree", "add", "-q", str(tree))
    for _ in range(2):
        assert json.loads(bd(tree, "init", "--json"))["path"] == str(repo / ".beads")
    bd(tree, "create", "Two")
    assert bd(tree, "list", "--json") == bd(repo, "list", "--json") and "Two" in bd(repo, "list")
    assert builders.git(tree, "status", "--porcelain") == "" == builders.git(repo, "status", "--porcelain")


def test_the_frameworks_hooks_are_those_that_there_are() -> None:
    text = (builders.ROOT / ".pre-commit-hooks.yaml").read_text()
    entries = [line.split(": ", 1)[1] for line in text.splitlines() if line.strip().startswith("entry:")]
    assert entries
    for entry in entries:
        done = subprocess.run(builders.command(*entry.split(), "--help"), capture_output=True)
        assert done.returncode == 0, done.stderr
