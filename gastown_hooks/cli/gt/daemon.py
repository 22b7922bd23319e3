"""gt daemon: the clockwork of a town: one cron line that starts one short process."""

from __future__ import annotations

import os
import shlex
import time

import click

from gastown_hooks import tick as ticks
from gastown_hooks.cli.common import ago, dry_run_option, emit_json, json_option, remark, say, town_and_caller
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.errors import Conflict, Refused
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import config
from gastown_hooks.work import cron


@click.group(cls=Group, short_help="The town's clockwork: a cron line, or a loop.")
def cli() -> None:
    """The town's clockwork. Nothing stays resident: cron starts a short tick every few minutes.

    \b
    Examples:
      gt daemon start
      gt daemon status
      gt daemon tick
      gt daemon run --every 30
      gt daemon stop
    """


@cli.command(short_help="Put the cron line in place.")
@dry_run_option
@json_option
def start(dry_run: bool, as_json: bool) -> None:
    """Put the cron line in place; the town then starts and restarts workers by itself. gt up does this too."""
    town, _ = town_and_caller()
    if not dry_run:
        config.set_mode(town, "running")
    if not cron.available():
        words = ["there is no crontab program here; keep this running instead (a terminal, a unit, a container's main process):",
                 f"  cd {shlex.quote(town.root)} && gt daemon run"]
    elif dry_run:
        words = [f"would have in the crontab: {os.fsdecode(cron.line(town))}"]
    else:
        words = ["cron line put in place" if cron.start(town) else "the cron line is in place"]
    _tell(town, words, dry_run, as_json)


@cli.command(short_help="Take the cron line out.")
@dry_run_option
@json_option
def stop(dry_run: bool, as_json: bool) -> None:
    """Take the cron line out; workers that run go on, nobody starts them again."""
    town, _ = town_and_caller()
    if not dry_run:
        config.set_mode(town, "by-hand")
    there = cron.installed(town) if dry_run else cron.stop(town)
    words = ("would take out the cron line" if dry_run else "cron line taken out") if there else "there is no cron line"
    _tell(town, [words], dry_run, as_json)


def _tell(town: Town, words: list[str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        emit_json({"mode": config.mode(town), "cron": cron.installed(town), "acts": words, "dry_run": dry_run})
        return
    for text in words:
        say(text)


@cli.command(short_help="Mode, cron line, last tick.")
@json_option
def status(as_json: bool) -> None:
    """Mode, cron line, last tick, and what failed in it."""
    town, _ = town_and_caller()
    last = fsio.read_json(town.last_tick) or {}
    found = {"mode": config.mode(town), "cron": cron.installed(town), "loop": _loop(town), "last_tick": last.get("at"),
             "failed": last.get("failed", {})}
    if as_json:
        emit_json(found)
        return
    say(f"mode: {found['mode']}")
    say("cron line: " + {True: "in place", False: "none", None: "no crontab program here"}[found["cron"]])
    if found["loop"]:
        say("loop: gt daemon run is running")
    say(f"last tick: {ago(str(found['last_tick']), clock.now()) if found['last_tick'] else 'never'}")
    if found["mode"] == "running" and not found["cron"] and not found["loop"]:
        say(f"nothing ticks. Next: {'gt daemon start' if found['cron'] is False else f'cd {shlex.quote(town.root)} && gt daemon run'}")
    for phase, why in found["failed"].items():
        say(f"  {phase} failed: {why}")


@cli.command(short_help="Run what is due, once.")
@json_option
def tick(as_json: bool) -> None:
    """Run what is due, once: what the cron line does."""
    town, _ = town_and_caller()
    report = ticks.tick(town)
    if report is None:
        say("a tick is already running") if not as_json else emit_json({"running": True})
        return
    if as_json:
        emit_json(report)
    else:
        say(f"ran {', '.join(report['done']) or 'nothing: nothing is due'}")
    if report["failed"]:
        raise Refused("the tick had failures", why="; ".join(f"{phase}: {why}" for phase, why in report["failed"].items()))


@cli.command(short_help="Tick in the foreground, where there is no cron.")
@click.option("--every", "seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="Seconds between two ticks.")
def run(seconds: int) -> None:
    """Tick again and again in the foreground: for containers and machines without cron."""
    town, _ = town_and_caller()
    held = lock.attempt(town.lock("daemon"))
    if held is None:
        raise Conflict("gt daemon run is running", why=lock.holder(town.lock("daemon")), next="gt daemon status")
    with held:
        config.set_mode(town, "running")
        remark(f"ticking every {seconds} s; ^C ends it")
        while os.path.exists(town.marker):
            report = ticks.tick(town)
            for phase, why in (report or {}).get("failed", {}).items():
                remark(f"{phase}: {why}")
            _collect()
            time.sleep(seconds)


def _collect() -> None:
    """Collect the roles that ended since the last tick."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _loop(town: Town) -> bool:
    return lock.is_held(town.lock("daemon"))
