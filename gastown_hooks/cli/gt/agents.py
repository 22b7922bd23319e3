"""gt agents: every agent and the evidence for its state."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import json_option, town_and_caller
from gastown_hooks.cli.gt import _words


@click.command(short_help="Every agent, its state and the evidence.")
@json_option
def cli(as_json: bool) -> None:
    """Every agent with its state, its bead, the age of its last beat and the evidence for it, most urgent first.

    \b
    Examples:
      gt agents
      gt agents --json
    """
    _words.agents(town_and_caller()[0], as_json)
