"""gt status: the town at a glance."""

from __future__ import annotations

import sys
import time

import click

from gastown_hooks.cli.common import json_option, town_and_caller
from gastown_hooks.cli.gt import _words

_CLEAR = "\x1b[H\x1b[2J"


@click.command(short_help="The town at a glance.")
@click.option("--watch", is_flag=True, help="Again every two seconds, until ^C.")
@json_option
def cli(watch: bool, as_json: bool) -> None:
    """The town at a glance: what needs you first, then what failed, works, waits to land, is done.

    \b
    Examples:
      gt status
      gt status --watch
    """
    town, _ = town_and_caller()
    while True:
        if watch and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        _words.overview(town, as_json)
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(2)
