from __future__ import annotations

import os
from pathlib import Path

import pytest
import slots
from builders import commit, git, run, write_files

from gastown_hooks.core.paths import Rig
from gastown_hooks.work import lease as leases
from gastown_hooks.work import rescue, salvage, snapshot, worktree_state


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return slots.make_town(tmp_path / "town")


def back(rig: Rig, key: str, to: str | None = None) -> str:
    return rescue.restore(*rescue.find(rig.town, key), to).path


def there_and_back(rig: Rig, tree: str, name: str) -> str:
    """Save, restore, compare all that git and the disk say."""
    before = slots.seen(tree)
    saved = slots.save(rig, name)
    assert saved.ref_prefix
    path = back(rig, f"gp/{saved.key}")
    after = slots.seen(path)
    for what, value in before.items():
        if what == "files":
            ignored = {os.fsencode(p) for p in saved.ignored}
            assert after[what] == {p: v for p, v in value.items() if p not in ignored}  # type: ignore[attr-defined]
        else:
            assert after[what] == value, what
    assert slots.seen(tree) == before, "saving changed the tree"
    return path


def test_everything_comes_back(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    commit(tree, {"done.txt": "done\n"}, "unpushed")
    write_files(tree, {"staged.txt": "staged\n", "src/app.py": "staged change\n", "old.txt": None})
    git(tree, "add", "-A")
    write_files(tree, {"src/app.py": "unstaged change\n", "README.md": None, "new/untracked.txt": "u\n", "x.o": "object", "build/out": "b"})
    (tree / "run.sh").chmod(0o755)
    (tree / "new/tool").write_text("#!/bin/sh\n")
    (tree / "new/tool").chmod(0o755)
    (tree / "empty/deeper").mkdir(parents=True)
    (tree / "link").symlink_to("nowhere/at all")
    (tree / "dirlink").symlink_to("src")
    path = there_and_back(rig, str(tree), "toast")
    assert Path(path, "empty/deeper").is_dir()
    assert git(path, "symbolic-ref", "HEAD") == "refs/heads/rescue/toast-1"
    message = git(rig.repo, "log", "-1", "--format=%B", "refs/gt/salvage/toast/1/tree")
    assert "x.o (6 bytes)" in message and "build/out (1 bytes)" in message


def test_names_and_bytes_nobody_expects(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    root = os.fsencode(tree)
    (tree / ".gitattributes").write_text("* text=auto eol=lf\n*.ident ident\n*.f filter=evil\n")
    git(tree, "config", "filter.evil.clean", f"touch {tree}/PWNED; tr a-z A-Z")
    git(tree, "config", "core.autocrlf", "true")
    names = [b"a b", b"line\nbreak", b"-rf", b"--help", b"\xff\xfe", b"tab\t\"quote\"\\", b"\xc3\xa9", b"crlf.txt", b"bin", b"x.ident",
             b"x.f", b":(glob)*", b"%gt%name", b"deep/%gt%/x", b" ", b"a/b/c/d/e"]
    for name in names:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"\x00\xff\r\n$Id$\r\nlower " + name)
    slots.save(rig, "toast")
    assert not (tree / "PWNED").exists()
    path = os.fsencode(back(rig, "gp/toast/1"))
    for name in names:
        with open(os.path.join(path, name), "rb") as file:
            assert file.read() == b"\x00\xff\r\n$Id$\r\nlower " + name


@pytest.mark.parametrize("how", ["merge", "rebase", "cherry-pick"])
def test_a_conflict_comes_back_with_its_stages(rig: Rig, how: str) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    git(tree, "checkout", "-q", "-b", "other")
    theirs = commit(tree, {"src/app.py": "theirs\n", "old.txt": None, "both": "1\n"}, "theirs")
    git(tree, "checkout", "-q", "polecat/toast/b1@1")
    commit(tree, {"src/app.py": "ours\n", "old.txt": "changed\n", "both": "2\n"}, "ours")
    words = {"merge": ["merge", "other"], "rebase": ["rebase", "other"], "cherry-pick": ["cherry-pick", "other"]}[how]
    assert run(["git", "-C", str(tree), *words]).code != 0
    git(tree, "branch", "-q", "-D", "other") if how == "merge" else None
    there_and_back(rig, str(tree), "toast")
    refs = slots.salvage_refs(rig)
    assert git(rig.repo, "cat-file", "-p", "refs/gt/salvage/toast/1/meta:conflicts/ours/both")
    shown = rescue.show(*rescue.find(rig.town, "toast/1"))
    assert "src/app.py" in shown["conflicts"] and shown["in_progress"]
    if how == "merge":
        assert theirs in [oid for ref, oid in refs.items() if "/extra/" in ref]
        assert git(rig.rescued("toast", 1), "rev-parse", "MERGE_HEAD") == theirs


def test_flags_of_the_index_come_back(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    write_files(tree, {"intended": "i\n", "README.md": "hidden change\n"})
    git(tree, "add", "-N", "intended")
    git(tree, "update-index", "--assume-unchanged", "README.md")
    git(tree, "update-index", "--skip-worktree", "old.txt")
    (tree / "old.txt").unlink()
    there_and_back(rig, str(tree), "toast")
    assert Path(rig.rescued("toast", 1), "README.md").read_text() == "hidden change\n"


def test_a_detached_head_and_what_was_reset_away(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    tip = commit(tree, {"a": "1\n"}, "on the branch")
    git(tree, "checkout", "-q", "--detach")
    gone = commit(tree, {"a": "2\n"}, "reset away")
    git(tree, "reset", "-q", "--hard", "HEAD~2")
    head = commit(tree, {"b": "3\n"}, "detached")
    slots.save(rig, "toast")
    refs = slots.salvage_refs(rig)
    assert refs["refs/gt/salvage/toast/1/head"] == head
    assert refs["refs/gt/salvage/toast/1/branch"] == tip
    assert gone in refs.values()


def test_a_deleted_branch_is_found_in_the_reflog(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    head = commit(tree, {"a": "1\n"}, "work")
    git(rig.repo, "update-ref", "-d", "refs/heads/polecat/toast/b1@1")
    write_files(tree, {"b": "2\n"})
    slots.save(rig, "toast")
    assert slots.salvage_refs(rig)["refs/gt/salvage/toast/1/head"] == head
    path = back(rig, "toast/1")
    assert git(path, "rev-parse", "HEAD") == head and Path(path, "b").read_text() == "2\n"


def test_a_broken_head_and_a_broken_index(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    head = commit(Path(home.tree), {"a": "1\n"}, "work")
    write_files(Path(home.tree), {"b": "2\n", "x.o": "kept: nothing is known to be ignored"})
    admin = worktree_state.admin_dir(rig, home.tree)
    Path(f"{admin}/HEAD").write_bytes(b"\0\0\0")
    Path(f"{admin}/index").write_bytes(b"DIRC garbage")
    slots.save(rig, "toast")
    path = back(rig, "toast/1")
    assert git(path, "rev-parse", "HEAD") == head
    assert Path(path, "b").read_text() == "2\n" and Path(path, "x.o").exists()
    assert run(["git", "-C", rig.repo, "cat-file", "-p", "refs/gt/salvage/toast/1/meta:index.raw"]).out == "DIRC garbage"


def test_a_lost_or_replaced_git_file(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    head = commit(tree, {"a": "1\n"}, "work")
    (tree / ".git").unlink()
    git(tree, "init", "-q")
    inner = commit(tree, {"c": "3\n"}, "in a repository of its own")
    slots.save(rig, "toast")
    path = back(rig, "toast/1")
    assert git(path, "rev-parse", "HEAD") == head and Path(path, "c").exists()
    assert git(rig.repo, "cat-file", "-p", "refs/gt/salvage/toast/1/tree:%gt%.git/refs/heads/main") == inner


def test_a_repository_inside_the_tree(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    (tree / "vendor/lib").mkdir(parents=True)
    git(tree / "vendor/lib", "init", "-q")
    inner = commit(tree / "vendor/lib", {"c": "3\n"}, "inner")
    slots.save(rig, "toast")
    assert git(back(rig, "toast/1") + "/vendor/lib", "log", "-1", "--format=%H") == inner
    git(rig.repo, "fsck", "--connectivity-only")


def test_a_submodule_with_work_in_it(rig: Rig, tmp_path: Path) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q", "-b", "main")
    commit(other, {"lib.c": "1\n"}, "lib")
    git(tree, "submodule", "add", "-q", str(other), "lib")
    git(tree, "commit", "-q", "-m", "submodule")
    inner = commit(tree / "lib", {"lib.c": "2\n"}, "unpushed in the submodule")
    write_files(tree / "lib", {"loose": "l\n"})
    slots.save(rig, "toast")
    git(tree, "submodule", "deinit", "-q", "-f", "--all")
    path = back(rig, "toast/1")
    assert git(f"{path}/lib", "rev-parse", "HEAD") == inner
    assert git(f"{path}/lib", "status", "--porcelain") == "?? loose"
    assert " M lib" in git(path, "status", "--porcelain").splitlines() or "M lib" in git(path, "status", "--porcelain")


def test_files_outside_the_sparse_cone_are_saved(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    write_files(tree, {".claude/notes.md": "n\n", "CLAUDE.md": "c\n"})
    slots.save(rig, "toast")
    path = back(rig, "toast/1")
    assert Path(path, "CLAUDE.md").read_text() == "c\n" and Path(path, ".claude/notes.md").read_text() == "n\n"


def test_saving_twice_is_saving_once(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    write_files(tree, {"a": "1\n"})
    first = slots.save(rig, "toast")
    refs = slots.salvage_refs(rig)
    git(tree, "status")  # refreshes the index
    assert slots.save(rig, "toast") == first and slots.salvage_refs(rig) == refs
    write_files(tree, {"a": "2\n"})
    assert slots.save(rig, "toast").key == "toast/1.2"
    assert {ref: oid for ref, oid in slots.salvage_refs(rig).items() if "/1/" in ref} == refs
    write_files(tree, {"a": "1\n"})
    assert slots.save(rig, "toast").key == "toast/1"


def test_a_clean_tree_needs_its_commit_only(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    lease = leases.read(home)
    assert salvage.save(rig, "toast", 1, lease, needless=True)[0].ref_prefix == ""
    head = commit(Path(home.tree), {"a": "1\n"}, "work")
    salvage.save(rig, "toast", 1, lease, needless=True)
    assert slots.salvage_refs(rig) == {"refs/gt/salvage/toast/1/head": head}
    git(rig.repo, "update-ref", "refs/gt/landed/main", head)
    assert salvage.save(rig, "toast", 1, lease, needless=True)[0].ref_prefix == ""


def test_a_thousand_files_and_a_big_one(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    for number in range(1000):
        write_files(tree, {f"many/{number % 20}/{number}": f"file {number}\n"})
    (tree / "big").write_bytes(os.urandom(1 << 20) * 9)
    there_and_back(rig, str(tree), "toast")


def test_an_unreadable_file_stops_it(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    write_files(tree, {"secret": "s\n"})
    (tree / "secret").chmod(0)
    refused = slots.run_work(rig, "slots.save(rig, 'toast')", without_rights=True)
    assert refused.code != 0 and "Refused: cannot save" in refused.err and "secret" in refused.err
    assert not slots.salvage_refs(rig)


def test_pipes_are_named(rig: Rig) -> None:
    tree = Path(slots.add_worker(rig, "toast", 1).tree)
    os.mkfifo(tree / "pipe")
    write_files(tree, {"a": "1\n"})
    slots.save(rig, "toast")
    assert rescue.show(*rescue.find(rig.town, "toast/1"))["special_files"] == ["pipe"]


def test_a_changing_file_is_noticed(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    write_files(Path(home.tree), {"a": "1\n"})
    lease = leases.read(home)
    saved, facts = salvage.save(rig, "toast", 1, lease)
    write_files(Path(home.tree), {"a": "2\n"})
    with pytest.raises(snapshot.Changed):
        salvage.verify(rig, saved, facts, worktree_state.look(rig, "toast", 1, lease))
