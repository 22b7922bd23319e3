"""`bd blocked`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _filters, _listing, _shared
from gastown_hooks.core import clock
from gastown_hooks.rules import ready


@click.command(short_help="Show what waits for other beads, and for which.")
@_filters.filter_options
@common.json_option
def cli(limit: int, prefix: str | None, as_json: bool, **given: Any) -> None:
    """Show beads that are held back by others (their own blockers, or those of a parent), and by which.

    \b
    Examples:
      bd blocked
      bd blocked --parent gp-abc12
    """
    now = clock.now()
    where = _shared.world()
    own = _shared.everything(where.shown(prefix))
    fits = _filters.test(where, given, now)
    why = {record["id"]: reasons for record, reasons in ready.blocked(where.around(own), now) if record["id"] in own and fits(record)}
    found = _listing.limited([own[bead_id] for bead_id in why], limit, as_json)
    by = {bead_id: list(dict.fromkeys(reason.bead for reason in reasons if reason.bead)) for bead_id, reasons in why.items()}
    if as_json:
        common.emit_json([{**record, "blocked_by_count": len(by[record["id"]]), "blocked_by": by[record["id"]]} for record in found],
                         len(why))
        return
    if not found:
        common.say("✨ No blocked issues")
        return
    common.say(f"🚫 Blocked issues ({len(found)}):\n")
    for record in found:
        common.say(f"[P{ready.priority(record)}] {record['id']}: {common.cleaned(record.get('title', ''))}")
        common.say(f"  Blocked by {len(by[record['id']])} open dependencies: [{' '.join(map(common.cleaned, by[record['id']]))}]")
