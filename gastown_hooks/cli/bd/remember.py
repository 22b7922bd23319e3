"""`bd remember`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.work import memories


@click.command(short_help="Keep what was learnt.")
@click.argument("text", required=False)
@click.option("--key", metavar="KEY", help="Under which name (default: from the first words).")
@click.option("--stdin", is_flag=True, help="Read the text from standard input.")
@common.dry_run_option
@common.json_option
def cli(text: str | None, key: str | None, stdin: bool, dry_run: bool, as_json: bool) -> None:
    """Keep a text under a key, with the beads; the same key again replaces it.

    \b
    Examples:
      bd remember "always run the tests with -race" --key tests
    """
    words = common.one_text(text, from_stdin=stdin)
    if words is None:
        raise BadInput("there is nothing to remember", next="bd remember TEXT")
    if key is not None and not key.strip():
        raise BadInput("the key is empty", next="bd remember TEXT --key KEY")
    where = _shared.world()
    kept = memories.remember(where.home(), where.caller, clock.now(), key or memories.key_for(words), words, dry_run=dry_run)
    if as_json:
        common.emit_json({"key": kept["title"], "value": kept["description"]})
    else:
        common.say(f"{'Would remember' if dry_run else '✓ Remembered'} {common.cleaned(kept['title'])}")
