"""`bd audit record`, `bd audit label`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock, ids, jsons
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.rules import fields
from gastown_hooks.stores import interactions
from gastown_hooks.work.world import World

_LABELS = ("good", "bad")


@click.command(short_help="Keep what an agent program did.")
@click.option("--kind", type=click.Choice(interactions.KINDS[:2]), help="A call of a model, or of a tool.")
@click.option("--model", metavar="NAME")
@click.option("--prompt", metavar="TEXT")
@click.option("--response", metavar="TEXT")
@click.option("--issue-id", metavar="ID", help="The bead for which it was.")
@click.option("--tool-name", metavar="NAME")
@click.option("--exit-code", type=int, metavar="N")
@click.option("--error", metavar="TEXT")
@click.option("--stdin", is_flag=True, help="Read it from standard input instead: a JSON object of these fields (issue_id …) and `extra`.")
@common.dry_run_option
@common.json_option
def record(stdin: bool, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Keep what an agent program did, beside the ledger and out of git; print the entry's id. bd audit shows it among the events.

    \b
    Examples:
      bd audit record --kind llm_call --model m1 --prompt "Why?" --response "Because." --issue-id gp-abc12
      bd audit record --kind tool_call --tool-name pytest --exit-code 1 --error "2 failed"
      echo '{"kind":"llm_call","model":"m1","extra":{"tokens":12}}' | bd audit record --stdin
    """
    entry = {key: value for key, value in given.items() if value is not None}
    if stdin and entry:
        raise BadInput(f"--stdin and --{next(iter(entry)).replace('_', '-')} contradict each other")
    entry = _checked(_parsed(common.one_text(None, from_stdin=True) or "") if stdin else entry)
    where = _shared.world()
    ledger = where.home()
    if entry.get("issue_id"):
        (entry["issue_id"], ledger), = _shared.located(where, [entry["issue_id"]]).items()
    made = entry if dry_run else interactions.add(ledger.beads, entry, where.caller.actor, clock.now())
    if as_json:
        common.emit_json(made)
    else:
        common.say(f"Would keep: {common.cleaned(jsons.dumps(made))}" if dry_run else made["id"])


@click.command(short_help="Say whether an entry was good or bad.")
@click.argument("entry_id", metavar="ENTRY")
@click.option("--label", type=click.Choice(_LABELS), required=True)
@click.option("-r", "--reason", metavar="TEXT")
@common.dry_run_option
@common.json_option
def label(entry_id: str, label: str, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Say whether what bd audit record kept was good or bad: an entry of its own, the earlier one stays as it is.

    \b
    Examples:
      bd audit label int-4k2x9 --label bad --reason "made up a file"
    """
    where = _shared.world()
    beads, about = _entry(where, entry_id)
    text = {} if reason is None else {"reason": fields.text(reason, "reason")}
    new = {"kind": "label", "parent_id": about["id"], "issue_id": about.get("issue_id"), "label": label, **text}
    made = new if dry_run else interactions.add(beads, new, where.caller.actor, clock.now())
    if as_json:
        common.emit_json({key: value for key, value in made.items() if value is not None})
    else:
        common.say(f"{'Would label' if dry_run else '✓ Labelled'} {about['id']} {label}")


def _entry(where: World, entry_id: str) -> tuple[Any, dict[str, Any]]:
    """The ledger's folder and the entry. Raises NotFound."""
    ledgers = where.with_wisps([*where.shown(), *map(where.at, sorted(where.prefixes()))])
    for ledger in {ledger.beads.root: ledger for ledger in ledgers}.values():
        for found in interactions.backwards(ledger.beads):
            if found["id"] == entry_id and found["kind"] != "label":
                return ledger.beads, found
    raise NotFound(f"no entry {ids.shown(entry_id)}", next="bd audit -t llm_call -t tool_call")


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = jsons.loads(text)
    except ValueError as error:
        raise BadInput("standard input is no JSON", why=str(error)) from None
    if not isinstance(found, dict):
        raise BadInput("standard input is no JSON object", next="bd audit record --help")
    return {key: value for key, value in found.items() if value is not None}


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    known = [key for key in interactions.KEYS if key not in ("id", "created_at", "actor", "parent_id", "label", "reason")]
    for key, value in entry.items():
        if key not in known:
            raise BadInput(f"{ids.shown(key)} is no field of an entry", why=f"known: {', '.join(known)}")
        if not isinstance(value, interactions.KEYS[key]) or isinstance(value, bool):
            raise BadInput(f"{key} is no {'whole number' if key == 'exit_code' else 'text'}")
        if isinstance(value, str):
            fields.text(value, key)
    if entry.get("kind") not in interactions.KINDS[:2]:
        raise BadInput("--kind is llm_call or tool_call", next="bd audit label ENTRY --label good" if entry.get("kind") == "label" else "")
    if not set(entry) - {"kind", "issue_id"}:
        raise BadInput("nothing to keep", why="it says only of which kind it is", next="bd audit record --help")
    return entry
