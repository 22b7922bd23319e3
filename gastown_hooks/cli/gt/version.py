"""gt version."""

from __future__ import annotations

import platform

import click

from gastown_hooks import __version__
from gastown_hooks.cli.common import emit_json, json_option, say


@click.command(short_help="Show the version.")
@json_option
def cli(as_json: bool) -> None:
    """Show the version.

    \b
    Example:
      gt version --json
    """
    if as_json:
        emit_json({"version": __version__, "python": platform.python_version()})
    else:
        say(f"gt {__version__}")
