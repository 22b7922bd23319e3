"""`bd count`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _facts, _filters, _listing
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import filters, ready

_GROUPS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "status": lambda record: [ready.status(record)], "priority": lambda record: [f"P{ready.priority(record)}"],
    "type": lambda record: [ready.kind(record)], "assignee": lambda record: [record.get("assignee") or "(unassigned)"],
    "label": lambda record: filters.labels(record) or ["(no labels)"]}


def _group_options(function: Any) -> Any:
    for name in reversed(_facts.GROUPS):
        function = click.option(f"--by-{name}", is_flag=True)(function)
    return function


@click.command(short_help="Count beads.")
@_filters.state_options
@_group_options
@_filters.test_options
@common.json_option
def cli(prefix: str | None, as_json: bool, **given: Any) -> None:
    """Count the beads that `bd list` shows with the same filters, or each kind of them.

    \b
    Examples:
      bd count
      bd count --all --by-status
      bd count -t bug --by-assignee --json
    """
    by = [name for name in _GROUPS if given.pop(f"by_{name}")]
    if len(by) > 1:
        raise BadInput(f"--by-{by[0]} and --by-{by[1]} contradict each other")
    records = _listing.found(prefix, given).records
    if not by:
        _facts.say_count(len(records), as_json)
        return
    _facts.say_counts(len(records), Counter(name for record in records for name in _GROUPS[by[0]](record)), as_json)
