"""gt install: make a town."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import dry_run_option, say
from gastown_hooks.core import clock
from gastown_hooks.work import town as towns


@click.command(short_help="Make a town (HQ) in a folder.")
@click.argument("path", default=".")
@click.option("--git", "with_git", is_flag=True, help="Make the town itself a git repository too.")
@dry_run_option
def cli(path: str, with_git: bool, dry_run: bool) -> None:
    """Make a town at PATH (default: here), or complete one. What is there already stays as it is.

    \b
    Examples:
      gt install ~/gt --git
      gt install ~/gt --dry-run
    """
    made = towns.install(path, with_git=with_git, dry_run=dry_run, now=clock.now())
    for act in made.acts:
        say(act)
    if not made.acts:
        say(f"{made.town.root} is a complete town already")
    elif not dry_run:
        say(f"\n{made.town.root} is a town, in manual mode: nothing runs by itself. Next:")
        say(f"  cd {made.town.root} && gt rig add NAME URL-OR-FOLDER")
        say("  gt up        starts the town and puts its one cron line in place (gt up --no-cron: without it)")
