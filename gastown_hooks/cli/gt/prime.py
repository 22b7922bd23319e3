"""`gt prime`: context recovery."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.work import prime


@click.command(short_help="Who you are, what is on your hook, how to go on.")
@common.json_option
def cli(as_json: bool) -> None:
    """Print the context that the calling agent needs after a fresh start: at most 4 kB.

    \b
    Examples:
      gt prime
    """
    _, caller = common.town_and_caller()
    text = prime.text(caller)
    common.emit_json({"actor": caller.actor, "role": caller.role, "text": text}) if as_json else common.say(text)
