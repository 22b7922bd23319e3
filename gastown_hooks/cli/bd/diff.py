"""`bd diff`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.cli.bd.history import say_changes
from gastown_hooks.rules import versions
from gastown_hooks.work import history


@click.command(short_help="Show what became of the beads since a commit.")
@click.argument("old", default="HEAD")
@click.argument("new", required=False)
@common.json_option
def cli(old: str, new: str | None, as_json: bool) -> None:
    """Show which beads are new, deleted or different between a commit (default: the last one) and another one or now.

    \b
    Examples:
      bd diff
      bd diff HEAD~5
      bd diff v1.0 v1.1 --json
    """
    where = _shared.world()
    ledger = where.home()
    found = versions.between(history.at(where, ledger, old), history.at(where, ledger, new) if new else ledger.all())
    if as_json:
        common.emit_json(found)
        return
    for word, sign in (("added", "+"), ("deleted", "-")):
        for record in found[word]:
            common.say(f"{sign} {_words.brief(record)}")
    for change in found["changed"]:
        common.say(f"~ {change['id']}: {common.cleaned(change['title'])}")
        say_changes(change["changes"])
    if not any(found.values()):
        common.say("✓ No difference")
