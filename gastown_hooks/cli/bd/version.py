"""`bd version`"""

from __future__ import annotations

import click

from gastown_hooks import __version__
from gastown_hooks.cli import common


@click.command(short_help="Show the version.")
@common.json_option
def cli(as_json: bool) -> None:
    """Show the version of this program.

    \b
    Examples:
      bd version
    """
    if as_json:
        common.emit_json({"version": __version__, "build": "gastown-hooks", "commit": "", "branch": ""})
    else:
        common.say(f"bd version {__version__} (gastown-hooks)")
