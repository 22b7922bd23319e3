"""`-w`: what a command shows, again whenever its ledgers changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from gastown_hooks.stores.ledger import Ledger

_CLEAR = "\x1b[2J\x1b[H"
_PAUSE = 0.5

option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-w", "--watch", is_flag=True, help="Again whenever something changed, until ^C.")


def shown(show: Callable[[], object], ledgers: Sequence[Ledger], watch: bool) -> None:
    """Run `show`; with `watch` again after each change of one of the ledgers."""
    while True:
        before = _state(ledgers) if watch else None
        if watch and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        show()
        if not watch:
            return
        sys.stdout.flush()
        while _state(ledgers) == before:
            time.sleep(_PAUSE)


def _state(ledgers: Sequence[Ledger]) -> list[tuple[object, ...]]:
    return [ledger.look(lambda pair: (pair.base, pair.inode, len(pair.journal()))) for ledger in ledgers]
