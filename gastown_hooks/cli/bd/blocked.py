"""`bd blocked`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.rules import ready


@click.command(short_help="Show what waits for other beads, and for which.")
@_filters.filter_options
@common.json_option
def cli(limit: int, prefix: str | None, as_json: bool, **given: Any) -> None:
    """Show beads that are held back by others (their own blockers, or those of a parent), and by which.

    \b
    Examples:
      bd blocked
      bd blocked --parent gp-abc12
    """
    now = clock.now()
    where = _shared.world()
    ledgers = where.shown(prefix)
    wisps = _filters.wisps(where, ledgers, given)
    own = {**_shared.everything(ledgers), **wisps}
    fits = _filters.test(where, given, now)
    held = [(record, reasons) for record, reasons in ready.blocked(where.around(own), now, wisps=bool(wisps))
            if record["id"] in own and fits(record)]
    _words.say_blocked(held[:limit or None], len(held), limit, as_json)
