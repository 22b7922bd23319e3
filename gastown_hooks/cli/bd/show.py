"""`bd show`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _original, _shared, _watch, _words
from gastown_hooks.core import clock, ids, jsons
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.rules import fields, foreign, graph, ready, states
from gastown_hooks.stores import callers, known
from gastown_hooks.work import history
from gastown_hooks.work.beadwrite import existing
from gastown_hooks.work.world import World

Record = dict[str, Any]
_TIMES = ("defer_until", "last_activity", "timestamp")  # besides those that end so
_SHOWN = frozenset((  # by the plain page
    "id", "title", "status", "priority", "issue_type", "assignee", "created_at", "created_by", "updated_at", "started_at", "closed_at",
    "close_reason", "due_at", "defer_until", "estimated_minutes", "external_ref", "claim_fence", "description", "design",
    "acceptance_criteria", "notes", "run", "labels", "dependencies", "dependents", "comments", "dependency_count", "dependent_count",
    "comment_count"))


@click.command(short_help="Show beads in full.")
@click.argument("bead_ids", nargs=-1, metavar="[ID...]")
@click.option("--short", is_flag=True, help="One line a bead.")
@click.option("--long", is_flag=True, help="Every field, also the rare ones.")
@click.option("--children", is_flag=True, help="Only the children.")
@click.option("--refs", is_flag=True, help="Only what depends on them, and how.")
@click.option("--thread", is_flag=True, help="Only the conversation that they are part of (replies-to).")
@click.option("--current", is_flag=True, help="The bead that you are at, instead of an ID.")
@click.option("--as-of", metavar="COMMIT", help="As they were in that commit.")
@click.option("--local-time", is_flag=True, help="Times in the zone of this machine, not in UTC.")
@_original.so_anyway("--include-comments", "--include-dependents")
@_watch.option
@common.json_option
def cli(bead_ids: tuple[str, ...], watch: bool, current: bool, **given: Any) -> None:
    """Show beads with their texts, dependencies, dependents and comments; without an ID the one that you touched last.

    \b
    Examples:
      bd show gp-abc12
      bd show abc12 def34 --short
      bd show gp-abc12 --as-of HEAD~3
      bd show --current
      bd show external:backend:be-456
      bd show gp-epic1 --children
      TZ=Europe/Paris bd show gp-abc12 --local-time
    """
    if bead_ids and current:
        raise BadInput("--current and an ID contradict each other", next="bd list")
    if sum(given[name] for name in ("short", "long", "children", "refs", "thread")) > 1:
        raise BadInput("--short, --long, --children, --refs and --thread contradict each other")
    where = _shared.world()
    texts = (_current(where),) if current else _shared.named(where, bead_ids)
    ledgers = list(_shared.located(World(callers.caller()), texts, quiet=True).values()) if watch else []
    _watch.shown(lambda: _show(texts, **given), ledgers, watch)


def _current(where: World) -> str:
    """The bead that the caller has begun, or has on its hook."""
    actor = where.caller.actor
    wanted = (("assignee", True, (actor,)), ("status", True, states.CLAIMED))
    found = [bead for ledger in where.shown() for bead in {**known.those(ledger, wanted), **where.wisps_of(ledger)}.values()]
    own = [bead for bead in found if bead.get("assignee") == actor and ready.status(bead) in states.CLAIMED]
    if not own:
        raise NotFound("you are at no bead", why=f"none is in progress or hooked by {actor}", next="bd ready --claim")
    return str(min(own, key=lambda bead: (ready.status(bead) != "in_progress", *ready.in_order(bead)))["id"])


def _show(texts: Sequence[str], short: bool, long: bool, children: bool, refs: bool, thread: bool, as_of: str | None,
          local_time: bool, as_json: bool) -> None:
    where = _shared.world()
    near: dict[str, list[Record]] = {}
    elsewhere = [text for text in texts if fields.is_foreign(text)]
    if elsewhere and (children or refs or thread or as_of is not None):
        raise BadInput(f"{ids.shown(elsewhere[0])} is another project's bead", why="only how it stands is known here")
    pages = [_foreign(where, text) for text in elsewhere]
    located = _shared.located(where, [text for text in texts if text not in elsewhere], quiet=True)
    for bead_id, ledger in located.items():
        there = where.known([ledger]) if as_of is None else history.at(where, ledger, as_of)
        if as_of is not None and bead_id not in there:
            raise NotFound(f"no bead {bead_id} in {ids.shown(as_of)}", next=f"bd history {bead_id}")
        record = existing(ledger, bead_id) if as_of is None else there[bead_id]
        above = graph.dependents(there)
        if children:
            near[bead_id] = [there[child] for child, kind in above.get(bead_id, ()) if kind == graph.PARENT]
        elif refs:
            near[bead_id] = [{**there[other], "dependency_type": kind} for other, kind in above.get(bead_id, ())]
        elif thread:
            near[bead_id] = [there[one] for one in graph.thread(there, bead_id)]
        else:
            pages.append(_words.page(record, there, above))
    if located:
        where.touch([*located][-1])
    if local_time:
        near, pages = _local(near), _local(pages)
    if as_json:
        common.emit_json(near or pages)
    elif near:
        _say_near(near, "children" if children else "messages" if thread else "references")
    else:
        _say_pages(pages, short, long)


def _local(value: Any, key: str = "") -> Any:
    """The same with its times in this machine's zone; what is no time, or none that a calendar has here, stays as it is."""
    if isinstance(value, dict):
        return {name: _local(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_local(one) for one in value]
    if not isinstance(value, str) or not (key.endswith("_at") or key in _TIMES):
        return value
    try:
        return clock.local(clock.parse(value))
    except (ValueError, OverflowError):
        return value


def _foreign(where: World, text: str) -> Record:
    """The page of another project's bead: how it stands, and who depends on it here."""
    foreign.parsed(text)
    there = where.known(where.shown())
    return _words.page(where.elsewhere(text) or {}, there, graph.dependents(there))


def _say_near(near: dict[str, list[Record]], what: str) -> None:
    for bead_id, found in near.items():
        common.say(f"{bead_id}: {len(found)} {what}" if found else f"{bead_id}: no {what}")
        for bead in found:
            how = bead.get("dependency_type")
            common.say(f"  {_words.line(bead)}" + (f" ({common.cleaned(how)})" if how else ""))


def _say_pages(pages: list[Record], short: bool, long: bool) -> None:
    for number, page in enumerate(pages):
        if short:
            common.say(_words.line(page))
            continue
        _words.say_page(page, first=number == 0)
        rare = {key: value for key, value in page.items() if key not in _SHOWN} if long else {}
        if rare:
            common.say("\nOther fields:")
        for key, value in rare.items():
            common.say(f"  {key}: {common.cleaned(value if isinstance(value, str) else jsons.dumps(value))}")


