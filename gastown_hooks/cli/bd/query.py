"""`bd query`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common, fast_wanted
from gastown_hooks.cli.bd import _filters, _listing
from gastown_hooks.core import clock
from gastown_hooks.rules import query


@click.command(short_help="Find beads by an expression.")
@click.argument("expression")
@_filters.state_options
@_listing.order_options()
@_filters.filter_options
@common.json_option
def cli(expression: str, sort: str, reverse: bool, long: bool, limit: int, prefix: str | None, as_json: bool, **given: Any) -> None:
    """Find beads by conditions with AND, OR, NOT and parentheses; closed beads too when the expression speaks of them.

    Fields: id status type priority assignee owner label title description design acceptance notes parent spec created updated
    started closed due defer estimate pinned ephemeral wisp_type template mol_type. Operators: = != < <= > >=. `none` is an empty field,
    `*` any text, `7d` a time seven days ago.

    \b
    Examples:
      bd query "status=open AND (priority<=1 OR label=urgent)"
      bd query "type=bug AND updated>7d AND NOT assignee=none"
      bd query "status=closed AND closed>=2026-01-01" --json
    """
    now, tree = clock.now(), query.tree(expression)
    test = query.test(tree, now)
    everything = given["everything"] or query.is_of_all(expression, given["statuses"])
    wisps = given["include_ephemeral"] or query.names(tree, "ephemeral", "wisp_type")
    given = {**given, "everything": everything, "include_ephemeral": wisps}
    told = fast_wanted.of_query(tree, now)
    found = _listing.found(prefix, given, test, wanted=fast_wanted.part_of_query(tree, now) if told is None else told,
                           first=None if told is None else (sort, reverse, limit))
    _listing.show(found, sort=sort, reverse=reverse, limit=limit, as_json=as_json, long=long)
