"""`bd list`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _listing
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import drawing, ready


@click.command(short_help="List beads.")
@_filters.state_options
@click.option("--ready", "only_ready", is_flag=True, help="Only what may begin now.")
@_listing.order_options()
@click.option("--tree", "--pretty", is_flag=True, help="As a tree, children below their parents.")
@click.option("--flat", is_flag=True, help="As plain lines (it is so anyway).")
@click.option("--format", "form", type=click.Choice(["dot", "mermaid"]), help="As a drawing of what waits for what.")
@_filters.filter_options
@common.json_option
def cli(only_ready: bool, sort: str, reverse: bool, long: bool, tree: bool, flat: bool, form: str | None, limit: int, prefix: str | None,
        as_json: bool, **given: Any) -> None:
    """List beads that are not closed, the most urgent first. From the town's top folder: those of all rigs.

    Times are dates, RFC 3339, `7d` (ago), `+2d`, `tomorrow`, `next monday`; they and all words may be combined.

    \b
    Examples:
      bd list --status open,in_progress -l web
      bd list --all --sort updated -r -n 20
      bd list --parent gp-abc12 --tree
      bd list --closed-after 7d --all --json
    """
    if only_ready and given["statuses"]:
        raise BadInput("--ready and --status contradict each other", why="ready beads are open")
    if (tree + flat + bool(form) > 1) or (as_json and form):
        raise BadInput("--tree, --flat, --format and --json contradict each other")
    found = _listing.found(prefix, given)
    if only_ready:
        now = clock.now()
        may_begin = {record["id"] for record in ready.ready(found.where.around(found.known), now)}
        found.records = [record for record in found.records if record["id"] in may_begin]
    if as_json or not (tree or form):
        _listing.show(found, sort=sort, reverse=reverse, limit=limit, as_json=as_json, long=long)
        return
    shown = _listing.limited(sorted(found.records, key=_listing.SORTS[sort], reverse=reverse), limit)
    if tree:
        _listing.say_tree(shown)
    else:
        common.say(drawing.draw(shown, form or "dot"))
