"""`.pre-commit-hooks.yaml` as the pre-commit framework runs it, on a clone of this project.

The framework's own environments come from a package index, so `language: system` stands in for them, with a `bd` on the PATH.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import builders
import pytest


@pytest.fixture
def framed(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a tracked ledger, whose hooks are the framework's alone."""
    manifest = (builders.ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    builders.make_repo(tmp_path / "hooks", {".pre-commit-hooks.yaml": manifest})
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/bd"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(builders.command("bd"))} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    hooks = "".join(f"    - {{id: {name}, language: system}}\n" for name in re.findall(r"^- id: (.+)$", manifest, re.M))
    rev = builders.git(tmp_path / "hooks", "rev-parse", "HEAD")
    builders.write_files(repo, {".pre-commit-config.yaml": f"repos:\n  - repo: {tmp_path}/hooks\n    rev: {rev}\n    hooks:\n{hooks}"})
    assert builders.run(["bd", "init", "-q", "--prefix", "bd"], cwd=repo).code == 0
    stages = ("pre-commit", "prepare-commit-msg", "pre-push", "post-merge", "post-checkout")
    framework("install", *(word for stage in stages for word in ("-t", stage)), repo=repo)
    assert builders.run(["bd", "create", "One"], cwd=repo).code == 0
    builders.git(repo, "add", "-A")
    return repo


def framework(*words: str, repo: Path) -> builders.Finished:
    done = builders.run([sys.executable, "-m", "pre_commit", *words], cwd=repo)
    assert "Traceback" not in done.err + done.out, done
    return done


def test_each_hook_does_its_duty_in_the_framework(framed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert framework("validate-manifest", str(builders.ROOT / ".pre-commit-hooks.yaml"), repo=framed).code == 0
    monkeypatch.setenv("BD_ACTOR", "gp/crew/ann")
    done = builders.run(["git", "commit", "-m", "ledger"], cwd=framed)
    assert done.code == 0 and re.search(r"the ledger is whole\.+Passed", done.err + done.out), done
    assert builders.git(framed, "log", "-1", "--format=%B").strip() == "ledger\n\nExecuted-By: gp/crew/ann"
    with open(framed / ".beads/issues.jsonl", "ab") as file:
        file.write(b"<<<<<<< HEAD\n")
    builders.git(framed, "add", "-A")
    done = builders.run(["git", "commit", "-m", "damaged"], cwd=framed)
    assert done.code == 1 and re.search(r"the ledger is whole\.+Failed", done.err + done.out) and "line 2" in done.err + done.out, done
    builders.git(framed, "commit", "-q", "--no-verify", "-m", "all the same")
    builders.git(framed, "branch", "-q", "whole", "HEAD~1")
    for name, remark in (("whole", False), ("main", True)):
        done = builders.run(["git", "switch", name], cwd=framed)
        assert done.code == 0 and ("has 1 damaged lines" in done.err + done.out) == remark, done
    pushed = builders.run(["git", "push", str(builders.make_bare(framed.parent / "bare.git")), "main"], cwd=framed)
    assert pushed.code == 1 and "the ledger is whole" in pushed.err + pushed.out, pushed
