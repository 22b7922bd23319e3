"""`bd duplicate`"""

from __future__ import annotations

from gastown_hooks.cli.bd import _replace

cli = _replace.command("--of", "duplicates", "a duplicate of", short_help="Close a bead because another says the same.", help="""\
Close a bead because another says the same; it keeps a link to it.

\b
Examples:
  bd duplicate gp-abc12 --of gp-def34
""")
