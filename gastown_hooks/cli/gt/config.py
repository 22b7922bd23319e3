"""gt config: the settings of the town and its rigs, and the agent programs."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say, table, town_and_caller
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.runtime import agents
from gastown_hooks.stores import config as settings
from gastown_hooks.work import settings as work


@click.group(cls=Group, short_help="Settings of the town and its rigs; agent programs.")
def cli() -> None:
    """Settings. A key of the town is written KEY, one of a rig RIG.KEY.

    \b
    Examples:
      gt config get app.gates
      gt config set app.gates 'pytest -q' 'ruff check .'
      gt config set app.gates none
      gt config unset app.gate_timeout
      gt config explain
      gt config list --json
      gt config default-agent codex
    """


@cli.command(short_help="Show the value in force.")
@click.argument("key")
@json_option
def get(key: str, as_json: bool) -> None:
    """Show the value in force."""
    town, _ = town_and_caller()
    value = settings.get(town, *work.scope(town, key))
    if as_json or not isinstance(value, str):
        emit_json(value)
    else:
        say(value)


@cli.command("set", short_help="Set a value.", context_settings={"ignore_unknown_options": True})
@click.argument("key")
@click.argument("values", nargs=-1, required=True, type=click.UNPROCESSED)
@dry_run_option
@json_option
def set_(key: str, values: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Set a value. A list takes one word an entry: gt config set app.gates 'pytest -q' 'ruff check'."""
    town, caller = town_and_caller()
    value = work.value_of(work.scope(town, key)[1], list(values))
    _tell(work.change(town, key, value, actor=caller.actor, dry_run=dry_run, now=clock.now()), dry_run, as_json)


@cli.command(short_help="Back to the default.")
@click.argument("key")
@dry_run_option
@json_option
def unset(key: str, dry_run: bool, as_json: bool) -> None:
    """Remove a value, so that the default is in force again."""
    town, caller = town_and_caller()
    _tell(work.change(town, key, None, actor=caller.actor, dry_run=dry_run, now=clock.now()), dry_run, as_json)


@cli.command(short_help="What the keys mean.")
@click.argument("key", required=False)
@json_option
def explain(key: str | None, as_json: bool) -> None:
    """What a key means and its default; without KEY, all of them."""
    keys: dict[str, tuple[Any, str]] = {**settings.TOWN_KEYS, **{f"RIG.{k}": v for k, v in settings.RIG_KEYS.items()}}
    if key is not None:
        bare = key.rpartition(".")[2] if key.partition(".")[0] not in settings.TOWN_KEYS else key.partition(".")[0]
        found = {name: value for name, value in keys.items() if name in (bare, f"RIG.{bare}")}
        if not found:
            near = ids.nearest(bare, [*settings.TOWN_KEYS, *settings.RIG_KEYS])
            raise NotFound(f"no setting {ids.shown(key)}", why=f"the nearest is {near}", next="gt config explain")
        keys = found
    if as_json:
        emit_json({name: {"default": default, "meaning": meaning} for name, (default, meaning) in keys.items()})
        return
    for name, (default, meaning) in keys.items():
        say(f"{name}: {meaning} (default: {json.dumps(default)})")


@cli.command("list", short_help="Every value in force.")
@json_option
def list_(as_json: bool) -> None:
    """Every value in force, of the town and each rig."""
    town, _ = town_and_caller()
    found = {"town": settings.town_settings(town).values, "rigs": {rig.name: settings.rig_settings(rig).values for rig in town.rigs()}}
    if as_json:
        emit_json(found)
        return
    for key, value in found["town"].items():
        say(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    for name, values in found["rigs"].items():
        for key, value in values.items():
            say(f"{name}.{key} = {json.dumps(value, ensure_ascii=False)}")


@cli.command("default-agent", short_help="Show or set the default agent program.")
@click.argument("name", required=False)
@json_option
@dry_run_option
def default_agent(name: str | None, as_json: bool, dry_run: bool) -> None:
    """Show the town's default agent program, or set it."""
    town, caller = town_and_caller()
    there = settings.town_settings(town)
    if name is None:
        emit_json(there.default_agent) if as_json else say(there.default_agent)
        return
    if name not in agents.known(there):
        raise NotFound(f"no agent program {ids.shown(name)}", why=f"known: {', '.join(agents.known(there))}", next="gt config agent list")
    _tell(work.change(town, "default_agent", name, actor=caller.actor, dry_run=dry_run, now=clock.now()), dry_run, as_json)


@cli.group("agent", cls=Group, short_help="The agent programs.")
def agent() -> None:
    """The agent programs: the built-in ones and your own.

    \b
    Examples:
      gt config agent list
      gt config agent get claude --json
      gt config agent set claude-glm "claude-glm --model glm-4"
      gt config agent remove claude-glm
    """


@agent.command("list", short_help="List them.")
@json_option
def agent_list(as_json: bool) -> None:
    """List the agent programs."""
    town, _ = town_and_caller()
    there = settings.town_settings(town)
    rows = [_described(there, name) for name in agents.known(there)]
    if as_json:
        emit_json(rows)
        return
    table([("*" if row["default"] else "", row["name"], row["kind"], row["like"], row["command"]) for row in rows],
          ("", "NAME", "KIND", "LIKE", "COMMAND"))


@agent.command("get", short_help="Show one.")
@click.argument("name")
@json_option
def agent_get(name: str, as_json: bool) -> None:
    """Show one agent program."""
    town, _ = town_and_caller()
    there = settings.town_settings(town)
    if name not in agents.known(there):
        raise NotFound(f"no agent program {ids.shown(name)}", why=f"known: {', '.join(agents.known(there))}", next="gt config agent list")
    row = _described(there, name)
    if as_json:
        emit_json(row)
        return
    for key, value in row.items():
        say(f"{key:8} {value}")


@agent.command("set", short_help="Add one, or override a built-in.", context_settings={"ignore_unknown_options": False})
@click.argument("name")
@click.argument("command")
@click.option("--like", metavar="NAME", help="Whose turns and sessions it works with (default: guessed from the command).")
@dry_run_option
@json_option
def agent_set(name: str, command: str, like: str | None, dry_run: bool, as_json: bool) -> None:
    """Add an agent program: gt config agent set claude-glm "claude-glm --model glm-4". No shell runs the command."""
    town, caller = town_and_caller()
    if like is not None and like not in agents.PRESETS:
        raise BadInput(f"no built-in agent program {ids.shown(like)}", why=f"known: {', '.join(agents.PRESETS)}")
    like = _like(command, name) if like is None else like
    _tell(work.set_agent(town, name, command, like, actor=caller.actor, dry_run=dry_run, now=clock.now()), dry_run, as_json)
    if not as_json:
        say(f"{name} works like {like}" if like else f"{name} works like none of the built-in ones: its prompt is its last argument")


@agent.command("remove", short_help="Remove one of your own.")
@click.argument("name")
@dry_run_option
@json_option
def agent_remove(name: str, dry_run: bool, as_json: bool) -> None:
    """Remove an own agent program, or your override of a built-in one."""
    town, caller = town_and_caller()
    _tell(work.remove_agent(town, name, name in agents.PRESETS, actor=caller.actor, dry_run=dry_run, now=clock.now()), dry_run, as_json)


def _described(there: settings.Settings, name: str) -> dict[str, Any]:
    own = there.agents.get(name)
    kind = "built-in" if own is None else "override" if name in agents.PRESETS else "own"
    command = shlex.join(agents.PRESETS[name].command) if own is None else own if isinstance(own, str) else own.get("command", "")
    like = name if own is None else own.get("like", "") if isinstance(own, dict) else ""
    return {"name": name, "kind": kind, "command": command, "like": like, "default": name == there.default_agent}


def _like(command: str, name: str) -> str:
    """The built-in whose program the command's first word names, in full or as its beginning."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"{ids.shown(command)} is no command", why=str(error)) from None
    if not words or "\0" in command:
        raise BadInput("an empty command", next=f"gt config agent set {ids.shown(name)} 'PROGRAM ARGS'")
    program = os.path.basename(words[0])
    programs = {preset.command[0]: built_in for built_in, preset in agents.PRESETS.items() if preset.prompted}
    fitting = [known for known in {**programs, **{p: p for p in programs.values()}} if program == known or program.startswith(known + "-")]
    return programs.get(max(fitting, key=len), max(fitting, key=len)) if fitting else ""


def _tell(acts: list[str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        emit_json({"acts": acts, "dry_run": dry_run})
        return
    for act in acts:
        say(act)
