"""`bd new`: another word for `bd create`."""

from __future__ import annotations

import click

from gastown_hooks.cli.bd import create

cli = click.Command("new", params=create.cli.params, callback=create.cli.callback, short_help="The same as bd create.", help="""\
The same as bd create.

\b
Examples:
  bd new "Fix the login" -t bug -p 1
""")
