"""A town with one rig, a target branch and claimed beads: what the merge queue needs, made by hand and quickly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import builders

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.rules import requests
from gastown_hooks.stores import worktrees
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import land, queue
from gastown_hooks.work.desk import RoundResult

START = clock.parse("2026-01-02T03:04:05.000000Z")
FILES: Mapping[str, str] = {"README.md": "hello\n", "src/app.py": "".join(f"line {n}\n" for n in range(20))}


@dataclass(slots=True)
class Yard:
    """`remote` is the bare repository that is the rig's origin, or None. `scratch` is a clone to commit in."""

    root: Path
    rig: Rig
    scratch: Path
    remote: Path | None
    now: int = START
    beads: dict[str, int] = field(default_factory=dict)

    # ---- building

    def gates(self, *commands: str, none: bool = False, **settings: Any) -> None:
        value = {"gates": "none" if none else list(commands), **settings}
        Path(self.rig.settings).parent.mkdir(exist_ok=True)
        Path(self.rig.settings).write_text(json.dumps(value))

    def counted(self, command: str = "true") -> str:
        """A gate command that leaves a line for each of its runs."""
        return f"echo run >> {self.root}/runs; {command}"

    def runs(self) -> int:
        path = self.root / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def bead(self, name: str, *, priority: int = 2, fence: int = 1, worker: str = "toast", **more: Any) -> str:
        bead_id = f"gp-{name}"
        record = {"id": bead_id, "title": f"Do {name}", "status": "in_progress", "priority": priority, "issue_type": "task",
                  "assignee": f"gp/polecats/{worker}", "created_at": clock.stamp(self.now), "updated_at": clock.stamp(self.now),
                  "claim_fence": fence, **more}
        self.put(record)
        return bead_id

    def put(self, record: dict[str, Any]) -> None:
        Ledger(self.rig.beads).transact(lambda view: [record])

    def get(self, bead_id: str) -> dict[str, Any]:
        found = Ledger(self.rig.beads).get(bead_id)
        assert found is not None, bead_id
        return found

    def commit(self, branch: str, files: Mapping[str, str | bytes | None], *, base: str | None = None, message: str = "work") -> str:
        """A commit on `branch` of the rig's repository, on top of the branch, `base` or the target."""
        builders.git(self.scratch, "fetch", "-q", self.rig.repo, "+refs/heads/*:refs/remotes/rig/*")
        start = base or (f"rig/{branch}" if self.has(f"refs/heads/{branch}") else "rig/main")
        builders.git(self.scratch, "checkout", "-q", "--detach", start)
        head = builders.commit(self.scratch, files, message)
        builders.git(self.scratch, "push", "-q", self.rig.repo, f"+HEAD:refs/heads/{branch}")
        return head

    def submit(self, name: str, files: Mapping[str, str | bytes | None] | None = None, *, head: str | None = None,
               base: str | None = None, priority: int = 2, worker: str = "toast", fence: int = 1, **more: Any) -> str:
        """A bead, its branch and its merge request; returns the request's id."""
        bead_id = f"gp-{name}"
        if Ledger(self.rig.beads).get(bead_id) is None:
            self.bead(name, priority=priority, worker=worker, fence=fence, **more)
        branch = self.branch(name, worker, fence)
        if head is None:
            wanted = files if files is not None else {f"{name}.txt": f"{name}\n"}
            head = self.commit(branch, wanted, base=base, message=f"work on {name}")  # or two of one second would be one commit
        self.now += clock.SECOND
        made = queue.submit(self.rig, self.get(bead_id), head=head, branch=branch, worker=f"gp/polecats/{worker}", fence=fence,
                            target="main", caller=self.worker(bead_id, worker, fence), now=self.now)
        return str(made["id"])

    def many(self, count: int, bad: tuple[int, ...] = ()) -> list[str]:
        """Requests b0, b1, …, side by side; those in `bad` hold the word BAD."""
        base = self.tip()
        return [self.submit(f"b{n}", {f"b{n}.txt": "BAD\n" if n in bad else "fine\n"}, worker=f"w{n}", base=base) for n in range(count)]

    def branch(self, name: str, worker: str = "toast", fence: int = 1) -> str:
        return f"polecat/{worker}/{name}@{fence}"

    def worker(self, bead_id: str, worker: str = "toast", fence: int = 1) -> Caller:
        return Caller(f"gp/polecats/{worker}", self.rig.town.root, self.rig.town, bead=bead_id, fence=fence)

    def person(self) -> Caller:
        return Caller("overseer", self.rig.town.root, self.rig.town)

    # ---- acting and looking

    def round(self, *, later: int = 1) -> RoundResult:
        self.now += later * clock.SECOND
        return land.round(self.rig, self.now)

    def request(self, request_id: str) -> requests.Request:
        return queue.find(self.rig, request_id)

    def has(self, ref: str) -> bool:
        return Repo(self.rig.repo).resolve(ref) is not None

    def tip(self, ref: str = "refs/heads/main") -> str:
        return builders.git(self.rig.repo, f"--git-dir={self.rig.repo}", "rev-parse", ref)

    def remote_tip(self, ref: str = "refs/heads/main") -> str:
        assert self.remote is not None
        return builders.git(self.remote, "rev-parse", ref)

    def rig_git(self, *args: str, input: str | None = None) -> str:
        return builders.git(self.rig.repo, f"--git-dir={self.rig.repo}", *args, input=input)

    def file(self, path: str, rev: str = "refs/heads/main") -> str | None:
        done = builders.run(["git", f"--git-dir={self.rig.repo}", "show", f"{rev}:{path}"])
        return done.out if done.code == 0 else None

    def outsider(self, files: Mapping[str, str | bytes | None], *, force: bool = False, base: str | None = None) -> str:
        """Somebody's push straight to the remote's target."""
        assert self.remote is not None
        builders.git(self.scratch, "fetch", "-q", str(self.remote), "main")
        builders.git(self.scratch, "checkout", "-q", "--detach", base or "FETCH_HEAD")
        head = builders.commit(self.scratch, files, "outside")
        builders.git(self.scratch, "push", "-q", *(["--force"] if force else []), str(self.remote), "HEAD:refs/heads/main")
        return head

    def mails(self, home: str = "witness") -> list[str]:
        place = {"witness": self.rig.witness.mail, "overseer": self.rig.town.overseer.mail}[home]
        found = []
        for folder in ("new", "cur"):
            for path in sorted((Path(place) / folder).glob("[!.]*")) if (Path(place) / folder).is_dir() else []:
                found += [line[9:].strip() for line in path.read_text().splitlines() if line.startswith("Subject: ")][:1]
        return sorted(found)

    def events(self, kind: str) -> list[dict[str, Any]]:
        path = Path(self.rig.town.events)
        lines = path.read_text().splitlines() if path.exists() else []
        return [event["payload"] for event in map(json.loads, lines) if event["type"] == kind]

    def journal(self) -> list[str]:
        path = Path(self.rig.refinery.landings)
        return [next(iter(json.loads(line))) for line in path.read_text().splitlines()] if path.exists() else []

    def check_green(self) -> None:
        """Every commit that the target went through has a gate record for exactly its tree (all but the first)."""
        first_parents = self.rig_git("rev-list", "--first-parent", "refs/heads/main").splitlines()[:-1]
        for commit in first_parents:
            note = json.loads(self.rig_git("notes", "--ref=gates", "show", commit))
            assert note["verdict"] == "pass" and note["tree"] == self.rig_git("rev-parse", f"{commit}^{{tree}}")


def town_id(root: Path) -> str:
    """Each test's town has its own, for processes are found by it."""
    return "t" + hashlib.sha256(str(root).encode()).hexdigest()[:12]


_templates: dict[bool, Path] = {}


def make(root: Path, *, remote: bool = False, files: Mapping[str, str] | None = None) -> Yard:
    """A town `town` with the rig `gp`, no worker in it."""
    if files is not None:
        _build(root, remote, files)
    else:
        if remote not in _templates:
            _build(built := builders.template(), remote, FILES)
            _templates[remote] = built
        builders.copied(_templates[remote], root, {town_id(_templates[remote]): town_id(root)})
    yard = Yard(root, Town(str(root / "town")).rig("gp"), root / "scratch", root / "origin.git" if remote else None)
    yard.gates("true")
    return yard


def _build(root: Path, remote: bool, files: Mapping[str, str]) -> None:
    project = builders.make_repo(root / "project", files)
    origin = builders.make_bare(root / "origin.git", project) if remote else None
    town = Town(str(root / "town"))
    rig = town.rig("gp")
    for folder in (town.mayor.root, town.locks, town.overseer.root, rig.witness.root, rig.refinery.root, rig.polecats):
        Path(folder).mkdir(parents=True)
    marker = {"type": "town", "version": 1, "name": "town", "id": town_id(root), "owner": "owner@example.test"}
    Path(town.marker).write_text(json.dumps(marker))
    Ledger.create_files(town.beads, "hq", OWN_BRANCH)
    Ledger.create_files(rig.beads, "gp", OWN_BRANCH)
    Path(town.beads.routes).write_text('{"prefix":"hq-","path":"."}\n{"prefix":"gp-","path":"gp"}\n')
    Path(rig.config).write_text(json.dumps({
        "type": "rig", "version": 1, "name": "gp", "git_url": str(origin) if origin else None, "local_repo": None,
        "default_branch": "main", "created_at": clock.stamp(START), "beads": {"prefix": "gp"}}))
    builders.git(root, "clone", "-q", "--bare", str(origin or project), rig.repo)
    if origin is None:
        builders.git(rig.repo, "remote", "remove", "origin")
    worktrees.prepare_repo(rig, "main")
    builders.git(root, "clone", "-q", str(project), "scratch")
