"""`gt hook`: what is on my hook."""

from __future__ import annotations

import click

from gastown_hooks.cli import common, fast_hook
from gastown_hooks.core import clock, ids
from gastown_hooks.work import hook


@click.command(short_help="Show what is on your hook, or put a bead there.")
@click.argument("bead", required=False)
@common.dry_run_option
@common.json_option
def cli(bead: str | None, dry_run: bool, as_json: bool) -> None:
    """Show the beads on the caller's hook; with BEAD, put that open bead on it.

    What is on your hook, you work on. An empty hook is exit code 0 and an empty list.

    \b
    Examples:
      gt hook
      gt hook gp-abc12
      gt hook --json
    """
    _, caller = common.town_and_caller()
    if bead is not None:
        if dry_run:
            common.say(f"would put {ids.bead(bead)} on the hook of {caller.actor}")
            return
        found = [hook.attach(caller, ids.bead(bead), clock.now())]
    else:
        found = hook.hooked(caller)
    fast_hook.say_hook(caller, found, as_json)
