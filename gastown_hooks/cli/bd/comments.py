"""`bd comments`, `bd comments add`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, comment


@click.group(cls=_shared.DefaultGroup, default="list", short_help="What was said about a bead.")
def cli() -> None:
    """Show the comments of a bead, or add one.

    \b
    Examples:
      bd comments gp-abc12
      bd comments list gp-abc12 --json
      bd comments add gp-abc12 "seen on the second machine too"
    """


cli.add_command(comment.cli, "add")


@cli.command("list", short_help="Show the comments of a bead.")
@click.argument("bead_id", metavar="ID")
@common.json_option
def list_(bead_id: str, as_json: bool) -> None:
    """Show the comments of a bead, the oldest first."""
    (name, ledger), = _shared.located(_shared.world(), [bead_id], quiet=True).items()
    found = (ledger.get(name) or {}).get("comments") or []
    if as_json:
        common.emit_json(found)
    elif not found:
        common.say(f"{name} has no comments")
    else:
        common.say(f"Comments on {name} ({len(found)}):\n")
        for said in found:
            common.say(f"[{common.cleaned(str(said.get('created_at', '')))}] {common.cleaned(str(said.get('author', '')))}\n"
                       f"  {said.get('text', '')}\n")
