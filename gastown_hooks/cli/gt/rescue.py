"""gt rescue: what was saved from removed workers, and bringing it back."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli.common import cleaned, emit_json, json_option, say, table, town_and_caller
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import events
from gastown_hooks.work import rescue

_LISTS = ("staged", "unstaged", "untracked", "conflicts", "in_progress", "stashes", "special_files")
_WORDS = {"stashes": "stash", "special_files": "not a file", "conflicts": "conflict", "in_progress": "in progress"}


@click.group(cls=Group, short_help="Saved work of removed workers.")
def cli() -> None:
    """Saved work of removed workers. A KEY is RIG/NAME/FENCE, or NAME/FENCE where that is unique."""


@cli.command("list", short_help="List what is saved.")
@json_option
def list_(as_json: bool) -> None:
    """List every saved state: what it holds, and whether that has landed since.

    \b
    Example:
      gt rescue list
    """
    town, _ = town_and_caller()
    found = _listing(town)
    if as_json:
        emit_json(found)
        return
    table([(row["key"], row["head"][:12], row["holds"], "landed" if row["landed"] else "kept") for row in found],
          ("KEY", "HEAD", "HOLDS", "STATE"))


@cli.command(short_help="Look at one saved state.")
@click.argument("key")
@json_option
def show(key: str, as_json: bool) -> None:
    """Show what a saved state holds: the refs, and each path by what it was.

    \b
    Example:
      gt rescue show gp/toast/7
    """
    town, _ = town_and_caller()
    found = rescue.show(*rescue.find(town, key))
    if as_json:
        emit_json(found)
        return
    for name in ("key", "bead", "branch", "head", "restored"):
        if found.get(name):
            say(f"{name:11} {found[name]}")
    for name in _LISTS:
        for value in found.get(name, ()):
            say(f"{_WORDS.get(name, name):11} {cleaned(value)}")
    for entry in found.get("ignored", ()):
        say(f"ignored     {cleaned(entry['path'])} ({entry['size']} bytes, not saved)")
    say(f"Next: gt rescue restore {found['key']}")


@cli.command(short_help="Bring a saved state back.")
@click.argument("key")
@click.option("--to", metavar="DIR", help="The new folder (default: RIG/rescued/NAME-FENCE in the town).")
@json_option
def restore(key: str, to: str | None, as_json: bool) -> None:
    """Make a worktree in which HEAD, staged, unstaged and untracked files and the stash are as they were.

    HEAD is on the branch rescue/NAME-FENCE. The saved refs stay. Restoring again only says where it is.

    \b
    Examples:
      gt rescue list
      gt rescue restore gp/toast/7
    """
    town, caller = town_and_caller()
    rig, saved = rescue.find(town, key)
    made = rescue.restore(rig, saved, to)
    if not made.existed:
        events.emit(town, "rescued", caller.actor, {"key": saved.key, "path": made.path}, clock.now())
    if as_json:
        emit_json({"key": saved.key, "path": made.path, "branch": made.branch, "existed": made.existed, "notes": made.notes})
        return
    say(f"{saved.key} {'is already' if made.existed else 'is back'} in {made.path} on {made.branch}")
    for note in made.notes:
        say(f"note: {note}")


def _listing(town: Town) -> list[dict[str, Any]]:
    rows = []
    for rig in town.rigs():
        landed = rescue.landed(rig)
        for saved in rescue.entries(rig):
            count = sum(1 for ref in saved.refs if ref.startswith("stash/"))
            holds = ["files"] if "tree" in saved.refs else []
            holds += [f"{count} stash {'entry' if count == 1 else 'entries'}"] if count else []
            rows.append({"key": saved.key, "rig": rig.name, "name": saved.name, "fence": saved.fence, "head": saved.head or "",
                         "holds": ", ".join(["commits", *holds]), "landed": saved.key in landed, "refs": sorted(saved.refs)})
    return rows
