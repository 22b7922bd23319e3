"""`bd merge`: what git starts as its merge driver; cli/fast_merge does it for plain words."""

from __future__ import annotations

import click

from gastown_hooks.cli import common, fast_merge
from gastown_hooks.work import driver


@click.command(short_help="Merge three ledger files: git's merge driver.")
@click.argument("base")
@click.argument("ours")
@click.argument("theirs")
@click.argument("name", required=False)
@common.json_option
def cli(base: str, ours: str, theirs: str, name: str | None, as_json: bool) -> None:
    """Merge OURS and THEIRS, which both come from BASE, into OURS. `bd init` tells git to do so for this repository's ledger.

    Bead by bead and field by field: nothing that one side changed is lost, there is never a conflict for you to solve, and a line
    that is no bead stays where it is.

    \b
    Example, as it stands in .git/config (where NAME is the file's own name, to speak of):
      bd merge %O %A %B %P
    """
    merged = driver.merge(base, ours, theirs, name or "")
    if as_json:
        common.emit_json({"beads": merged.data.count(b"\n") - len(merged.bad), "conflicts": [str(one) for one in merged.conflicts],
                          "renamed": merged.renamed, "bad_lines": len(merged.bad)})
    else:
        fast_merge.say(merged, name or ours)
