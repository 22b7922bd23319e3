from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import builders
import pytest
from builders import commit, git, make_bare, make_repo
from rigtown import add, make_town

from gastown_hooks.core import errors, lock
from gastown_hooks.core.paths import Rig, Town, follow_redirect, nearest_beads
from gastown_hooks.rules import requests
from gastown_hooks.stores import config, events
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import rig_add, rig_source, rigs

BEAD = ('{"id":"%s","title":"t","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z",'
        '"updated_at":"2026-01-01T00:00:00Z"}\n')


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return make_town(tmp_path)


def everything(folder: Path) -> dict[str, tuple[int, int, int, bytes | str]]:
    """Each entry's mode, mtime, ctime and content."""
    found: dict[str, tuple[int, int, int, bytes | str]] = {}
    for place, folders, files in os.walk(folder):
        for name in [*files, *folders]:
            path = Path(place, name)
            status = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, content)
    return found


# ---- what is made -------------------------------------------------------------------------------------------

def test_add_from_a_url(town: Town, repo: Path, tmp_path: Path) -> None:
    bare = make_bare(tmp_path / "origin.git", repo)
    added = add(town, "my-app", f"file://{bare}", gates=["true"])
    rig = town.rig("my-app")
    made, tip = config.rig_config(rig), git(repo, "rev-parse", "main")
    assert (made.name, made.prefix, made.target, made.url, made.source) == ("my-app", "ma", "main", f"file://{bare}", None)
    assert git(rig.repo, "rev-parse", "refs/heads/main", "refs/remotes/origin/main", requests.landed_ref("main")).split() == [tip] * 3
    assert git(rig.repo, "config", "remote.origin.url") == f"file://{bare}" and "mirror" not in git(rig.repo, "config", "--list")
    assert git(rig.mayor.tree, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(rig.mayor.tree, "config", "remote.origin.url") == f"file://{bare}"
    assert git(rig.refinery.tree, "rev-parse", "HEAD") == tip
    assert subprocess.run(["git", "-C", rig.refinery.tree, "symbolic-ref", "-q", "HEAD"]).returncode == 1
    assert git(rig.mayor.tree, "status", "--porcelain") == git(rig.refinery.tree, "status", "--porcelain") == ""
    assert os.path.isdir(rig.witness.mail) and os.path.isdir(rig.polecats) and os.path.isdir(rig.crew_root)
    assert not os.path.exists(rig.adding)
    assert Routes(town).beads_of("ma-abc12").root == rig.beads.root and Ledger(rig.beads).all() == {}
    assert config.rig_settings(rig).gates == ["true"]
    assert events.read(town)[-1]["payload"] == {"rig": "my-app", "acts": added.acts}


def test_every_tree_finds_the_rigs_ledger(town: Town, tmp_path: Path) -> None:
    project = make_repo(tmp_path / "p", {"a": "", ".beads/issues.jsonl": BEAD % "zz-1", "CLAUDE.md": "x", ".claude/settings.json": "{}"})
    add(town, "app", project)
    rig = town.rig("app")
    for tree in (rig.mayor.tree, rig.refinery.tree):
        found = nearest_beads(tree)
        assert found is not None and follow_redirect(found).root == rig.beads.root
        assert not os.path.exists(f"{tree}/CLAUDE.md") and not os.path.exists(f"{tree}/.claude")
        assert git(tree, "status", "--porcelain") == ""


def test_nobody_else_can_read_a_rigs_own_files(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    rig = town.rig("app")
    for path in (rig.root, rig.witness.mail, rig.beads.root, rig.polecats, rig.crew_root):
        assert os.stat(path).st_mode & 0o077 == 0, path
    for path in (rig.config, rig.beads.issues):
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_roles_chosen(town: Town, repo: Path) -> None:
    add(town, "app", repo, roles=("witness",))
    rig = town.rig("app")
    assert [rigs.has_role(rig, role) for role in ("witness", "refinery", "mayor")] == [True, False, False]
    with pytest.raises(errors.BadInput, match="no role of a rig"):
        add(town, "app2", repo, roles=("boss",))


def test_tags_and_only_the_target_come_along(town: Town, repo: Path) -> None:
    git(repo, "tag", "v1")
    git(repo, "branch", "other")
    add(town, "app", repo)
    assert git(town.rig("app").repo, "tag") == "v1"
    assert git(town.rig("app").repo, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"


# ---- where it comes from ------------------------------------------------------------------------------------

def test_a_checkout_with_a_remote_stands_for_the_remote(town: Town, repo: Path, tmp_path: Path) -> None:
    bare = make_bare(tmp_path / "origin.git", repo)
    git(repo, "remote", "add", "origin", str(bare))
    git(repo, "fetch", "-q", "origin")
    commit(repo, {"b": "1"}, "not pushed")
    added = add(town, "app", repo)
    made = config.rig_config(town.rig("app"))
    assert (made.url, made.source) == (str(bare), str(repo))
    assert git(town.rig("app").repo, "rev-parse", "main") == git(bare, "rev-parse", "main")
    assert any("(1)" in note and "push them" in note for note in added.notes)


def test_a_relative_remote_and_one_of_another_name(town: Town, repo: Path, tmp_path: Path) -> None:
    make_bare(tmp_path / "up.git", repo)
    git(repo, "remote", "add", "upstream", "../up.git")
    add(town, "app", repo)
    assert config.rig_config(town.rig("app")).url == str(tmp_path / "up.git")


def test_several_remotes_and_none_is_origin(town: Town, repo: Path) -> None:
    git(repo, "remote", "add", "a", "https://a.invalid/x")
    git(repo, "remote", "add", "b", "https://b.invalid/x")
    with pytest.raises(errors.Refused, match="several remotes"):
        add(town, "app", repo)


def test_a_remote_with_a_password_is_refused_without_repeating_it(town: Town, repo: Path) -> None:
    git(repo, "remote", "add", "origin", "https://me:secret@example.test/x")
    with pytest.raises(errors.BadInput, match="holds a password") as caught:
        add(town, "app", repo)
    assert "secret" not in str(caught.value)


def test_a_remote_that_is_a_checkout_counts_as_none(town: Town, repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repo), "clone")
    add(town, "app", tmp_path / "clone")
    made = config.rig_config(town.rig("app"))
    assert (made.url, made.source) == (None, str(tmp_path / "clone"))


def test_a_bare_repository_is_the_remote_itself(town: Town, repo: Path, tmp_path: Path) -> None:
    bare = make_bare(tmp_path / "origin.git", repo)  # a bare clone: its own remote.origin.url is the checkout
    add(town, "app", bare)
    made = config.rig_config(town.rig("app"))
    assert (made.url, made.source) == (str(bare), None)


def test_a_checkout_without_a_remote_gets_its_pull_line(town: Town, repo: Path) -> None:
    added = add(town, "app", repo)
    rig = town.rig("app")
    assert config.rig_config(rig).url is None and config.rig_config(rig).source == str(repo)
    assert f"get it with: git -C {repo} pull {rig.repo} main" in added.notes
    tree = git(rig.repo, "commit-tree", "-p", "main", "-m", "landed", "main^{tree}")
    git(rig.repo, "-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main", tree)
    git(repo, "pull", "-q", rig.repo, "main")
    assert git(repo, "rev-parse", "HEAD") == tree


def _plain(repo: Path) -> None:
    pass


def _dirty(repo: Path) -> None:
    (repo / "README.md").write_text("changed\n")
    (repo / "new").write_text("untracked\n")
    (repo / "staged").write_text("staged\n")
    git(repo, "add", "staged")


def _stash(repo: Path) -> None:
    (repo / "README.md").write_text("stashed\n")
    git(repo, "stash", "-q")


def _hooks(repo: Path) -> None:
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc"):
        hook = repo / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {repo}/ran-{name}\n")
        hook.chmod(0o755)


def _programs(repo: Path) -> None:
    for key in ("core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "core.pager"):
        git(repo, "config", key, f"touch {repo}/ran-{key}")


def _stale_index(repo: Path) -> None:
    os.utime(repo / "README.md", ns=(1, 1))  # a status would refresh the index
    git(repo, "config", "core.untrackedCache", "true")


def _broken_index(repo: Path) -> None:
    (repo / ".git/index").write_bytes(b"DIRC garbage")


def _detached_unreachable(repo: Path) -> None:
    git(repo, "commit", "-q", "--allow-empty", "-m", "lost")
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "config", "gc.auto", "1")
    git(repo, "config", "gc.pruneExpire", "now")
    git(repo, "config", "gc.autoDetach", "false")


def _index_lock(repo: Path) -> None:
    (repo / ".git/index.lock").write_text("")


def _linked_worktree(repo: Path) -> None:
    git(repo, "worktree", "add", "-q", str(repo.parent / "linked"))


def _packed(repo: Path) -> None:
    git(repo, "gc", "-q")


@pytest.mark.parametrize("state", [_plain, _dirty, _stash, _hooks, _programs, _stale_index, _broken_index, _detached_unreachable,
                                   _index_lock, _linked_worktree, _packed])
def test_the_users_checkout_is_byte_for_byte_what_it_was(town: Town, repo: Path, state: object) -> None:
    commit(repo, {"a/b": "1"}, "second")
    state(repo)  # type: ignore[operator]
    before = everything(repo)
    add(town, "app", repo, dry_run=True)
    add(town, "app", repo)
    assert everything(repo) == before
    rig = town.rig("app")
    assert git(rig.repo, "rev-parse", "main") == git(repo, "rev-parse", "main")
    assert not os.path.exists(f"{rig.repo}/objects/info/alternates")
    shared = [p for p in Path(rig.repo, "objects").rglob("*") if p.is_file() and p.stat().st_nlink > 1]
    theirs = {p.stat().st_ino for p in (repo / ".git/objects").rglob("*") if p.is_file()}
    assert not [p for p in shared if p.stat().st_ino in theirs], "an object file is shared with the user's repository"


def test_a_linked_worktree_and_a_shallow_clone_and_a_borrowing_one(town: Town, repo: Path, tmp_path: Path) -> None:
    commit(repo, {"b": "1"}, "second")
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    git(tmp_path, "clone", "-q", "--shared", str(repo), "borrowing")
    for name in ("linked", "shallow", "borrowing"):
        add(town, name, tmp_path / name)
        assert git(town.rig(name).refinery.tree, "ls-files") == "README.md\nb"
    assert config.rig_config(town.rig("linked")).target == "side"
    assert not os.path.exists(f"{town.rig('borrowing').repo}/objects/info/alternates")


def test_the_branch_is_the_one_in_work_or_the_one_asked_for(town: Town, repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "work/x")
    add(town, "one", repo)
    add(town, "two", repo, branch="main")
    assert [config.rig_config(town.rig(name)).target for name in ("one", "two")] == ["work/x", "main"]
    with pytest.raises(errors.Refused, match=r"no branch nope.*there are: main, work/x"):
        add(town, "three", repo, branch="nope")
    git(repo, "checkout", "-q", "--detach")
    with pytest.raises(errors.Refused, match="HEAD names no branch"):
        add(town, "three", repo)
    assert not os.path.exists(town.rig("three").root)


def test_no_commits_yet(town: Town, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    with pytest.raises(errors.Refused, match=r"has no commits.*git -C .*empty add -A"):
        add(town, "app", tmp_path / "empty")
    with pytest.raises(errors.Refused, match="has no commits"):
        add(town, "app", make_bare(tmp_path / "bare.git"))
    assert not os.path.exists(town.rig("app").root)


def test_places_that_are_no_repository(town: Town, repo: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (repo / "sub").mkdir()
    (tmp_path / "file").write_text("")
    for place, words in ((tmp_path / "plain", "no git repository.*init"), (repo / "sub", "inside the repository"),
                         (tmp_path / "file", "no folder"), (tmp_path / "absent", "no folder"), (Path(town.root), "belongs to this town")):
        with pytest.raises(errors.GastownError, match=words):
            add(town, "app", place)
    assert not os.path.exists(town.rig("app").root)


@pytest.mark.parametrize("url", [
    "", "-x", "--upload-pack=touch /tmp/x", "ext::sh -c true", "fd::3", "a\nb", "http::https://x", "ssh://-oProxyCommand=x/y",
    "user@-oProxyCommand=x:y", "data://x", "javascript://x", "https://", "\0", "https://me:secret@host/x", "x" * 3000])
def test_addresses_that_are_options_commands_or_secrets(town: Town, url: str) -> None:
    with pytest.raises(errors.BadInput) as caught:
        add(town, "app", url)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    assert not os.path.exists(town.rig("app").root)


@pytest.mark.parametrize(("text", "url"), [
    ("https://example.test/a/b.git", True), ("git@example.test:a/b.git", True), ("example.test:b", True),
    ("ssh://git@example.test:22/b", True), ("HTTPS://example.test/a", True)])
def test_addresses_that_are_fine(town: Town, text: str, url: bool) -> None:
    assert rig_source.find(town, text, "/") == rig_source.Source(text, None)


def test_a_remote_that_is_away(town: Town, tmp_path: Path) -> None:
    with pytest.raises(errors.RemoteAway, match="cannot read"):
        add(town, "app", f"file://{tmp_path}/nowhere.git")
    assert not os.path.exists(town.rig("app").root)


# ---- names and prefixes -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["..", ".", "-x", "a;b", "#(id)", "a\0b", "a" * 300, "", "A", "a/b", "settings", "mayor", "é"])
def test_impossible_names(town: Town, repo: Path, name: str) -> None:
    before = everything(Path(town.root))
    with pytest.raises(errors.BadInput, match="no rig name"):
        add(town, name, repo)
    assert everything(Path(town.root)) == before


@pytest.mark.parametrize(("name", "taken", "prefix"), [
    ("my-app", set(), "ma"), ("greenplace", set(), "gr"), ("greenplace", {"gr"}, "gre"), ("ab", {"ab"}, "ab2"), ("x", set(), "x"),
    ("a-b_c", set(), "abc"), ("hq", {"hq"}, "hq2"), ("my-app", {"ma", "my"}, "mya"), ("a--b", set(), "ab")])
def test_the_default_prefix(name: str, taken: set[str], prefix: str) -> None:
    assert rig_add.default_prefix(name, taken) == prefix


def test_a_taken_prefix(town: Town, repo: Path) -> None:
    add(town, "one", repo, prefix="xx")
    for prefix, error in (("xx", errors.Conflict), ("hq", errors.Conflict), ("X;", errors.BadInput)):
        with pytest.raises(error):
            add(town, "two", repo, prefix=prefix)
    assert not os.path.exists(town.rig("two").root)


def test_two_rigs_of_like_names_get_prefixes_of_their_own(town: Town, repo: Path) -> None:
    assert [add(town, name, repo) and config.rig_config(town.rig(name)).prefix for name in ("alpha", "albert")] == ["al", "alb"]


def test_a_folder_in_the_way(town: Town, repo: Path) -> None:
    builders.write_files(Path(town.root, "app"), {"mine": "x"})
    with pytest.raises(errors.Refused, match="in the way"):
        add(town, "app", repo)
    assert os.listdir(town.rig("app").root) == ["mine"]


# ---- a tracked ledger ---------------------------------------------------------------------------------------

def test_a_tracked_ledger_is_imported_with_its_prefix(town: Town, tmp_path: Path) -> None:
    text = BEAD % "proj-1" + BEAD % "proj-2.1" + "{broken\n" + BEAD % "../x" + BEAD % "other-9" + '{"id":"proj-1"}\n'
    old = BEAD % "proj-2.1" + BEAD % "proj-3" + "torn"
    project = make_repo(tmp_path / "p", {".beads/issues.jsonl": text.encode() + b"\xff\n", ".beads/archive/2024.jsonl": old})
    notes = add(town, "app", project).notes
    rig = town.rig("app")
    assert config.rig_config(rig).prefix == "proj"
    assert sorted(Ledger(rig.beads).all()) == ["other-9", "proj-1", "proj-2.1", "proj-3"]
    assert any(note.startswith("imported 4 beads") for note in notes)
    assert [note.split()[1] for note in notes if note.startswith("line ")] == ["3", "4", "6", "7", "3"]
    assert Path(rig.beads.quarantine).read_bytes() == b'{broken\n' + (BEAD % "../x").encode() + b'{"id":"proj-1"}\n\xff\ntorn\n'


def test_a_tracked_ledger_whose_prefix_is_taken(town: Town, tmp_path: Path) -> None:
    add(town, "one", make_repo(tmp_path / "one", {"a": ""}), prefix="proj")
    notes = add(town, "two", make_repo(tmp_path / "two", {".beads/issues.jsonl": BEAD % "proj-1"})).notes
    assert config.rig_config(town.rig("two")).prefix == "tw" and any("has already" in note for note in notes)


# ---- gates --------------------------------------------------------------------------------------------------

def test_without_an_answer_the_gates_stay_unset_and_it_says_so(town: Town, tmp_path: Path) -> None:
    project = make_repo(tmp_path / "p", {"tests/test_a.py": "", "package.json": '{"scripts":{"test":"jest"}}'})
    notes = add(town, "app", project).notes
    assert config.rig_settings(town.rig("app")).gates is None
    assert any("gt config set app.gates '[\"pytest\", \"npm test\"]'" in note for note in notes)


def test_the_person_is_asked_with_the_guess(town: Town, tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def ask(guess: list[str]) -> rig_add.Gates:
        asked.append(guess)
        return guess

    add(town, "app", make_repo(tmp_path / "p", {"go.mod": "module x"}), ask=ask)
    assert asked == [["go test ./..."]] and config.rig_settings(town.rig("app")).gates == ["go test ./..."]


def test_none_means_none_in_so_many_words(town: Town, repo: Path) -> None:
    add(town, "app", repo, gates="none")
    assert config.rig_settings(town.rig("app")).gates == "none"
    with pytest.raises(errors.BadInput, match="empty gate"):
        add(town, "app2", repo, gates=["true", " "])


# ---- again, and half-made -----------------------------------------------------------------------------------

def test_adding_twice_is_adding_once(town: Town, repo: Path) -> None:
    add(town, "app", repo)
    before = everything(Path(town.rig("app").root))
    again = add(town, "app", repo)
    assert again.acts == [] and everything(Path(town.rig("app").root)) == before
    with pytest.raises(errors.Conflict, match="a rig app already"):
        add(town, "app", repo, prefix="other")


def test_another_repository_under_the_same_name(town: Town, repo: Path, tmp_path: Path) -> None:
    add(town, "app", repo)
    with pytest.raises(errors.Conflict, match="a rig app already"):
        add(town, "app", make_repo(tmp_path / "other", {"x": ""}))


def test_a_dry_run_says_the_acts_of_the_real_run_and_changes_nothing(town: Town, repo: Path) -> None:
    before = everything(Path(town.root))
    told = add(town, "app", repo, dry_run=True).acts
    assert everything(Path(town.root)) == before
    assert told == add(town, "app", repo).acts
    assert add(town, "app", repo, dry_run=True).acts == []


STEPS = ("_begin", "_fetch", "_route", "_make_ledger", "_clone_mayor", "_refinery_tree", "_set_gates", "_register")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_stopped_at_any_step_it_is_no_rig_and_is_completed(town: Town, repo: Path, step: str, after: bool,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(rig_add, step)

    def stop(plan: object) -> None:
        if after:
            real(plan)
        raise RuntimeError("killed")

    monkeypatch.setattr(rig_add, step, stop)
    with pytest.raises(RuntimeError):
        add(town, "app", repo)
    monkeypatch.undo()
    rig = town.rig("app")
    if step != "_register":
        assert not rig.exists() and [r.name for r in town.rigs()] == []
        half = [r.name for r in rigs.half_made(town)]
        assert half == (["app"] if after or step != "_begin" else [])
    add(town, "app", repo)
    assert rigs.listing(town)[0].problem == "" and rigs.half_made(town) == []
    assert git(rig.refinery.tree, "status", "--porcelain") == git(rig.mayor.tree, "status", "--porcelain") == ""
    assert list(Routes(town).prefixes()) == ["hq", "ap"]
    assert not os.path.exists(rig.new_repo) and not os.path.exists(rig.mayor.new_tree)


def test_a_killed_git_leaves_nothing_that_counts(town: Town, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_add, "_fetch", lambda plan: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        add(town, "app", repo)
    monkeypatch.undo()
    rig = town.rig("app")
    git(rig.root, "init", "-q", "--bare", rig.new_repo)  # what a clone killed in its middle leaves
    Path(rig.new_repo, "HEAD.lock").write_text("")
    builders.write_files(Path(rig.mayor.new_tree), {".git/index.lock": ""})
    add(town, "app", repo)
    assert rig.exists() and not os.path.exists(rig.new_repo)


def test_half_of_another_add_is_refused_with_the_way_out(town: Town, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_add, "_fetch", lambda plan: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        add(town, "app", repo)
    monkeypatch.undo()
    with pytest.raises(errors.Refused, match=r"begun and not finished.*gt rig remove app"):
        add(town, "app", make_repo(tmp_path / "other", {"x": ""}))
    with pytest.raises(errors.Refused, match="begun and not finished"):
        add(town, "app", repo, prefix="zz")
    assert rigs.listing(town)[0].problem.startswith("begun")


def test_two_adds_at_once_make_one_rig(town: Town, repo: Path) -> None:
    with lock.acquire(town.rig("app").lock("add")), pytest.raises(errors.Conflict, match="is being added"):
        add(town, "app", repo)
    words = builders.command("gt", "rig", "add", "app", str(repo))
    running = [subprocess.Popen(words, cwd=town.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    codes = sorted((process.communicate(timeout=60), process.returncode)[1] for process in running)
    assert codes[0] == 0 and set(codes) <= {0, 4}
    assert list(Routes(town).prefixes()) == ["hq", "ap"] and [rig.name for rig in town.rigs()] == ["app"]


# ---- looking ------------------------------------------------------------------------------------------------

def test_listing_and_status(town: Town, repo: Path) -> None:
    add(town, "app", repo, gates="none")
    add(town, "bad", repo)
    Path(town.rig("bad").settings).parent.mkdir(exist_ok=True)
    Path(town.rig("bad").settings).write_text('{"gate": ["x"]}')
    one, two = rigs.listing(town)
    assert (one.name, one.prefix, one.gates, one.workers, one.problem) == ("app", "ap", "none", 0, "")
    assert two.name == "bad" and "nearest is gates" in two.problem
    status = rigs.status(town.rig("app"))
    assert status["tip"] == status["landed"] == git(repo, "rev-parse", "HEAD") and status["queue"] == []
    json.dumps(status)


def test_an_unknown_rig(town: Town) -> None:
    with pytest.raises(errors.NotFound, match="known rigs: none yet"):
        rigs.status(Rig(town, "nope"))
