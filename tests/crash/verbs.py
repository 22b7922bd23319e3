"""Scenarios of the commands: a town with one rig and a remote, and what people, workers and the refinery do in it."""

from __future__ import annotations

import os
import subprocess

from crash import checker, engine
from crash.engine import Command, Scenario, Story

RIG = "gp"


def gt(*words: str, cwd: str = "", env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> Command:
    return Command(("gt", *words), cwd, env or {}, allowed)


def bd(*words: str, cwd: str = "", env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> Command:
    return Command(("bd", *words), cwd, env or {}, allowed)


def run(command: Command, root: str) -> str:
    """Run a step of a setup; it must succeed."""
    done = subprocess.run(engine.spelled(command.argv), cwd=command.cwd or root, env=dict(os.environ) | command.env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"setup: {' '.join(command.argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def git(where: str, *words: str) -> str:
    return run(Command(("git", "-C", where, *words)), where).strip()


# ---- a town

def install_act(root: str) -> list[Command]:
    return [gt("install", f"{root}/town")]


def installed(story: Story) -> list[str]:
    town = f"{story.root}/town"
    missing = [path for path in ("mayor/town.json", ".beads/issues.jsonl", ".beads/routes.jsonl", ".beads/config.json", "mayor/mail/new",
                                 "deacon/mail/new", "settings/config.json") if not os.path.exists(f"{town}/{path}")]
    return [f"{path} is missing" for path in missing] + checker.readers_see(town) + checker.Ledger(f"{town}/.beads").violations


def whole_or_no_town(story: Story) -> list[str]:
    """A marked town is a whole town."""
    town = f"{story.root}/town"
    return installed(story) if os.path.exists(f"{town}/mayor/town.json") else checker.readers_see(town)


SCENARIOS = [
    Scenario("install", lambda root: None, install_act, installed, glance=whole_or_no_town, commands=True),
]
