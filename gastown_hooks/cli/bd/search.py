"""`bd search`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _listing
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import filters


@click.command(short_help="Find beads by a text.")
@click.argument("text")
@_filters.state_options
@_listing.order_options()
@_filters.filter_options
@common.json_option
def cli(text: str, sort: str, reverse: bool, long: bool, limit: int, prefix: str | None, as_json: bool, **given: Any) -> None:
    """Find beads that hold a text in their id, title or description; upper and lower case are the same. Filters as for bd list.

    \b
    Examples:
      bd search login
      bd search "null pointer" --all -t bug
    """
    if not text.strip():
        raise BadInput("the text to search for is empty", next="bd list")
    is_told = "\x1f" not in text
    found = _listing.found(prefix, given, filters.holds(text, "id", "title", "description"),
                           wanted=[("everything", "holds", [text.lower()])] if is_told else [],
                           first=(sort, reverse, limit) if is_told else None)
    _listing.show(found, sort=sort, reverse=reverse, limit=limit, as_json=as_json, long=long)
