"""What a work tree holds that its last commit does not."""

from __future__ import annotations

import os
from pathlib import Path

import builders

from gastown_hooks.stores import changes
from gastown_hooks.stores.changes import Change


def test_every_kind_of_change_is_listed_once(tmp_path: Path) -> None:
    repo = builders.make_repo(tmp_path / "repo", {name: f"{name}\n" for name in ("a", "b", "c", "d", "e f", "g", "h", "same")})
    assert changes.listed(str(repo)) == []
    builders.git(repo, "rm", "-q", "a")
    builders.git(repo, "mv", "b", "moved")
    builders.write_files(repo, {"c": "staged\n", "h": "staged\n", ".gitignore": "*.log\n", "x.log": "ignored\n"})
    builders.git(repo, "add", "c", "h")
    builders.write_files(repo, {"d": None, "e f": "edited\n", "h": "edited again\n", "new/one": "1\n", os.fsdecode(b"\xff"): "odd\n"})
    (repo / "g").chmod(0o755)
    os.utime(repo / "same", (1, 1))
    assert sorted(changes.listed(str(repo)), key=lambda change: change.path) == [
        Change(".gitignore", True), Change("a", False), Change("b", False), Change("c", False), Change("d", True), Change("e f", True),
        Change("g", True), Change("h", True), Change("moved", False), Change("new/one", True), Change(os.fsdecode(b"\xff"), True)]


def test_a_conflict_is_a_change(tmp_path: Path) -> None:
    repo = builders.make_repo(tmp_path / "repo", {"both": "start\n"})
    builders.git(repo, "checkout", "-q", "-b", "side")
    builders.commit(repo, {"both": "side\n"}, "side")
    builders.git(repo, "checkout", "-q", "main")
    builders.commit(repo, {"both": "main\n"}, "main")
    assert builders.run(["git", "-C", str(repo), "merge", "-q", "side"]).code == 1
    assert changes.listed(str(repo)) == [Change("both", True)]


def test_a_file_that_only_its_attributes_call_modified_is_no_change(tmp_path: Path) -> None:
    """Line ends that were committed before the attributes came: git status shows the file until somebody commits it anew."""
    repo = builders.make_repo(tmp_path / "repo", {"dos.txt": b"one\r\ntwo\r\n", "edited.txt": b"one\r\n", "mode.txt": b"one\r\n"})
    builders.commit(repo, {"dos.txt": b"one\r\ntwo\r\n"}, "start")
    builders.write_files(repo, {".gitattributes": "*.txt text\n"})
    builders.git(repo, "add", ".gitattributes")
    builders.git(repo, "commit", "-q", "-m", "attributes")
    for name in ("dos.txt", "edited.txt", "mode.txt"):
        os.utime(repo / name, (1, 1))
    (repo / "edited.txt").write_bytes(b"two\r\n")
    (repo / "mode.txt").chmod(0o755)
    assert " M dos.txt" in builders.git(repo, "status", "--porcelain").splitlines()
    assert changes.listed(str(repo)) == [Change("edited.txt", True), Change("mode.txt", True)]
