"""`bd view`: another word for `bd show`."""

from __future__ import annotations

import click

from gastown_hooks.cli.bd import show

cli = click.Command("view", params=show.cli.params, callback=show.cli.callback, short_help="The same as bd show.", help="""\
The same as bd show.

\b
Examples:
  bd view gp-abc12
""")
