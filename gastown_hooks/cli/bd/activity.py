"""`bd activity`"""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock, jsons
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import audit, filters, graph
from gastown_hooks.work import activity
from gastown_hooks.work.world import World

Event = dict[str, Any]
_PAUSE = 0.3


@click.command(short_help="Show what happens to beads, as it happens.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until ^C.")
@click.option("--since", metavar="TIME", help="Only since then: 5m, 24h, 7d, 2026-01-31 …")
@click.option("--mol", metavar="ID", help="Only this bead and those below it.")
@click.option("-t", "--type", "kind", type=click.Choice(["create", "status", "update", "comment", "delete"]), help="Only of this type.")
@click.option("-a", "--actor", metavar="WHO", default="", help="Only what this one did; * stands for any part.")
@click.option("--town", is_flag=True, help="Of all rigs of the town.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@click.option("-n", "--limit", type=common.COUNT, default=100, show_default=True, help="At most the last so many; 0: all.")
@common.json_option
def cli(follow: bool, since: str | None, mol: str | None, kind: str | None, actor: str, town: bool, prefix: str | None, limit: int,
        as_json: bool) -> None:
    """Show what happened to beads, the oldest first, a line each: + made, → changed, ✓ completed, ✗ blocked, ⊘ deleted. With --json one
    object a line. Times are UTC.

    \b
    Examples:
      bd activity --since 1h
      bd activity --follow --mol gp-abc12
    """
    if town and prefix is not None:
        raise BadInput("--town and --prefix contradict each other")
    now, where = clock.now(), _shared.world()
    ledgers = where.with_wisps([where.at(name) for name in sorted(where.prefixes())] if town else where.shown(prefix))
    below = _below(where, mol)
    seen = activity.Follower(ledgers, activity.Wanted(
        actor, 0 if since is None else filters.moment(since, now), below, kind=kind or "", root=below[0] if below else ""))
    _show(seen.last(limit), now, as_json)
    while follow:
        sys.stdout.flush()
        time.sleep(_PAUSE)
        _show(seen.new(), clock.now(), as_json)


def _below(where: World, mol: str | None) -> list[str]:
    if mol is None:
        return []
    (name, ledger), = _shared.located(where, [mol]).items()
    return [name, *graph.descendants(where.known([ledger]), name)]


def _show(events: list[Event], now: int, as_json: bool) -> None:
    today = clock.stamp(now)[:10]
    for event in events:
        kind, sign = audit.symbol(event)
        bead, words, at = event["payload"]["bead"], audit.words(event), event["ts"]
        if as_json:
            old, new = ((event["payload"].get("changes") or {}).get("status")) or (None, None)
            row = {"timestamp": at, "type": kind, "issue_id": bead, "symbol": sign, "message": f"{bead} {words}", "old_status": old,
                   "new_status": new, "actor": event["actor"]}
            common.say(jsons.dumps_ascii({key: value for key, value in row.items() if value}))
        else:
            clock_time = at[11:19] if at[:10] == today else f"{at[:10]} {at[11:19]}"
            common.say(common.cleaned(f"[{clock_time}] {sign} {bead} {words}" + (f"  ({event['actor']})" if event["actor"] else "")))
