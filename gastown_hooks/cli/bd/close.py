"""`bd close`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common, fast_write
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import fields, ready, states, steps
from gastown_hooks.stores import callers
from gastown_hooks.stores.known import Changed, Together
from gastown_hooks.work import advance, beads

Record = dict[str, Any]


@click.command(short_help="Close beads.")
@click.argument("bead_ids", nargs=-1, metavar="[ID...]")
@click.option("-r", "--reason", "--resolution", "--message", "-m", "--comment", "reason", multiple=True, metavar="TEXT",
              help="Why (default: Closed); given more than once: one for each ID, in their order.")
@click.option("--reason-file", metavar="FILE", help="Read the reason from a file (-: standard input).")
@click.option("-f", "--force", is_flag=True, help="Against open blockers, open children, a pin or a gate. Never without a landing.")
@click.option("--session", metavar="ID", help="The agent program's session in which it happens (default: $CLAUDE_SESSION_ID).")
@click.option("--continue", "go_on", is_flag=True, help="Then take the next step of the same molecule.")
@click.option("--no-auto", is_flag=True, help="With --continue: only show the next step.")
@click.option("--claim-next", is_flag=True, help="Then take the most urgent ready bead.")
@click.option("--suggest-next", is_flag=True, help="Show what became ready.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], reason: tuple[str, ...], reason_file: str | None, force: bool, session: str | None, go_on: bool,
        no_auto: bool, claim_next: bool, suggest_next: bool, dry_run: bool, as_json: bool) -> None:
    """Close beads, all or none; without an ID the one that you touched last. A bead that is closed already stays as it is.

    A bead that was given to a worker closes when its work has landed in the target branch, which the merge queue does itself.
    --continue goes on in the order of what waits for what, then of the numbers; it passes over gates and what others have, and says so.

    \b
    Examples:
      bd close gp-abc12 --reason "was the cache"
      bd close gp-mol1.2 --continue
      bd close gp-abc12 gp-def34 --suggest-next
      bd close gp-abc12 gp-def34 -r "was the cache" -r "came with it"
    """
    if reason and reason_file is not None:
        raise BadInput("the reason is given twice", why="use one of --reason and --reason-file")
    if go_on + claim_next + suggest_next > 1 or (no_auto and not go_on):
        raise BadInput("use one of --continue (with or without --no-auto), --claim-next and --suggest-next")
    if go_on and len(bead_ids) > 1:
        raise BadInput("--continue follows one bead", why=f"{len(bead_ids)} are given")
    now = clock.now()
    by = fields.session(callers.variable("CLAUDE_SESSION_ID") if session is None else session)
    where = _shared.world()
    bead_ids = _shared.named(where, bead_ids)
    text: str | dict[str, str] = common.one_text(reason[0] if reason else None, from_file=reason_file, what="reason") or "Closed"
    if len(reason) > 1:
        whole = list(_shared.located(where, bead_ids, quiet=True))
        if len(reason) != len(whole):
            raise BadInput(f"{len(reason)} reasons for {len(whole)} beads", why="give one for all, or one for each")
        text = dict(zip(whole, reason, strict=True))
    if go_on or claim_next:
        names = _shared.located(where, bead_ids)
        ledgers = {ledger.beads.root: ledger for ledger in names.values()}
        if len(ledgers) > 1:
            raise BadInput("--claim-next is one transaction of one ledger", why=f"these beads are in {len(ledgers)}", next="bd close each")
        (ledger,) = ledgers.values()
        again = all(ready.status(ledger.get(name) or {}) == "closed" for name in names)
        onward = (advance.next_step(where, where.known([ledger]), next(iter(names)), now, auto=not no_auto) if go_on
                  else advance.next_ready(where, where.shown(), now, again=again))
        after, found = advance.close(where, ledger, list(names), text, now, onward, force=force, session=by, dry_run=dry_run)
        _say_closed(after, as_json, dry_run)
        onto = found.step if isinstance(found, steps.Next) and not no_auto else found
        if not dry_run:
            where.touch(onto["id"] if isinstance(onto, dict) else after[-1]["id"])
        if isinstance(found, steps.Next):
            fast_write.say_next(after, found, no_auto, as_json)
        else:
            _say_claimed(after, found, as_json)
        return
    before = Together([where.known(where.shown())]) if suggest_next else Together([])
    after = _shared.change(where, bead_ids, lambda ledger, names, dry: beads.close(
        ledger, where.caller, now, names, text, force=force, session=by, dry_run=dry), dry_run)
    if not dry_run:
        where.touch(after[-1]["id"])
    if suggest_next:
        _say_closed(after, as_json, dry_run)
        changed = {record["id"]: record for record in after}
        _say_freed(after, states.unblocked_by(before, Changed(before, changed), list(changed), now), as_json)
    else:
        fast_write.say_closed(after, as_json=as_json, dry_run=dry_run)


def _say_closed(after: list[Record], as_json: bool, dry_run: bool) -> None:
    if not as_json:
        fast_write.say_closed(after, as_json=False, dry_run=dry_run)


def _say_claimed(after: list[Record], claimed: Record | None, as_json: bool) -> None:
    if as_json:
        common.emit_json({"closed": after, **({} if claimed is None else {"claimed": claimed})})
    else:
        common.say(f"✓ Claimed {_words.brief(claimed)}" if claimed else "✨ Nothing to claim: no ready work that is nobody's")


def _say_freed(after: list[Record], freed: list[Record], as_json: bool) -> None:
    if as_json:
        common.emit_json({"closed": after, "unblocked": freed})
    elif freed:
        common.say("\nNewly unblocked:")
        for record in freed:
            common.say(f"  {_words.line(record)}")
