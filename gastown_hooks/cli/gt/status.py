"""gt status: the town at a glance."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from gastown_hooks.cli.common import emit_json, json_option, say, town_and_caller
from gastown_hooks.cli.gt import convoy as convoys
from gastown_hooks.core import clock
from gastown_hooks.core.paths import Town
from gastown_hooks.rules.agent_states import BY_HAND, STALLED
from gastown_hooks.work import status

_CLEAR = "\x1b[H\x1b[2J"
_SHOWN = 12


@click.command(short_help="The town at a glance.")
@click.option("--watch", is_flag=True, help="Again every two seconds, until ^C.")
@json_option
def cli(watch: bool, as_json: bool) -> None:
    """The town at a glance: what needs you first, then what failed, works, waits to land, is done.

    \b
    Examples:
      gt status
      gt status --watch
    """
    town, _ = town_and_caller()
    while True:
        if watch and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        _show(town, as_json)
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(2)


def _show(town: Town, as_json: bool) -> None:
    found = status.overview(town, clock.now())
    if as_json:
        emit_json(found.as_json())
        return
    say(f"{found.town}: {'running' if found.mode == 'running' else 'by hand (gt up starts it)'}")
    say("last seen: " + ", ".join(_links(found.links)))
    _section("Needs you", [f"{n['what']}: {n['why']}. Next: {n['next']}" for n in found.needs_you])
    _section("Failed", [f"{_line(entry)}{_after(entry)}" for entry in found.failed if entry["state"] != STALLED])  # those need you
    _section("Working", [_line(entry) for entry in found.working if entry["state"] != BY_HAND])
    waiting = [(_short(entry["agent"]), entry["bead"]) for entry in found.working if entry["state"] == BY_HAND]
    _section("By hand", [f"{who}  {bead}  not started by the town. Next: gt session start {who}, or gt attach {who}"
                         for who, bead in waiting])
    _section("Waiting to land", [_line(entry) for entry in found.waiting])
    _section("Convoys", [convoys.line(one) for one in found.convoys])
    _section("Done in the last day", [f"{d['id']}  {d['title']}" for d in found.done])
    if not (found.needs_you or found.failed or found.working or found.waiting):
        say("\nNothing is under way. " + _hint(town))


def _section(title: str, lines: list[str]) -> None:
    if lines:
        say(f"\n{title} ({len(lines)})")
    for line in lines[:_SHOWN]:
        say(f"  {line}")
    if len(lines) > _SHOWN:
        say(f"  and {len(lines) - _SHOWN} more")


def _links(links: list[dict[str, Any]]) -> Iterator[str]:
    """Tick and deacon, then each rig by the older of its two roles. The deacon is left out until it has been there."""
    oldest: dict[str, int | None] = {}
    for link in links:
        name, age = link["link"].partition("/")[0], link["age"]
        before = oldest.setdefault(name, age)
        oldest[name] = None if None in (before, age) else max(before or 0, age)
    return (f"{name} {_ago(age)}" for name, age in oldest.items() if name != "deacon" or age is not None)


def _line(entry: dict[str, Any]) -> str:
    who = _short(entry.get("agent") or entry.get("id"))
    age = f", last beat {_ago(entry['age'])}" if entry.get("age") is not None else ""
    why = str(entry.get("why") or entry.get("reason") or "").removeprefix("fail: ")
    return f"{who}  {entry['bead']}  {entry['state']}{age}" + (f": {why}" if why else "")


def _after(entry: dict[str, Any]) -> str:
    return f". Next: gt mq status {entry['id']}" if "id" in entry else f". Next: gt polecat status {_short(entry['agent'])}"


def _short(actor: object) -> str:
    """A worker as commands take it: RIG/NAME."""
    return str(actor).replace("/polecats/", "/")


def _hint(town: Town) -> str:
    rigs = town.rigs()
    if not rigs:
        return "Next: gt rig add NAME URL-OR-FOLDER"
    return f"Next: bd ready shows what can start, gt sling BEAD {rigs[0].name if len(rigs) == 1 else 'RIG'} starts it"


def _ago(seconds: object) -> str:
    if not isinstance(seconds, int):
        return "never"
    size, unit = next(((s, u) for s, u in ((86400, "d"), (3600, "h"), (60, "m")) if seconds >= s), (1, "s"))
    return f"{seconds // size}{unit} ago"
