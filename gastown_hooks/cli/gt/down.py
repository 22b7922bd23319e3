"""gt down: end the town."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import dry_run_option, emit_json, json_option, remark, say, town_and_caller
from gastown_hooks.core import clock
from gastown_hooks.work import power


@click.command(short_help="End the town: no process, no cron line is left.")
@json_option
@dry_run_option
def cli(as_json: bool, dry_run: bool) -> int:
    """End everything the town started and take its cron line out, then count what is left. Claims and work stay; gt up goes on.

    \b
    Examples:
      gt down
      gt down --dry-run
    """
    town, caller = town_and_caller()
    found = power.down(town, caller=caller, dry_run=dry_run, now=clock.now())
    if as_json:
        emit_json({"acts": found.acts, "ended": found.ended, "left": found.left, "foreign": found.foreign, "cron": found.cron})
    else:
        for act in found.acts:
            say(act)
        for process in found.foreign:
            say(f"not the town's, so left alone: {process}")
        if dry_run and not found.acts:
            say("nothing runs, so nothing would be done")
        if not dry_run:
            say(f"processes of the town: {len(found.left)}; cron lines: {int(found.cron)}")
    for process in found.left:
        remark(f"gt: still there: {process}. Next: kill -9 {process.partition(' ')[0]}, then gt down")
    return 1 if not dry_run and (found.left or found.cron) else 0
