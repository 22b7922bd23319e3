"""`bd audit`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _interactions, _shared
from gastown_hooks.cli.loader import JSON_WANTED, Group
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import audit, filters
from gastown_hooks.work import activity

_LIMIT = 100


@click.group(cls=Group, invoke_without_command=True, short_help="Show who changed what, and when.")
@click.option("-a", "--actor", metavar="WHO", default="", help="Only what this one did; * stands for any part: 'gp/polecats/*'.")
@click.option("--since", metavar="TIME", help="Only since then: 7d, 24h, yesterday, 2026-01-31 …")
@click.option("--bead", metavar="ID", help="Only about this bead.")
@click.option("-t", "--type", "kinds", multiple=True, metavar="KIND",
              help="Only events of this type: created, updated, closed, reopened, deleted, restored, renamed, llm_call, tool_call, "
                   "label; of a town also sling, done, merged …")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@click.option("-n", "--limit", type=common.COUNT, default=_LIMIT, show_default=True, help="The last so many; 0: all.")
@common.json_option
@click.pass_context
def cli(ctx: click.Context, actor: str, since: str | None, bead: str | None, kinds: tuple[str, ...], prefix: str | None, limit: int,
        as_json: bool) -> None:
    """Show the events of the ledger, the oldest first: every change of every field, who made it, when, from what to what. In a town also
    what the town did: workers that were sent, requests that landed (not with --prefix).

    Each event is {ts,type,actor,payload}; changes are {field: [old, new]}, or null for a long text (bd history shows those).

    \b
    Examples:
      bd audit --actor 'greenplace/polecats/*' --since 7d
      bd audit --bead gp-abc12 --json
      bd audit record --kind tool_call --tool-name pytest --exit-code 1
      bd audit label int-4k2x9 --label bad
    """
    if ctx.invoked_subcommand is not None:
        if actor or since or bead or kinds or prefix is not None or limit != _LIMIT:
            raise BadInput(f"the list's options do not go with {ctx.invoked_subcommand}", next=f"bd audit {ctx.invoked_subcommand} --help")
        ctx.meta[JSON_WANTED] = as_json
        return
    now, where = clock.now(), _shared.world()
    found = _shared.located(where, [bead]) if bead is not None else {}
    ledgers = list({ledger.beads.root: ledger for ledger in found.values()}.values()) or where.with_wisps(where.shown(prefix))
    wanted = activity.Wanted(actor, 0 if since is None else filters.moment(since, now), tuple(found), kinds)
    events = activity.recent(ledgers, where.caller.town if prefix is None else None, wanted, limit)
    if as_json:
        common.emit_json(events)
        return
    for event in events:
        about = event["payload"].get("bead") or ""
        common.say(common.cleaned(f"{event['ts'][:19].replace('T', ' ')}  {event['actor'] or '?'}  {event['type']}  {about}"
                                  f"  {_rest(event)}".rstrip()))
    if not events:
        common.say("No events")


cli.add_command(_interactions.record)
cli.add_command(_interactions.label)


def _rest(event: dict[str, object]) -> str:
    words = audit.words(event)
    return words.removeprefix(str(event["type"])).lstrip(":, ")
