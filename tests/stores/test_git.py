"""The one wrapper of git: what reaches it, what it refuses, transactions, remotes, locks that a killed git left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import builders
import gitrig
import pytest

from gastown_hooks.core.errors import BadInput, Conflict, GitFailed, RemoteAway, RemoteRefused, StorageFailed
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import git, gitdir

MAIN = "refs/heads/main"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return gitrig.make_rig(tmp_path)


def _commit_on(rig: Rig, parent: str, message: str = "more") -> str:
    return git.run(rig.repo, "commit-tree", "-m", message, "-p", parent, f"{parent}^{{tree}}", env=git.identity("gt", "gt@x")).line


# ---- what reaches git

def test_gits_variables_of_a_hook_do_not_say_which_repository(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = builders.make_repo(tmp_path / "other", {"x": "1"}, "other")
    for name, value in {"GIT_DIR": f"{other}/.git", "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": "/nonexistent/index",
                        "GIT_OBJECT_DIRECTORY": "/nonexistent", "GIT_QUARANTINE_PATH": "/nonexistent", "GIT_NAMESPACE": "ns",
                        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "true",
                        "GIT_CONFIG_PARAMETERS": "'core.bare'='true'", "GIT_LITERAL_PATHSPECS": "1"}.items():
        monkeypatch.setenv(name, value)
    assert git.run(str(repo), "log", "-1", "--format=%s").line == "start"


def test_the_users_own_variables_reach_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_SSH_COMMAND", "GIT_ASKPASS", "SSH_AUTH_SOCK", "LD_PRELOAD_OF_A_TEST"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("GIT_STRANGE", "x")
    assert "GIT_STRANGE" not in git.environment()
    monkeypatch.setenv("GT_PASS_ENV", "GIT_STRANGE:OTHER")
    given = git.environment({"EXTRA": "y"})
    assert all(given[name] == "x" for name in ("GIT_SSH_COMMAND", "GIT_ASKPASS", "SSH_AUTH_SOCK", "GIT_STRANGE"))
    assert (given["GIT_TERMINAL_PROMPT"], given["EXTRA"], given["LC_ALL"]) == ("0", "y", "C")


def test_nothing_that_the_repository_configures_runs(repo: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    trap.chmod(0o755)
    for name in ("post-checkout", "post-commit", "pre-commit", "reference-transaction", "post-index-change"):
        (repo / ".git/hooks" / name).write_bytes(trap.read_bytes())
        (repo / ".git/hooks" / name).chmod(0o755)
    for key in ("core.fsmonitor", "core.editor", "core.pager", "diff.external", "alias.status", "core.askPass"):
        builders.git(repo, "config", key, str(trap) if not key.startswith("alias") else f"!{trap}")
    git.run(str(repo), "status", "--porcelain")
    git.run(str(repo), "commit", "--allow-empty", "-m", "x")
    git.run(str(repo), "checkout", "-q", "-b", "other")
    git.run(str(repo), "log", "-p", "-1", "--no-ext-diff")
    assert not mark.exists()


def test_an_embedded_bare_repository_is_not_entered(repo: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = repo / "sub/evil"
    builders.git(tmp_path, "init", "-q", "--bare", str(evil))
    builders.git(tmp_path, "config", "--file", f"{evil}/config", "core.fsmonitor", f"touch '{mark}'")
    builders.git(tmp_path, "config", "--file", f"{evil}/config", "core.worktree", str(repo))
    assert git.top(str(evil)) is None
    assert git.top(str(repo / "sub")) == str(repo)
    assert not mark.exists()


def test_no_repository_above_is_taken(repo: Path) -> None:
    (repo / "plain").mkdir()
    with pytest.raises(GitFailed, match="not a git repository"):
        git.run(str(repo / "plain"), "status")


def test_the_users_taste_does_not_change_the_output(repo: Path) -> None:
    for key in ("color.ui", "log.showSignature"):
        builders.git(repo, "config", "--global", key, "always" if key == "color.ui" else "true")
    assert git.run(str(repo), "log", "-1", "--format=%s").out == "start\n"


def test_undecodable_output_comes_back_as_it_was(repo: Path) -> None:
    name = b"caf\xe9"
    Path(os.fsdecode(bytes(repo) + b"/" + name)).write_bytes(b"x")
    out = git.run(str(repo), "ls-files", "-o", "-z").out
    assert out.encode("utf-8", "surrogateescape") == name + b"\0"


def test_big_input_and_output(repo: Path) -> None:
    data = os.urandom(3 << 20).hex().encode()
    oid = git.run(str(repo), "hash-object", "-w", "--stdin", input=data).line
    assert git.run(str(repo), "cat-file", "blob", oid).out.encode() == data


def test_time_running_out_ends_the_whole_group(repo: Path) -> None:
    started = time.monotonic()
    with pytest.raises(GitFailed, match="took more than"):
        git.run(str(repo), "-c", "alias.zz=!sleep 300 & sleep 300", "zz", timeout=0.3)
    assert time.monotonic() - started < 5  # and the hermetic fixture finds no sleep left behind


def test_a_missing_folder_and_a_failure_are_said(tmp_path: Path, repo: Path) -> None:
    with pytest.raises(GitFailed, match="is missing"):
        git.run(str(tmp_path / "gone"), "status")
    with pytest.raises(GitFailed, match="git rev-parse --verify failed"):
        git.run(str(repo), "rev-parse", "--verify", "nothing")
    assert git.run(str(repo), "rev-parse", "--verify", "nothing", check=False).code == 128


@pytest.mark.parametrize("words", ["fatal: write error: No space left on device", "error: unable to write file x: Disk quota exceeded"])
def test_a_full_disk_is_the_disks_failure(words: str) -> None:
    assert isinstance(git.failure(("fetch",), git.Result(128, "", words)), StorageFailed)


# ---- refs

def test_update_refs_is_one_transaction(rig: Rig) -> None:
    old = gitrig.tip(rig)
    new = _commit_on(rig, old)
    git.update_refs(rig.repo, [(MAIN, new, old), ("refs/gt/landed/main", new, "")], "gt: landed\nmr-1")
    assert builders.git(rig.repo, f"--git-dir={rig.repo}", "reflog", "-1", "--format=%gs", MAIN) == "gt: landed mr-1"
    for changes in ([(MAIN, old, new), ("refs/gt/landed/main", old, old)], [("refs/gt/a", new, ""), (MAIN, old, old)],
                    [("refs/gt/a", new, ""), ("refs/gt/landed/main", new, "0" * 40)], [("refs/gt/a", new, ""), ("refs/gt/b", "", new)]):
        with pytest.raises(Conflict):
            git.update_refs(rig.repo, changes, "x")
        assert (gitrig.tip(rig), gitrig.tip(rig, "refs/gt/landed/main")) == (new, new)
        assert builders.run(["git", f"--git-dir={rig.repo}", "rev-parse", "-q", "--verify", "refs/gt/a"]).code == 1
    git.update_refs(rig.repo, [("refs/gt/landed/main", "", new), ("refs/gt/c", old, None)], "x")
    assert builders.git(rig.repo, f"--git-dir={rig.repo}", "for-each-ref", "--format=%(refname)", "refs/gt") == "refs/gt/c"


@pytest.mark.parametrize("ref", ["main", "refs/heads/a\nb", "refs/heads/a b", "refs/x\0y", "-D"])
def test_only_full_plain_ref_names(rig: Rig, ref: str) -> None:
    with pytest.raises(BadInput):
        git.update_refs(rig.repo, [(ref, gitrig.tip(rig), None)], "x")


def test_names_that_git_alone_would_take_are_just_names(rig: Rig) -> None:
    git.update_refs(rig.repo, [("refs/heads/-D", gitrig.tip(rig), ""), ("refs/heads/--output=x", gitrig.tip(rig), "")], "x")
    assert git.run(rig.repo, "rev-parse", "--verify", "--end-of-options", "refs/heads/-D").line == gitrig.tip(rig)


def test_racing_swaps_have_one_winner(rig: Rig) -> None:
    old = gitrig.tip(rig)
    script = ("import sys\nfrom gastown_hooks.stores import git\nfrom gastown_hooks.core.errors import Conflict\n"
              "try:\n git.update_refs(sys.argv[1], [('refs/heads/main', sys.argv[2], sys.argv[3])], 'x')\n print('won')\n"
              "except Conflict:\n print('lost')\n")
    news = [_commit_on(rig, old, str(n)) for n in range(6)]
    running = [subprocess.Popen([sys.executable, "-c", script, rig.repo, new, old], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "PYTHONPATH": str(builders.ROOT)}) for new in news]
    said = [process.communicate()[0].strip() for process in running]
    assert sorted(said) == ["lost"] * 5 + ["won"]
    assert gitrig.tip(rig) == news[said.index("won")]


# ---- locks

def _holding(place: str, new: str, *git_words: str, cwd: str | None = None) -> subprocess.Popen[bytes]:
    """A git in the middle of a transaction: it holds main's lock, the file itself closed."""
    process = subprocess.Popen(["git", *git_words, "update-ref", "--stdin"], cwd=cwd or place, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"start\nupdate {MAIN} {new}\nprepare\n".encode())
    process.stdin.flush()
    while process.stdout.readline() != b"prepare: ok\n":
        assert process.poll() is None
    return process


@pytest.mark.parametrize("head", ["refs/heads/gt-none", MAIN])
def test_the_locks_of_a_killed_git_are_cleared(rig: Rig, head: str) -> None:
    old = gitrig.tip(rig)
    new = _commit_on(rig, old)
    Path(rig.repo, "HEAD").write_text(f"ref: {head}\n")
    git_off = ["-c", "core.hooksPath=/dev/null", f"--git-dir={rig.repo}"]
    with _holding(rig.repo, new, *git_off) as process:
        process.kill()
    assert Path(rig.repo, f"{MAIN}.lock").exists()
    assert Path(rig.repo, "HEAD.lock").exists() == (head == MAIN)
    git.update_refs(rig.repo, [(MAIN, new, old)], "after the kill")
    assert gitrig.tip(rig) == new
    _cleared(rig)
    assert not list(Path(rig.repo).rglob("*.lock"))


def _cleared(rig: Rig) -> list[str]:
    return gitdir.clear_stale(rig.repo, [str(path) for path in Path(rig.repo).rglob("*.lock")])


@pytest.mark.parametrize("how", ["--git-dir", "GIT_DIR", "worktree", "relative"])
def test_the_locks_of_a_living_git_stay(rig: Rig, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = gitrig.make_worker(rig)
    old = gitrig.tip(rig)
    new = _commit_on(rig, old)
    off = ["-c", "core.hooksPath=/dev/null"]
    if how == "--git-dir":
        process = _holding("/", new, *off, f"--git-dir={rig.repo}")
    elif how == "GIT_DIR":
        monkeypatch.setenv("GIT_DIR", rig.repo)
        process = _holding("/", new, *off)
        monkeypatch.delenv("GIT_DIR")
    elif how == "worktree":
        process = _holding(f"{home.tree}/src", new, *off)
    else:
        process = _holding(rig.root, new, *off, "--git-dir", ".repo.git")
    with process:
        assert _cleared(rig) == []
        with pytest.raises(GitFailed, match="wait for the other git"):
            git.update_refs(rig.repo, [(MAIN, new, old)], "x")
        process.kill()
    git.update_refs(rig.repo, [(MAIN, new, old)], "x")


def test_a_git_elsewhere_keeps_no_lock(rig: Rig, repo_elsewhere: Path) -> None:
    there = builders.git(repo_elsewhere, "rev-parse", "HEAD")
    Path(rig.repo, f"{MAIN}.lock").touch()
    with _holding(str(repo_elsewhere), there) as process:
        assert _cleared(rig) == [f"{rig.repo}/{MAIN}.lock"]
        process.kill()


@pytest.fixture
def repo_elsewhere(tmp_path: Path) -> Path:
    return builders.make_repo(tmp_path / "elsewhere", {"x": "1"})


def test_a_lock_that_any_process_holds_open_stays(rig: Rig) -> None:
    lock = Path(rig.repo, f"{MAIN}.lock")
    holder = [sys.executable, "-c", "import sys; f = open(sys.argv[1], 'w'); print(flush=True); sys.stdin.read()", str(lock)]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert _cleared(rig) == []
        assert lock.exists()
        process.kill()
    assert _cleared(rig) == [str(lock)]


@pytest.mark.parametrize("name", ["index", "HEAD", "config.worktree"])
def test_a_worktrees_own_locks(rig: Rig, name: str) -> None:
    home = gitrig.make_worker(rig)
    lock = Path(f"{rig.repo}/worktrees/polecats-toast/{name}.lock")
    lock.touch()
    assert gitdir.clear_stale(home.tree, [str(lock)]) == [str(lock)]
    lock.touch()
    git.run(home.tree, "reset", "-q", "--hard")
    git.run(home.tree, "update-ref", "--no-deref", "HEAD", gitrig.tip(rig))
    git.run(home.tree, "config", "--worktree", "a.b", "c")
    assert not lock.exists()


@pytest.mark.parametrize("name", ["config", "packed-refs"])
def test_the_shared_locks_heal_on_use(rig: Rig, name: str) -> None:
    Path(rig.repo, f"{name}.lock").touch()
    git.run(rig.repo, "config", "a.b", "c")
    git.run(rig.repo, "pack-refs", "--all")
    assert not Path(rig.repo, f"{name}.lock").exists()


def test_the_command_word_of_a_git_process() -> None:
    for line, verb in ((b"git\0-c\0a=b\0-C\0/x\0log\0-1\0", b"log"), (b"/usr/lib/git-core/git-upload-pack\0/x\0", b"upload-pack"),
                       (b"git\0--git-dir=/x\0commit\0", b"commit"), (b"git\0--git-dir\0/x\0gc\0", b"gc"), (b"git\0", b"")):
        assert gitdir._verb(line.split(b"\0")) == verb


# ---- remotes

@pytest.fixture
def remote(tmp_path: Path, rig: Rig) -> Path:
    """The rig's origin, bare."""
    bare = builders.make_bare(tmp_path / "origin.git", tmp_path / "project")
    builders.git(rig.repo, f"--git-dir={rig.repo}", "remote", "set-url", "origin", str(bare))
    return bare


def _remote_main(remote: Path) -> str:
    return builders.git(remote, "rev-parse", MAIN)


def test_fetch_and_push(rig: Rig, remote: Path) -> None:
    old = git.fetch(rig.repo, "main")
    new = _commit_on(rig, old)
    git.push(rig.repo, new, MAIN)
    assert _remote_main(remote) == new == git.remote_tip(rig.repo, MAIN) == git.fetch(rig.repo, "main")
    builders.git(remote, "update-ref", "refs/odd\u2028/refs/heads/w", new)  # listed too, for its end
    assert git.remote_tip(rig.repo, "refs/heads/w") is None
    git.push(rig.repo, new, MAIN)
    assert gitrig.tip(rig) == old  # the local target is the caller's to move


def test_a_push_from_a_workers_tree_uses_the_shared_address(rig: Rig, remote: Path) -> None:
    home = gitrig.make_worker(rig)
    head = builders.commit(Path(home.tree), {"a": "1\n"}, "work")
    git.push(home.tree, head, "refs/heads/polecat/toast/abc12@1")
    assert builders.git(remote, "rev-parse", "refs/heads/polecat/toast/abc12@1") == head


def test_a_push_that_lost_the_race(rig: Rig, remote: Path, tmp_path: Path) -> None:
    old = git.fetch(rig.repo, "main")
    theirs = builders.commit(tmp_path / "project", {"theirs": "1\n"}, "theirs")
    builders.git(tmp_path / "project", "push", "-q", str(remote), "HEAD:main")
    with pytest.raises(RemoteRefused) as refused:
        git.push(rig.repo, _commit_on(rig, old), MAIN)
    assert refused.value.reason == "moved"
    assert _remote_main(remote) == theirs


@pytest.mark.parametrize("setting", ["pre-receive", "update", "receive.denyNonFastForwards"])
def test_a_push_refused_by_policy(rig: Rig, remote: Path, setting: str) -> None:
    old = git.fetch(rig.repo, "main")
    if setting.startswith("receive"):
        builders.git(remote, "config", "receive.hideRefs", "refs/heads")
    else:
        (remote / "hooks" / setting).write_text("#!/bin/sh\necho 'two reviews are needed' >&2\nexit 1\n")
        (remote / "hooks" / setting).chmod(0o755)
    with pytest.raises(RemoteRefused) as refused:
        git.push(rig.repo, _commit_on(rig, old), MAIN)
    assert refused.value.reason == "policy"
    assert setting.startswith("receive") or "two reviews" in str(refused.value)


def test_a_remote_that_is_away(rig: Rig, remote: Path, tmp_path: Path) -> None:
    old = git.fetch(rig.repo, "main")
    remote.rename(tmp_path / "gone")
    for act in (lambda: git.fetch(rig.repo, "main"), lambda: git.push(rig.repo, _commit_on(rig, old), MAIN),
                lambda: git.remote_tip(rig.repo, MAIN)):
        with pytest.raises(RemoteAway):
            act()


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/x.git", "ssh://git@127.0.0.1:1/x", "https://nowhere.invalid/x"])
def test_a_host_that_does_not_answer(rig: Rig, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=2")
    builders.git(rig.repo, f"--git-dir={rig.repo}", "remote", "set-url", "origin", url)
    with pytest.raises(RemoteAway):
        git.fetch(rig.repo, "main")


def test_an_empty_remote(rig: Rig, tmp_path: Path) -> None:
    empty = builders.make_bare(tmp_path / "empty.git")
    builders.git(rig.repo, f"--git-dir={rig.repo}", "remote", "set-url", "origin", str(empty))
    with pytest.raises(GitFailed, match="no branch main") as error:
        git.fetch(rig.repo, "main")
    assert not isinstance(error.value, RemoteAway)
    assert git.remote_tip(rig.repo, MAIN) is None


def test_a_push_that_arrived_before_it_failed_has_arrived(rig: Rig, remote: Path) -> None:
    new = _commit_on(rig, git.fetch(rig.repo, "main"))
    (remote / "hooks/post-receive").write_text("#!/bin/sh\nkill -9 $PPID\n")
    (remote / "hooks/post-receive").chmod(0o755)
    git.push(rig.repo, new, MAIN)
    assert _remote_main(remote) == new


def test_a_push_that_somebody_built_upon_has_arrived(rig: Rig, remote: Path, tmp_path: Path) -> None:
    ours = _commit_on(rig, git.fetch(rig.repo, "main"))
    git.push(rig.repo, ours, MAIN)
    clone = tmp_path / "clone"
    builders.git(tmp_path, "clone", "-q", str(remote), str(clone))
    builders.commit(clone, {"more": "1\n"}, "more")
    builders.git(clone, "push", "-q", "origin", "main")
    git.push(rig.repo, ours, MAIN)


def test_a_push_that_takes_too_long(rig: Rig, remote: Path) -> None:
    new = _commit_on(rig, git.fetch(rig.repo, "main"))
    (remote / "hooks/pre-receive").write_text("#!/bin/sh\nexec sleep 300\n")
    (remote / "hooks/pre-receive").chmod(0o755)
    with pytest.raises(RemoteAway):
        git.push(rig.repo, new, MAIN, timeout=1)


def test_deleting_and_leasing(rig: Rig, remote: Path) -> None:
    old = git.fetch(rig.repo, "main")
    new = _commit_on(rig, old)
    git.push(rig.repo, new, "refs/heads/w")
    with pytest.raises(RemoteRefused) as refused:
        git.push(rig.repo, "", "refs/heads/w", lease=old)
    assert refused.value.reason == "moved"
    git.push(rig.repo, old, "refs/heads/w", lease=new)
    git.push(rig.repo, "", "refs/heads/w", lease=old)
    git.push(rig.repo, "", "refs/heads/w")
    assert git.remote_tip(rig.repo, "refs/heads/w") is None


def test_a_command_planted_in_the_shared_repository_is_refused(rig: Rig, remote: Path, tmp_path: Path) -> None:
    home = gitrig.make_worker(rig)
    builders.git(home.tree, "config", "core.sshCommand", f"touch {tmp_path}/ran")
    builders.git(home.tree, "config", "filter.x.smudge", "cat")
    assert git.executing_keys(rig.repo) == ["core.sshcommand"]
    assert git.executing_keys(rig.repo, checkout=True) == ["core.sshcommand", "filter.x.smudge"]
    for act in (lambda: git.fetch(rig.repo, "main"), lambda: git.push(rig.repo, gitrig.tip(rig), MAIN)):
        with pytest.raises(GitFailed, match="sshcommand"):
            act()
    builders.git(home.tree, "config", "--unset", "core.sshCommand")
    builders.git(home.tree, "config", "--global", "core.sshCommand", "ssh")
    git.fetch(rig.repo, "main")


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "-x", "ext::sh -c id", "EXT::x", "fd::17", "ssh://-oProxyCommand=id/x",
                                 "-oProxyCommand=id:x", "git@-oProxyCommand=id:x", "ssh://git@-x/y", "", "a\nb", "https://u:secret@h/x"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(BadInput) as error:
        git.checked_url(url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["/a/b c", "../x", "https://host/x.git", "https://user@host/x", "git@github.com:a/b.git", "ssh://h:22/x",
                                 "file:///a"])
def test_addresses(url: str) -> None:
    assert git.checked_url(url) == url


def test_a_password_is_never_shown(rig: Rig) -> None:
    builders.git(rig.repo, f"--git-dir={rig.repo}", "remote", "set-url", "origin", "https://user:secret@127.0.0.1:1/x")
    with pytest.raises(RemoteAway) as error:
        git.fetch(rig.repo, "main")
    assert "secret" not in str(error.value)
