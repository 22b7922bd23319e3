#!/usr/bin/env python3
"""Land a repository's own history again, through a real town: bench/history.py REPO [-n N] [--workers W] [--think S] [--kill K]

Takes the last N first-parent commits of REPO (which is only read). Each becomes a bead whose `run` re-applies that commit's change
to its first parent; a bead depends on the last earlier one that touches one of its files. Parallel workers do them, the merge
queue lands them, and the tree at the end must be the original's. Paths that cannot be re-applied are listed before the start and
left out on both sides of the comparison: what workers' trees leave out, what the queue's tree policy refuses (submodules, links
out of the tree, odd names), and from then on whatever stands in the place of such a path. `--think S`: each agent thinks S seconds
before it works, as a model would. `--kill K` ends K processes of the town by SIGKILL on the way: runners of workers, agent programs
and the refinery by turns. Fewer kills than asked for, or a tree that differs: exit code 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

try:
    from gastown_hooks.core import paths
    from gastown_hooks.core.ids import shown
    from gastown_hooks.rules import tree_policy
    from gastown_hooks.stores import beats, processes
    from gastown_hooks.stores.processes import Process
    from gastown_hooks.work import lease as leases
    from gastown_hooks.work import wake
except ImportError:
    raise SystemExit("this needs the Python that gt was installed into, e.g. ~/.local/share/gastown-hooks/env/bin/python") from None

SPARSE = {path.strip("/") for path in paths.SPARSE_EXCLUDED}
GATE = "git diff --cached --quiet HEAD && test -z \"$(git ls-files --deleted)\""
PATIENCE = 3600.0
REFINERY, RUNNER, AGENT = KINDS = ("refinery", "runner", "agent")
MANY = 4  # so many workers alive at once is what the run is about
Row = tuple[tuple[str, str], str, str]


@dataclass
class Change:
    """One commit to land again."""

    commit: str
    title: str
    files: list[str]
    patch: str
    bead: str = ""
    needs: set[int] = field(default_factory=set)
    height: int = 1  # of the longest chain of changes that wait for this one, itself included


class Left(NamedTuple):
    """A path that is left out from this commit on, and why; path "": the whole commit changes nothing else."""

    commit: str
    path: str
    why: str


def main() -> int:
    options = _options()
    work = os.path.abspath(options.keep) if options.keep else tempfile.mkdtemp(prefix="gt-history-")
    os.makedirs(f"{work}/patches", exist_ok=True)
    started = time.monotonic()
    changes, left_out, start = plan(options.repo, options.number, f"{work}/patches")
    for left in left_out:
        print(f"left out: {left.commit[:12]} {shown(left.path) if left.path else 'the whole commit'}: {left.why}", flush=True)
    town = Town(work, options.repo, start)
    town.build(changes, options.think)
    figures = town.land(changes, options.workers, options.kill, random.Random(options.seed))
    short = sum(figures["kills"].values()) < options.kill
    different = compare(options.repo, town.repo, {left.path for left in left_out})
    figures |= {"commits": len(changes), "left_out": len(left_out), "different_paths": len(different),
                "seconds": round(time.monotonic() - started, 1), "folder": work}
    print(json.dumps(figures, indent=2))
    for path in different[:20]:
        print(f"different: {shown(path)}")
    print("identical tree" if not different else "THE TREES DIFFER")
    if short:
        print(f"fewer kills than the {options.kill} asked for")
    return 1 if different or short else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("repo")
    parser.add_argument("-n", dest="number", type=int, default=30)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--think", type=float, default=0.0)
    parser.add_argument("--kill", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="work in this new folder instead of a temporary one")
    return parser.parse_args()


def plan(repo: str, number: int, patches: str) -> tuple[list[Change], list[Left], str]:
    """The changes in order with their dependencies, what is left out, and the commit before the first."""
    commits = git(repo, "rev-list", "--first-parent", "-n", str(number + 1), "HEAD").split()[::-1]
    if len(commits) < 2:
        raise SystemExit(f"{repo} has no second commit to land")
    changes: list[Change] = []
    left_out: list[Left] = []
    last_touch: dict[str, int] = {}
    for parent, commit in itertools.pairwise(commits):
        rows = touched(repo, parent, commit)
        skipped = unlandable(repo, commit, rows, {left.path for left in left_out})
        left_out += skipped
        files = sorted({path for _, _, path in rows} - {left.path for left in skipped})
        if not files:
            left_out.append(Left(commit, "", "changes nothing that can be re-applied"))
            continue
        title = git(repo, "log", "-1", "--format=%s", commit).strip() or "(no title)"
        change = Change(commit, title, files, f"{patches}/{len(changes):04d}.patch")
        with open(change.patch, "wb") as out:
            out.write(difference(repo, parent, commit, [left.path for left in skipped]))
        places = Places(files)
        change.needs = {earlier for path, earlier in last_touch.items() if places.meet(path)}
        last_touch.update({path: len(changes) for path in files})
        changes.append(change)
    for change in reversed(changes):
        for number in change.needs:
            changes[number].height = max(changes[number].height, change.height + 1)
    return changes, left_out, commits[0]


def unlandable(repo: str, commit: str, rows: list[Row], before: set[str]) -> list[Left]:
    """The paths of this commit that cannot be re-applied; `before`: those of earlier commits, where the two trees differ by now."""
    found = {path: why for modes, oid, path in rows if (why := _refusal(repo, modes, oid, path))}
    places = Places(found.keys() | before)
    found |= {path: "in the place of a path that was left out" for _, _, path in rows if path not in found and places.meet(path)}
    return [Left(commit, path, why) for path, why in found.items()]


def difference(repo: str, parent: str, commit: str, but: list[str]) -> bytes:
    """The commit's change to its parent as a patch, whatever the user's settings for differences are."""
    left = [f":(top,exclude,literal){path}" for path in but]
    return raw(repo, "diff-tree", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", parent, commit,
               "--", ":/", *left)


def touched(repo: str, parent: str, commit: str) -> list[Row]:
    """For each path that the commit changes: both modes, the new object, the path."""
    fields = git(repo, "diff-tree", "-r", "-z", "--no-renames", parent, commit).split("\0")
    heads = [head.removeprefix(":").split(" ") for head in fields[:-1:2]]
    return [((old, new), oid, path) for (old, new, _, oid, _), path in zip(heads, fields[1::2], strict=True)]


def _refusal(repo: str, modes: tuple[str, str], oid: str, path: str) -> str | None:
    if path.split("/")[0] in SPARSE:
        return "outside of workers' sparse trees"
    if tree_policy.SUBMODULE in modes:
        return "a submodule"
    link = git(repo, "cat-file", "blob", oid) if modes[1] == tree_policy.LINK else None
    return tree_policy.refusal(tree_policy.Entry(path, modes[1], link)) if modes[1].strip("0") else None


class Places:
    """Paths, and the folders that they are in."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = set(paths)
        self.folders = {folder for path in self.paths for folder in _above(path)}

    def meet(self, path: str) -> bool:
        """One of the paths, or one a folder that the other is in (a file may become a folder, or the reverse)."""
        return path in self.paths or path in self.folders or not self.paths.isdisjoint(_above(path))


def _above(path: str) -> list[str]:
    return [path[:end] for end, char in enumerate(path) if char == "/"]


class Town:
    """A town of its own in `work`, driven by public commands."""

    def __init__(self, work: str, repo: str, start: str) -> None:
        self.work, self.source, self.start = work, os.path.abspath(repo), start
        self.root = f"{work}/town"
        self.repo = f"{self.root}/again/.repo.git"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GT_", "BD_", "BEADS_", "GIT_")) or k.startswith("GIT_CONFIG")}

    def build(self, changes: list[Change], think: float) -> None:
        git(self.work, "clone", "-q", "--no-local", "--no-checkout", self.source, "project")
        project = f"{self.work}/project"
        git(project, "remote", "remove", "origin")
        git(project, "checkout", "-q", "-B", "main", self.start)
        self.gt("install", self.root)
        self.gt("rig", "add", "again", project, "--prefix", "ag", "--gate", GATE, cwd=self.root)
        self.gt("config", "default-agent", "exec", cwd=self.root)
        highest = max(change.height for change in changes)
        for change in changes:
            needs = ["--deps", ",".join(sorted(changes[n].bead for n in change.needs))] if change.needs else []
            # The project's own commit hooks judged this change long ago, in another environment.
            title = shlex.quote(change.title[:200])
            run = (f"sleep {think} && git apply --index --binary --whitespace=nowarn {shlex.quote(change.patch)} && "
                   f"git commit -q --no-verify -m {title}")
            priority = str(4 - 4 * change.height // highest)  # the longest chains first
            change.bead = self.bd("create", "--title", change.title[:200], "--prefix", "ag", "--priority", priority, *needs,
                                  "--run", run, "--silent").strip()

    def land(self, changes: list[Change], workers: int, kills: int, dice: random.Random) -> dict[str, Any]:
        """Sling what is ready, never more than `workers` at once, until all is closed."""
        self.gt("up", "--no-cron", cwd=self.root)
        began, ours, told = time.monotonic(), {change.bead for change in changes}, ""
        watch = Watch(paths.Town(self.root), kills, dice)
        try:
            while time.monotonic() - began < PATIENCE:
                beads = json.loads(self.bd("list", "--all", "--limit", "0", "--json"))
                done = sum(b["id"] in ours and b["status"] == "closed" for b in beads)
                if done == len(ours):
                    break
                watch.share = done / len(ours)
                free = workers - len(watch.homes())
                ready = [b["id"] for b in json.loads(self.bd("ready", "--json")) if b["id"] in ours]
                if ready and free > 0:
                    self.gt("sling", *ready[:free], "again", cwd=self.root)
                self.gt("daemon", "tick", cwd=self.root)
                told = _tell(f"{done}/{len(ours)} landed, {watch.alive} workers, killed {watch.kills}", told)
        finally:
            watch.end()
            self.gt("down", cwd=self.root)
        return {"landed": done, "landing_seconds": round(time.monotonic() - began, 1), **watch.figures()}

    def gt(self, *words: str, cwd: str | None = None) -> str:
        return self._call("gt", words, cwd or self.work)

    def bd(self, *words: str) -> str:
        return self._call("bd", words, self.root)

    def _call(self, program: str, words: tuple[str, ...], cwd: str) -> str:
        code = f"from gastown_hooks.front import {program} as main; raise SystemExit(main())"
        result = subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, env=self.env, capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"{program} {' '.join(words[:3])} failed ({result.returncode}): {result.stderr.strip()}")
        return result.stdout


class Watch(threading.Thread):
    """Beside the run: how many workers live, from moment to moment, and the kills. `share` of the work that has landed so far.

    Whom to kill is what the town itself recorded: a runner by the worker's heartbeat, an agent program by the token of the worker's
    lease, the refinery by the token of its role. Tokens begin with the town's id, so nothing else is ever hit.
    """

    def __init__(self, town: paths.Town, kills: int, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.rig, self.wanted, self.dice = town.rig("again"), kills, dice
        self.share, self.alive, self.most = 0.0, 0, 0
        self.kills = dict.fromkeys(KINDS, 0)
        self.lived: dict[int, float] = {}  # so many workers alive: for so long
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        last = time.monotonic()
        while not self.over.wait(0.05):
            runners = self._runners()
            self.alive, self.most = len(runners), max(self.most, len(runners))
            now = time.monotonic()
            self.lived[self.alive], last = self.lived.get(self.alive, 0.0) + now - last, now
            killed = sum(self.kills.values())
            if killed < self.wanted and killed < len(KINDS) + self.share * self.wanted:  # one of each kind, the rest spread over the run
                self._kill(runners)

    def end(self) -> None:
        self.over.set()
        self.join()

    def figures(self) -> dict[str, Any]:
        total = sum(self.lived.values()) or 1.0
        many = sum(seconds for count, seconds in self.lived.items() if count >= MANY)
        return {"kills": self.kills, "most_workers": self.most, f"share_of_time_with_{MANY}_workers": round(many / total, 2),
                "workers_on_average": round(sum(count * seconds for count, seconds in self.lived.items()) / total, 1)}

    def homes(self) -> list[paths.Home]:
        return [self.rig.polecat(name) for name in sorted(os.listdir(self.rig.polecats))]

    def _runners(self) -> list[Process]:
        found = [beat.process() for home in self.homes() if (beat := beats.read(home.heartbeat)) is not None]
        return [process for process in found if processes.is_alive(process)]

    def _agents(self) -> list[Process]:
        """Of each worker the first process that carries its token: the agent program, not what that started."""
        held = [processes.with_token(lease.token) for home in self.homes() if (lease := leases.read(home)) is not None]
        return [min(found, key=lambda process: (process.start, process.pid)) for found in held if found]

    def _kill(self, runners: list[Process]) -> None:
        kind = min(KINDS, key=lambda one: self.kills[one])
        found = (runners if kind == RUNNER else self._agents() if kind == AGENT
                 else processes.with_token(wake.role_token(self.rig.town, REFINERY, self.rig.name))[:1])
        if found:
            self.over.wait(self.dice.random() * (0.1 if kind == REFINERY else 0.5))  # anywhere in what it does
            self.kills[kind] += processes.send(self.dice.choice(found), signal.SIGKILL)


def _tell(line: str, before: str) -> str:
    if line != before:
        print(line, file=sys.stderr, flush=True)
    return line


def compare(repo: str, landed: str, ignored: set[str]) -> list[str]:
    """The paths whose mode or content differs between the original's HEAD and what landed."""
    one, other = listing(repo, "HEAD"), listing(landed, "refs/heads/main")
    return sorted(path for path in (one.keys() | other.keys()) - ignored if one.get(path) != other.get(path))


def listing(repo: str, rev: str) -> dict[str, str]:
    rows = git(repo, "ls-tree", "-r", "-z", rev).split("\0")
    return {row.partition("\t")[2]: row.partition("\t")[0] for row in rows if row}


def git(repo: str, *args: str) -> str:
    return raw(repo, *args).decode("utf-8", "surrogateescape")


def raw(repo: str, *args: str) -> bytes:
    is_bare = os.path.isfile(f"{repo}/HEAD") and not os.path.lexists(f"{repo}/.git")
    bare = [f"--git-dir={os.path.abspath(repo)}"] if is_bare else []
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always", *bare, *args]
    return subprocess.run(command, cwd=repo, check=True, capture_output=True).stdout


if __name__ == "__main__":
    raise SystemExit(main())
