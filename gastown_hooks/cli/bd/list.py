"""`bd list`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _listing, _shared, _watch
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import drawing, ready, template
from gastown_hooks.stores import callers
from gastown_hooks.work.world import World


@click.command(short_help="List beads.")
@_filters.state_options
@click.option("--ready", "only_ready", is_flag=True, help="Only what may begin now.")
@_listing.order_options()
@click.option("--tree", "--pretty", is_flag=True, help="As a tree, children below their parents.")
@click.option("--flat", is_flag=True, help="As plain lines (it is so anyway).")
@click.option("--format", "form", metavar="FORM", help="dot, mermaid (drawings of what waits for what), digraph (`ID DEPENDS-ON` lines), "
              "or your own lines: '{{.ID}} {{.Title}}', '{{.IssueID}} {{.Type}} {{.DependsOnID}}'.")
@_watch.option
@_filters.filter_options
@common.json_option
def cli(watch: bool, prefix: str | None, **given: Any) -> None:
    """List beads that are not closed, the most urgent first. From the town's top folder: those of all rigs.

    Times are dates, RFC 3339, `7d` (ago), `+2d`, `tomorrow`, `next monday`; they and all words may be combined.

    \b
    Examples:
      bd list --status open,in_progress -l web
      bd list --all --sort updated -r -n 20
      bd list --parent gp-abc12 --tree
      bd list --closed-after 7d --all --json
      bd list --all --format digraph | digraph succs gp-abc12
      bd list -s in_progress --watch
    """
    _watch.shown(lambda: _show(prefix, **given), World(callers.caller()).shown(prefix) if watch else [], watch)


def _show(prefix: str | None, only_ready: bool, sort: str, reverse: bool, long: bool, tree: bool, flat: bool, form: str | None, limit: int,
          as_json: bool, **given: Any) -> None:
    if only_ready and given["statuses"]:
        raise BadInput("--ready and --status contradict each other", why="ready beads are open")
    if (tree + flat + bool(form) > 1) or (as_json and form):
        raise BadInput("--tree, --flat, --format and --json contradict each other")
    now, where = clock.now(), _shared.world()
    may_begin = _listing.may_begin(where, where.shown(prefix), now) if only_ready else []
    found = _listing.found(prefix, given, wanted=may_begin, first=None if may_begin is None else (sort, reverse, limit))
    if only_ready and not (may_begin and found.told):
        names = {record["id"] for record in ready.ready(found.where.around(found.known), now, wisps=found.wisps)}
        found = found.only(lambda record: record["id"] in names)
    if as_json or not (tree or form):
        _listing.show(found, sort=sort, reverse=reverse, limit=limit, as_json=as_json, long=long)
        return
    shown = _listing.limited(sorted(found.records, key=_listing.SORTS[sort], reverse=reverse), limit, count=found.count)
    if tree:
        _listing.say_tree(shown)
    elif form in ("dot", "mermaid"):
        common.say(drawing.draw(shown, form))
    else:
        for line in template.lines(template.DIGRAPH if form == "digraph" else form or "", shown):
            common.say(line)
