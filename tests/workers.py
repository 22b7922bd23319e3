"""A town with one rig and real workers, for the tests of runner, polecat and witness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.stores import config, processes
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import queue, sling

_template: list[Path] = []
# Stands in for the refinery: only notes that it was woken.
REFINERY = '''"""Notes each round. It must never do more."""
import sys
from gastown_hooks.role import main
def patrol(one):
    """Note it."""
    with open(one.town.root + "/refinery-rounds", "a") as file:
        file.write("round\\n")
    return 0
if __name__ == "__main__":
    sys.exit(main({"role": "refinery"}, {"patrol": patrol}))
'''


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def _copy(tmp_path: Path) -> None:
    """A copy of one town that the real commands made, with a name of its own."""
    if not _template:
        root = builders.template()
        project = builders.make_repo(root / "project", {"README.md": "hello\n"})
        run, town = builders.Run(root), f"{root}/town"
        for words in (["install", town], ["-C", town, "rig", "add", "gp", str(project), "--prefix", "gp", "--gate", "none"]):
            done = run("gt", *words)
            assert done.code == 0, done.err
        _template.append(root)
    old = json.loads((_template[0] / "town/mayor/town.json").read_bytes())["id"]
    builders.copied(_template[0], tmp_path, {old: os.urandom(6).hex()})


class WorkerTown:
    """`gp` with prefix `gp`; its project has a README."""

    def __init__(self, tmp_path: Path, *, running: bool = False) -> None:
        self.path = tmp_path
        _copy(tmp_path)
        self.town = Town(str(tmp_path / "town"))
        self.rig: Rig = self.town.rig("gp")
        fsio.write(self.rig.refinery.role_file("refinery"), REFINERY.encode())
        config.set(self.town, self.rig, "agent", "exec")
        if running:
            config.set_mode(self.town, "running")

    @property
    def overseer(self) -> Caller:
        return Caller("overseer", self.town.root, self.town)

    def bead(self, bead_id: str = "gp-aaaaa", **fields: Any) -> str:
        now = clock.stamp(clock.now())
        record = {"id": bead_id, "title": f"work of {bead_id}", "status": "open", "priority": 2, "issue_type": "task",
                  "created_at": now, "updated_at": now, **fields}
        Ledger(self.rig.beads).transact(lambda view: [record])
        return bead_id

    def get(self, bead_id: str = "gp-aaaaa") -> dict[str, Any]:
        return Ledger(self.rig.beads).get(bead_id) or {}

    def change(self, bead_id: str, **fields: Any) -> None:
        Ledger(self.rig.beads).transact(lambda view: [{**(view.get(bead_id) or {}), **fields}])

    def sling(self, bead_id: str = "gp-aaaaa", *, agent: str | None = None) -> Home:
        """The slot of a worker on the bead; the first one is `toast`."""
        [given] = sling.sling(self.town, [bead_id], self.rig, agent=agent, caller=self.overseer, now=clock.now())
        return self.rig.polecat(given.name)

    def agent(self, text: str, name: str = "fake") -> str:
        """An agent program written for one test, as a custom command of the town."""
        path = self.path / f"{name}.py"
        path.write_text(text)
        config.set(self.town, None, f"agents.{name}", {"command": f"{sys.executable} {path}"})
        return name

    def role(self, role: str, trigger: str, *args: str, env: dict[str, str] | None = None) -> builders.Finished:
        """A role's trigger in the foreground."""
        program = str(builders.ROOT / "roles" / f"{role}.py")
        return builders.run([sys.executable, program, trigger, "--town", self.town.root, "--rig", "gp", *args],
                            cwd=self.path, env={"GT_WAKE": "inline", **(env or {})})

    def work(self, name: str = "toast") -> builders.Finished:
        """The worker's whole run, to its end."""
        return self.role("polecat", "run", "--name", name)

    def begin(self) -> subprocess.Popen[bytes]:
        """The runner in the background."""
        words = [sys.executable, str(builders.ROOT / "roles/polecat.py"), "run", "--town", self.town.root, "--rig", "gp", "--name", "toast"]
        with open(self.path / "runner.out", "ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "GT_WAKE": "inline"})

    def requests(self) -> list[dict[str, Any]]:
        return queue.requests(self.rig, closed=True)

    def turns(self, home: Home) -> dict[str, Any]:
        return json.loads(fsio.read(home.turns) or b"{}")

    def alive(self) -> list[processes.Process]:
        """Every process of this town."""
        return processes.with_token(f"{config.town_id(self.town)}.", prefix=True)

    def mails(self, mailbox: str) -> list[str]:
        return [Path(folder, name).read_text() for folder in (f"{mailbox}/new", f"{mailbox}/cur") if os.path.isdir(folder)
                for name in sorted(os.listdir(folder))]

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = Path(self.town.events).read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["type"] == kind]
