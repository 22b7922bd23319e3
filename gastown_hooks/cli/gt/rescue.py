"""gt rescue: what was saved from removed workers, and bringing it back."""

from __future__ import annotations

import os
from typing import Any

import click

from gastown_hooks.cli.common import cleaned, dry_run_option, emit_json, json_option, say, table, town_and_caller
from gastown_hooks.cli.loader import Group
from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import NotFound
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import events
from gastown_hooks.work import rescue

_LISTS = ("staged", "unstaged", "untracked", "conflicts", "in_progress", "stashes", "special_files")
_WORDS = {"stashes": "stash", "special_files": "not a file", "conflicts": "conflict", "in_progress": "in progress"}


@click.group(cls=Group, short_help="Saved work of removed workers.")
def cli() -> None:
    """Saved work of removed workers. A KEY is RIG/NAME/FENCE, or NAME/FENCE where that is unique."""


@cli.command("list", short_help="List what is saved.")
@click.argument("rig", required=False)
@click.option("--all", "everything", is_flag=True, help="Also what has landed since (JSON always has it).")
@json_option
def list_(rig: str | None, everything: bool, as_json: bool) -> None:
    """List the saved states of RIG (default: of all rigs) and what each holds. What has landed since is left out.

    \b
    Examples:
      gt rescue list
      gt rescue list gp --all
    """
    town, _ = town_and_caller()
    rigs = {one.name: one for one in town.rigs()}
    if rig is not None and rig not in rigs:
        raise NotFound(f"no rig {ids.shown(rig)}", why=f"known rigs: {', '.join(rigs) or 'none yet'}", next="gt rig list")
    found = _listing([rigs[rig]] if rig else list(rigs.values()))
    if as_json:
        emit_json(found)
        return
    shown = [row for row in found if everything or not row["landed"]]
    if shown:
        table([(row["key"], row["head"][:12], row["holds"], "landed" if row["landed"] else "kept") for row in shown],
              ("KEY", "HEAD", "HOLDS", "STATE"))
    else:
        say("nothing is saved that has not landed")
    if len(shown) < len(found):
        say(f"{len(found) - len(shown)} more have landed: gt rescue list --all")


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
@dry_run_option
@json_option
def restore(key: str, to: str | None, dry_run: bool, as_json: bool) -> None:
    """Make a worktree in which HEAD, staged, unstaged and untracked files and the stash are as they were.

    HEAD is on the branch rescue/NAME-FENCE. The saved refs stay. Restoring again only says where it is.

    \b
    Examples:
      gt rescue list
      gt rescue restore gp/toast/7
    """
    town, caller = town_and_caller()
    rig, saved = rescue.find(town, key)
    if dry_run:
        path = os.path.abspath(to or rescue.place(rig, saved))
        emit_json({"key": saved.key, "path": path, "dry_run": True}) if as_json else say(f"would bring {saved.key} back in {path}")
        return
    made = rescue.restore(rig, saved, to)
    if not made.existed:
        events.emit(town, "rescued", caller.actor, {"key": saved.key, "path": made.path}, clock.now())
    if as_json:
        emit_json({"key": saved.key, "path": made.path, "branch": made.branch, "existed": made.existed, "notes": made.notes})
        return
    say(f"{saved.key} {'is already' if made.existed else 'is back'} in {made.path} on {made.branch}")
    for note in made.notes:
        say(f"note: {note}")


def _listing(rigs: list[Rig]) -> list[dict[str, Any]]:
    rows = []
    for rig in rigs:
        found = rescue.entries(rig)
        landed = rescue.landed(rig, found)
        for saved in found:
            count = sum(1 for ref in saved.refs if ref.startswith("stash/"))
            holds = ["files"] if "tree" in saved.refs else []
            holds += [f"{count} stash {'entry' if count == 1 else 'entries'}"] if count else []
            rows.append({"key": saved.key, "rig": rig.name, "name": saved.name, "fence": saved.fence, "head": saved.head or "",
                         "holds": ", ".join(["commits", *holds]), "landed": saved.key in landed, "refs": sorted(saved.refs)})
    return rows
