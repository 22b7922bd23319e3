"""A whole town that runs, made and driven by its own commands as processes: install, rig add, up, sling, tick, down."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import builders
import warm

from gastown_hooks.core.paths import Town
from gastown_hooks.stores import config, processes
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import queue


@contextmanager
def towns(path: Path, gate: str = "true", *, remote: bool = False) -> Iterator[Callable[..., LiveTown]]:
    """What makes a town in `path`, with this gate and remote unless told otherwise; it is down at the end."""
    made: list[LiveTown] = []

    def make(gate: str = gate, *, remote: bool = remote) -> LiveTown:
        made.append(LiveTown(path, gate, remote=remote))
        return made[-1]

    yield make
    for one in made:
        one.run("gt", "down")


class LiveTown:
    """The rig `gp` on a small project, its agent the embedded one. `remote`: a bare repository that is its origin."""

    def __init__(self, path: Path, gate: str = "true", *, remote: bool = False) -> None:
        self.path, self.town = path, Town(str(path / "town"))
        self.project = builders.make_repo(path / "project", {"README.md": "hello\n"})
        self.remote = builders.make_bare(path / "origin.git", self.project) if remote else None
        self.rig = self.town.rig("gp")
        self.gt("install", self.town.root, cwd=path)
        self.gt("rig", "add", "gp", f"file://{self.remote}" if self.remote else str(self.project), "--prefix", "gp", "--gate", gate)
        for key, value in (("default_agent", "exec"), ("witness_seconds", "1"), ("refinery_seconds", "1"), ("gp.resend_seconds", "1")):
            self.gt("config", "set", key, value)
        self.gt("up", "--no-cron")

    def run(self, program: str, *args: str, cwd: Path | str | None = None) -> builders.Finished:
        return warm.run(program, *args, cwd=cwd or self.town.root, env={"GT_WAKE": "spawn"})

    def gt(self, *args: str, cwd: Path | str | None = None) -> str:
        done = self.run("gt", *args, cwd=cwd)
        assert done.code == 0, (args, done)
        return done.out

    def bd(self, *args: str) -> str:
        done = self.run("bd", *args)
        assert done.code == 0, (args, done)
        return done.out

    def bead(self, title: str, script: str, *deps: str) -> str:
        waits = ["--deps", ",".join(deps)] if deps else []
        return self.bd("create", title, "--prefix", "gp", "--run", script, "--silent", *waits).strip()

    def slung(self, title: str, script: str, *deps: str) -> str:
        bead = self.bead(title, script, *deps)
        self.gt("sling", bead, "gp")
        return bead

    def get(self, bead: str) -> dict[str, Any]:
        return Ledger(self.rig.beads).get(bead) or {}

    def is_closed(self, *beads: str) -> bool:
        return all(self.get(bead)["status"] == "closed" for bead in beads)

    def ready(self) -> set[str]:
        return {bead["id"] for bead in json.loads(self.bd("ready", "--prefix", "gp", "--json"))}

    def request(self, bead: str) -> dict[str, Any] | None:
        """The last merge request of the bead."""
        found = [one for one in queue.requests(self.rig, closed=True) if one["metadata"]["source"] == bead]
        return {**found[-1]["metadata"], "id": found[-1]["id"]} if found else None

    def state(self, bead: str) -> str:
        return str((self.request(bead) or {}).get("state"))

    def tick(self) -> None:
        self.run("gt", "daemon", "tick")  # its exit code tells of phases that failed, which some of the tests want

    def until(self, condition: Callable[[], object], seconds: float = 40.0) -> None:
        """Tick until it holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen in time\n{self.log()}"
            self.tick()
            time.sleep(0.05)

    def soon(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait without a tick."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen in time\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        path = Path(self.town.daemon_log)
        return path.read_text()[-3000:] if path.exists() else ""

    def git(self, *args: str) -> str:
        return builders.git(self.rig.repo, f"--git-dir={self.rig.repo}", *args)

    def has(self, rev: str) -> bool:
        return builders.run(["git", f"--git-dir={self.rig.repo}", "rev-parse", "--quiet", "--verify", rev]).code == 0

    def tip(self) -> str:
        """The target's tip where it counts."""
        return builders.git(self.remote, "rev-parse", "refs/heads/main") if self.remote else self.git("rev-parse", "refs/heads/main")

    def files(self) -> set[str]:
        """The files of the target where it counts."""
        where = str(self.remote or self.rig.repo)
        return set(builders.git(where, f"--git-dir={where}", "ls-tree", "-r", "--name-only", "refs/heads/main").split())

    def landed(self) -> list[str]:
        """The beads that the target's merges name, each as often as it landed."""
        return sorted(self.git("log", "--first-parent", "--merges", "--format=%(trailers:key=Bead,valueonly)", "main").split())

    def push(self, files: dict[str, str | None], message: str = "a person's commit") -> str:
        """A person's push to the remote."""
        clone = self.path / "person"
        if not clone.exists():
            builders.git(self.path, "clone", "-q", str(self.remote), str(clone))
        builders.git(clone, "fetch", "-q", "origin")
        builders.git(clone, "reset", "-q", "--hard", "origin/main")
        made = builders.commit(clone, files, message)
        builders.git(clone, "push", "-q", "origin", "HEAD:main")
        return made

    def mails(self) -> list[str]:
        """The subjects of the overseer's mails."""
        folder = Path(self.town.overseer.mail, "new")
        return [line[9:] for path in sorted(folder.iterdir()) for line in path.read_text().splitlines() if line.startswith("Subject: ")]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [one["payload"] for one in map(json.loads, Path(self.town.events).read_text().splitlines()) if one["type"] == kind]

    def alive(self) -> list[processes.Process]:
        """What carries the town's token, or works below it."""
        return [*processes.with_token(f"{config.town_id(self.town)}.", prefix=True), *processes.below(self.town.root)]

    def check(self) -> None:
        """What must hold whatever happened: each landing gated on exactly its tree, closed beads landed, the repository whole."""
        for landing in self.git("rev-list", "--first-parent", "--merges", "refs/heads/main").split():
            note = json.loads(self.git("notes", "--ref=gates", "show", landing))
            assert note["verdict"] == "pass" and note["tree"] == self.git("rev-parse", f"{landing}^{{tree}}")
        landed = self.landed()
        closed = [bead for bead in json.loads(self.bd("list", "--all", "--prefix", "gp", "-n", "0", "--json"))
                  if bead["status"] == "closed" and bead["issue_type"] == "task"]
        assert all(landed.count(bead["id"]) == 1 for bead in closed)
        self.git("fsck", "--strict", "--no-dangling")
        if self.remote and os.path.isdir(self.remote):
            assert self.tip() == self.git("rev-parse", "refs/heads/main")
