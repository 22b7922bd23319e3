"""`bd lint`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _listing, _words
from gastown_hooks.rules import lint, ready


@click.command(short_help="Show beads whose description lacks what its type needs.")
@_filters.state_options
@_filters.filter_options
@common.json_option
def cli(limit: int, prefix: str | None, as_json: bool, **given: Any) -> int:
    """Show open beads that lack headings: bugs want Steps to Reproduce, tasks, features and bugs Acceptance Criteria, epics Success
    Criteria, decisions Decision, Rationale, Alternatives Considered, spikes Goal, Findings. Exit code 1 when there are any.

    \b
    Examples:
      bd lint
      bd lint -t bug --json
    """
    found = _listing.found(prefix, given, lambda record: bool(lint.missing(record)), wanted=[("lacks", True, [])],
                           first=("priority", False, limit))
    shown = _listing.limited(sorted(found.records, key=ready.in_order), limit, as_json, found.count)
    if as_json:
        common.emit_json({"total": found.count, "results": [
            {"id": record["id"], "title": record.get("title", ""), "type": ready.kind(record), "missing": lint.missing(record)}
            for record in shown]})
    else:
        for record in shown:
            common.say(f"{_words.brief(record)}\n  lacks {', '.join(lint.missing(record))}")
        if found.count:
            common.remark(f"bd: {found.count} lack a heading")
        else:
            common.say("✓ Nothing lacks a heading")
    return 1 if found.count else 0
