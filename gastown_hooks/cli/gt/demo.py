"""`gt demo`: a whole town in a temporary place, by public commands only."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.gt import _demo_plan as plan
from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Conflict, GastownError
from gastown_hooks.core.paths import Town
from gastown_hooks.stores.callers import clean_environment

PATIENCE, TICK = 180.0, 2.0
SHOWN = 8  # lines of each command's output


@click.command(short_help="Watch a whole town work: no account, no network, less than a minute.")
@click.argument("folder", required=False, type=click.Path())
@common.json_option
def cli(folder: str | None, as_json: bool) -> None:
    """Build a town in FOLDER (default: a new temporary one) and run it: two rigs, an epic of twelve beads over both, six workers
    at once. One of them is killed with SIGKILL in the middle, two change the same line, one breaks the tests. All of it lands, the
    target branches are never red, and nothing is left behind but the folder.

    Every line with a $ is a command you can type yourself.

    \b
    Examples:
      gt demo
      gt demo /tmp/my-demo --json
    """
    place = _place(folder)
    show = _Show(place, quiet=as_json)
    try:
        story = _build(show)
        story.work()
    finally:
        show.run("gt", "down")
    figures = _figures(show, story)
    if as_json:
        common.emit_json(figures)
        return
    _report(figures, show)


class _Show:
    """Runs the commands of the demo, each printed before it runs."""

    def __init__(self, place: str, *, quiet: bool) -> None:
        self.place, self.town, self.quiet = place, f"{place}/town", quiet
        self.cwd = place
        # A person's clean shell: no identity or town of a surrounding one.
        self.env = {k: v for k, v in clean_environment({}).items() if not k.startswith(("GT_WAKE", "GT_PASS"))}
        self.started = time.monotonic()

    def run(self, *words: str, shown: str | None = None, most: int = SHOWN) -> str:
        self.say(f"$ {shown or shlex.join(words)}")
        result = subprocess.run(self._argv(words), cwd=self.cwd, env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise GastownError(f"the demo's command failed: {' '.join(words[:4])}", why=(result.stderr or result.stdout).strip()[-600:],
                               next=f"look into {self.place}")
        for line in result.stdout.splitlines()[:most]:
            self.say(f"    {line}")
        return result.stdout

    def ask(self, *words: str) -> Any:
        """The JSON answer of a command that is run in passing."""
        result = subprocess.run(self._argv((*words, "--json")), cwd=self.cwd, env=self.env, capture_output=True, text=True)
        if result.returncode != 0:
            raise GastownError(f"the demo's command failed: {' '.join(words[:4])}", why=result.stderr.strip()[-600:])
        return json.loads(result.stdout)

    def say(self, text: str) -> None:
        if not self.quiet:
            common.say(text)

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def _argv(self, words: tuple[str, ...]) -> list[str]:
        if words[0] not in ("gt", "bd"):
            return list(words)
        return [sys.executable, "-c", f"from gastown_hooks.front import {words[0]} as main; raise SystemExit(main())", *words[1:]]


def _place(folder: str | None) -> str:
    if folder is None:
        return tempfile.mkdtemp(prefix="gt-demo-")
    place = os.path.abspath(folder)
    if os.path.lexists(place) and (not os.path.isdir(place) or os.listdir(place)):
        raise Conflict(f"{place} is in use", why="the demo wants a folder of its own", next="gt demo /some/new/folder")
    fsio.make_folder(place)
    return place


class _Story:
    """The beads of the demo by their keys, and what happens to them."""

    def __init__(self, show: _Show, beads: dict[str, str], convoy: str) -> None:
        self.show, self.beads, self.convoy = show, beads, convoy
        self.killed = self.mended = ""
        self._seen: dict[str, tuple[str, str]] = {}

    def work(self) -> None:
        """Watch the convoy until it has landed: kill one worker once, mend the bead that came back."""
        begun, ticked = time.monotonic(), 0.0
        while time.monotonic() < begun + PATIENCE:
            found = self.show.ask("gt", "convoy", "status", self.convoy)
            beads = {bead["id"]: bead for bead in found["beads"]}
            self._tell(beads.values())
            if found["status"] == "closed":
                return
            if not self.killed and beads[self.beads[plan.SLOW]]["state"] == "working":
                self._kill(self.beads[plan.SLOW])
            if not self.mended and beads[self.beads[plan.BAD]]["state"] == "sent back":
                self._mend(self.beads[plan.BAD])
            if time.monotonic() > ticked + TICK:
                self.show.ask("gt", "daemon", "tick")  # what cron does every few minutes in a town that is up
                ticked = time.monotonic()
            time.sleep(0.2)
        landed = [state for state, _ in self._seen.values()].count("landed")
        raise GastownError("the demo did not finish in time", why=f"{landed} of {len(self.beads)} beads landed",
                           next=f"gt status, in {self.show.town}")

    def _tell(self, beads: Iterable[dict[str, Any]]) -> None:
        """Each bead whose state or worker is a new one."""
        collide = [self.beads[key] for key in plan.COLLIDING]
        for bead in beads:
            state, worker = bead["state"], bead["worker"]
            before, worker_before = self._seen.get(bead["id"], ("blocked", ""))
            self._seen[bead["id"]] = state, worker or worker_before
            if state == before and worker in ("", worker_before):
                continue
            why = f": {bead['waits_for'][0]}" if state in ("sent back", "conflict") and bead["waits_for"] else ""
            who = f"  {worker}" if state == "working" else why
            self.show.say(f"  {self.show.seconds():5.1f} s  {bead['id']}  {bead['title']:<26} {state}{who}")
            if bead["id"] in collide and worker_before not in ("", worker) and state == "working":
                shown = f"bd show {bead['id']}    # a conflict: its fresh worker is told both sides"
                self.show.run("bd", "show", bead["id"], shown=shown, most=16)

    def _kill(self, bead_id: str) -> None:
        """SIGKILL the runner of the worker that has this bead, once it is at work."""
        for agent in self.show.ask("gt", "agents"):
            pid = agent["evidence"].get("pid")
            if agent["bead"] == bead_id and agent["state"] == "working" and pid:
                self.show.say(f"$ kill -9 {pid}    # the runner of {agent['actor']}, in the middle of {bead_id}: the town starts it again")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed = str(agent["actor"])

    def _mend(self, bead_id: str) -> None:
        """What a person does: read why it came back, mend it, give it to a fresh worker. Its dependents wait meanwhile."""
        self.show.run("bd", "show", bead_id, shown=f"bd show {bead_id}    # the queue refused it, and says why", most=24)
        self.show.run("gt", "convoy", "status", self.convoy, most=20)
        self.show.run("bd", "update", bead_id, "--run", plan.MENDED, shown=f"bd update {bead_id} --run …    # its script, mended")
        self.show.run("gt", "sling", bead_id, plan.PARTS)
        self.mended = bead_id


def _build(show: _Show) -> _Story:
    """The projects, the town, the rigs, the beads, the convoy; all that can begin has begun."""
    show.say(f"A town of plain files in {show.place}\n")
    plan.write_projects(show.place)
    who = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "init.defaultBranch=main"]
    for rig in plan.PROJECTS:
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A project of shell scripts"]):
            subprocess.run(["git", *who, *words], cwd=f"{show.place}/{rig}", env=show.env, check=True, capture_output=True)
    show.run("gt", "install", show.town)
    show.cwd = show.town
    for rig, prefix in plan.PREFIXES.items():
        show.run("gt", "rig", "add", rig, f"{show.place}/{rig}", "--prefix", prefix, "--gate", plan.GATE, most=1)
    show.run("gt", "config", "default-agent", "exec")
    show.run("gt", "config", "set", "witness_seconds", "1")
    epic = show.run("bd", "create", "A site that greets", "-t", "epic", "--silent").strip()
    beads: dict[str, str] = {}
    for task in plan.TASKS:
        beads[task.key] = _bead(show, task, epic, beads)
    show.run("gt", "up", "--no-cron", most=3)
    convoy = show.run("gt", "convoy", "create", "A site that greets", "--epic", epic, "--human", "--silent").strip()
    show.run("gt", "convoy", "launch", convoy)
    return _Story(show, beads, convoy)


def _bead(show: _Show, task: plan.Task, epic: str, beads: dict[str, str]) -> str:
    needs = ["--deps", ",".join(beads[need] for need in task.needs)] if task.needs else []
    words = ["bd", "create", task.title, "--prefix", plan.PREFIXES[task.rig], "--parent", epic, *needs]
    script = task.run
    for key, bead in beads.items():
        script = script.replace(f"{{{key}}}", bead.partition("-")[2])
    return show.run(*words, "--run", script, "--silent", shown=f"{shlex.join(words)} --run …").strip()


def _figures(show: _Show, story: _Story) -> dict[str, Any]:
    """The table's numbers, from git and the town's files."""
    town = Town(show.town)
    events = [json.loads(line) for line in fsio.whole_lines(fsio.read(town.events) or b"")]
    closed = [bead for bead in show.ask("bd", "list", "--all") if bead["id"] in story.beads.values() and bead["status"] == "closed"]
    back = [event["payload"]["state"] for event in events if event["type"] == "merge_failed"]
    return {
        "folder": show.place, "beads": len(story.beads), "closed": len(closed), "convoy": story.convoy,
        "landed_commits": sum(_landed(show, town.rig(rig).repo) for rig in plan.PROJECTS),
        "gate_runs": sum(event["type"] == "gate_run" for event in events), "sent_back": back.count("failed"),
        "conflicts": back.count("conflict"), "workers": sum(event["type"] == "sling" for event in events), "killed": story.killed,
        "supervision_tokens": sum(int(event["payload"].get("tokens", 0)) for event in events if not _is_worker(event["actor"])),
        "seconds": round(show.seconds(), 1)}


def _landed(show: _Show, repo: str) -> int:
    git = ["git", f"--git-dir={repo}", "-c", "safe.bareRepository=all", "rev-list", "--first-parent", "--merges", "--count", "main"]
    return int(subprocess.run(git, env=show.env, check=True, capture_output=True).stdout)


def _is_worker(actor: str) -> bool:
    return "/polecats/" in actor or "/crew/" in actor


def _report(figures: dict[str, Any], show: _Show) -> None:
    common.say()
    common.table([
        ("beads closed, of two rigs", f"{figures['closed']} of {figures['beads']}"), ("landed commits", figures["landed_commits"]),
        ("gate runs", figures["gate_runs"]), ("sent back: broke the tests", figures["sent_back"]),
        ("conflicts, each with one fresh worker", figures["conflicts"]), ("workers", figures["workers"]),
        ("workers killed in the middle", f"1 ({figures['killed']})" if figures["killed"] else "0"),
        ("tokens spent on supervision", figures["supervision_tokens"]), ("seconds", figures["seconds"])], ("what", "how many"))
    common.say(f"""
Where to look (in {show.town}):
  gt convoy status {figures['convoy']}                            every bead, its worker, what it took
  git --git-dir={plan.SITE}/.repo.git log --graph --oneline main    what landed
  gt mq prove {plan.SITE}                                            every landing was green, by git alone
  cat {plan.SITE}/.beads/issues.jsonl .events.jsonl                  all of it, as plain lines
Remove it all: rm -rf {show.place}""")
