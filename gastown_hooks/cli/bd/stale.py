"""`bd stale`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _listing
from gastown_hooks.core import clock
from gastown_hooks.rules import filters


@click.command(short_help="Show beads that nobody has touched for long.")
@click.option("-d", "--days", type=common.COUNT, default=30, show_default=True, help="Not changed for so many days.")
@_filters.state_options
@_listing.order_options("updated")
@_filters.filter_options
@common.json_option
def cli(days: int, sort: str, reverse: bool, long: bool, limit: int, prefix: str | None, as_json: bool, **given: Any) -> None:
    """Show beads that are not closed and were not changed for long, the oldest first. Filters as for bd list.

    \b
    Examples:
      bd stale
      bd stale -d 7 -s in_progress
    """
    now = clock.now()
    found = _listing.found(prefix, given, filters.condition("updated", "<", f"{days}d", now),
                           wanted=[("updated", "<", [filters.moment(f"{days}d", now)])], first=(sort, reverse, limit))
    _listing.show(found, sort=sort, reverse=reverse, limit=limit, as_json=as_json, long=long, empty="✨ No stale issues")
