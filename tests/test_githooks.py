"""The worker's githooks with real git: the guard of the target, the chain to the user's own hooks, trailers, pins."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import builders
import gitrig
import pygit2
import pytest

from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.stores import git, stubs, worktrees


class Place:
    """A rig with a worker and a refinery's tree; `toast` has a commit of its own, where it would like the target to be.

    Made once a run; each test gets it back as it was made, at the same path (worktrees know theirs).
    """

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp / "live"
        self.rig = gitrig.make_rig(self.tmp)
        self.home = gitrig.make_worker(self.rig)
        self.tree = self.home.tree
        self.own = "refs/heads/polecat/toast/abc12@1"
        self.old = gitrig.tip(self.rig)
        self.new = builders.commit(Path(self.tree), {"evil.txt": "x\n"}, "evil")
        worktrees.add(self.rig, self.rig.refinery.tree, start=self.old, sparse=True, githooks=None, detach=True)
        self.kept = tmp / "kept"
        shutil.copytree(self.tmp, self.kept, symlinks=True)

    def restored(self) -> Place:
        shutil.rmtree(self.tmp)
        shutil.copytree(self.kept, self.tmp, symlinks=True)
        return self

    def git(self, *args: str, cwd: str | None = None, input: str | None = None, env: dict[str, str] | None = None) -> builders.Finished:
        return builders.run(["git", *args], cwd=cwd or self.tree, input=input, env=env)

    def all_of(self, *commands: str, cwd: str | None = None) -> None:
        for command in commands:
            self.git(*shlex.split(command), cwd=cwd)

    def target(self) -> str | None:
        found = self.git(f"--git-dir={self.rig.repo}", "rev-parse", "--quiet", "--verify", "refs/heads/main", cwd=self.rig.repo)
        return found.out.strip() or None


_places: list[Place] = []


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    if not _places:
        _places.append(Place(tmp_path_factory.mktemp("place")))
    return _places[0].restored()


# ---- ways to move the target from a worker's tree

def _clone(p: Place) -> str:
    clone = str(p.tmp / "clone")
    p.git("clone", "-q", p.rig.repo, clone)
    builders.git(clone, "fetch", "-q", "origin", "refs/heads/*:refs/remotes/origin/*")
    builders.git(clone, "checkout", "-q", "-B", "main", "origin/polecat/toast/abc12@1")
    return clone


def _bundle(p: Place) -> None:
    p.all_of("bundle create b HEAD", "fetch b +HEAD:refs/heads/main")


def _fast_import(p: Place) -> None:
    p.git("fast-import", "--force", "--quiet", input=f"reset refs/heads/main\nfrom {p.new}\n\n")


def _stdin(p: Place) -> None:
    p.git("update-ref", "--stdin", input=f"start\nupdate refs/heads/main {p.new}\nprepare\ncommit\n")


def _from_clone(*words: str, tail: tuple[str, ...] = ("HEAD:main",)) -> Callable[[Place], None]:
    return lambda p: (p.git("push", *words, "origin", *tail, cwd=_clone(p)), None)[1]


def _mirror(p: Place) -> None:
    p.git("push", "--mirror", "origin", cwd=_clone(p))


def _said(*commands: str, at: str = "") -> Callable[[Place], None]:
    def act(p: Place) -> None:
        values = {"new": p.new, "old": p.old, "own": p.own.removeprefix("refs/heads/"), "repo": p.rig.repo, "refinery": p.rig.refinery.tree}
        p.all_of(*(command.format(**values) for command in commands), cwd=at.format(**values) or None)
    return act


STOPPED: dict[str, Callable[[Place], None]] = {
    "update-ref": _said("update-ref refs/heads/main {new}"),
    "update-ref with old": _said("update-ref refs/heads/main {new} {old}"),
    "update-ref -d": _said("update-ref -d refs/heads/main"),
    "update-ref -d with old": _said("update-ref -d refs/heads/main {old}"),
    "update-ref --stdin": _stdin,
    "branch -f": _said("branch -f main HEAD"),
    "branch -D": _said("branch -D main"),
    "branch -M over it": _said("branch -M {own} main"),
    "branch -M from main": _said("branch -M main away"),
    "branch -m from main": _said("branch -m main away"),
    "checkout -B": _said("checkout -B main"),
    "switch -C": _said("switch -C main"),
    "checkout and commit": _said("checkout --ignore-other-worktrees main", "commit --allow-empty -m x"),
    "checkout and commit --no-verify": _said("checkout main", "commit --no-verify --allow-empty -m x"),
    "symbolic-ref HEAD and commit": _said("symbolic-ref HEAD refs/heads/main", "commit --allow-empty -m x"),
    "checkout and reset": _said("checkout main", "reset --hard {new}"),
    "checkout and merge": _said("checkout main", "merge --no-ff -m x {new}"),
    "checkout and fast-forward": _said("checkout main", "merge --ff-only {new}"),
    "checkout and amend": _said("checkout main", "commit --amend --no-verify -m x"),
    "checkout and cherry-pick": _said("checkout main", "cherry-pick {new}"),
    "checkout and pull": _said("checkout main", "pull . {own}"),
    "rebase main": _said("rebase {new} main"),
    "reset in the refinery's tree": _said("-C {refinery} reset --hard {new}"),
    "commit in the refinery's tree": _said("-C {refinery} commit --allow-empty -m x"),
    "worktree add -B": _said("worktree add -B main ../stolen {new}"),
    "worktree add and commit": _said("worktree add ../stolen main", "-C ../stolen commit --allow-empty -m x"),
    "fetch into it": _said("fetch . +HEAD:refs/heads/main"),
    "fetch from a bundle": _bundle,
    "fast-import --force": _fast_import,
    "update-ref in the shared repository": _said("--git-dir={repo} update-ref refs/heads/main {new}", at="{repo}"),
    "branch -f in the shared repository": _said("--git-dir={repo} branch -f main {new}", at="{repo}"),
    "push to .": _said("push . HEAD:main"),
    "push to . --no-verify --force": _said("push --no-verify --force . HEAD:main"),
    "push to the path": _said("push {repo} HEAD:main"),
    "push to the path --no-verify --force": _said("push --no-verify --force {repo} HEAD:main"),
    "push hooks off": _said("-c core.hooksPath=/dev/null push --force {repo} HEAD:main"),
    "push origin --no-verify": _said("push --no-verify origin HEAD:main"),
    "delete by push": _said("push --no-verify {repo} :main"),
    "push from a clone": _from_clone(),
    "push from a clone --no-verify --force": _from_clone("--no-verify", "--force"),
    "push --mirror from a clone": _mirror,
    "replayed reflog": _said("checkout main", "reset --hard HEAD@{{1}}", "commit --allow-empty -m x"),
}

PASSING: dict[str, Callable[[Place], None]] = {
    "hooks off": _said("-c core.hooksPath=/dev/null update-ref refs/heads/main {new}"),
    "libgit2": lambda p: (pygit2.Repository(p.tree).references["refs/heads/main"].set_target(p.new), None)[1],
    "branch -C": _said("branch -C {own} main"),  # git 2.39 copies a branch without its transaction hook
    "a written file": lambda p: (Path(p.rig.repo, "refs/heads/main").write_text(p.new + "\n"), None)[1],
}


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("way", STOPPED)
def test_the_target_stays(place: Place, way: str, packed: bool) -> None:
    if packed:
        place.git("pack-refs", "--all")
    STOPPED[way](place)
    assert place.target() == place.old
    assert place.git("cat-file", "-e", place.new).code == 0
    assert place.git("rev-parse", "refs/gt/work/toast/1").out.strip()


@pytest.mark.parametrize("way", PASSING)
def test_what_githooks_cannot_stop(place: Place, way: str) -> None:
    """Known: the same account can always do this. The merge queue compares the target with what it landed, and saves both."""
    PASSING[way](place)
    assert place.target() == place.new


def test_a_symbolic_target(place: Place) -> None:
    """Known for git before its hook was told of symbolic refs: the target may become another name for the worker's branch."""
    place.git("symbolic-ref", "refs/heads/main", place.own)
    assert place.target() in (place.old, place.new)


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_what_is_allowed_goes_on_working(place: Place, packed: bool) -> None:
    if packed:
        place.git("pack-refs", "--all")
    for command in (f"update-ref refs/heads/main {place.old}", "pack-refs --all --prune", "gc --quiet",
                    "pack-refs --all", "fetch . HEAD:refs/heads/mine", "branch other", "branch -D other", "tag t", "stash",
                    "rebase main", "commit --allow-empty -m more", "commit --amend --allow-empty -m again", "checkout -q main",
                    "checkout -q -", "worktree add -q ../second main"):
        done = place.git(*shlex.split(command))
        assert done.code == 0, (command, done.err)
    assert place.target() == place.old


def test_a_target_with_a_dotted_name_is_matched_literally(tmp_path: Path) -> None:
    rig = gitrig.make_rig(tmp_path, target="rel.1")
    home = gitrig.make_worker(rig, target="rel.1")
    git = ["git", "-C", home.tree]
    for name, code in (("relx1", 0), ("rel.1", 128)):
        builders.commit(Path(home.tree), {}, "more")
        assert builders.run([*git, "update-ref", f"refs/heads/{name}", "HEAD"]).code == code
    assert builders.run([*git, "push", "origin", "HEAD:rel.1"]).code != 0


def test_the_guard_stands_without_python(place: Place) -> None:
    for stub in (f"{place.home.githooks}/_run", f"{place.home.githooks}/_chain"):
        os.unlink(stub)
    assert place.git("update-ref", "refs/heads/main", place.new).code != 0


# ---- duties

@pytest.fixture
def home(tmp_path: Path) -> Home:
    return gitrig.make_worker(gitrig.make_rig(tmp_path))


def _trailers(tree: str, commit: str = "HEAD") -> list[str]:
    return builders.git(tree, "log", "-1", "--format=%(trailers)", commit).split("\n")


CLAIM = ["Bead: gp-abc12", "Executed-By: gp/polecats/toast", "Claim-Fence: 1"]


@pytest.mark.parametrize("message", ["one line", "subject\n\nbody\n\nmore body", "subject\n\nSigned-off-by: A <a@b.c>", "ünïcode",
                                     "fix: a colon", "subject\n\n# no comment with -m\n"])
def test_trailers(home: Home, message: str) -> None:
    builders.git(home.tree, "commit", "--allow-empty", "-q", "--cleanup=verbatim", "-m", message)
    said = _trailers(home.tree)
    assert [line for line in said if line in CLAIM] == CLAIM
    assert builders.git(home.tree, "log", "-1", "--format=%s") == message.split("\n")[0]
    builders.git(home.tree, "commit", "--allow-empty", "-q", "--amend", "--no-edit")
    assert _trailers(home.tree) == said


def test_trailers_through_an_editor(home: Home) -> None:
    editor = f"{sys.executable} -c 'import sys; p=sys.argv[1]; t=open(p).read(); open(p,\"w\").write(\"typed\" + t)'"
    done = builders.run(["git", "-C", home.tree, "commit", "-v", "--allow-empty"], env={"GIT_EDITOR": editor})
    assert done.code == 0, done.err
    assert builders.git(home.tree, "log", "-1", "--format=%B").rstrip() == "typed\n\n" + "\n".join(CLAIM)


def test_no_trailers_on_a_merge_and_none_twice_in_a_rebase(home: Home) -> None:
    tree = Path(home.tree)
    builders.git(tree, "checkout", "-q", "-b", "side", "main")
    builders.commit(tree, {"side": "1\n"}, "side")
    builders.git(tree, "checkout", "-q", "-")
    builders.commit(tree, {"main": "1\n"}, "work")
    builders.git(tree, "merge", "-q", "--no-ff", "-m", "merged", "side")
    assert builders.git(tree, "log", "-1", "--format=%B") == "merged\n"
    builders.git(tree, "rebase", "-q", "--force-rebase", "main")
    for commit in builders.git(tree, "rev-list", "main..HEAD").split():
        assert _trailers(home.tree, commit) == [*CLAIM, ""]


def test_a_commit_is_pinned_and_outlives_its_branch(home: Home) -> None:
    tree = Path(home.tree)
    head = builders.commit(tree, {"a": "1\n"}, "work")
    assert builders.git(tree, "rev-parse", "refs/gt/work/toast/1") == head
    assert builders.run(["git", "-C", home.tree, "branch", "-M", "polecat/toast/abc12@1", "main"]).code != 0
    assert builders.git(tree, "rev-parse", "refs/gt/work/toast/1") == head
    builders.git(tree, "commit", "-q", "--no-verify", "-m", "the refused rename took the branch: this one has no parent")
    assert builders.git(tree, "rev-parse", "refs/gt/work/toast/1") != head
    assert head in builders.git(tree, "reflog", "--format=%H", "refs/gt/work/toast/1").split()


def test_another_tree_of_the_worker_does_not_move_its_pin(home: Home, tmp_path: Path) -> None:
    head = builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    builders.git(home.tree, "worktree", "add", "-q", "-b", "aside", str(tmp_path / "aside"))
    builders.commit(tmp_path / "aside", {"b": "1\n"}, "aside")
    assert builders.git(home.tree, "rev-parse", "refs/gt/work/toast/1") == head


def test_a_process_of_an_earlier_claim_cannot_commit(home: Home) -> None:
    stale = {"GT_POLECAT": "toast", "GT_FENCE": "0"}
    done = builders.run(["git", "-C", home.tree, "commit", "--no-verify", "--allow-empty", "-m", "late"], env=stale)
    assert done.code != 0
    assert "under fence 1, not 0" in done.err
    live = {"GT_POLECAT": "toast", "GT_FENCE": "1"}
    assert builders.run(["git", "-C", home.tree, "commit", "--allow-empty", "-m", "now"], env=live).code == 0


def test_without_a_claim_commits_are_plain(home: Home) -> None:
    os.unlink(home.lease)
    stubs.install(home.githooks, home, _rig_of(home), "main")
    builders.commit(Path(home.tree), {"a": "1\n"}, "plain")
    assert builders.git(home.tree, "log", "-1", "--format=%B") == "plain\n"


def test_the_next_claim_signs_and_pins_as_itself(home: Home) -> None:
    Path(home.lease).write_text(json.dumps({**json.loads(Path(home.lease).read_text()), "fence": 2, "bead": "gp-next"}))
    stubs.install(home.githooks, home, _rig_of(home), "main")
    head = builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    assert _trailers(home.tree)[:3] == ["Bead: gp-next", "Executed-By: gp/polecats/toast", "Claim-Fence: 2"]
    assert builders.git(home.tree, "rev-parse", "refs/gt/work/toast/2") == head


def test_pre_push_refuses_the_target_alone(home: Home, tmp_path: Path) -> None:
    away = str(builders.make_bare(tmp_path / "away.git"))
    git = ["git", "-C", home.tree, "push"]
    for word, code in (("HEAD:refs/heads/main", 1), (":refs/heads/main", 1), ("HEAD:refs/heads/mine", 0), ("HEAD:refs/heads/main2", 0)):
        done = builders.run([*git, away, word])
        assert done.code == code, (word, done.err)
        assert ("gt done" in done.err) == bool(code)


def test_a_plain_push_of_a_worker_goes_nowhere_but_fetch_works(home: Home) -> None:
    builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    assert builders.run(["git", "-C", home.tree, "push", "origin", "HEAD"]).code != 0
    assert builders.run(["git", "-C", home.tree, "fetch", "origin", "main"]).code == 0


HOSTILE = {"PYTHONPATH": "/nonexistent", "PYTHONHOME": "/nonexistent", "PYTHONSTARTUP": "/nonexistent", "BASH_ENV": "/nonexistent",
           "CDPATH": "/", "IFS": "x", "LC_ALL": "C", "GREP_OPTIONS": "", "PYTHONINSPECT": "1"}


def test_a_hostile_environment(home: Home) -> None:
    done = builders.run(["git", "-C", home.tree, "commit", "-q", "--allow-empty", "-m", "x"], env=HOSTILE)
    assert (done.code, done.err) == (0, "")
    assert _trailers(home.tree)[:3] == CLAIM


def test_a_module_in_the_tree_is_not_imported(home: Home) -> None:
    tree = Path(home.tree)
    for name in ("json.py", "os.py", "gastown_hooks/__init__.py", "gastown_hooks/githooks.py"):
        builders.write_files(tree, {name: "raise SystemExit('hijacked')\n"})
    builders.commit(tree, {}, "x")
    assert _trailers(home.tree)[:3] == CLAIM


def test_a_missing_interpreter_is_said_and_does_not_stop_the_commit(home: Home) -> None:
    stub = Path(home.githooks, "_run")
    stub.write_text(stub.read_text().replace(sys.executable, "/gone/python"))
    done = builders.run(["git", "-C", home.tree, "commit", "-q", "--allow-empty", "-m", "x"])
    assert done.code == 0
    assert "/gone/python" in done.err


# ---- the user's own hooks

def _users_hook(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


LOG = 'echo "${0##*/} $*" >> "$(git rev-parse --git-common-dir)/log"'
ALL = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-checkout", "pre-push", "post-rewrite", "post-merge",
       "reference-transaction")


def _rig_of(home: Home) -> Rig:
    from_root = os.path.dirname(os.path.dirname(home.root))
    return gitrig.Town(os.path.dirname(from_root)).rig(os.path.basename(from_root))


def _called(rig: Rig) -> set[str]:
    log = Path(rig.repo, "log")
    return {line.split()[0] for line in log.read_text().splitlines()} if log.exists() else set()


@pytest.mark.parametrize("where", ["hooks folder", "husky", "absolute", "global"])
def test_the_users_hooks_go_on_working(home: Home, tmp_path: Path, where: str) -> None:
    rig = _rig_of(home)
    tree = Path(home.tree)
    folder = {"hooks folder": Path(rig.repo, "hooks"), "husky": tree / ".husky", "absolute": tmp_path / "my hooks",
              "global": tmp_path / "home/hooks"}[where]
    if where == "husky":
        builders.git(tree, "config", "core.hooksPath", ".husky")
    elif where == "absolute":
        builders.git(tree, "config", "core.hooksPath", str(folder))
    elif where == "global":
        builders.git(tree, "config", "--global", "core.hooksPath", "~/hooks")
    for name in ALL:
        _users_hook(folder, name, LOG)
    stubs.install(home.githooks, home, rig, "main")
    (tree / ".gitignore").write_text(".husky\n")
    builders.commit(tree, {"a": "1\n"}, "work")
    builders.git(tree, "commit", "-q", "--amend", "--allow-empty", "-m", "again")
    builders.git(tree, "checkout", "-q", "-b", "other")
    builders.git(tree, "push", "-q", str(builders.make_bare(tmp_path / "away.git")), "HEAD:refs/heads/x")
    # git runs a reference-transaction of a relative folder in no certain place; such a folder never had one that worked.
    assert _called(rig) == set(ALL) - {"post-merge"} - ({"reference-transaction"} if where == "husky" else set())
    assert _trailers(home.tree)[:3] == CLAIM


def test_a_commit_of_the_runner_runs_the_users_hooks_too(home: Home) -> None:
    for name in ALL:
        _users_hook(Path(_rig_of(home).repo, "hooks"), name, LOG)
    stubs.install(home.githooks, home, _rig_of(home), "main")
    git.run(home.tree, "-c", f"core.hooksPath={home.githooks}", "commit", "-q", "--allow-empty", "-m", "x")
    assert _called(_rig_of(home)) >= {"pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction"}
    assert _trailers(home.tree)[:3] == CLAIM


def test_a_users_hook_can_stop_what_it_stops(home: Home) -> None:
    rig = _rig_of(home)
    for name in ("pre-commit", "commit-msg", "prepare-commit-msg"):
        _users_hook(Path(rig.repo, "hooks"), name, f"echo {name} says no >&2; exit 1")
        stubs.chain(home.githooks, home.tree)
        done = builders.run(["git", "-C", home.tree, "commit", "--allow-empty", "-m", "x"])
        assert done.code != 0
        assert f"{name} says no" in done.err
        os.unlink(f"{rig.repo}/hooks/{name}")


def test_pre_push_hands_the_refs_on(home: Home, tmp_path: Path) -> None:
    rig = _rig_of(home)
    _users_hook(Path(rig.repo, "hooks"), "pre-push", f'cat > "{tmp_path}/lines"; echo "$@" > "{tmp_path}/args"')
    head = builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    away = builders.make_bare(tmp_path / "away.git")
    builders.git(home.tree, "push", "-q", str(away), "HEAD:refs/heads/x", "HEAD:refs/heads/y")
    lines = [line.split() for line in (tmp_path / "lines").read_text().splitlines()]
    assert [(line[1], line[2]) for line in lines] == [(head, "refs/heads/x"), (head, "refs/heads/y")]
    assert (tmp_path / "args").read_text().split() == [str(away), str(away)]


def test_links_follow_what_the_user_has(home: Home) -> None:
    rig = _rig_of(home)
    assert stubs.chain(home.githooks, home.tree) == []
    _users_hook(Path(rig.repo, "hooks"), "commit-msg", "exit 0")
    assert stubs.chain(home.githooks, home.tree) == ["commit-msg"]
    os.unlink(f"{rig.repo}/hooks/commit-msg")
    builders.write_files(Path(home.tree), {".pre-commit-config.yaml": "default_install_hook_types: [pre-commit, commit-msg]\nrepos: []\n"})
    assert stubs.chain(home.githooks, home.tree) == ["pre-commit", "commit-msg"]
    os.unlink(f"{home.tree}/.pre-commit-config.yaml")
    assert stubs.chain(home.githooks, home.tree) == []


FRAMEWORK = """default_install_hook_types: [pre-commit, commit-msg, pre-push]
repos:
- repo: local
  hooks:
  - {id: note, name: note, language: system, entry: sh -c 'echo ran >> "$GT_TEST_LOG"', pass_filenames: false, always_run: true,
     stages: [pre-commit]}
  - {id: message, name: message, language: system, entry: sh -c 'echo message >> "$GT_TEST_LOG"', pass_filenames: false,
     stages: [commit-msg]}
  - {id: push, name: push, language: system, entry: sh -c 'echo push >> "$GT_TEST_LOG"', pass_filenames: false, always_run: true,
     stages: [pre-push]}
  - {id: no-evil, name: no-evil, language: fail, entry: evil files, files: evil, stages: [pre-commit]}
"""


@pytest.fixture
def framework(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    assert shutil.which("pre-commit"), "pre-commit is one of the development extras"
    monkeypatch.setenv("GT_TEST_LOG", str(tmp_path / "framework.log"))
    return tmp_path / "framework.log"


def test_the_pre_commit_framework_runs(home: Home, framework: Path, tmp_path: Path) -> None:
    tree = Path(home.tree)
    builders.commit(tree, {".pre-commit-config.yaml": FRAMEWORK}, "take up pre-commit")
    assert os.readlink(f"{home.githooks}/pre-commit") == "_chain"  # found by that very commit
    stubs.chain(home.githooks, home.tree)
    builders.commit(tree, {"good": "1\n"}, "good")
    builders.git(tree, "push", "-q", str(builders.make_bare(tmp_path / "away.git")), "HEAD:refs/heads/x")
    assert framework.read_text().splitlines() == ["ran", "message", "push"]
    assert _trailers(home.tree)[:3] == CLAIM
    (tree / "evil").write_text("x")
    builders.git(tree, "add", "-A")
    done = builders.run(["git", "-C", home.tree, "commit", "-m", "bad"])
    assert done.code != 0
    assert "evil files" in done.out + done.err


def test_pre_commits_own_shim_does_not_make_it_run_twice(home: Home, framework: Path) -> None:
    rig = _rig_of(home)
    tree = Path(home.tree)
    builders.commit(tree, {".pre-commit-config.yaml": FRAMEWORK}, "take up pre-commit")
    shim = "# ID: 138fd403232d2ddd5efb44317e38bf03\nexec pre-commit hook-impl --config=.pre-commit-config.yaml --hook-type=pre-commit " \
           '--hook-dir "$(dirname "$0")" -- "$@"'
    _users_hook(Path(rig.repo, "hooks"), "pre-commit", shim)
    stubs.chain(home.githooks, home.tree)
    builders.commit(tree, {"good": "1\n"}, "good")
    assert framework.read_text().splitlines().count("ran") == 1


def test_installing_again_writes_nothing(home: Home) -> None:
    folder = Path(home.githooks)
    before = {path.name: path.lstat().st_ino for path in folder.iterdir()}
    stubs.install(home.githooks, home, _rig_of(home), "main")
    assert {path.name: path.lstat().st_ino for path in folder.iterdir()} == before
