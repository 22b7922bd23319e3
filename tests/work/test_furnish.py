"""Files of the rig's folder and the set-up command in a new tree."""

from __future__ import annotations

import json
import os
from pathlib import Path

import builders
import gitrig
import pytest

from gastown_hooks.core.errors import BadConfig, Refused
from gastown_hooks.core.paths import Rig
from gastown_hooks.work import furnish


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = gitrig.make_rig(tmp_path)
    builders.write_files(Path(rig.root), {".env": "KEY=1\n", "cache/big": "x"})
    return rig


def settings(rig: Rig, **values: object) -> None:
    Path(rig.settings).parent.mkdir(exist_ok=True)
    Path(rig.settings).write_text(json.dumps(values))


def test_copies_links_and_set_up_are_made_once(rig: Rig) -> None:
    tree = gitrig.make_worker(rig).tree
    settings(rig, copy=[".env"], link=["cache"], setup="echo $WHO > made")
    for _ in range(2):
        furnish.furnish(rig, tree, {"PATH": os.environ["PATH"], "WHO": "toast"})
    assert Path(tree, ".env").read_text() == "KEY=1\n"
    assert os.readlink(f"{tree}/cache") == f"{rig.root}/cache"
    assert Path(tree, "made").read_text() == "toast\n"


def test_what_the_tree_has_stays(rig: Rig) -> None:
    tree = gitrig.make_worker(rig).tree
    settings(rig, copy=["README.md"])
    builders.write_files(Path(rig.root), {"README.md": "the rig's\n"})
    furnish.furnish(rig, tree, {})
    assert Path(tree, "README.md").read_text() == "hello\n"


def test_a_failing_set_up_says_its_last_words(rig: Rig) -> None:
    tree = gitrig.make_worker(rig).tree
    settings(rig, setup="echo no network >&2; exit 3")
    with pytest.raises(Refused, match="ended with 3: 'no network'"):
        furnish.furnish(rig, tree, {"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".git/config", "absent", "cache"])
def test_a_path_that_cannot_be_meant_is_refused(rig: Rig, name: str) -> None:
    tree = gitrig.make_worker(rig).tree
    settings(rig, copy=[name])
    with pytest.raises(BadConfig):
        furnish.furnish(rig, tree, {})
