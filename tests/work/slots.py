"""A small town with one rig and workers in real worktrees, made from the stores; and what a tree looks like to git."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from builders import ROOT, Finished, git, make_repo, run

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.stores import worktrees
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.config import RigConfig
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease as leases
from gastown_hooks.work import salvage
from gastown_hooks.work.lease import Lease
from gastown_hooks.work.salvage import Salvage

STEP = int(os.environ.get("STEP", "8"))  # every which call a kill test visits; 1 visits all
NOW = 1_800_000_000 * clock.SECOND
START = {"README.md": "hello\n", "src/app.py": "print('hi')\n", "run.sh": "#!/bin/sh\n", ".gitignore": "*.o\nbuild/\n", "old.txt": "old\n"}


def town_id(place: Path | str) -> str:
    """An id of the test's own: processes are found by it on the whole machine."""
    return hashlib.sha256(str(place).encode()).hexdigest()[:10]


def token(rig: Rig, tail: str) -> str:
    return f"{town_id(rig.town.root)}.{tail}"


def make_town(place: Path, files: dict[str, str | bytes] | None = None) -> Rig:
    """A town at `place` with the rig `gp`, whose `.repo.git` has one commit on main."""
    source = make_repo(place.parent / "source", files or dict(START))
    town = Town(str(place))
    rig = town.rig("gp")
    for folder in (place / "mayor", place / ".runtime/locks", Path(rig.polecats), Path(rig.beads.local)):
        folder.mkdir(parents=True)
    fsio.write_json(town.marker, {"type": "town", "version": 1, "id": town_id(place), "name": "test", "owner": "o@example.test",
                                  "created_at": clock.stamp(NOW)})
    fsio.write_json(rig.config, RigConfig("gp", "gp", "main", None, str(source)).as_json(clock.stamp(NOW)))
    git(source, "clone", "-q", "--bare", str(source), rig.repo)
    worktrees.prepare_repo(rig, "main")
    git(rig.repo, "update-ref", "refs/gt/landed/main", "refs/heads/main")
    Ledger.create_files(rig.beads, "gp", "none")
    return rig


def add_worker(rig: Rig, name: str, fence: int, *, state: str = leases.READY, bead: str = "") -> Home:
    """A worker with its own worktree, as a sling leaves it."""
    home = rig.polecat(name)
    Path(home.root).mkdir(parents=True, exist_ok=True)
    base = git(rig.repo, "rev-parse", "main")
    bead = bead or f"gp-b{fence}"
    branch = f"polecat/{name}/{bead[3:]}@{fence}"
    leases.write(home, Lease(bead, fence, token(rig, f"{name}{fence}"), f"gp/polecats/{name}", branch, base, "exec", state,
                             clock.stamp(NOW)))
    worktrees.add(rig, home.tree, branch=branch, start=base, sparse=True, githooks=None, replace_unready=True)
    return home


def overseer(rig: Rig) -> Caller:
    return Caller("overseer", rig.root, rig.town)


def save(rig: Rig, name: str) -> Salvage:
    lease = leases.read(rig.polecat(name))
    assert lease is not None
    return salvage.save(rig, name, lease.fence, lease)[0]


def seen(tree: str) -> dict[str, object]:
    """What git and the disk say of a tree: status, index with stages, head, every file's bytes and mode."""
    status = _out(tree, "status", "--porcelain=v2", "-z", "--untracked-files=all")
    files = {}
    for folder, names, leaves in os.walk(os.fsencode(tree)):
        if os.path.relpath(folder, os.fsencode(tree)) == b"." and b".git" in names:
            names.remove(b".git")
        for leaf in [*leaves, *(n for n in names if os.path.islink(os.path.join(folder, n)))]:
            path = os.path.join(folder, leaf)
            name = os.path.relpath(path, os.fsencode(tree))
            if name == b".git":
                continue
            files[name] = (b"->", os.readlink(path)) if os.path.islink(path) else (
                b"x" if os.stat(path).st_mode & 0o100 else b"-", Path(os.fsdecode(path)).read_bytes())
    return {"head": _out(tree, "rev-parse", "HEAD"), "status": status, "index": _out(tree, "ls-files", "-s", "-v", "-z"), "files": files,
            "staged": _out(tree, "diff", "--cached", "--raw", "-z"), "unstaged": _out(tree, "diff", "--binary")}


def _out(tree: str, *args: str) -> str:
    done = run(["git", "-C", tree, *args])
    assert done.code == 0, done.err
    return done.out


def stash_list(rig: Rig) -> list[str]:
    """`<commit> <message>`, newest first."""
    out = run(["git", f"--git-dir={rig.repo}", "log", "-g", "--format=%H %gs", "refs/stash", "--"]).out
    return out.splitlines()


def salvage_refs(rig: Rig) -> dict[str, str]:
    rows = git(rig.repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/gt/salvage").splitlines()
    return dict(row.split(" ") for row in rows)


def events(rig: Rig) -> list[dict[str, object]]:
    return [json.loads(line) for line in (fsio.read(rig.town.events) or b"").splitlines()]


_DRIVER = """
import os, signal, sys
sys.path[:0] = {path!r}
import slots
from gastown_hooks.core.paths import Town
from gastown_hooks.work import lease as leases, rescue, retire, salvage, stashes
rig = Town({town!r}).rig("gp")
left = {kill_at}
def watch(event, args):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir", "subprocess.Popen"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
{act}
print(left)
"""


def run_work(rig: Rig, act: str, *, kill_at: int = 0, without_rights: bool = False, env: dict[str, str] | None = None) -> Finished:
    """Run Python lines in another process; killed at its `kill_at`-th rename, removal, new folder or git. Prints -calls."""
    path = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/work")]
    words = [sys.executable, "-c", _DRIVER.format(path=path, town=rig.town.root, kill_at=kill_at, act=act)]
    if without_rights and os.geteuid() == 0:  # root reads everything, unless it may not
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
    return run(words, env=env)
