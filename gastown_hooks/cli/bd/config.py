"""`bd config`: the settings of a ledger."""

from __future__ import annotations

import json
import os

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.cli.loader import Group
from gastown_hooks.core.errors import BadConfig, BadInput, Corrupt, NotFound
from gastown_hooks.core.ids import shown
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import clones, external
from gastown_hooks.stores import config as settings
from gastown_hooks.work import settings as work


@click.group(cls=Group, short_help="The settings of this ledger.")
def cli() -> None:
    """Settings of the ledger here, in its config.json. Those of a town and its rigs: gt config.

    \b
    Examples:
      bd config list
      bd config show
      bd config set external_projects.backend ../backend
      bd config set-many external_projects.backend=../backend push_seconds=30
      bd config validate
      bd config get push_seconds
      bd config unset external_projects.backend
      bd config explain
    """


@cli.command(short_help="Show the value in force.")
@click.argument("key")
@common.json_option
def get(key: str, as_json: bool) -> None:
    """Show the value in force.

    \b
    Examples:
      bd config get issue_prefix
      bd config get external_projects.backend
    """
    key = _spelt(key)
    value = settings.get(None, _place(key), key)
    if value is None:
        raise NotFound(f"{shown(key)} is not set", next=f"bd config set {shown(key)} VALUE")
    if as_json or not isinstance(value, str):
        common.emit_json(value)
    else:
        common.say(value)


@cli.command("set", short_help="Set a value.")
@click.argument("key")
@click.argument("value")
@common.dry_run_option
@common.json_option
def set_(key: str, value: str, dry_run: bool, as_json: bool) -> None:
    """Set a value.

    \b
    Examples:
      bd config set external_projects.backend ../backend
      bd config set push_seconds 30
    """
    key = _spelt(key)
    place = _place(settings.known(key, settings.LEDGER_KEYS, "bd config"))
    _tell(work.change_ledger(place, {key: work.value_of(key, [value])}, dry_run=dry_run), dry_run, as_json)


@cli.command("set-many", short_help="Set several values, all or none.")
@click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE...")
@common.dry_run_option
@common.json_option
def set_many(pairs: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Set several values: all of them, or none where one cannot be."""
    changes: dict[str, object] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        key = settings.known(_spelt(key), settings.LEDGER_KEYS, "bd config")
        if not sign or key in changes:
            raise BadInput(f"{shown(key)} is given twice" if sign else f"{shown(pair)} is no KEY=VALUE", next="bd config set-many --help")
        changes[key] = work.value_of(key, [value])
    places = {place.root: place for place in map(_place, changes)}
    if len(places) > 1:
        raise BadInput("these are settings of two ledgers", why=f"external_projects are the town's: {' and '.join(places)}",
                       next="bd config set-many, once for each")
    _tell(work.change_ledger(next(iter(places.values())), changes, dry_run=dry_run), dry_run, as_json)


@cli.command(short_help="Every value in force, and what it comes from.")
@common.json_option
def show(as_json: bool) -> None:
    """Every value in force, and whether it was set or is the default."""
    found = {key: {"value": settings.get(None, _place(key), key), "set": settings.is_set(_place(key), key)} for key in settings.LEDGER_KEYS}
    if as_json:
        common.emit_json(found)
    else:
        common.table([(key, json.dumps(one["value"], ensure_ascii=False), "set" if one["set"] else "default")
                      for key, one in found.items()], ("KEY", "VALUE", "FROM"))


@cli.command(short_help="Check the settings.")
@common.json_option
def validate(as_json: bool) -> int:
    """Check the settings: keys, values, and whether the projects' folders are there. Exit code 1 while something is wrong."""
    problems = []
    try:
        for name, folder in settings.get(None, place := _place("external_projects"), "external_projects").items():
            path = clones.place(place, folder)
            if not os.path.isdir(path):
                problems.append(f"external_projects.{name}: there is no folder {path}")
        settings.get(None, _place("ledger"), "ledger")
    except (BadConfig, Corrupt) as error:
        problems.append(str(error))
    if as_json:
        common.emit_json({"ok": not problems, "problems": problems})
    else:
        common.say("\n".join(problems) or "✓ The settings are sound")
        if problems:
            common.remark(f"bd: {len(problems)} wrong")
    return 1 if problems else 0


@cli.command(short_help="Back to the default.")
@click.argument("key")
@common.dry_run_option
@common.json_option
def unset(key: str, dry_run: bool, as_json: bool) -> None:
    """Remove a value, so that the default is in force again.

    \b
    Examples:
      bd config unset external_projects.backend
    """
    key = _spelt(key)
    _tell(work.change_ledger(_place(key), {key: None}, dry_run=dry_run), dry_run, as_json)


@cli.command("list", short_help="Every value in force.")
@common.json_option
def list_(as_json: bool) -> None:
    """Every value in force.

    \b
    Examples:
      bd config list
    """
    found = {key: settings.get(None, _place(key), key) for key in settings.LEDGER_KEYS}
    if as_json:
        common.emit_json(found)
        return
    for key, value in found.items():
        for name, one in {f"{key}.{name}": folder for name, folder in value.items()}.items() if isinstance(value, dict) else [(key, value)]:
            common.say(f"{name} = {one if isinstance(one, str) else json.dumps(one)}")


@cli.command(short_help="What the keys mean.")
@click.argument("key", required=False)
@common.json_option
def explain(key: str | None, as_json: bool) -> None:
    """What a key means and its default; without KEY, all of them.

    \b
    Examples:
      bd config explain push_seconds
    """
    names = list(settings.LEDGER_KEYS) if key is None else [
        settings.known(_spelt(key), settings.LEDGER_KEYS, "bd config").partition(".")[0]]
    found = {name: settings.LEDGER_KEYS[name] for name in names}
    if as_json:
        common.emit_json({name: {"default": default, "meaning": meaning} for name, (default, meaning) in found.items()})
        return
    for name, (default, meaning) in found.items():
        common.say(f"{name}: {meaning} (default: {json.dumps(default)})")


def _spelt(key: str) -> str:
    """The key as it stands in the file; other programs write hyphens."""
    head, dot, rest = key.partition(".")
    return head.replace("-", "_") + dot + rest


def _place(key: str) -> Beads:
    """The ledger whose settings hold the key."""
    own = _shared.world().home()
    own.view(lambda view: None)  # a folder without a ledger is an error here
    return external.home(own.beads) if key.startswith("external_projects") else own.beads


def _tell(acts: list[str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        common.emit_json({"acts": acts, "dry_run": dry_run})
        return
    for act in acts:
        common.say(f"{'would ' if dry_run else '✓ '}{act}")

