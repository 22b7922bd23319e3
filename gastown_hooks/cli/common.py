"""What every command shares: options, printing, and who calls from where.

Whatever came from a bead, a mail, git or the caller's arguments is printed through `say`, `table` or `cleaned`, which
escape control characters. JSON goes to standard output alone; remarks go to standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gastown_hooks.cli.loader import JSON_WANTED
from gastown_hooks.cli.plain import ago, cleaned, decoded, emit_json, file_text, one_text, remark, rig_named, say, table, town_and_caller
from gastown_hooks.core import errors, ids, paths
from gastown_hooks.core.ids import shown
from gastown_hooks.stores import callers

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _json_wanted(ctx: click.Context, param: click.Parameter, wanted: bool) -> bool:
    return wanted or bool(ctx.meta.get(JSON_WANTED))


class _Count(click.IntRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return min(int(super().convert(value, param, ctx)), 10 ** 9)


COUNT = _Count(min=0)  # more than anybody has is as good as that
json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, callback=_json_wanted, help="JSON on standard output.")
dry_run_option: Decorator = click.option(
    "--dry-run", is_flag=True, help="Show what would be done; change nothing.")


def here() -> tuple[paths.Town | None, callers.Caller]:
    """The town around the caller, if any, and the caller."""
    caller = callers.caller()
    return caller.town, caller


def worker_named(town: paths.Town, text: str) -> tuple[paths.Rig, str]:
    """The worker that `RIG/NAME`, or an actor `RIG/polecats/NAME`, means. Raises BadInput, NotFound."""
    parts = text.split("/")
    if len(parts) == 3 and parts[1] == "polecats":
        parts = [parts[0], parts[2]]
    if len(parts) != 2:
        raise errors.BadInput(f"{shown(text)} is no worker", why="workers are named RIG/NAME", next="gt polecat list")
    return rig_named(town, parts[0]), ids.name(parts[1], "worker")


__all__ = [
    "COUNT", "ago", "cleaned", "decoded", "dry_run_option", "emit_json", "file_text", "here",
    "json_option", "one_text", "remark", "rig_named", "say", "table", "town_and_caller",
    "worker_named"]
