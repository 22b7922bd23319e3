"""gt up: start the town."""

from __future__ import annotations

import shlex

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, say, town_and_caller
from gastown_hooks.core import clock
from gastown_hooks.work import cron, power


@click.command(short_help="Start the town.")
@click.option("--no-cron", is_flag=True, help="Leave the crontab alone.")
@dry_run_option
@json_option
def cli(no_cron: bool, dry_run: bool, as_json: bool) -> None:
    """Start the town: agents are started by themselves, the roles look after them, cron starts a short tick.

    \b
    Examples:
      gt up
      gt up --no-cron
    """
    town, caller = town_and_caller()
    acts = power.up(town, with_cron=not no_cron, caller=caller, dry_run=dry_run, now=clock.now())
    if as_json:
        emit_json({"acts": acts, "cron": cron.installed(town), "dry_run": dry_run})
        return
    for act in acts:
        say(act)
    if dry_run:
        return
    if not cron.installed(town):
        why = "as asked" if no_cron and cron.available() else "there is no crontab program here"
        say(f"no cron line ({why}); keep this running instead: cd {shlex.quote(town.root)} && gt daemon run")
    say("the town is running; gt status shows it, gt down ends it")
