"""`bd stats`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _facts, _original, _shared, _track
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.rules import ready, statistics, track

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.work import lately
else:
    lately = late("gastown_hooks.work.lately")


@click.command(short_help="Show the ledger in numbers.")
@click.option("-a", "--assigned", is_flag=True, help="Only your own beads.")
@click.option("--no-activity", is_flag=True, help="Without the last 24 hours.")
@click.option("--actor", metavar="WHO", help="How this identity's work went; * stands for any part: 'gp/polecats/*'.")
@click.option("--tag", "tags", multiple=True, metavar="SKILL", help="How work with this label went (repeat: all of them).")
@click.option("--group-by", "group", type=click.Choice(list(track.GROUPS)),
              help="How work went by actor, agent program, model or tag.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@_original.so_anyway("--all")
@common.json_option
def cli(assigned: bool, no_activity: bool, actor: str | None, tags: tuple[str, ...], group: str | None, prefix: str | None,
        as_json: bool) -> None:
    """Show how many beads are open, ready, blocked, closed, how long they took, and what happened in the last 24 hours. The town's own
    records are left out.

    With --actor, --tag or --group-by: how the work of those who did it went. A task is landed, closed (without a merge request), or was
    returned by the merge queue; first try: done, never sent back, and no validation speaks against it.

    \b
    Examples:
      bd stats
      bd stats --assigned --json
      bd stats --actor 'greenplace/polecats/*' --tag go --group-by model
    """
    if actor is not None or tags or group is not None:
        if assigned or no_activity:
            raise BadInput("--assigned and --no-activity do not go with --actor, --tag or --group-by", next="bd stats --help")
        _track.show(actor or "", tags, group or "actor", prefix, as_json)
        return
    now, where = clock.now(), _shared.world()
    every = _shared.everything(where.shown(prefix))
    own = {bead_id: record for bead_id, record in every.items() if ready.kind(record) not in ready.HIDDEN
           and (not assigned or record.get("assignee") == where.caller.actor)}
    summary = statistics.summary(own, where.around(every), now)
    recent = None if no_activity else statistics.activity(own, now)
    if recent is not None and as_json:
        recent |= lately.counts(where.shown(prefix), where.caller, now, assigned=assigned)
    _facts.say_stats(summary, recent, as_json)
