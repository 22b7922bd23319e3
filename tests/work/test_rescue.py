from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import slots
from builders import commit, git, write_files

from gastown_hooks.core.errors import BadInput, Conflict, NotFound
from gastown_hooks.core.paths import Rig
from gastown_hooks.work import rescue, retire


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return slots.make_town(tmp_path / "town")


def retired(rig: Rig, name: str = "toast", fence: int = 1) -> dict[str, object]:
    """A worker with work of every kind, retired; what its tree looked like."""
    home = slots.add_worker(rig, name, fence)
    tree = Path(home.tree)
    commit(tree, {"done.txt": "done\n"}, "unpushed")
    write_files(tree, {"README.md": "stashed\n"})
    git(tree, "stash", "push", "-q", "-m", f"of {name}")
    write_files(tree, {"src/app.py": "staged\n"})
    git(tree, "add", "-A")
    write_files(tree, {"src/app.py": "unstaged\n", "loose": "l\n"})
    before = slots.seen(home.tree)
    retire.retire(rig, name, caller=slots.overseer(rig), now=slots.NOW, reason="test")
    return before


def restore(rig: Rig, key: str, to: str | None = None) -> rescue.Restored:
    return rescue.restore(*rescue.find(rig.town, key), to)


def test_to_another_folder(rig: Rig, tmp_path: Path) -> None:
    before = retired(rig)
    there = tmp_path / "a place" / "here"
    there.parent.mkdir()
    made = restore(rig, "toast/1", str(there))
    assert made.path == str(there) and slots.seen(str(there)) == before
    assert restore(rig, "toast/1", str(there)).existed


def test_a_folder_with_something_in_it_is_not_touched(rig: Rig, tmp_path: Path) -> None:
    retired(rig)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine\n")
    with pytest.raises(Conflict, match="not empty"):
        restore(rig, "toast/1", str(tmp_path / "mine"))
    assert os.listdir(tmp_path / "mine") == ["file"]


def test_a_second_restore_keeps_what_was_done_in_the_first(rig: Rig) -> None:
    retired(rig)
    path = restore(rig, "toast/1").path
    done = commit(Path(path), {"more": "1\n"}, "more")
    again = restore(rig, "toast/1")
    assert again.existed and git(path, "rev-parse", "HEAD") == done
    git(rig.repo, "worktree", "remove", "--force", path)
    made = restore(rig, "toast/1")
    assert not made.existed and git(rig.repo, "rev-parse", f"refs/heads/rescue/toast-1-{done[:12]}") == done
    assert len(slots.stash_list(rig)) == 1, "the stash entry is there once"


def test_refs_stay_and_can_be_restored_beside_each_other(rig: Rig) -> None:
    retired(rig, "toast", 1)
    retired(rig, "toast", 2)
    refs = slots.salvage_refs(rig)
    assert [saved.key for saved in rescue.entries(rig)] == ["gp/toast/1", "gp/toast/2"]
    assert restore(rig, "toast/1").path != restore(rig, "toast/2").path
    assert slots.salvage_refs(rig) == refs


@pytest.mark.parametrize("rewritten", [False, True])
def test_landed_states_are_marked(rig: Rig, rewritten: bool) -> None:
    """Also what landed as another commit than its own."""
    home = slots.add_worker(rig, "nux", 3)
    head = commit(Path(home.tree), {"a": "1\n"}, "work")
    retire.retire(rig, "nux", caller=slots.overseer(rig), now=slots.NOW, reason="test")
    retired(rig)
    assert rescue.landed(rig, rescue.entries(rig)) == set()
    if rewritten:
        head = git(rig.repo, "commit-tree", f"{head}^{{tree}}", "-p", f"{head}^", "-m", "landed")
    git(rig.repo, "update-ref", "refs/gt/landed/main", head)
    assert rescue.landed(rig, rescue.entries(rig)) == {"gp/nux/3"}


def test_keys(rig: Rig) -> None:
    retired(rig)
    assert rescue.find(rig.town, "gp/toast/1")[1].key == rescue.find(rig.town, "toast/1")[1].key == "gp/toast/1"
    for key, error in (("toast", BadInput), ("x/toast/1", NotFound), ("toast/1.2", NotFound)):
        with pytest.raises(error):
            rescue.find(rig.town, key)


def test_a_restore_is_never_the_place_of_another(rig: Rig) -> None:
    retired(rig, "toast", 1)
    retired(rig, "toast", 2)
    path = restore(rig, "toast/1").path
    Path(path, "new").write_text("since\n")
    with pytest.raises(Conflict, match="not empty"):
        restore(rig, "toast/2", path)
    assert Path(path, "new").exists()


@pytest.mark.parametrize("to", ["", ", rig.town.root + '/else where'"])
def test_killed_anywhere_and_run_again_is_never_killed(rig: Rig, tmp_path: Path, to: str) -> None:
    before = retired(rig)
    act = f"rescue.restore(*rescue.find(rig.town, 'toast/1'){to})"
    place = f"{rig.town.root}/else where" if to else rig.rescued("toast", 1)
    template = str(tmp_path / "template")
    subprocess.run(["cp", "-a", rig.town.root, template], check=True)
    calm = slots.run_work(rig, act)
    assert calm.code == 0, calm.err
    for kill_at in range(1, 1 - int(calm.out), slots.STEP):
        subprocess.run(["rm", "-rf", rig.town.root], check=True)
        subprocess.run(["cp", "-a", template, rig.town.root], check=True)
        assert slots.run_work(rig, act, kill_at=kill_at).code == -signal.SIGKILL, kill_at
        done = slots.run_work(rig, act)
        assert done.code == 0, (kill_at, done.err)
        assert slots.seen(place) == before, kill_at
        assert len(slots.stash_list(rig)) == 1, kill_at
