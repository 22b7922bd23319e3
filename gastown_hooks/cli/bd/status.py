"""`bd status`: another word for `bd stats`."""

from __future__ import annotations

import click

from gastown_hooks.cli.bd import stats

cli = click.Command("status", params=stats.cli.params, callback=stats.cli.callback, short_help="The same as bd stats.", help="""\
The same as bd stats.

\b
Examples:
  bd status
""")
