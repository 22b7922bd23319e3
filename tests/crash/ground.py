"""What the scenarios of commands stand on: a town with one rig, its remote, three beads and their workers; and the laws of all of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

from crash import checker, engine
from crash.engine import Command, Story

RIG = "gp"


def gt(*words: str, cwd: str = "", env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> Command:
    return Command(("gt", *words), cwd, env or {}, allowed)


def bd(*words: str, cwd: str = "", env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> Command:
    return Command(("bd", *words), cwd, env or {}, allowed)


def run(command: Command, root: str) -> str:
    """Run a step of a setup; it must succeed."""
    done = subprocess.run(engine.spelled(command.argv), cwd=command.cwd or root, env=dict(os.environ) | command.env, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"setup: {' '.join(command.argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def git(where: str, *words: str) -> str:
    return run(Command(("git", "-C", where, *words)), where).strip()


# ---- a rig with a remote

def rig_less(root: str) -> None:
    """A town, and a remote with one commit that nothing of ours has touched."""
    run(gt("install", f"{root}/town"), root)
    git(root, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(root, "init", "-q", "-b", "main", "seed")
    for name, text in (("README.md", "hello\n"), ("src/app.py", "print('app')\n"), (".gitignore", "*.log\n")):
        put(f"{root}/seed/{name}", text)
    git(f"{root}/seed", "add", "-A")
    git(f"{root}/seed", "commit", "-q", "-m", "start")
    git(f"{root}/seed", "push", "-q", f"{root}/origin.git", "main")
    subprocess.run(["rm", "-rf", f"{root}/seed"], check=True)


def put(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def rig_add(root: str) -> list[Command]:
    return [gt("rig", "add", RIG, f"{root}/origin.git", "--gate", "test ! -e bad", cwd=f"{root}/town")]


def town_of(story: Story) -> checker.Town:
    return checker.Town(f"{story.root}/town", RIG, origin=f"{story.root}/origin.git")


def start_of(story: Story) -> str:
    return checker.git(f"{story.template}/origin.git", "rev-parse", "refs/heads/main")


def laws(story: Story) -> list[str]:
    return checker.town_laws(town_of(story), start_of(story))


def always(story: Story) -> list[str]:
    """The laws that hold in the middle of an act too: git's own folder of a worktree may then be half made."""
    return [text for text in laws(story) if not ("git fsck" in text and "worktrees/" in text)]


# ---- work

BEADS = ("gp-aaa01", "gp-bbb02", "gp-ccc03")


def line(bead: str, **fields: object) -> str:
    record = {"id": bead, "title": f"bead {bead}", "status": "open", "priority": 2, "issue_type": "task",
              "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", **fields}
    return json.dumps(record, separators=(",", ":")) + "\n"


def rigged(root: str, beads: tuple[str, ...] = BEADS) -> None:
    """A rig with these beads and bystanders, put there by hand."""
    rig_less(root)
    for command in rig_add(root):
        run(command, root)
    text = "".join(line(bead) for bead in beads) + line("gp-zzz99", title="bystander", x_unknown=[1, {"k": None}], status="closed")
    put(f"{root}/town/{RIG}/.beads/issues.jsonl", text)
    run(gt("rig", "list", cwd=f"{root}/town"), root)


def sling(*beads: str) -> Callable[[str], list[Command]]:
    return lambda root: [gt("sling", *beads, RIG, cwd=f"{root}/town")]


def sling_again(*beads: str) -> Callable[[str], list[Command]]:
    """The same command; one that finds everything done says who owns the bead (a conflict)."""
    return lambda root: [gt("sling", *beads, RIG, cwd=f"{root}/town", allowed=(0, 4))]


def leases(root: str) -> dict[str, dict[str, object]]:
    """bead -> lease"""
    found = {}
    folder = f"{root}/town/{RIG}/polecats"
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}/lease.json"
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lease = json.load(file)
            found[lease["bead"]] = {**lease, "name": name, "tree": f"{folder}/{name}/rig"}
    return found


def bystanders(story: Story, *touched: str) -> list[str]:
    now, before = town_of(story).ledger(), checker.Ledger(f"{story.template}/town/{RIG}/.beads")
    return checker.untouched(now, before, set(touched))


def worker(root: str, bead: str, *words: str) -> Command:
    """A command of the bead's worker, from its tree."""
    lease = leases(root)[bead]
    env = {"GT_ROLE": "polecat", "GT_ROOT": f"{root}/town", "GT_RIG": RIG, "GT_POLECAT": str(lease["name"]), "GT_BEAD": bead,
           "BD_ACTOR": str(lease["actor"]), "BEADS_DIR": f"{root}/town/{RIG}/.beads", "GT_FENCE": str(lease["fence"]),
           "GT_TOKEN": str(lease["token"])}
    return gt(*words, cwd=str(lease["tree"]), env=env)


def commit(root: str, bead: str, files: dict[str, str]) -> None:
    tree = str(leases(root)[bead]["tree"])
    for name, text in files.items():
        put(f"{tree}/{name}", text)
    git(tree, "add", "-A")
    git(tree, "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", f"work on {bead}")


def slung(root: str) -> None:
    rigged(root)
    for command in sling(*BEADS)(root):
        run(command, root)


def committed(root: str) -> None:
    slung(root)
    commit(root, BEADS[0], {"one.txt": "1\n", "src/app.py": "print('one')\n"})
    commit(root, BEADS[1], {"two.txt": "2\n"})
    commit(root, BEADS[2], {"bad": "fails the gate\n"})
