"""`bd show`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.core import ids
from gastown_hooks.core.errors import NotFound
from gastown_hooks.rules import graph
from gastown_hooks.work import history
from gastown_hooks.work.beadwrite import existing

Record = dict[str, Any]


@click.command(short_help="Show beads in full.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--short", is_flag=True, help="One line a bead.")
@click.option("--as-of", metavar="COMMIT", help="As they were in that commit.")
@common.json_option
def cli(bead_ids: tuple[str, ...], short: bool, as_of: str | None, as_json: bool) -> None:
    """Show beads with their texts, dependencies, dependents and comments.

    \b
    Examples:
      bd show gp-abc12
      bd show abc12 def34 --short
      bd show gp-abc12 --as-of HEAD~3
    """
    where = _shared.world()
    found = _shared.located(where, bead_ids, quiet=True)
    pages = []
    for bead_id, ledger in found.items():
        known = where.known([ledger]) if as_of is None else history.at(where, ledger, as_of)
        if as_of is not None and bead_id not in known:
            raise NotFound(f"no bead {bead_id} in {ids.shown(as_of)}", next=f"bd history {bead_id}")
        record = existing(ledger, bead_id) if as_of is None else known[bead_id]
        pages.append(_words.page(record, known, graph.dependents(known)))
    if as_json:
        common.emit_json(pages)
        return
    for number, page in enumerate(pages):
        if short:
            common.say(_words.line(page))
        else:
            _words.say_page(page, first=number == 0)


