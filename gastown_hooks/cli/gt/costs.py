"""gt costs: what the agents' turns cost."""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli.common import emit_json, json_option, rig_named, say, table, town_and_caller
from gastown_hooks.rules import reports
from gastown_hooks.stores import config
from gastown_hooks.work import costs


@click.command(short_help="What the agents' turns cost.")
@click.option("--by", "key", type=click.Choice(["bead", "agent", "model"]), default="bead",
              help="Sum by bead (default), agent program or model.")
@click.option("--rig", "rig_name", metavar="RIG", help="Only this rig.")
@json_option
def cli(key: str, rig_name: str | None, as_json: bool) -> None:
    """Tokens and US dollars of every turn whose agent program reported them, of sessions by hand too, summed, the dearest first.

    A bead's budget is the rig setting budget_usd: when it is used up, no turn begins, and a session by hand refuses its next prompt.
    What a turn cost whose program was killed is not known ("?").

    \b
    Examples:
      gt costs
      gt costs --by model
      gt costs --rig gp --json
    """
    town, _ = town_and_caller()
    rigs = [rig_named(town, rig_name)] if rig_name is not None else town.rigs()
    found = [{"rig": rig.name, **row, **({"budget": float(config.rig_settings(rig).budget_usd) or None} if key == "bead" else {})}
             for rig in rigs for row in reports.summed(costs.read(rig), key)]
    found.sort(key=lambda row: -row["cost"])
    if as_json:
        emit_json(found)
        return
    if not found:
        say("no turn has reported a cost yet")
        return
    table([_row(row, key) for row in found], ("RIG", key.upper(), "TURNS", "IN", "OUT", "CACHED", "USD", "OF" if key == "bead" else ""))
    say(f"in all ${sum(row['cost'] for row in found):.2f}")


def _row(row: dict[str, Any], key: str) -> tuple[object, ...]:
    tokens = row["tokens"]
    budget = f"${row['budget']:.2f}" if row.get("budget") else ""
    return (row["rig"], row[key], row["turns"], tokens.get("input", 0), tokens.get("output", 0),
            tokens.get("cache_read", 0) + tokens.get("cache_write", 0), f"{row['cost']:.4f}" + "?" * bool(row["unknown"]), budget)
