"""gt agents: every agent and the evidence for its state."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import emit_json, json_option, table, town_and_caller
from gastown_hooks.core import clock
from gastown_hooks.work import status


@click.command(short_help="Every agent, its state and the evidence.")
@json_option
def cli(as_json: bool) -> None:
    """Every agent with its state, its bead, the age of its last beat and the evidence for it, most urgent first.

    \b
    Examples:
      gt agents
      gt agents --json
    """
    town, _ = town_and_caller()
    found = status.agents(town, clock.now())
    if as_json:
        emit_json([agent.as_json() for agent in found])
        return
    table([(agent.actor, agent.state, agent.bead, "" if agent.age is None else f"{agent.age}s", _evidence(agent.evidence), agent.why)
           for agent in found], ("AGENT", "STATE", "BEAD", "BEAT", "EVIDENCE", ""))


def _evidence(facts: dict[str, object]) -> str:
    words = {True: "yes", False: "no", None: "cannot tell"}
    return " ".join(f"{key}={words[value] if value is None or isinstance(value, bool) else value}" for key, value in facts.items())
