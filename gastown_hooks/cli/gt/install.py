"""gt install: make a town."""

from __future__ import annotations

import shlex

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say
from gastown_hooks.core import clock
from gastown_hooks.work import town as towns


@click.command(short_help="Make a town (HQ) in a folder.")
@click.argument("path", default=".")
@click.option("--git", "with_git", is_flag=True, help="Make the town itself a git repository too.")
@dry_run_option
@json_option
def cli(path: str, with_git: bool, dry_run: bool, as_json: bool) -> None:
    """Make a town at PATH (default: here), or complete one. What is there already stays as it is.

    --dry-run lists every single act.

    \b
    Examples:
      gt install ~/gt --git
      gt install ~/gt --dry-run
    """
    made = towns.install(path, with_git=with_git, dry_run=dry_run, now=clock.now())
    root = made.town.root
    if as_json:
        emit_json({"town": root, "acts": made.acts, "dry_run": dry_run})
    elif not made.acts:
        say(f"{root} is a complete town already")
    elif dry_run:
        for act in made.acts:
            say(act)
    else:
        say(f"✓ {root} is a town: its ledger, its settings, the homes of mayor, deacon and overseer")
        say("  It is by hand: nothing runs by itself. Next:")
        say(f"    cd {shlex.quote(root)} && gt rig add NAME URL-OR-FOLDER")
        say("    gt up        starts the town and puts its one cron line in place (gt up --no-cron: without it)")
