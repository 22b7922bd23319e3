"""Linked worktrees: the bare state in every stage, names, sparse trees, repair after a kill, the gate pool."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import builders
import gitrig
import pygit2
import pytest

from gastown_hooks.core.errors import Conflict, GitFailed
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import git, gitdir, worktrees

ODD = "to wn's ü"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return gitrig.make_rig(tmp_path)


def _add(rig: Rig, path: str, branch: str = "polecat/toast/a@1", **more: bool) -> None:
    worktrees.add(rig, path, branch=branch, start=gitrig.tip(rig), sparse=True, githooks=None, **more)


def test_the_prepared_repository_is_bare_and_its_worktrees_are_not(rig: Rig) -> None:
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    assert pygit2.Repository(rig.repo).is_bare
    assert not pygit2.Repository(tree).is_bare
    assert builders.git(tree, "rev-parse", "--is-bare-repository") == "false"
    assert git.run(rig.repo, "rev-parse", "--is-bare-repository").line == "true"
    assert builders.git(rig.repo, f"--git-dir={rig.repo}", "config", "--get-all", "receive.hideRefs") == "refs/heads/main\nrefs/gt"
    assert builders.run(["git", "config", "--file", f"{rig.repo}/config", "core.bare"]).code == 1
    assert Path(rig.repo, "HEAD").read_text() == "ref: refs/heads/gt-none\n"


def test_preparing_again_changes_nothing(rig: Rig) -> None:
    before = {name: Path(rig.repo, name).read_bytes() for name in ("config", "config.worktree", "HEAD", "info/exclude")}
    inode = os.stat(f"{rig.repo}/config").st_ino
    worktrees.prepare_repo(rig, "main")
    assert {name: Path(rig.repo, name).read_bytes() for name in before} == before
    assert os.stat(f"{rig.repo}/config").st_ino == inode


@pytest.mark.parametrize("state", ["worktree file only", "bare dropped", "extension first", "killed under the lock",
                                   "config.worktree lost"])
def test_preparing_completes_every_half_way_state(tmp_path: Path, state: str) -> None:
    rig = gitrig.make_rig(tmp_path)
    config, own = Path(rig.repo, "config"), Path(rig.repo, "config.worktree")
    shared = ["git", "config", "--file", str(config)]
    if state == "worktree file only":
        builders.run([*shared, "core.bare", "true"])
        builders.run([*shared, "--unset", "extensions.worktreeConfig"])
    elif state == "bare dropped":
        builders.run([*shared, "--unset", "extensions.worktreeConfig"])
    elif state == "extension first":
        builders.run([*shared, "core.bare", "true"])
        own.unlink()
    elif state == "killed under the lock":
        builders.run([*shared, "core.bare", "true"])
        Path(f"{config}.lock").write_bytes(config.read_bytes()[:10])
    else:
        own.unlink()
    worktrees.prepare_repo(rig, "main")
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    assert builders.git(tree, "status", "--porcelain") == ""
    assert pygit2.Repository(rig.repo).is_bare
    assert not Path(f"{config}.lock").exists()


def test_a_second_target_is_hidden_too(rig: Rig) -> None:
    worktrees.prepare_repo(rig, "release/2")
    hidden = builders.git(rig.repo, f"--git-dir={rig.repo}", "config", "--get-all", "receive.hideRefs").splitlines()
    assert hidden == ["refs/heads/main", "refs/gt", "refs/heads/release/2"]


def test_every_tree_is_called_rig_and_none_of_gits_folders_is(rig: Rig) -> None:
    for name in ("toast", "nux", "slit"):
        _add(rig, rig.polecat(name).tree, f"polecat/{name}/a@1")
    worktrees.add(rig, rig.refinery.tree, start=gitrig.tip(rig), sparse=True, githooks=None, detach=True)
    assert sorted(os.listdir(f"{rig.repo}/worktrees")) == ["polecats-nux", "polecats-slit", "polecats-toast", "refinery"]
    found = worktrees.listed(rig)
    assert found[rig.polecat("nux").tree].branch == "refs/heads/polecat/nux/a@1"
    assert found[rig.refinery.tree].commit == gitrig.tip(rig)
    assert all(one.complete and one.present for one in found.values())
    assert os.listdir(rig.polecat("toast").root) == ["rig"]


def test_the_listing_agrees_with_gits(rig: Rig) -> None:
    _add(rig, rig.polecat("toast").tree)
    worktrees.gate_tree(rig, 0, gitrig.tip(rig))
    lines = git.run(rig.repo, "worktree", "list", "--porcelain", "-z").out.split("\0")
    assert {line[9:] for line in lines if line.startswith("worktree ")} - {rig.repo} == set(worktrees.listed(rig))


def test_the_sparse_tree_leaves_out_agent_files_and_looks_clean(rig: Rig) -> None:
    tree = Path(rig.polecat("toast").tree)
    _add(rig, str(tree))
    assert sorted(os.listdir(tree)) == [".git", "README.md", "docs", "src"]
    assert (tree / "docs/CLAUDE.md").exists()  # only the top one is somebody else's words at start
    assert builders.git(tree, "status", "--porcelain") == ""
    assert builders.git(tree, "diff", "HEAD", "--name-only") == ""
    commit = builders.commit(tree, {"new.py": "x\n"}, "work")
    assert "CLAUDE.md" in builders.git(tree, "ls-tree", "-r", "--name-only", commit).splitlines()


def test_ignored_by_the_repository_itself(rig: Rig) -> None:
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    builders.write_files(Path(tree), {".claude/settings.local.json": "{}", ".beads/redirect": "../../.beads\n"})
    assert builders.git(tree, "status", "--porcelain", "-uall") == ""


@pytest.mark.parametrize("town", [ODD, "a" * 180 + "/" + "b" * 90])
def test_odd_and_long_paths(tmp_path: Path, town: str) -> None:
    rig = gitrig.make_rig(tmp_path, town=town)
    home = gitrig.make_worker(rig)
    builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    assert "Bead: gp-abc12" in builders.git(home.tree, "log", "-1", "--format=%B")
    assert gitrig.tip(rig, "refs/gt/work/toast/1") == builders.git(home.tree, "rev-parse", "HEAD")


def test_a_town_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    rig = gitrig.make_rig(tmp_path, town="link/town")
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    _add(rig, tree)
    assert list(worktrees.listed(rig)) == [tree]
    worktrees.remove(rig, tree)
    assert worktrees.listed(rig) == {}


def test_adding_again_keeps_the_work(rig: Rig) -> None:
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    head = builders.commit(Path(tree), {"a": "1\n"}, "work")
    Path(tree, "untracked").write_text("x")
    _add(rig, tree, replace_unready=True)
    assert builders.git(tree, "rev-parse", "HEAD") == head
    assert Path(tree, "untracked").exists()


def test_a_complete_tree_of_something_else_is_never_replaced(rig: Rig) -> None:
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    builders.git(tree, "checkout", "-q", "--detach")  # as in the middle of a rebase
    with pytest.raises(Conflict):
        _add(rig, tree, replace_unready=True)
    assert Path(tree, "README.md").exists()


def test_one_branch_is_in_one_worktree(rig: Rig) -> None:
    _add(rig, rig.polecat("toast").tree)
    with pytest.raises(Conflict, match="checked out at"):
        _add(rig, rig.polecat("nux").tree)


def test_an_existing_branch_is_used_as_it_is(rig: Rig) -> None:
    tree = rig.polecat("toast").tree
    _add(rig, tree)
    head = builders.commit(Path(tree), {"a": "1\n"}, "work")
    worktrees.remove(rig, tree)
    _add(rig, tree)
    assert builders.git(tree, "rev-parse", "HEAD") == head


def test_half_made_worktrees_are_made_anew_only_when_allowed(rig: Rig) -> None:
    """Every state that a kill between two of `add`'s steps can leave."""
    tree, admin = rig.polecat("toast").tree, f"{rig.repo}/worktrees/polecats-toast"

    def only_staged() -> None:
        os.makedirs(tree)
        Path(rig.repo, "gt-worktrees/polecats-toast").mkdir(parents=True)
        Path(rig.repo, "gt-worktrees/polecats-toast/HEAD").write_text(gitrig.tip(rig))

    def tree_without_gits_folder() -> None:
        os.makedirs(tree)
        Path(tree, ".git").write_text(f"gitdir: {admin}\n")

    def without_mark() -> None:
        _add(rig, tree)
        config = Path(admin, "config.worktree")
        config.write_text(config.read_text().partition("[gt]")[0])

    def in_the_checkout() -> None:
        without_mark()
        Path(tree, "README.md").unlink()
        Path(admin, "index.lock").touch()

    def only_gits_folder() -> None:
        os.makedirs(f"{admin}/refs")
        Path(admin, "locked").write_text("initializing")

    for make, asks in ((only_staged, False), (tree_without_gits_folder, True), (without_mark, True), (in_the_checkout, True),
                       (only_gits_folder, False)):
        make()
        if asks:
            with pytest.raises(Conflict, match="half-made"):
                _add(rig, tree)
        _add(rig, tree, replace_unready=asks)
        assert builders.git(tree, "status", "--porcelain") == "", make.__name__
        assert builders.git(tree, "symbolic-ref", "HEAD") == "refs/heads/polecat/toast/a@1"
        assert os.listdir(f"{rig.repo}/worktrees") == ["polecats-toast"]
        worktrees.remove(rig, tree)


def test_a_plain_folder_in_the_place_is_not_removed(rig: Rig) -> None:
    tree = Path(rig.polecat("toast").tree)
    builders.write_files(tree, {"precious": "x"})
    with pytest.raises(Conflict):
        _add(rig, str(tree))
    assert (tree / "precious").exists()


def test_removing_is_repeatable_from_every_half_way_state(rig: Rig) -> None:
    tree = rig.polecat("toast").tree
    for gone in ("nothing", "tree", "git's folder"):
        _add(rig, tree)
        if gone == "tree":
            os.rename(tree, tree + ".away")
        elif gone == "git's folder":
            os.rename(f"{rig.repo}/worktrees/polecats-toast", f"{rig.root}/away")
        for _ in range(2):
            worktrees.remove(rig, tree)
        assert not os.path.exists(tree)
        assert worktrees.listed(rig) == {}


def test_worktrees_that_an_agent_adds_get_the_guard(rig: Rig, tmp_path: Path) -> None:
    home = gitrig.make_worker(rig)
    for place in (home.tree, rig.repo):
        mine = tmp_path / f"mine-{os.path.basename(place)}"
        builders.git(place, *([f"--git-dir={place}"] if place == rig.repo else []), "worktree", "add", "-q", "--detach", str(mine), "main")
        builders.commit(mine, {"x": "1\n"}, "evil")
        assert builders.run(["git", "-C", str(mine), "update-ref", "refs/heads/main", "HEAD"]).code != 0


def test_refreshing_a_detached_tree_never_moves_a_branch(rig: Rig) -> None:
    worktrees.add(rig, rig.refinery.tree, start=gitrig.tip(rig), sparse=True, githooks=None, detach=True)
    before = gitrig.tip(rig)
    home = gitrig.make_worker(rig)
    new = builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    git.run(rig.refinery.tree, "symbolic-ref", "HEAD", "refs/heads/main")
    Path(rig.refinery.tree, "README.md").write_text("changed")
    worktrees.refresh(rig.refinery.tree, new)
    assert gitrig.tip(rig) == before
    assert builders.git(rig.refinery.tree, "rev-parse", "HEAD") == new
    assert builders.git(rig.refinery.tree, "status", "--porcelain") == ""
    assert Path(rig.refinery.tree, "README.md").read_text() == "hello\n"


def test_a_gate_tree_is_full_and_exact_whatever_the_last_gate_did(rig: Rig) -> None:
    home = gitrig.make_worker(rig)
    old, new = gitrig.tip(rig), builders.commit(Path(home.tree), {"a": "1\n", ".gitignore": "*.o\n"}, "work")

    def nothing(tree: Path) -> None: ...

    def dirt(tree: Path) -> None:
        builders.write_files(tree, {"README.md": "changed\n", "x.o": "x", "sub/.git/HEAD": "x", "src/app.py": None})

    def hidden(tree: Path) -> None:
        (tree / "README.md").write_text("HELLO\n")
        builders.git(tree, "update-index", "--assume-unchanged", "README.md")
        builders.git(tree, "update-index", "--skip-worktree", "src/app.py")
        (tree / "src/app.py").write_text("evil")

    def sparse(tree: Path) -> None:
        builders.git(tree, "sparse-checkout", "set", "docs")

    def no_git_file(tree: Path) -> None:
        (tree / ".git").unlink()

    def broken_index(tree: Path) -> None:
        Path(builders.git(tree, "rev-parse", "--absolute-git-dir"), "index").write_bytes(b"rubbish")

    def locked(tree: Path) -> None:
        Path(builders.git(tree, "rev-parse", "--absolute-git-dir"), "index.lock").touch()

    def on_a_branch(tree: Path) -> None:
        builders.git(tree, "checkout", "-q", "-B", "strange")

    def read_only(tree: Path) -> None:
        builders.write_files(tree, {"cache/x": "x"})
        os.chmod(tree / "cache", 0o500)

    def gone(tree: Path) -> None:
        shutil.rmtree(tree)

    for commit in (old, new):
        for act in (nothing, dirt, hidden, sparse, no_git_file, broken_index, locked, on_a_branch, read_only, gone):
            tree = Path(worktrees.gate_tree(rig, 0, commit))
            act(tree)
            again = Path(worktrees.gate_tree(rig, 0, commit))
            assert again == tree
            names = {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file() and p.name != ".git"}
            assert names == set(builders.git(tree, "ls-tree", "-r", "--name-only", commit).splitlines()), act.__name__
            assert (tree / "README.md").read_text() == "hello\n"
            assert (tree / "src/app.py").read_text() == "print(1)\n"
    assert gitrig.tip(rig) == old
    assert os.listdir(rig.refinery.gates).count("gp-gate-0") == 1


def test_a_gate_tree_whose_gits_folder_was_lost_is_not_the_repository_above(rig: Rig, tmp_path: Path) -> None:
    builders.git(tmp_path, "init", "-q")
    Path(tmp_path, "precious").write_text("x")
    tree = Path(worktrees.gate_tree(rig, 0, gitrig.tip(rig)))
    (tree / ".git").unlink()
    with pytest.raises(GitFailed):
        worktrees.refresh(str(tree), gitrig.tip(rig), clean=True)
    assert Path(tmp_path, "precious").exists()
    assert gitdir.git_dir(str(tree)) is None
