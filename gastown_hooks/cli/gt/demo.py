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
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Conflict, GastownError
from gastown_hooks.core.paths import Town
from gastown_hooks.stores.config import clean_environment

RIG = "greenplace"
WORKERS = 3
PATIENCE = 120.0
SHOWN = 8  # lines of each command's output
CHECK = """#!/bin/sh
# The project's tests: every part must parse and pass its own check.
for part in parts/*.sh; do
  sh -n "$part" && sh "$part" --check || { echo "$part is broken"; exit 1; }
done
"""
PART = """cat > parts/{name}.sh <<'PART'
#!/bin/sh
[ "$1" = --check ] && exit 0
{body}
PART
"""
# (key, title, what it needs, the script that the embedded agent carries out)
TASKS = (
    ("hello", "Say hello", (), PART.format(name="hello", body='echo "hello, $1"')),
    ("bye", "Say goodbye", (), PART.format(name="bye", body='echo "goodbye, $1"')),
    ("count", "Count the words of a text", (), "sleep 2\n" + PART.format(name="count", body="wc -w")),
    ("greet", "Greet and take leave", ("hello", "bye"),
     "test -f parts/hello.sh && test -f parts/bye.sh\n" + PART.format(name="greet", body='sh parts/hello.sh "$1"; sh parts/bye.sh "$1"')),
    ("report", "Report how long a greeting is", ("count", "greet"),
     "test -f parts/count.sh\n" + PART.format(name="report", body='sh parts/greet.sh "$1" | sh parts/count.sh')),
    ("index", "List all parts", ("greet", "report"), "ls parts > INDEX\n"),
)


@click.command(short_help="Watch a whole town work: no account, no network, half a minute.")
@click.argument("folder", required=False, type=click.Path())
@common.json_option
def cli(folder: str | None, as_json: bool) -> None:
    """Build a town in FOLDER (default: a new temporary one) and run it: a rig, six beads with dependencies, three workers
    at once, one of them killed with SIGKILL in the middle. All of it lands. Nothing is left behind but the folder.

    Every line with a $ is a command you can type yourself.

    \b
    Examples:
      gt demo
      gt demo /tmp/my-demo --json
    """
    place = _place(folder)
    show = _Show(place, quiet=as_json)
    try:
        beads = _build(show)
        killed = _work(show, beads)
    finally:
        show.run("gt", "down")
    figures = _figures(show, beads, killed)
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

    def run(self, *words: str, shown: str | None = None) -> str:
        self.say(f"$ {shown or shlex.join(words)}")
        result = subprocess.run(self._argv(words), cwd=self.cwd, env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise GastownError(f"the demo's command failed: {' '.join(words[:4])}", why=(result.stderr or result.stdout).strip()[-600:],
                               next=f"look into {self.place}")
        for line in result.stdout.splitlines()[:SHOWN]:
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


def _build(show: _Show) -> dict[str, str]:
    """The project, the town, the rig, the beads; returns key to bead id."""
    project = f"{show.place}/project"
    show.say(f"A town of plain files in {show.place}\n")
    _project(project, show)
    show.run("gt", "install", show.town)
    show.cwd = show.town
    show.run("gt", "rig", "add", RIG, project, "--prefix", "gp", "--gate", "sh check.sh")
    show.run("gt", "config", "default-agent", "exec")
    beads: dict[str, str] = {}
    for key, title, needs, script in TASKS:
        deps = ["--deps", ",".join(beads[need] for need in needs)] if needs else []
        words = ("bd", "create", title, "--prefix", "gp", *deps, "--run", script, "--silent")
        shown = f"bd create '{title}' --prefix gp" + (f" --deps {deps[1]}" if deps else "") + " --run …"
        beads[key] = show.run(*words, shown=shown).strip()
    return beads


def _project(project: str, show: _Show) -> None:
    fsio.make_folder(f"{project}/parts")
    fsio.write(f"{project}/check.sh", CHECK.encode())
    fsio.write(f"{project}/parts/all.sh", b"#!/bin/sh\nexit 0\n")
    who = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A project of shell parts"]):
        subprocess.run(["git", *who, *words], cwd=project, env=show.env, check=True, capture_output=True)


def _work(show: _Show, beads: dict[str, str]) -> str:
    """Sling what is ready until all is closed; kill the worker of the slow bead once. Returns the killed worker."""
    show.run("gt", "up", "--no-cron")
    deadline, killed, landed = time.monotonic() + PATIENCE, "", set[str]()
    while time.monotonic() < deadline:
        ready = [bead["id"] for bead in show.ask("bd", "ready") if bead["id"] in beads.values()]
        closed = {bead["id"] for bead in show.ask("bd", "list", "--all") if bead["status"] == "closed"} & set(beads.values())
        for bead_id in sorted(closed - landed):
            show.say(f"    ✓ {bead_id} landed")
        landed = closed
        if len(landed) == len(beads):
            return killed
        if ready:
            show.run("gt", "sling", *ready[:WORKERS], RIG)
        if not killed:
            killed = _kill(show, beads["count"])
        show.ask("gt", "daemon", "tick")  # what cron does every few minutes in a town that is up
        time.sleep(0.1)
    raise GastownError("the demo did not finish in time", why=f"{len(landed)} of {len(beads)} beads landed",
                       next=f"gt status, in {show.town}")


def _kill(show: _Show, bead_id: str) -> str:
    """SIGKILL the runner of the worker that has this bead, once it is at work; "" while it is not."""
    for agent in show.ask("gt", "agents"):
        pid = agent["evidence"].get("pid")
        if agent["bead"] == bead_id and agent["state"] == "working" and pid:
            show.say(f"$ kill -9 {pid}    # the runner of {agent['actor']}, in the middle of {bead_id}: the town starts it again")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return str(agent["actor"])
    return ""


def _figures(show: _Show, beads: dict[str, str], killed: str) -> dict[str, Any]:
    """The table's numbers, from git and the town's files."""
    town = Town(show.town)
    git = ["git", f"--git-dir={town.rig(RIG).repo}", "-c", "safe.bareRepository=all"]
    count = [*git, "rev-list", "--first-parent", "--merges", "--count", "main"]
    landed = subprocess.run(count, env=show.env, check=True, capture_output=True)
    events = [json.loads(line) for line in fsio.whole_lines(fsio.read(town.events) or b"")]
    closed = [bead for bead in show.ask("bd", "list", "--all") if bead["id"] in beads.values() and bead["status"] == "closed"]
    return {
        "folder": show.place, "beads": len(beads), "closed": len(closed), "landed_commits": int(landed.stdout),
        "gate_runs": sum(event["type"] == "gate_run" for event in events),
        "workers": sum(event["type"] == "sling" for event in events), "killed": killed,
        "supervision_tokens": sum(int(event["payload"].get("tokens", 0)) for event in events if not _is_worker(event["actor"])),
        "seconds": round(time.monotonic() - show.started, 1)}


def _is_worker(actor: str) -> bool:
    return "/polecats/" in actor or "/crew/" in actor


def _report(figures: dict[str, Any], show: _Show) -> None:
    common.say()
    common.table([
        ("beads closed", f"{figures['closed']} of {figures['beads']}"), ("landed commits", figures["landed_commits"]),
        ("gate runs", figures["gate_runs"]), ("workers", figures["workers"]), ("workers killed", f"1 ({figures['killed']})"),
        ("tokens spent on supervision", figures["supervision_tokens"]), ("seconds", figures["seconds"])], ("what", "how many"))
    common.say(f"""
Where to look (in {show.town}):
  git --git-dir={RIG}/.repo.git log --graph --oneline main     what landed
  bd list --all                                                    the beads
  cat {RIG}/.beads/issues.jsonl .events.jsonl                 all of it, as plain lines
Remove it all: rm -r {show.place}""")
