"""A rig as far as git goes: a town folder, a shared bare repository with a project in it, no ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import builders

from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.stores import stubs, worktrees

FILES: Mapping[str, str] = {"README.md": "hello\n", "src/app.py": "print(1)\n", "CLAUDE.md": "project\n",
                            ".claude/settings.json": "{}\n", "docs/CLAUDE.md": "kept\n"}


def make_rig(tmp_path: Path, *, town: str = "town", target: str = "main", files: Mapping[str, str] | None = None) -> Rig:
    """A prepared rig `gp` whose repository holds one commit on `target`."""
    source = builders.make_repo(tmp_path / "project", files or FILES)
    if target != "main":
        builders.git(source, "branch", "-m", target)
    rig = Town(str(tmp_path / town)).rig("gp")
    Path(rig.root).mkdir(parents=True)
    builders.git(tmp_path, "clone", "-q", "--bare", str(source), rig.repo)
    worktrees.prepare_repo(rig, target)
    return rig


def tip(rig: Rig, ref: str = "refs/heads/main") -> str:
    return builders.git(rig.repo, f"--git-dir={rig.repo}", "rev-parse", ref)


def make_worker(rig: Rig, name: str = "toast", *, fence: int = 1, bead: str = "gp-abc12", target: str = "main") -> Home:
    """A polecat's home with a lease, its githooks and its worktree."""
    home = rig.polecat(name)
    Path(home.root).mkdir(parents=True, exist_ok=True)
    lease = {"bead": bead, "fence": fence, "token": "t.x", "actor": f"gp/polecats/{name}", "branch": f"polecat/{name}/abc12@{fence}",
             "base": tip(rig, f"refs/heads/{target}"), "agent": "exec", "state": "ready", "created_at": "2026-01-02T03:04:05.000000Z"}
    Path(home.lease).write_text(json.dumps(lease))
    stubs.install(home.githooks, home, rig, target)
    worktrees.add(rig, home.tree, branch=str(lease["branch"]), start=str(lease["base"]), sparse=True, githooks=home.githooks)
    return home
