"""gt rig: the projects of the town."""

from __future__ import annotations

import sys

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say, town_and_caller
from gastown_hooks.cli.gt import _words
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import config
from gastown_hooks.work import rig_add, rig_remove


@click.group(cls=Group, short_help="The projects of the town.")
def cli() -> None:
    """The projects of the town: each is a rig, a folder with its repository, ledger and agents.

    \b
    Examples:
      gt rig add app https://example.com/you/app.git
      gt rig add app ~/code/app --gate 'pytest -q' --gate 'ruff check .'
      gt rig list
      gt rig status app
      gt rig remove app --dry-run
    """


@cli.command("add", short_help="Add a project.")
@click.argument("name")
@click.argument("place", metavar="URL-OR-FOLDER")
@click.option("--prefix", metavar="P", help="The prefix of its beads (default: from its name).")
@click.option("--branch", metavar="B", help="The branch that work lands on (default: what the repository's HEAD names).")
@click.option("--roles", metavar="ROLE,…", help="Which of witness, refinery, mayor it gets (default: all).")
@click.option("--gate", "gates", metavar="CMD", multiple=True,
              help="A command that must succeed before anything lands; repeat it for more, or say none.")
@dry_run_option
@json_option
def add(name: str, place: str, prefix: str | None, branch: str | None, roles: str | None, gates: tuple[str, ...],
        dry_run: bool, as_json: bool) -> None:
    """Add a project from a git URL or a folder. A folder of yours is only read, never changed.

    What lands goes to the folder's remote; without one it stays in the rig, and you pull it. --dry-run lists every single act.

    \b
    Examples:
      gt rig add app https://example.com/you/app.git --gate 'make test'
      gt rig add app ~/code/app --prefix ap --gate 'pytest -q' --gate 'ruff check .'
      gt rig add app ~/code/app --gate none --dry-run
    """
    town, caller = town_and_caller()
    wish = rig_add.Wish(name, place, prefix, branch, tuple(roles.split(",")) if roles is not None else None, _gates(gates),
                        _ask if sys.stdin.isatty() and sys.stdout.isatty() else None)
    added = rig_add.add(town, wish, caller=caller, dry_run=dry_run, now=clock.now())
    if as_json:
        emit_json({"rig": name, "acts": added.acts, "notes": added.notes, "dry_run": dry_run})
        return
    for act in added.acts if dry_run else ():
        say(act)
    if not dry_run:
        _tell_added(town.rig(name), bool(added.acts))
    for note in added.notes if added.acts else ():
        say(f"  note: {note}")
    if added.acts and not dry_run:
        say(f"  Next: bd create TITLE --prefix {config.rig_config(town.rig(name)).prefix}, then gt sling BEAD {name}")


@cli.command("list", short_help="List the projects.")
@json_option
def list_(as_json: bool) -> None:
    """List the projects."""
    _words.projects(town_and_caller()[0], as_json)


@cli.command(short_help="Look at one project.")
@click.argument("name")
@json_option
def status(name: str, as_json: bool) -> None:
    """Look at one project."""
    _words.project(town_and_caller()[0], name, as_json)


@cli.command(short_help="Take a project out of the town.")
@click.argument("name")
@click.option("--force", is_flag=True, help="Remove it with unlanded work in it; that work is saved first and kept.")
@dry_run_option
@json_option
def remove(name: str, force: bool, dry_run: bool, as_json: bool) -> None:
    """Take a project out of the town. Refused while work in it is unlanded. Nothing is deleted: its folder moves to .removed."""
    town, caller = town_and_caller()
    removed = rig_remove.remove(town, name, force=force, dry_run=dry_run, caller=caller, now=clock.now())
    if as_json:
        emit_json({"rig": name, "acts": removed.acts, "unlanded": removed.unlanded, "kept": removed.kept, "dry_run": dry_run})
        return
    for act in removed.acts:
        say(act)
    for line in removed.unlanded:
        say(f"unlanded: {line}")
    if removed.kept and not dry_run:
        say(f"kept, with all its refs, in {removed.kept}; remove that folder when you are sure")


def _tell_added(rig: Rig, is_new: bool) -> None:
    made, shown = config.rig_config(rig), _words.gates(config.rig_settings(rig).gates)
    verb = "is a rig" if is_new else "is a rig already"
    say(f"{'✓ ' if is_new else ''}{rig.name} {verb}: {made.target} of {made.url or made.source}, prefix {made.prefix}, gates: {shown}")


def _gates(given: tuple[str, ...]) -> rig_add.Gates:
    if "none" in given:
        if len(given) > 1:
            raise BadInput("--gate none stands alone", why="it says that nothing is checked before landing")
        return "none"
    return list(given) or None


def _ask(guessed: list[str]) -> rig_add.Gates:
    """Ask the person at the terminal; an empty answer leaves the queue closed."""
    shown = " && ".join(guessed)
    answer = click.prompt("Command that must succeed before work lands (none: land without; empty line: decide later)",
                          default=shown, show_default=bool(shown))
    return None if not answer.strip() else guessed if answer == shown else "none" if answer.strip() == "none" else [answer]
