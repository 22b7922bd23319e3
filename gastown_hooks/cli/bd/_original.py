"""Options of the original program that its users' scripts pass: those that ask for what is so here anyway, and those that are refused with
the reason; and its verbs that are other verbs here. None of them is in the help."""

from __future__ import annotations

import click

from gastown_hooks.cli.common import Decorator
from gastown_hooks.core.errors import BadInput

WORDS = {
    "assign": "bd update ID --assignee WHO", "context": "bd where", "done": "bd close ID --reason TEXT", "edit": "bd update ID",
    "find-duplicates": "bd duplicates", "kv": "bd remember TEXT --key K", "link": "bd dep add ID DEPENDS-ON",
    "note": "bd update ID --append-notes TEXT", "onboard": "bd prime", "priority": "bd update ID --priority N",
    "quickstart": "bd help", "tag": "bd label add ID LABEL", "todo": "bd q TITLE"}


def refuse_word(word: str) -> None:
    """Raises BadInput for a verb of the original that is another one here."""
    if word in WORDS:
        raise BadInput(f"no command {word}", next=WORDS[word])


def so_anyway(*names: str) -> Decorator:
    """Flags that ask for what the command does without them."""
    return click.option(*names, is_flag=True, hidden=True, expose_value=False, help="So it is anyway.")


def refused(name: str, why: str, next: str, *, takes_value: bool = False) -> Decorator:
    """An option that means something which there is not here."""
    def told(ctx: click.Context, param: click.Parameter, given: object) -> None:
        if given not in (None, False):
            raise BadInput(f"{name} is refused", why=why, next=next)
    return click.option(name, is_flag=not takes_value, hidden=True, expose_value=False, callback=told, help=f"Refused: {why}.")
