"""`bd list`"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import fields, ready, states

_SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "priority": ready.in_order,
    "created": lambda record: (record.get("created_at", ""), record["id"]),
    "updated": lambda record: (record.get("updated_at", ""), record["id"]),
    "closed": lambda record: (record.get("closed_at", ""), record["id"]),
    "status": lambda record: (ready.status(record), *ready.in_order(record)),
    "id": lambda record: record["id"],
    "title": lambda record: (str(record.get("title", "")).lower(), record["id"]),
    "type": lambda record: (ready.kind(record), *ready.in_order(record)),
    "assignee": lambda record: (record.get("assignee") or "~", *ready.in_order(record)),
}


@click.command(short_help="List beads.")
@click.option("-s", "--status", "statuses", multiple=True, metavar="S[,S…]", help="Only with one of these states.")
@click.option("--all", "every", is_flag=True, help="Also closed ones, and the town's own records.")
@click.option("--id", "names", multiple=True, metavar="ID[,ID…]", help="Only these.")
@click.option("--title-contains", metavar="TEXT", help="Only with this in the title (upper and lower case are the same).")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="priority", show_default=True)
@click.option("-r", "--reverse", is_flag=True)
@click.option("--long", is_flag=True, help="Several lines a bead.")
@_shared.filter_options
@common.json_option
def cli(statuses: tuple[str, ...], every: bool, names: tuple[str, ...], title_contains: str | None, sort: str, reverse: bool, long: bool,
        limit: int, prefix: str | None, as_json: bool, **filters: Any) -> None:
    """List beads that are not closed, the most urgent first. From the town's top folder: those of all rigs.

    \b
    Examples:
      bd list --status open,in_progress -l web
      bd list --all --sort updated -r -n 20
      bd list --parent gp-abc12 --json
    """
    if every and statuses:
        raise BadInput("--all and --status contradict each other")
    where = _shared.world()
    known = _shared.everything(where.shown(prefix))
    wanted = {fields.status(part.strip()) for value in statuses for part in value.split(",")}
    only = _only(names, known)
    shown_kinds = every or filters["kind"] is not None or bool(only)

    def fits(record: dict[str, Any]) -> bool:
        status = ready.status(record)
        return (status != states.TOMBSTONE and (status in wanted if wanted else every or bool(only) or status != "closed")
                and (shown_kinds or (ready.kind(record) not in _shared.HIDDEN and not record.get("is_template")))
                and (not only or record["id"] in only)
                and (title_contains is None or title_contains.lower() in str(record.get("title", "")).lower()))

    chosen = _shared.selected(where, [record for record in known.values() if fits(record)], **filters)
    found = _shared.limited(sorted(chosen, key=_SORTS[sort], reverse=reverse), limit)
    if as_json:
        common.emit_json(_shared.counted(found, known))
        return
    for record in found:
        common.say(_shared.line(record))
        if long:
            _say_more(record)
    if not found:
        common.say("No issues found")


def _only(names: tuple[str, ...], known: dict[str, dict[str, Any]]) -> set[str]:
    only = {part.strip() for value in names for part in value.split(",")}
    missing = sorted(only - set(known))
    if missing:
        raise BadInput(f"no bead {common.cleaned(', '.join(missing))}", next="bd list --all")
    return only


def _say_more(record: dict[str, Any]) -> None:
    first = str(record.get("description") or "").split("\n")[0]
    if first:
        common.say(f"    {common.cleaned(first[:100])}")
    common.say(f"    Created: {record.get('created_at', '')}  Updated: {record.get('updated_at', '')}")
