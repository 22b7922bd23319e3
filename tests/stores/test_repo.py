"""Reads through libgit2: what is there, what is not, what cannot be told; patches compared exactly."""

from __future__ import annotations

from pathlib import Path

import builders
import gitrig
import pytest

from gastown_hooks.core.errors import GitFailed
from gastown_hooks.stores.repo import Repo

MANY = "".join(f"line {n}\n" for n in range(40))


def _head(repo: Path) -> str:
    return builders.git(repo, "rev-parse", "HEAD")


def test_resolve(repo: Path) -> None:
    builders.git(repo, "tag", "-a", "-m", "x", "v1")
    found = Repo(str(repo))
    assert found.resolve("refs/heads/main") == _head(repo) == found.resolve("HEAD") == found.resolve("refs/tags/v1")
    for rev in ("refs/heads/nothing", "0" * 40, "-x", "", "a..b", "main.lock", "refs/heads/main^{blob}", "@{99}"):
        assert found.resolve(rev) is None
    assert found.kind(builders.git(repo, "rev-parse", "refs/tags/v1")) == "tag"
    assert found.kind(found.tree(_head(repo))) == "tree"
    assert found.kind("1" * 40) is None


def test_reads_of_a_commit(repo: Path) -> None:
    first = _head(repo)
    second = builders.commit(repo, {"a": "1"}, "second\n\nbody")
    found = Repo(str(repo))
    assert found.parents(second) == [first]
    assert found.parents(first) == []
    assert found.tree(second) == builders.git(repo, "rev-parse", "HEAD^{tree}")
    assert found.commits(second, first) == [second]
    assert found.is_ancestor(first, second) and found.is_ancestor(first, first) and not found.is_ancestor(second, first)
    for wrong in ("1" * 40, found.tree(first), "rubbish"):
        with pytest.raises(GitFailed):
            found.parents(wrong)
        with pytest.raises(GitFailed):
            found.is_ancestor(wrong, first)


def test_unreadable_is_not_absent(repo: Path, tmp_path: Path) -> None:
    head = _head(repo)
    path = repo / ".git/objects" / head[:2] / head[2:]
    path.chmod(0o600)
    path.write_bytes(b"rubbish")
    with pytest.raises(GitFailed):
        Repo(str(repo)).resolve("refs/heads/main")
    with pytest.raises(GitFailed):
        Repo(str(tmp_path / "nothing"))
    (repo / ".git/info").rename(repo / ".git/other")
    (repo / ".git/info").symlink_to("info")
    with pytest.raises(GitFailed, match="cannot read"):
        Repo(str(repo))


def test_a_written_commit_is_what_git_would_make(repo: Path) -> None:
    parents = [_head(repo), builders.commit(repo, {"more.txt": "more\n"}, "more")]
    tree, text, when = builders.git(repo, "rev-parse", "HEAD^{tree}"), "Merge 2 changes\n\n* Ünï\n\nBead: gp-1\n", 1767225600
    ours = Repo(str(repo)).write_commit(tree, parents, text, ("gp/refinery", "<o@x.test>"), when)
    env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
           (("NAME", "gp/refinery"), ("EMAIL", "<o@x.test>"), ("DATE", f"@{when} +0000"))}
    made = builders.run(["git", "commit-tree", tree, "-p", parents[0], "-p", parents[1], "-F", "-"], cwd=repo, env=env, input=text)
    assert made.out.strip() == ours
    with pytest.raises(GitFailed, match="cannot write a commit"):
        Repo(str(repo)).write_commit("0" * 40, parents, text, ("gp/refinery", "o@x.test"), when)


def test_a_note_is_its_text_or_none(repo: Path) -> None:
    head = _head(repo)
    assert Repo(str(repo)).note(head, "gates") is None
    builders.git(repo, "notes", "--ref=gates", "add", "-m", '{"verdict":"pass"}', head)
    assert Repo(str(repo)).note(head, "gates") == '{"verdict":"pass"}\n'
    assert Repo(str(repo)).note(head, "others") is None and Repo(str(repo)).note("0" * 40, "gates") is None


def test_refs_below_a_prefix(repo: Path) -> None:
    for name in ("refs/gt/work/toast/1", "refs/gt/work/toast2/1", "refs/gt/work/toast/2"):
        builders.git(repo, "update-ref", name, "HEAD")
    builders.git(repo, "pack-refs", "--all")
    builders.git(repo, "symbolic-ref", "refs/gt/work/toast/sym", "refs/heads/none")
    found = Repo(str(repo))
    assert list(found.refs("refs/gt/work/toast")) == ["refs/gt/work/toast/1", "refs/gt/work/toast/2"]
    assert found.refs("refs/heads/main") == {"refs/heads/main": _head(repo)}
    assert found.refs("refs/nothing") == {}


def test_it_reads_worktrees_and_the_shared_repository(tmp_path: Path) -> None:
    rig = gitrig.make_rig(tmp_path)
    home = gitrig.make_worker(rig)
    assert Repo(home.tree).resolve("HEAD") == Repo(rig.repo).resolve("refs/heads/main")


def _work(repo: Path, *changes: dict[str, str]) -> tuple[str, str]:
    """(base, tip) of a branch with these commits; `main` is checked out again."""
    base = _head(repo)
    builders.git(repo, "checkout", "-q", "-B", "work")
    for change in changes:
        builders.commit(repo, change, "work")
    tip = _head(repo)
    builders.git(repo, "checkout", "-q", "main")
    return base, tip


def test_contains_patch_one_by_one_and_squashed(repo: Path) -> None:
    builders.commit(repo, {"f": MANY}, "f")
    base, work = _work(repo, {"f": MANY.replace("line 30\n", "changed\n")}, {"g": "new\n"})
    builders.commit(repo, {"f": "\n\n\n" + MANY, "unrelated": "x\n"}, "others move the lines")
    found = Repo(str(repo))
    assert not found.contains_patch(work, base, _head(repo))
    builders.git(repo, "cherry-pick", f"{work}~1")
    assert not Repo(str(repo)).contains_patch(work, base, _head(repo))
    builders.git(repo, "cherry-pick", work)
    assert Repo(str(repo)).contains_patch(work, base, _head(repo))
    builders.git(repo, "reset", "-q", "--hard", "HEAD~2")
    builders.git(repo, "merge", "-q", "--squash", "work")
    builders.git(repo, "commit", "-q", "-m", "squashed")
    assert Repo(str(repo)).contains_patch(work, base, _head(repo))


def test_white_space_and_binary_content_count(repo: Path) -> None:
    base, work = _work(repo, {"a.py": "if x:\n    y()\n    z()\n", "b": "\0one"})
    builders.commit(repo, {"a.py": "if x:\n    y()\nz()\n", "b": "\0one"}, "indented otherwise")
    assert not Repo(str(repo)).contains_patch(work, base, _head(repo))
    builders.git(repo, "reset", "-q", "--hard", base)
    builders.commit(repo, {"a.py": "if x:\n    y()\n    z()\n", "b": "\0two"}, "another binary")
    assert not Repo(str(repo)).contains_patch(work, base, _head(repo))
    builders.git(repo, "reset", "-q", "--hard", base)
    builders.commit(repo, {"a.py": "if x:\n    y()\n    z()\n", "b": "\0one"}, "the same")
    assert Repo(str(repo)).contains_patch(work, base, _head(repo))


def test_work_that_does_nothing_proves_nothing(repo: Path) -> None:
    base, work = _work(repo, {})
    builders.commit(repo, {}, "empty too")
    assert not Repo(str(repo)).contains_patch(work, base, _head(repo))
    assert not Repo(str(repo)).contains_patch(base, base, _head(repo))


def test_a_mode_change_is_a_change(repo: Path) -> None:
    base, work = _work(repo, {"run": "x\n"})
    (repo / "run").write_text("x\n")
    (repo / "run").chmod(0o755)
    builders.git(repo, "add", "run")
    builders.git(repo, "commit", "-q", "-m", "executable")
    assert not Repo(str(repo)).contains_patch(work, base, _head(repo))
