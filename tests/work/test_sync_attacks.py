"""Attacks on `bd sync`: what a remote, a branch, an index or another program may do to it, and what it may not do to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import ledgers
import pytest
import warm
from test_ledger_git import MODES, Yard

from gastown_hooks.core.errors import Conflict, Refused, RemoteRefused

BEAD = '{{"id":"{}","title":"{}","priority":2,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}\n'


def put_remote(yard: Yard, entries: str, *, parent: bool = True) -> None:
    """Replace the remote's .beads folder; `entries` as `git mktree` takes them."""
    branch = "beads" if yard.mode == "own-branch" else "main"
    folder = builders.git(yard.bare, "mktree", input=entries)
    others = [line for line in builders.git(yard.bare, "ls-tree", branch).split("\n") if line and not line.endswith("\t.beads")]
    tree = builders.git(yard.bare, "mktree", input="".join(f"{line}\n" for line in [*others, f"040000 tree {folder}\t.beads"]))
    words = ["-p", branch] if parent else []
    builders.git(yard.bare, "update-ref", f"refs/heads/{branch}", builders.git(yard.bare, "commit-tree", tree, *words, "-m", "outside"))


def put_ledger(yard: Yard, text: bytes) -> None:
    path = yard.place / "blob"
    path.write_bytes(text)
    blob = builders.git(yard.bare, "hash-object", "-w", str(path))
    put_remote(yard, f"100644 blob {blob}\tissues.jsonl\n")


def everything(repo: Path, *, but: str = ".beads") -> dict[str, bytes]:
    """Each file of the work tree outside the ledger, and the index outside it."""
    found = {str(path.relative_to(repo)): path.read_bytes() for path in repo.rglob("*")
             if path.is_file() and path.relative_to(repo).parts[0] not in (but, ".git")}
    index = builders.git(repo, "ls-files", "--stage", "-v", "-t").split("\n")
    return found | {"(index)": "\n".join(line for line in index if f"\t{but}/" not in line).encode()}


DAMAGED = [b'{"id":"bd-a","title":"cut', b'{"id":"bd-b","title":"a\0b"}', b'{"id":"bd-c","title":"\xff"}',
           b'{"id":"bd-d","title":"\\ud800"}', b'{"id":"bd-e","id":"bd-e","title":"x"}', b"<<<<<<< HEAD",
           b'{"id":"bd-f","title":"x","labels":3}']
GOOD = b"".join(BEAD.format(f"bd-{letter}", "Good").encode() for letter in "abcdefg")


@pytest.mark.parametrize("mode", MODES)
def test_damaged_lines_of_the_remotes_destroy_no_bead_here_and_are_kept(mode: str, tmp_path: Path) -> None:
    yard, new = Yard(tmp_path, mode, 1, GOOD), BEAD.format("bd-n", "New").encode()
    put_ledger(yard, b"\n".join(DAMAGED) + b"\n" + new)
    done = yard.sync(0)
    assert yard.text(0) == GOOD + new == yard.remote() and done.received == ["bd-n"]
    assert done.notes == ["7 beads are missing in origin's file without having been deleted; they stay",
                          "7 lines of origin's file are no beads; they are kept in quarantine.log"]
    assert Path(yard.ledger(0).beads.quarantine).read_bytes().splitlines() == DAMAGED


@pytest.mark.parametrize("mode", MODES)
def test_damaged_lines_here_are_not_sent_and_delete_nothing(mode: str, tmp_path: Path) -> None:
    yard, new = Yard(tmp_path, mode, 2, GOOD), BEAD.format("bd-n", "New").encode()
    Path(yard.ledger(0).beads.issues).write_bytes(b"\n".join(DAMAGED) + b"\n" + new)
    for n in (0, 1):
        yard.sync(n)
    assert yard.remote() == GOOD + new == yard.text(1)
    assert sorted(yard.text(0).splitlines()) == sorted([*DAMAGED, *yard.remote().splitlines()])


@pytest.mark.parametrize("mode", MODES)
def test_a_bead_that_stands_twice_at_the_remote_is_one(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 1, BEAD.format("bd-a", "Good").encode())
    twins = [json.dumps({**json.loads(yard.text(0)), "labels": [label]}) for label in "xy"]
    put_ledger(yard, "".join(f"{twin}\n" for twin in twins).encode())
    yard.sync(0)
    assert json.loads(yard.text(0))["labels"] == ["x", "y"] and yard.text(0) == yard.remote()


@pytest.mark.parametrize("mode", MODES)
def test_a_remote_whose_ledger_is_none_takes_nothing_from_here(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 1, ledgers.generated(5))
    before = yard.text(0)
    text, null = (builders.git(yard.bare, "hash-object", "-w", "--stdin", input=text) for text in ("/etc/passwd", "\0\n"))
    inner = builders.git(yard.bare, "mktree", input=f"100644 blob {text}\tx\n")
    for entry in (f"100644 blob {text}\tother", f"100644 blob {null}\tissues.jsonl", f"040000 tree {inner}\tissues.jsonl",
                  f"120000 blob {text}\tissues.jsonl", f"160000 commit {'1' * 40}\tissues.jsonl"):
        put_remote(yard, f"{entry}\n")
        yard.sync(0)
        assert yard.text(0) == before == yard.remote(), entry


def test_a_branch_of_code_that_is_named_as_ours_is_not_written_on(tmp_path: Path) -> None:
    yard = Yard(tmp_path, "code-branch", 1, b"")
    builders.git(yard.clones[0], "push", "-q", "origin", "main~1:refs/heads/beads")
    own = builders.make_repo(tmp_path / "own", {"a": "1\n"})
    builders.git(own, "remote", "add", "origin", str(yard.bare))
    yard.clones.append(own)
    yard.init(own, "--own-branch", "--prefix", "bd")
    yard.edit(1, ledgers.Edits("a", 1))
    tip = builders.git(yard.bare, "rev-parse", "beads")
    with pytest.raises(Refused, match="beads"):
        yard.sync(1)
    assert builders.git(yard.bare, "rev-parse", "beads") == tip


HOOK = """#!/bin/sh
# Somebody else is first, COUNT times.
n=$(cat ../count 2>/dev/null || echo 0)
[ "$n" -lt {count} ] || exit 0
echo $((n + 1)) > ../count
while read old new ref; do
    unset GIT_QUARANTINE_PATH
    next=$(git commit-tree "$old^{{tree}}" -p "$old" -m first)
    git update-ref "$ref" "$next"
done
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 3, 99])
def test_a_remote_that_moves_between_fetch_and_push(count: int, mode: str, tmp_path: Path) -> None:
    yard, edits = Yard(tmp_path, mode, 1, ledgers.generated(3)), ledgers.Edits("a", 1)
    hook = yard.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK.format(count=count))
    hook.chmod(0o755)
    yard.edit(0, edits)
    if count == 99:
        with pytest.raises(Conflict, match="others were first"):
            yard.sync(0)
        hook.unlink()
    yard.sync(0)
    assert yard.text(0) == yard.remote() and not ledgers.lost(b"", yard.remote(), [edits])


@pytest.mark.parametrize("mode", MODES)
def test_a_remote_that_refuses_says_why_once(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 1, b"")
    hook = yard.bare / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho x >> ../asked\necho 'nobody may push here' >&2\nexit 1\n")
    hook.chmod(0o755)
    yard.edit(0, ledgers.Edits("a", 1))
    with pytest.raises(RemoteRefused, match="nobody may push here"):
        yard.sync(0)
    assert (tmp_path / "asked").read_text() == "x\n"


def odd_state(repo: Path, place: Path) -> None:
    """An index and a work tree with a bit of everything."""
    other = builders.make_repo(place / "other", {"x": "1\n"})
    builders.git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "sub")
    builders.commit(repo / "sub", {"x": "2\n"}, "moved on")
    builders.git(repo, "worktree", "add", "-q", str(place / "tree"))
    builders.write_files(repo, {"code.txt": "staged\n", "gone": None, "intended": "new\n"})
    builders.git(repo, "add", "code.txt", "gone")
    builders.write_files(repo, {"code.txt": "dirty\n", "new": "new\n", "assumed": "hidden\n", "skipped": "hidden\n"})
    builders.git(repo, "add", "-N", "intended")
    builders.git(repo, "update-index", "--assume-unchanged", "assumed")
    builders.git(repo, "update-index", "--skip-worktree", "skipped")
    builders.git(repo, "update-index", "--split-index")


def conflicted(repo: Path, place: Path) -> None:
    """In the middle of a merge."""
    builders.git(repo, "switch", "-q", "-c", "side", "HEAD~1")
    builders.commit(repo, {"code.txt": "side\n"}, "side")
    builders.git(repo, "switch", "-q", "main")
    assert builders.run(["git", "merge", "side"], cwd=repo).code == 1


def sparse(repo: Path, place: Path) -> None:
    builders.git(repo, "sparse-checkout", "set", "dir", ".beads")


@pytest.mark.parametrize("state", [odd_state, conflicted, sparse])
@pytest.mark.parametrize("mode", MODES)
def test_index_and_work_tree_are_what_they_were(state: Callable[[Path, Path], None], mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 2, ledgers.generated(5))
    repo = yard.clones[0]
    builders.commit(repo, {"code.txt": "unpushed\n", "dir/a": "1\n", "gone": "1\n", "assumed": "1\n", "skipped": "1\n"}, "code")
    state(repo, tmp_path)
    before = everything(repo)
    for n in (0, 1):
        yard.edit(n, ledgers.Edits(f"c{n}", n))
    yard.sync(1)
    done = yard.sync(0)
    assert done.pushed and done.received and everything(repo) == before and yard.text(0) == yard.remote()
    if mode == "code-branch":
        assert builders.git(repo, "status", "--porcelain", "--", ".beads") == ""
    if state is conflicted:
        builders.write_files(repo, {"code.txt": "both\n"})
        builders.git(repo, "commit", "-q", "-am", "merged")
        assert len(builders.git(repo, "rev-list", "--parents", "-1", "HEAD").split()) == 3
        yard.sync(0)
        assert yard.text(0) == yard.remote()
    assert not builders.git(repo, "fsck", "--no-dangling")


def test_a_branch_that_lies_below_one_that_was(tmp_path: Path) -> None:
    yard = Yard(tmp_path, "code-branch", 1, ledgers.generated(1))
    repo, edits = yard.clones[0], ledgers.Edits("a", 1)
    for name in ("topic", "topic/two"):
        builders.git(repo, "switch", "-q", "main")
        builders.git(repo, "branch", "-q", "-D", "topic") if name != "topic" else None
        builders.git(repo, "push", "-q", "origin", ":topic") if name != "topic" else None
        builders.git(repo, "switch", "-q", "-c", name)
        builders.git(repo, "push", "-q", "origin", name)
        yard.edit(0, edits)
        assert yard.sync(0).pushed


@pytest.mark.parametrize("mode", MODES)
def test_a_head_on_no_branch(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 1, b"")
    repo = yard.clones[0]
    builders.git(repo, "switch", "-q", "--detach")
    yard.edit(0, ledgers.Edits("a", 1))
    before = yard.text(0), builders.git(repo, "rev-parse", "HEAD")
    if mode == "code-branch":
        with pytest.raises(Refused, match="HEAD is on no branch"):
            yard.sync(0)
    else:
        assert yard.sync(0).pushed
    assert (yard.text(0), builders.git(repo, "rev-parse", "HEAD")) == before


@pytest.mark.parametrize("mode", MODES)
def test_an_agreement_is_for_the_place_that_a_push_goes_to(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 1, b"")
    elsewhere = builders.make_bare(tmp_path / "elsewhere.git", yard.bare)
    builders.git(yard.clones[0], "config", "remote.origin.pushurl", str(elsewhere))
    before = builders.git(elsewhere, "for-each-ref")
    yard.edit(0, ledgers.Edits("a", 1))
    assert not yard.sync(0, agree=False).pushed and builders.git(elsewhere, "for-each-ref") == before


@pytest.mark.parametrize("key", ["user.email", ""])
def test_git_may_not_know_who_one_is(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = Yard(tmp_path, "own-branch", 1, b"")
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    for name in ("user.email", "user.name"):
        if name == key:
            builders.git(yard.clones[0], "config", key, "somebody")
        else:
            builders.run(["git", "-C", str(yard.clones[0]), "config", "--unset", name])
    yard.edit(0, ledgers.Edits("a", 1))
    assert yard.sync(0).pushed


def test_git_never_changes_the_ends_of_the_lines(repo: Path) -> None:
    builders.git(repo, "config", "core.autocrlf", "true")
    for words in (["init", "-q"], ["create", "One"]):
        assert warm.run("bd", *words, cwd=repo).code == 0
    builders.git(repo, "add", "-A")
    builders.git(repo, "commit", "-q", "-m", "beads")
    ledger = repo / ".beads/issues.jsonl"
    before = ledger.read_bytes()
    ledger.unlink()
    builders.git(repo, "checkout", "--", ".beads")
    assert ledger.read_bytes() == before


def test_records_of_any_shape_stop_no_reading(tmp_path: Path) -> None:
    yard = Yard(tmp_path, "own-branch", 1, ledgers.generated(2))
    shapes: list[dict[str, Any]] = [
        {"created_at": "x"}, {"priority": -7}, {"priority": None}, {"defer_until": "soon"}, {"metadata": {"state": 3}},
        {"dependencies": [{}]}, {"comments": [{}]}, {"status": "made-up"}, {"closed_at": "never", "status": "closed"}]
    odd = [{"id": f"bd-o{n}", "title": "T", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", **more}
           for n, more in enumerate(shapes)]
    put_ledger(yard, b"".join(json.dumps(one).encode() + b"\n" for one in odd))
    assert len(yard.sync(0).received) == len(odd)
    for words in (["list", "--all"], ["ready"], ["blocked"], ["stats"], ["show", "bd-o4"], ["search", "T"], ["stale"], ["graph", "bd-o5"],
                  ["duplicates"], ["lint"], ["epic", "status"], ["label", "list-all"], ["count"], ["orphans"], ["export"], ["info"],
                  ["dep", "cycles"], ["dep", "tree", "bd-o5"], ["query", "status=open"], ["doctor"]):
        for more in ([], ["--json"]):
            done = warm.run("bd", *words, *more, cwd=yard.clones[0])
            assert "Traceback" not in done.err and done.code in (0, 1), (words, done.err)
