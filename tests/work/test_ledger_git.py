"""`bd sync`: clones converge, nothing acknowledged is lost, nothing but the ledger is touched, nothing is pushed unasked."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import builders
import ledgers
import pytest
import rigtown
import warm

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Refused, RemoteAway, RemoteRefused
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import config, git
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import ledger_git, sync_pace

NOW = clock.parse("2026-02-01T00:00:00Z")
MODES = ["own-branch", "code-branch"]


class Yard:
    """A bare remote and clones of it that share a ledger."""

    def __init__(self, place: Path, mode: str, count: int, start: bytes) -> None:
        self.place, self.mode = place, mode
        self.bare = builders.make_bare(place / "remote.git")
        self.clones = [place / f"c{n}" for n in range(count)]
        first = builders.make_repo(self.clones[0], {"code.txt": "1\n"})
        builders.git(first, "remote", "add", "origin", str(self.bare))
        builders.git(first, "push", "-q", "-u", "origin", "main")
        self.init(first, *(["--own-branch"] if mode == "own-branch" else []), "--prefix", "bd")
        if start:
            Path(self.ledger(0).beads.issues).write_bytes(start)
        self.sync(0, agree=True)
        if mode == "code-branch":
            builders.git(first, "push", "-q", "origin", "main")
        for clone in self.clones[1:]:
            builders.git(place, "clone", "-q", str(self.bare), str(clone))
            self.init(clone)

    def init(self, repo: Path, *words: str) -> None:
        done = builders.run(builders.command("bd", "init", "-q", *words), cwd=repo)
        assert done.code == 0, done.err

    def ledger(self, n: int) -> Ledger:
        return Ledger(Beads(str(self.clones[n] / ".beads")))

    def sync(self, n: int, *, agree: bool = True, push: bool = True) -> ledger_git.Synced:
        caller = Caller("overseer", str(self.clones[n]))
        return ledger_git.sync(ledger_git.place(self.ledger(n), caller), caller, NOW, agree=agree, push=push)

    def edit(self, n: int, edits: ledgers.Edits) -> None:
        ledger = self.ledger(n)
        bead = edits.one(ledger.all())
        assert ledger.transact(lambda view: [bead]) == [bead]

    def text(self, n: int) -> bytes:
        return self.ledger(n).text()

    def remote(self, path: str = ".beads/issues.jsonl") -> bytes:
        branch = "beads" if self.mode == "own-branch" else "main"
        return builders.git(self.bare, "cat-file", "blob", f"{branch}:{path}").encode() + b"\n"


@pytest.mark.parametrize("mode", MODES)
def test_what_was_deleted_or_renamed_everywhere_and_is_taken_back_comes_back_everywhere(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 2, ledgers.generated(3))
    first, *_ = sorted(yard.ledger(0).all())

    def bd(*words: str) -> None:
        done = warm.run("bd", *words, cwd=yard.clones[0])
        assert done.code == 0, done.err
        for n in (0, 1, 0):
            yard.sync(n)
        assert yard.text(0) == yard.text(1) == yard.remote()

    def alive() -> list[str]:
        return sorted(name for name, bead in yard.ledger(1).all().items() if bead.get("status") != "tombstone")

    bd("delete", first, "--force", "--cascade")
    assert first not in alive()
    bd("restore", first)
    assert first in alive()
    there = alive()
    bd("rename-prefix", "web")
    assert not set(alive()) & set(there)
    bd("rename-prefix", "bd")
    assert alive() == there


@pytest.mark.parametrize("mode", MODES)
def test_the_prefix_of_an_empty_ledger_is_that_of_its_clones(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 2, b"")
    assert yard.ledger(1).prefix == "bd"
    commits = builders.git(yard.clones[0], "rev-list", "--all", "--count")
    yard.sync(0)
    yard.sync(1)
    assert builders.git(yard.clones[0], "rev-list", "--all", "--count") == commits


@pytest.mark.parametrize("mode", MODES)
def test_ten_clones_with_fifty_edits_each_converge_and_lose_nothing(mode: str, tmp_path: Path) -> None:
    start, chance = ledgers.generated(60), random.Random(7)
    yard = Yard(tmp_path, mode, 10, start)
    edits = [ledgers.Edits(f"c{n}x", n) for n in range(10)]
    turns = [n for n in range(10) for _ in range(50)]
    chance.shuffle(turns)
    for turn in turns:
        yard.edit(turn, edits[turn])
        if chance.random() < 0.03:
            yard.sync(chance.randrange(10))
    for _ in range(2):
        for n in chance.sample(range(10), 10):
            yard.sync(n)
    texts = {yard.text(n) for n in range(10)}
    assert len(texts) == 1 and texts == {yard.remote()}
    assert not ledgers.lost(start, texts.pop(), edits)
    for n in range(3):
        assert not yard.sync(n).received and builders.git(yard.clones[n], "status", "--porcelain") == ""


class Person:
    """Who works in one clone with bd's own verbs, and keeps what each acknowledged one promised. A bead is known by its description,
    which nobody changes: its id may change where two clones gave the same one."""

    def __init__(self, name: str, clone: Path, chance: random.Random) -> None:
        self.name, self.clone, self.chance, self.count = name, clone, chance, 0
        self.said: list[tuple[str, str, str]] = []  # (bead, field, text)
        self.deleted: set[str] = set()

    def bd(self, *words: str) -> bool:
        done = warm.run("bd", *words, cwd=self.clone, env={"BD_ACTOR": self.name})
        assert done.code in (0, 1, 2), (words, done)
        return done.code == 0

    def act(self, beads: dict[str, dict[str, Any]]) -> None:
        self.count += 1
        token, living = f"{self.name}n{self.count}", sorted(name for name, bead in beads.items() if bead.get("status") != "tombstone")
        kind = self.chance.choice([
            "create", "child", "title", "comment", "label", "notes", "close", "reopen", "claim", "relate", "delete"])
        if kind == "create" or not living:
            assert self.bd("create", token, "-d", f"born {token}")
            return self.said.append((f"born {token}", "title", token))
        name, other = (self.chance.choice(living) for _ in range(2))
        born = str(beads[name].get("description"))
        words: dict[str, tuple[str, ...]] = {
            "child": ("create", token, "-d", f"born {token}", "--parent", name), "title": ("update", name, "--title", token),
            "comment": ("comment", name, token), "label": ("label", "add", name, token), "notes": ("update", name, "--append-notes", token),
            "close": ("close", name, "-r", token, "--force"), "reopen": ("reopen", name), "claim": ("update", name, "--claim"),
            "relate": ("dep", "add", name, other, "-t", "related"), "delete": ("delete", name, "--force")}
        if self.bd(*words[kind]):
            if kind in ("child", "title", "comment", "label", "notes"):
                self.said.append((f"born {token}" if kind == "child" else born, "title" if kind == "child" else kind, token))
            self.deleted |= {born} if kind == "delete" else set()


def test_ten_people_with_fifty_verbs_each_converge_and_nothing_they_said_is_lost(tmp_path: Path) -> None:
    """The children that several of them make of one bead have one id until they meet: each keeps what was said of it."""
    chance = random.Random(11)
    yard = Yard(tmp_path, "own-branch", 10, ledgers.text([{"id": "bd-start", "title": "Start", "description": "born before"}]))
    people = [Person(f"p{n}", yard.clones[n], random.Random(n)) for n in range(10)]
    turns = [n for n in range(10) for _ in range(50)]
    chance.shuffle(turns)
    for turn in turns:
        people[turn].act(yard.ledger(turn).all())
        if chance.random() < 0.06:
            yard.sync(chance.randrange(10))
    for _ in range(3):  # who hears that a bead of his has another id leaves word of it under the old one
        for n in chance.sample(range(10), 10):
            yard.sync(n)
    texts = {yard.text(n) for n in range(10)}
    assert len(texts) == 1 and texts == {yard.remote()}
    beads = [bead for bead in map(json.loads, texts.pop().splitlines()) if not str(bead.get("delete_reason")).startswith("now ")]
    by_birth = {bead["description"]: bead for bead in beads}
    assert len(by_birth) == len(beads), "one bead is there twice"
    lost = []
    titles = [one[:2] for person in people for one in person.said if one[1] == "title"]
    for person in people:
        for born, field, token in person.said:
            bead = by_birth.get(born, {})
            told = [comment["text"] for comment in bead.get("comments", ())]
            kept = token in {"comment": told, "label": bead.get("labels", ()), "notes": str(bead.get("notes")).split("\n"),
                             "title": [bead.get("title")]}[field]
            replaced = titles.count((born, field)) > 1  # by who had seen it
            lost += [] if kept or replaced or f"Merge: {field} of another version: {token}" in told else [(person.name, born, field, token)]
        lost += [born for born in person.deleted if by_birth[born]["status"] != "tombstone"]
    assert lost == []


@pytest.mark.parametrize("mode", MODES)
def test_syncs_at_the_same_time_all_get_through(mode: str, tmp_path: Path) -> None:
    yard, edits = Yard(tmp_path, mode, 4, b""), [ledgers.Edits(f"c{n}x", n) for n in range(4)]
    for n in range(4):
        yard.edit(n, edits[n])
    running = [subprocess.Popen(builders.command("bd", "sync", "--push"), cwd=clone, stdout=subprocess.DEVNULL) for clone in yard.clones]
    assert [process.wait(60) for process in running] == [0] * 4
    assert not ledgers.lost(b"", yard.remote(), edits)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_but_the_ledger_is_touched(mode: str, tmp_path: Path) -> None:
    """Pain point 3: a sync never resets, reverts or checks out; the clones converge (above)."""
    yard = Yard(tmp_path, mode, 2, ledgers.generated(5))
    one = yard.clones[0]
    builders.commit(one, {"code.txt": "unpushed\n"}, "code")
    builders.write_files(one, {"code.txt": "dirty\n", "staged.txt": "staged\n", "new.txt": "new\n"})
    builders.git(one, "add", "staged.txt")
    before = builders.git(one, "status", "--porcelain"), builders.git(one, "stash", "list"), (one / "code.txt").read_text()
    yard.edit(0, ledgers.Edits("a", 1))
    yard.edit(1, ledgers.Edits("b", 1))
    yard.sync(1)
    done = yard.sync(0)
    assert done.pushed and done.received
    assert before == (builders.git(one, "status", "--porcelain"), builders.git(one, "stash", "list"), (one / "code.txt").read_text())
    assert builders.git(yard.bare, "cat-file", "blob", "main:code.txt") == "1", "code is not pushed along"
    changed = builders.git(one, "diff", "--name-only", "main~1", "main") if mode == "code-branch" else builders.git(
        one, "ls-tree", "-r", "--name-only", "refs/gt/ledger/tip")
    assert set(changed.split("\n")) <= {f".beads/{name}" for name in ("issues.jsonl", "config.json", ".gitignore")}
    builders.git(one, "checkout", "-q", "code.txt")
    builders.git(one, "commit", "-q", "-m", "staged")
    builders.git(one, "pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
    yard.sync(0)
    assert yard.text(0) == yard.remote() and builders.git(one, "status", "--porcelain") == "?? new.txt"
    assert not [name for name in builders.git(one, "branch", "--list").split() if name == "beads"]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_pushed_until_the_person_agreed(mode: str, tmp_path: Path, run_cli: builders.Run) -> None:
    yard = Yard(tmp_path, mode, 2, b"")
    repo, before = yard.clones[1], builders.git(yard.bare, "for-each-ref")
    assert run_cli("bd", "create", "One", cwd=repo).code == 0
    told = run_cli("bd", "sync", cwd=repo)
    assert told.code == 0 and "Not pushed" in told.out and "bd sync --push" in told.out
    assert builders.git(yard.bare, "for-each-ref") == before
    assert run_cli("bd", "sync", "--push", "--no-push", cwd=repo).code == 2
    dry = json.loads(run_cli("bd", "sync", "--push", "--dry-run", "--json", cwd=repo).out)
    assert (dry["sent"], dry["pushed"]) == (1, False) and builders.git(yard.bare, "for-each-ref") == before
    assert json.loads(run_cli("bd", "sync", "--push", "--json", cwd=repo).out)["pushed"] is True
    assert run_cli("bd", "create", "Two", cwd=repo).code == 0
    assert json.loads(run_cli("bd", "sync", "--json", cwd=repo).out)["pushed"] is True, "once is enough"
    builders.git(repo, "remote", "set-url", "origin", str(builders.make_bare(tmp_path / "elsewhere.git")))
    assert json.loads(run_cli("bd", "sync", "--json", cwd=repo).out)["pushed"] is False, "another remote was not meant"


@pytest.mark.parametrize("mode", MODES)
def test_without_its_remote_the_ledger_is_committed_here(mode: str, tmp_path: Path) -> None:
    yard, edits = Yard(tmp_path, mode, 2, b""), [ledgers.Edits("a", 1), ledgers.Edits("b", 2)]
    for n in range(2):
        yard.edit(n, edits[n])
    yard.bare.rename(tmp_path / "away.git")
    with pytest.raises(RemoteAway):
        yard.sync(0)
    tip = "refs/gt/ledger/tip" if mode == "own-branch" else "HEAD"
    assert builders.git(yard.clones[0], "cat-file", "blob", f"{tip}:.beads/issues.jsonl").encode() + b"\n" == yard.text(0)
    (tmp_path / "away.git").rename(yard.bare)
    for n in (1, 0, 1):
        yard.sync(n)
    assert yard.text(0) == yard.text(1) == yard.remote() and not ledgers.lost(b"", yard.text(0), edits)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_pull_the_remote_must_be_as_it_was(mode: str, tmp_path: Path) -> None:
    yard, edits = Yard(tmp_path, mode, 2, b""), [ledgers.Edits("a", 1), ledgers.Edits("b", 2)]

    def push(n: int) -> ledger_git.Synced:
        caller = Caller("overseer", str(yard.clones[n]))
        return ledger_git.sync(ledger_git.place(yard.ledger(n), caller), caller, NOW, agree=True, pull=False)

    yard.edit(0, edits[0])
    assert push(0).pushed and yard.text(0) == yard.remote()
    yard.edit(1, edits[1])
    before = yard.remote()
    with pytest.raises(RemoteRefused):
        push(1)
    assert yard.remote() == before
    yard.sync(1)
    assert not ledgers.lost(b"", yard.remote(), edits)


@pytest.mark.parametrize("mode", MODES)
def test_taking_in_makes_no_commit(mode: str, tmp_path: Path) -> None:
    yard, edits = Yard(tmp_path, mode, 2, b""), [ledgers.Edits("a", 1), ledgers.Edits("b", 2)]
    yard.edit(0, edits[0])
    yard.sync(0)
    yard.edit(1, edits[1])
    caller = Caller("overseer", str(yard.clones[1]))
    heads = builders.git(yard.clones[1], "rev-parse", "HEAD"), builders.git(yard.bare, "for-each-ref")
    done = ledger_git.take_in(ledger_git.place(yard.ledger(1), caller))
    assert done.received and done.commit is None and not ledgers.lost(b"", yard.text(1), edits)
    assert heads == (builders.git(yard.clones[1], "rev-parse", "HEAD"), builders.git(yard.bare, "for-each-ref"))


def test_a_push_waits_for_the_interval_and_goes_with_the_next(tmp_path: Path) -> None:
    yard, edits = Yard(tmp_path, "own-branch", 1, b""), ledgers.Edits("a", 1)
    config.set(None, yard.ledger(0).beads, "push_seconds", 60)
    caller = Caller("overseer", str(yard.clones[0]))
    pushed = []
    for seconds in (0, 30, 59, 60, 90, 121):
        yard.edit(0, edits)
        done = ledger_git.sync(ledger_git.place(yard.ledger(0), caller), caller, NOW + (61 + seconds) * clock.SECOND, agree=True)
        pushed.append(done.pushed)
        assert done.pushed is not bool(done.held_back) and (yard.remote() == yard.text(0)) is done.pushed
    assert pushed == [True, False, False, True, False, True]


def test_who_pushed_lets_the_others_be_first(tmp_path: Path) -> None:
    beads = Beads(str(tmp_path / ".beads"))
    (tmp_path / ".beads/local").mkdir(parents=True)
    assert sync_pace.rest(beads) == 0
    for took, least, most in ((3 * clock.SECOND, 5.0, 6.0), (3600 * clock.SECOND, 9.0, 10.0), (0, 0.0, 0.0)):
        sync_pace.pushed(beads, NOW, took)
        assert least <= sync_pace.rest(beads) <= most
    sync_pace.pushed(beads, NOW, clock.SECOND)
    fsio.write_json(beads.sync, {**fsio.read_json(beads.sync), "boot": "another"})
    assert sync_pace.rest(beads) == 0


def test_two_beads_under_one_id_keep_apart_in_every_clone(tmp_path: Path) -> None:
    """Pain point 11: ids that met in a merge are told apart alike everywhere."""
    yard = Yard(tmp_path, "own-branch", 2, b"")
    for n in range(2):
        stamp = f"2026-01-0{n + 1}T00:00:00Z"
        common = {"priority": 2, "created_at": stamp, "created_by": str(n), "updated_at": stamp}
        made = [{"id": "bd-a", "title": f"bead {n}", **common}, {"id": f"bd-a.{n + 1}", "title": f"child {n}", **common}]
        yard.ledger(n).transact(lambda view, made=made: made)
    for n in (0, 1, 0, 1):
        yard.sync(n)
    assert yard.text(0) == yard.text(1) == yard.remote()
    living = [bead["title"] for bead in map(json.loads, yard.text(0).splitlines()) if bead.get("status") != "tombstone"]
    assert sorted(living) == ["bead 0", "bead 1", "child 0", "child 1"]


def test_who_came_second_is_told(tmp_path: Path) -> None:
    """Pain point 10: of two clones that claimed one bead one has it, and the other hears so."""
    start = {"id": "bd-a", "title": "A", "priority": 2, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    yard = Yard(tmp_path, "own-branch", 2, json.dumps(start).encode() + b"\n")
    for n in range(2):
        stamp = f"2026-01-0{n + 2}T00:00:00Z"
        taken = {**yard.ledger(n).all()["bd-a"], "status": "in_progress", "assignee": f"clone{n}", "started_at": stamp, "updated_at": stamp}
        yard.ledger(n).transact(lambda view, taken=taken: [taken])
    yard.sync(0)
    assert yard.sync(1).notes == ["bd-a assignee: kept clone0, not clone1"] and not yard.sync(1).notes
    yard.sync(0)
    assert yard.text(0) == yard.text(1) == yard.remote() and yard.ledger(1).all()["bd-a"]["assignee"] == "clone0"


def test_a_remote_that_lost_its_beads_takes_none_from_here(tmp_path: Path) -> None:
    """Pain point 5: beads vanish by a tombstone alone."""
    yard = Yard(tmp_path, "own-branch", 2, ledgers.generated(30))
    yard.sync(1)
    first = builders.git(yard.bare, "rev-list", "--max-parents=0", "beads")
    short = yard.remote().splitlines(keepends=True)[0]
    blob = builders.git(yard.bare, "hash-object", "-w", "--stdin", input=short.decode())
    folder = builders.git(yard.bare, "mktree", input=f"100644 blob {blob}\tissues.jsonl\n")
    tree = builders.git(yard.bare, "mktree", input=f"040000 tree {folder}\t.beads\n")
    builders.git(yard.bare, "update-ref", "refs/heads/beads", builders.git(yard.bare, "commit-tree", tree, "-p", first, "-m", "oops"))
    before = yard.text(1)
    done = yard.sync(1)
    assert "are missing in origin's file" in done.notes[0] and yard.text(1) == before == yard.remote()


@pytest.mark.parametrize("mode", MODES)
def test_a_bad_line_is_not_shared(mode: str, tmp_path: Path) -> None:
    yard = Yard(tmp_path, mode, 2, ledgers.generated(5))
    with open(yard.ledger(0).beads.issues, "ab") as file:
        file.write(b"<<<<<<< HEAD\n")
    yard.edit(0, ledgers.Edits("a", 1))
    yard.sync(0)
    yard.sync(1)
    assert b"<<<" not in yard.remote() and b"<<<" in yard.text(0) and yard.text(0).replace(b"<<<<<<< HEAD\n", b"") == yard.text(1)


def test_a_rigs_ledger_is_shared_with_a_clone_outside_the_town(tmp_path: Path, run_cli: builders.Run) -> None:
    bare = builders.make_bare(tmp_path / "remote.git", builders.make_repo(tmp_path / "seed", {"code.txt": "1\n"}))
    town = rigtown.make_town(tmp_path)
    rigtown.add(town, "gp", bare, gates="none")
    rig, main = town.rig("gp"), builders.git(bare, "rev-parse", "main")
    for words in (["create", "From the rig"], ["sync", "--push"]):
        assert run_cli("bd", *words, cwd=rig.root).code == 0
    clone = tmp_path / "clone"
    builders.git(tmp_path, "clone", "-q", str(bare), str(clone))
    for words in (["init"], ["create", "From outside"], ["sync", "--push"]):
        assert run_cli("bd", *words, cwd=clone).code == 0
    done = json.loads(run_cli("bd", "sync", "--json", cwd=rig.root).out)
    assert len(done["received"]) == 1 and done["branch"] == "beads"
    assert [json.loads(line)["title"] for line in sorted(Ledger(rig.beads).text().splitlines(), key=lambda line: b"outside" in line)] == [
        "From the rig", "From outside"]
    assert Ledger(rig.beads).text() == Ledger(Beads(str(clone / ".beads"))).text() and builders.git(bare, "rev-parse", "main") == main
    assert run_cli("bd", "sync", cwd=town.root).code == 1, "the town's own ledger is in no repository"


def test_the_many_versions_of_a_ledger_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard, edits = Yard(tmp_path, "own-branch", 1, ledgers.generated(40)), ledgers.Edits("a", 1)
    for limit in (10**9, 0):
        monkeypatch.setattr(git, "LOOSE_KILOBYTES", limit)
        yard.edit(0, edits)
        yard.sync(0)
        loose = int(builders.git(yard.clones[0], "count-objects").split()[0])
        assert (loose > 0) == (limit > 0)
    assert yard.text(0) == yard.remote() and builders.git(yard.clones[0], "fsck") == ""


def test_what_cannot_be_synced_says_why(tmp_path: Path, repo: Path) -> None:
    builders.run(builders.command("bd", "init", "--stealth"), cwd=repo)
    with pytest.raises(Refused, match="kept out of git"):
        ledger_git.place(Ledger(Beads(str(repo / ".beads"))), Caller("overseer", str(repo)))
    beads = Beads(str(tmp_path / "plain/.beads"))
    Ledger.create_files(beads, "bd", "code-branch")
    with pytest.raises(Refused, match="in no git repository"):
        ledger_git.place(Ledger(beads), Caller("overseer", str(tmp_path / "plain")))
