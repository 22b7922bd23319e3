"""The embedded agent: what a killed try left."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from gastown_hooks.core.paths import Home
from gastown_hooks.runtime import exec_agent
from gastown_hooks.work.lease import Lease


@pytest.mark.parametrize("title", ["Plain", "Modes, links\tand  “binary” é", " padded "])
def test_a_commit_of_the_try_before_is_known_by_its_subject(title: str, tmp_path: Path) -> None:
    tree = tmp_path / "rig"
    builders.git(tmp_path, "init", "-q", "rig")
    builders.git(tree, "commit", "-q", "--allow-empty", "-m", title)
    base = builders.git(tree, "rev-parse", "HEAD").strip()
    home, lease = Home(str(tmp_path)), Lease(
        bead="gp-aaaaa", fence=1, token="t", actor="gp/polecats/toast", branch="b", base=base, agent="exec", state="ready", created_at="")
    assert not exec_agent._is_committed(home, lease, title)  # of somebody before
    builders.git(tree, "commit", "-q", "--allow-empty", "-m", title)
    assert exec_agent._is_committed(home, lease, title) and not exec_agent._is_committed(home, lease, "Another")
    (tree / "left").touch()
    assert not exec_agent._is_committed(home, lease, title)
