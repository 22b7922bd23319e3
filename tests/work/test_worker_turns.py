"""What a worker leaves uncommitted becomes its commit, whatever of it is staged; and nothing that it did not do."""

from __future__ import annotations

from pathlib import Path

import builders
from workers import WorkerTown


def landed(town: WorkerTown) -> list[str]:
    """What the submitted commit changes."""
    [request] = town.requests()
    head = request["metadata"]["head"]
    return builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "diff-tree", "-r", "--no-commit-id", "--name-status", "--no-renames",
                        f"{head}^", head).splitlines()


def test_what_is_staged_already_is_committed_too(tmp_path: Path) -> None:
    town = WorkerTown(tmp_path)
    town.bead(run="git rm -q README.md; echo 1 >staged; git add staged; echo 2 >>staged; echo 3 >loose")
    town.sling()
    done = town.work()
    assert done.code == 0, done.err
    assert landed(town) == ["D\tREADME.md", "A\tloose", "A\tstaged"]


def test_a_deletion_that_is_staged_is_work(tmp_path: Path) -> None:
    town = WorkerTown(tmp_path)
    town.bead(run="git rm -q README.md")
    town.sling()
    assert town.work().code == 0 and landed(town) == ["D\tREADME.md"]
