"""`bd blocked`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.rules import ready


@click.command(short_help="Show what waits for other beads, and for which.")
@_shared.filter_options
@common.json_option
def cli(limit: int, prefix: str | None, as_json: bool, **filters: Any) -> None:
    """Show beads that are held back by others (their own blockers, or those of a parent), and by which.

    \b
    Examples:
      bd blocked
      bd blocked --parent gp-abc12
    """
    now = clock.now()
    where = _shared.world()
    own = _shared.everything(where.shown(prefix))
    known = where.around(own)
    why = {record["id"]: reasons for record, reasons in ready.blocked(known, now) if record["id"] in own}
    found = _shared.limited(_shared.selected(where, [own[bead_id] for bead_id in why], **filters), limit)
    by = {bead_id: list(dict.fromkeys(reason.bead for reason in reasons if reason.bead)) for bead_id, reasons in why.items()}
    if as_json:
        common.emit_json([{**record, "blocked_by_count": len(by[record["id"]]), "blocked_by": by[record["id"]]} for record in found])
        return
    if not found:
        common.say("✨ No blocked issues")
        return
    common.say(f"🚫 Blocked issues ({len(found)}):\n")
    for record in found:
        common.say(f"[P{ready.priority(record)}] {record['id']}: {common.cleaned(record.get('title', ''))}")
        common.say(f"  Blocked by {len(by[record['id']])} open dependencies: [{' '.join(map(common.cleaned, by[record['id']]))}]")
