"""`bd label add|remove|list|list-all|propagate`"""

from __future__ import annotations

from collections import Counter

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _edit, _facts, _shared
from gastown_hooks.cli.loader import Group, Leaf
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import edits, fields, filters, graph, states


@click.group(cls=Group, short_help="The labels of beads.")
def cli() -> None:
    """Add, remove and list labels.

    \b
    Examples:
      bd label add gp-abc12 gp-def34 urgent
      bd label remove gp-abc12 urgent
      bd label rm gp-abc12 urgent
      bd label list gp-abc12
      bd label list-all
      bd label propagate gp-epic1 web
    """


def _words(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """`ID… LABEL`; the label may be a comma list."""
    if len(words) < 2:
        raise BadInput("a bead and a label are needed", next="bd label add ID… LABEL")
    return words[:-1], fields.labels(words[-1:])


def _command(said: tuple[str, str], key: str, help: str, short_help: str) -> click.Command:
    @click.command(cls=Leaf, help=help, short_help=short_help)
    @click.argument("words", nargs=-1, required=True, metavar="ID... LABEL[,…]")
    @common.dry_run_option
    @common.json_option
    def change(words: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
        bead_ids, labels = _words(words)
        after = _edit.edited(bead_ids, lambda record, caller, now: edits.labelled(record, **{key: labels}), dry_run=dry_run)
        _edit.report(after, f"{said[0]} {', '.join(labels)} {said[1]}", dry_run=dry_run, as_json=as_json)
    return change


_remove = _command(("Removed", "from"), "remove", "Take a label (or several, with commas) from beads; one that is not there is no error.",
                   "Take a label from beads.")
cli.add_command(_command(("Added", "to"), "add", "Add a label (or several, with commas) to beads.", "Add a label to beads."), "add")
cli.add_command(_remove, "remove")
cli.add_command(_remove, "rm")


@cli.command("list", short_help="Show the labels of a bead.")
@click.argument("bead_id", metavar="ID")
@common.json_option
def list_(bead_id: str, as_json: bool) -> None:
    """Show the labels of a bead."""
    (name, ledger), = _shared.located(_shared.world(), [bead_id], quiet=True).items()
    labels = filters.labels(ledger.get(name) or {})
    if as_json:
        common.emit_json(labels)
    else:
        common.say("\n".join(labels) or f"{name} has no labels")


@cli.command("list-all", short_help="Show all labels that are in use.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@common.json_option
def list_all(prefix: str | None, as_json: bool) -> None:
    """Show every label and how many beads have it."""
    records = _shared.everything(_shared.world().shown(prefix)).values()
    counts = Counter(label for record in records if record.get("status") != states.TOMBSTONE for label in filters.labels(record))
    _facts.say_labels(counts, as_json)


@cli.command(short_help="Give a label to all that is below a bead.")
@click.argument("bead_id", metavar="PARENT")
@click.argument("label")
@common.dry_run_option
@common.json_option
def propagate(bead_id: str, label: str, dry_run: bool, as_json: bool) -> None:
    """Add a label to every bead below this one, at any depth."""
    where = _shared.world()
    (name, ledger), = _shared.located(where, [bead_id]).items()
    below = graph.descendants(where.around(ledger.all()), name)
    labels = fields.labels([label])
    after = _edit.edited(below, lambda record, caller, now: edits.labelled(record, add=labels), dry_run=dry_run)
    _edit.report(after, f"Added {', '.join(labels)} to", dry_run=dry_run, as_json=as_json)
    if not after and not as_json:
        common.say(f"{name} has nothing below it")
