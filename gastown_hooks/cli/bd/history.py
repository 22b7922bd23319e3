"""`bd history`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _listing, _shared
from gastown_hooks.core import jsons
from gastown_hooks.work import history

_LONGEST = 60


@click.command(short_help="Show how a bead became what it is, from git.")
@click.argument("bead_id", metavar="ID")
@click.option("-n", "--limit", type=common.COUNT, default=20, show_default=True, help="At most so many versions; 0: all.")
@common.json_option
def cli(bead_id: str, limit: int, as_json: bool) -> None:
    """Show the commits that changed a bead, the newest first, and what they changed.

    \b
    Examples:
      bd history gp-abc12
    """
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id], quiet=True).items()
    every = history.of_bead(where, ledger, name)
    found = _listing.limited(every, limit, as_json)
    if as_json:
        common.emit_json(found, len(every))
        return
    for version in found:
        common.say(common.cleaned(f"{(version['commit'] or 'now')[:10]}  {version['date']}  {version['author']}  {version['message']}"))
        say_changes(version["changes"])
    if not found:
        common.say(f"git knows no version of {name} yet")


def say_changes(changes: dict[str, list[Any]]) -> None:
    for field, (old, new) in changes.items():
        common.say(f"    {common.cleaned(field)}: {_short(old)} -> {_short(new)}")


def _short(value: Any) -> str:
    text = "-" if value is None else value if isinstance(value, str) else jsons.dumps(value)
    return common.cleaned(text if len(text) <= _LONGEST else text[:_LONGEST - 1] + "…")
