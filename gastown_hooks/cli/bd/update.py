"""`bd update`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common, fast_write
from gastown_hooks.cli.bd import _original, _shared, _values
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Wisps
from gastown_hooks.core.record import kind
from gastown_hooks.rules import edits, fields, waits
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, verbs, wisps


@click.command(short_help="Change beads.")
@click.argument("bead_ids", nargs=-1, metavar="[ID...]")
@click.option("-s", "--status", help="open, in_progress, blocked, deferred, closed, pinned, hooked.")
@click.option("--claim", is_flag=True, help="Take it: yours and in_progress, if it is open and nobody's.")
@click.option("-a", "--assignee", metavar="WHO", help='"" for nobody.')
@click.option("-p", "--priority", metavar="0-4")
@click.option("--title", metavar="TEXT")
@click.option("-t", "--type", "issue_type", metavar="TYPE")
@click.option("-d", "--description", metavar="TEXT", help='Texts: "" clears.')
@click.option("--body-file", metavar="FILE", help="Read the description from a file (-: standard input).")
@click.option("--stdin", is_flag=True, help="Read the description from standard input.")
@click.option("--allow-empty-description", is_flag=True, help="Also when that file or standard input is empty.")
@click.option("--design", metavar="TEXT")
@click.option("--design-file", metavar="FILE", help="Read the design from a file (-: standard input).")
@click.option("--acceptance", "acceptance_criteria", metavar="TEXT")
@click.option("--notes", metavar="TEXT")
@click.option("--append-notes", metavar="TEXT")
@click.option("--add-label", "add_labels", multiple=True, metavar="L[,L…]")
@click.option("--remove-label", "remove_labels", multiple=True, metavar="L[,L…]")
@click.option("--set-labels", multiple=True, metavar="L[,L…]", help='These labels alone; "" for none.')
@click.option("--parent", metavar="ID", help='Another parent; "" for none.')
@click.option("--run", metavar="TEXT|@FILE", help="The shell script that is the work, for the exec agent.")
@click.option("-e", "--estimate", type=int, metavar="MINUTES", help="0 clears.")
@click.option("--due", metavar="TIME", help='+6h, +1d, 2026-01-31, RFC 3339; "" clears.')
@click.option("--defer", metavar="TIME", help='Not ready before then; "" clears.')
@click.option("--external-ref", metavar="REF")
@click.option("--spec-id", metavar="ID", help="The specification it comes from.")
@click.option("--metadata", metavar="JSON|@FILE", help="These keys of the metadata; others stay.")
@click.option("--set-metadata", multiple=True, metavar="KEY=VALUE", help="One key of the metadata.")
@click.option("--session", metavar="ID", help="With --status closed: the agent program's session in which it happens.")
@click.option("--unset-metadata", multiple=True, metavar="KEY", help="Remove one key of the metadata.")
@click.option("--await-type", type=click.Choice(waits.TYPES), help="Of a gate: what it waits for.")
@click.option("--await-id", metavar="ID", help='Of a gate: the run, pull request or bead; "" clears.')
@click.option("--timeout", metavar="30m|1h|2d", help='Of a gate: how long; "" clears.')
@click.option("--ephemeral", is_flag=True, help="Make it a wisp: only this place has it, not git and no other clone.")
@click.option("--persistent", is_flag=True, help="Keep a wisp, in the ledger that is shared.")
@_original.refused("--no-history", "it kept beads out of the original's database history", "bd update ID --ephemeral keeps one out of git")
@_original.refused("--history", "every bead has its history here", "bd history ID")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], claim: bool, append_notes: str | None, add_labels: tuple[str, ...], remove_labels: tuple[str, ...],
        parent: str | None, metadata: str | None, set_metadata: tuple[str, ...], session: str | None, unset_metadata: tuple[str, ...],
        ephemeral: bool, persistent: bool, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Change fields of one or more beads; without an ID of the one that you touched last. A status of closed asks the same questions as
    bd close.

    \b
    Examples:
      bd update gp-abc12 --claim
      bd update gp-abc12 --status blocked --append-notes "waits for the vendor"
      bd update gp-abc12 gp-def34 -p 0 --add-label urgent
      git log -1 --format=%B | bd update gp-abc12 --stdin
      bd update gp-wisp-abc12 --persistent
    """
    now = clock.now()
    where = _shared.world()
    values = _values.update_values(given, now)
    if (given["stdin"] or given["body_file"]) and not values["description"] and not given["allow_empty_description"]:
        raise BadInput("the new description is empty", why="perhaps what should have written it failed",
                       next='--allow-empty-description, or -d ""')
    gate = fields.gate(given["await_type"], given["await_id"], given["timeout"], "gate")
    values |= gate
    if session is not None:
        if values.get("status") != "closed":
            raise BadInput("--session without --status closed", why="it is kept as the session that closed the bead")
        values["closed_by_session"] = fields.session(session) or None
    add, remove = fields.labels(add_labels), fields.labels(remove_labels)
    keys = {**(_values.metadata(metadata) if metadata is not None else {}), **dict(map(edits.metadata_pair, set_metadata))}
    gone = [edits.metadata_key(key) for key in unset_metadata]
    if set(keys) & set(gone):
        raise BadInput("--unset-metadata of a key that is set contradicts it")
    if ephemeral and persistent:
        raise BadInput("--ephemeral and --persistent contradict each other")
    _values.update_check(given, values, claim, append_notes, add, remove, parent, bool(keys or gone or ephemeral or persistent))
    if parent:
        parent = _shared.target(where, parent)
    more: dict[str, Any] = {"add_labels": add, "remove_labels": remove, "append_notes": append_notes, "set_metadata": keys,
                            "unset_metadata": gone, "parent": parent, "claim": claim}

    def verb(ledger: Ledger, names: list[str], dry: bool) -> list[dict[str, Any]]:
        for name in names if gate else ():
            fields.gate(given["await_type"], given["await_id"], given["timeout"], values.get("issue_type") or kind(ledger.get(name) or {}))
        if isinstance(ledger.beads, Wisps) and persistent:
            return wisps.stay(where, ledger, names, now, verbs.updating(where, now, values, **more), dry_run=dry)
        if not isinstance(ledger.beads, Wisps) and ephemeral:
            return wisps.leave(where, ledger, names, now, verbs.updating(where, now, values, **more), dry_run=dry)
        kept = {"ephemeral": None, "wisp_type": None} if persistent else {}
        return beads.update(ledger, where.caller, now, names, {**values, **kept}, **more, dry_run=dry)

    adds = "" if append_notes is None else "--append-notes"
    after = _shared.change(where, _shared.named(where, bead_ids), verb, dry_run, adds=adds)
    if not dry_run:
        where.touch(after[-1]["id"])
    fast_write.say_updated(after, as_json=as_json, dry_run=dry_run)
