from __future__ import annotations

import os
from pathlib import Path

import builders
import pytest
from builders import commit, git
from rigtown import NOW, add, make_town, overseer, slung

from gastown_hooks.core import errors
from gastown_hooks.core.paths import Town
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import rig_add, rig_remove


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return make_town(tmp_path)


def remove(town: Town, name: str = "app", *, force: bool = False, dry_run: bool = False) -> rig_remove.Removed:
    return rig_remove.remove(town, name, force=force, dry_run=dry_run, caller=overseer(town), now=NOW)


def gone(town: Town, name: str = "app") -> bool:
    return not os.path.lexists(town.rig(name).root) and list(Routes(town).prefixes()) == ["hq"]


def test_a_rig_without_work_is_moved_aside(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    tip = git(repo, "rev-parse", "HEAD")
    removed = remove(town)
    assert gone(town) and removed.unlanded == []
    assert git(f"{removed.kept}/.repo.git", "rev-parse", "refs/heads/main") == tip
    assert os.stat(removed.kept).st_mode & 0o077 == 0
    add(town, "app", repo)  # the name is free again


def test_a_dry_run_says_the_acts_of_the_real_run(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    told = remove(town, dry_run=True)
    assert town.rig("app").exists()
    assert remove(town).acts == told.acts


def test_removing_twice_and_after_a_kill_between_move_and_route(town: Town, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(town, "app", repo)
    monkeypatch.setattr(Routes, "remove", lambda self, name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        remove(town)
    monkeypatch.undo()
    assert remove(town).acts == ["drop the routes to app"] and gone(town)
    with pytest.raises(errors.NotFound, match="no rig app"):
        remove(town)


def test_a_half_made_rig_is_moved_aside(town: Town, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_add, "_clone_mayor", lambda plan: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        add(town, "app", repo)
    monkeypatch.undo()
    remove(town)
    assert gone(town)


def _claim(town: Town) -> None:
    slung(town.rig("app"))


def _ref(town: Town) -> None:
    rig = town.rig("app")
    made = git(rig.repo, "commit-tree", "-p", "main", "-m", "work", git(rig.repo, "mktree", input=""))
    git(rig.repo, "update-ref", "refs/gt/work/nux/3", made)


def _odd_ref(town: Town) -> None:
    repo = town.rig("app").repo
    git(repo, "update-ref", "refs/heads/a\u2028b\x85c", git(repo, "commit-tree", "-m", "own", "main^{tree}"))


def _landed(town: Town) -> None:
    rig = town.rig("app")
    made = git(rig.repo, "commit-tree", "-p", "main", "-m", "landed", "main^{tree}")
    git(rig.repo, "-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main", made)


def _crew_dirty(town: Town) -> None:
    git(town.root, "clone", "-q", "-b", "main", town.rig("app").repo, town.rig("app").crew("max").tree)
    builders.write_files(Path(town.rig("app").crew("max").tree), {"new": "x"})


def _crew_commit(town: Town) -> None:
    git(town.root, "clone", "-q", "-b", "main", town.rig("app").repo, town.rig("app").crew("max").tree)
    commit(Path(town.rig("app").crew("max").tree), {"new": "x"}, "mine")


def _crew_stash(town: Town) -> None:
    _crew_dirty(town)
    git(town.rig("app").crew("max").tree, "stash", "-q", "-u")


def _mayor(town: Town) -> None:
    builders.write_files(Path(town.rig("app").mayor.tree), {"README.md": "edited"})


def _garbage(town: Town) -> None:
    builders.write_files(Path(town.rig("app").crew_root), {"max/rig/.git": "gitdir: nowhere"})


@pytest.mark.parametrize(("make", "words"), [
    (_claim, "is with app/polecats/toast"), (_claim, "worker app/toast is not retired"), (_ref, "refs/gt/work/nux/3 has commits"),
    (_odd_ref, r"'refs/heads/a\\u2028b\\x85c' has commits"),
    (_landed, "was not pulled"), (_crew_dirty, "crew tree max has uncommitted"), (_crew_commit, "crew tree max has unpushed"),
    (_crew_stash, "crew tree max has stashes"), (_mayor, "the mayor's tree has uncommitted"), (_garbage, "cannot tell")])
def test_unlanded_work_is_named_and_stops_it(town: Town, repo: Path, make: object, words: str) -> None:
    add(town, "app", repo)
    make(town)  # type: ignore[operator]
    with pytest.raises(errors.Refused, match=words):
        remove(town)
    assert town.rig("app").exists()


def test_merged_work_is_no_reason(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    rig = town.rig("app")
    git(rig.repo, "update-ref", "refs/gt/work/nux/3", "main")
    assert rig_remove.unlanded(rig) == []


def test_by_force_all_work_is_saved_and_kept(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    _, home = slung(town.rig("app"))
    builders.write_files(Path(home.tree), {"unsaved": "precious"})
    removed = remove(town, force=True)
    assert gone(town) and any("not retired" in line for line in removed.unlanded)
    kept = f"{removed.kept}/.repo.git"
    refs = git(kept, "for-each-ref", "--format=%(refname)", "refs/gt/salvage").split("\n")
    [tree] = [ref for ref in refs if ref.endswith("/tree")]
    assert git(kept, "show", f"{tree}:unsaved") == "precious"


@pytest.mark.parametrize("name", ["..", "-x", "a;b", "#(id)", "a\0b", "a" * 300])
def test_impossible_names(town: Town, name: str) -> None:
    with pytest.raises(errors.BadInput):
        remove(town, name)


def test_an_unknown_rig(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    with pytest.raises(errors.NotFound, match="known rigs: app"):
        remove(town, "nope")
