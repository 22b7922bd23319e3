"""`bd show`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.rules import graph, ready, states
from gastown_hooks.work.beadwrite import existing

Record = dict[str, Any]
_LINES = (("Assignee", "assignee"), ("Created", "created_at"), ("Created by", "created_by"), ("Updated", "updated_at"),
          ("Started", "started_at"), ("Closed", "closed_at"), ("Close reason", "close_reason"), ("Due", "due_at"),
          ("Deferred until", "defer_until"), ("Estimate", "estimated_minutes"), ("External", "external_ref"), ("Claim", "claim_fence"))
_TEXTS = (("Description", "description"), ("Design", "design"), ("Acceptance Criteria", "acceptance_criteria"), ("Notes", "notes"),
          ("Run", "run"))


@click.command(short_help="Show beads in full.")
@click.argument("bead_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--short", is_flag=True, help="One line a bead.")
@common.json_option
def cli(bead_ids: tuple[str, ...], short: bool, as_json: bool) -> None:
    """Show beads with their texts, dependencies, dependents and comments.

    \b
    Examples:
      bd show gp-abc12
      bd show abc12 def34 --short
    """
    where = _shared.world()
    found = _shared.located(where, bead_ids, quiet=True)
    pages = []
    for bead_id, ledger in found.items():
        own = ledger.all()
        pages.append(_page(existing(ledger, bead_id), where.around(own), graph.dependents(own)))
    if as_json:
        common.emit_json(pages)
        return
    for number, page in enumerate(pages):
        if short:
            common.say(_shared.line(page))
        else:
            _say_page(page, first=number == 0)


def _page(record: Record, known: Mapping[str, Record], above: Mapping[str, list[tuple[str, str]]]) -> Record:
    """The record as `show --json` gives it."""
    bead_id = record["id"]
    page = {**_shared.with_counts(record, above), "labels": record.get("labels") or [], "comments": record.get("comments") or [],
            "dependencies": [{**_shared.stub(edge.target, known), "dependency_type": edge.kind} for edge in graph.edges(record)],
            "dependents": [{**_shared.stub(other, known), "dependency_type": kind} for other, kind in above.get(bead_id, ())]}
    if ready.kind(record) == "epic":
        below = [known[child] for child, kind in above.get(bead_id, ()) if kind == graph.PARENT]
        closed = sum(ready.status(child) in ("closed", states.TOMBSTONE) for child in below)
        page |= {"epic_total_children": len(below), "epic_closed_children": closed, "epic_closeable": closed == len(below)}
    return page


def _say_page(page: Record, first: bool) -> None:
    if not first:
        common.say("\n" + "─" * 60)
    common.say(f"{_shared.ICONS.get(ready.status(page), '?')} {page['id']}: {common.cleaned(page.get('title', ''))}")
    common.say(f"Status: {ready.status(page)}\nPriority: P{ready.priority(page)}\nType: {ready.kind(page)}")
    for name, key in _LINES:
        if page.get(key):
            common.say(f"{name}: {common.cleaned(str(page[key]))}")
    if page["labels"]:
        common.say(f"Labels: {common.cleaned(' '.join(map(str, page['labels'])))}")
    for name, key in _TEXTS:
        if page.get(key):
            common.say(f"\n{name}:\n{page[key]}")
    _say_beads("Depends on", "→", page["dependencies"])
    _say_beads("Needed by", "←", page["dependents"])
    if page["comments"]:
        common.say(f"\nComments ({len(page['comments'])}):")
        for comment in page["comments"]:
            common.say(f"  [{common.cleaned(str(comment.get('created_at', '')))}] {common.cleaned(str(comment.get('author', '')))}: "
                       f"{comment.get('text', '')}")


def _say_beads(title: str, arrow: str, beads: list[Record]) -> None:
    if beads:
        common.say(f"\n{title} ({len(beads)}):")
        for bead in beads:
            common.say(f"  {arrow} {_shared.brief(bead)} ({common.cleaned(bead['dependency_type'])})")
