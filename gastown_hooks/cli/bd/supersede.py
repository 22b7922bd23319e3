"""`bd supersede`"""

from __future__ import annotations

from gastown_hooks.cli.bd import _replace

cli = _replace.command("--with", "supersedes", "superseded by", short_help="Close a bead because another takes its place.", help="""\
Close a bead because another takes its place; it keeps a link to it.

\b
Examples:
  bd supersede gp-abc12 --with gp-def34
""")
