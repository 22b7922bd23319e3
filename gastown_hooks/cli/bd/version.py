"""`bd version`"""

from __future__ import annotations

import platform

import click

from gastown_hooks import __version__
from gastown_hooks.cli import common
from gastown_hooks.stores import callers
from gastown_hooks.work import formats


@click.command(short_help="Show the version, and whether what it installed here is of it.")
@common.json_option
def cli(as_json: bool) -> None:
    """Show the version of this program and, where there is a ledger, in what format that is and whether its merge driver and git hooks
    are this program's.

    \b
    Examples:
      bd version
      bd version --json
    """
    found = formats.here(callers.caller())
    if as_json:
        common.emit_json({"version": __version__, "build": "gastown-hooks", "commit": "", "branch": "",
                          "python": platform.python_version(), **({} if found is None else {"ledger": found})})
        return
    common.say(f"bd version {__version__} (gastown-hooks)")
    if found is not None:
        common.say(f"  Ledger: {found['path']} ({found['mode']}, {found['format']})")
        for name in ("merge_driver", "hooks"):
            if found[name]:
                common.say(f"  {name.replace('_', ' ').capitalize()}: {found[name]}")
