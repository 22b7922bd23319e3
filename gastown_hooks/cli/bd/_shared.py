"""What the bd commands share: which bead is meant, a bead as a line and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from gastown_hooks.cli.bd._near import warn
from gastown_hooks.cli.bd._values import change, located, target
from gastown_hooks.cli.bd._words import brief, counted, line, stub
from gastown_hooks.cli.loader import Group
from gastown_hooks.cli.plain import remark
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    import difflib
else:
    difflib = late("difflib")

Record = dict[str, Any]


class DefaultGroup(Group):
    """A command group in which a first word that is no command of it, nor nearly one, belongs to the command `default`."""

    def __init__(self, *, default: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """An option that the group has not is the default command's: `bd graph --all`."""
        own = {*ctx.help_option_names, *(name for param in self.params for name in param.opts)}
        other = bool(args) and args[0].startswith("-") and args[0].partition("=")[0] not in own
        return super().parse_args(ctx, [self._default, *args] if other else args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = not args or args[0].startswith("-") or bool(difflib.get_close_matches(args[0], self.commands, 1))
        return super().resolve_command(ctx, args if known else [self._default, *args])


def world() -> World:
    """The caller's ledgers. Lines in them that are no bead are told at the command's end, on standard error."""
    found = World(callers.caller())
    click.get_current_context().call_on_close(lambda: warn(found.left_out()))
    return found


def named(where: World, bead_ids: tuple[str, ...]) -> tuple[str, ...]:
    """The beads that were named, else the one that the caller touched last, which is then told."""
    if bead_ids:
        return bead_ids
    last = where.touched()
    remark(f"bd: {last}, touched last")
    return (last,)


def everything(ledgers: Iterable[Ledger]) -> dict[str, Record]:
    return {bead_id: record for ledger in ledgers for bead_id, record in ledger.all().items()}


__all__ = ["DefaultGroup", "brief", "change", "counted", "everything", "line", "located", "named", "stub", "target", "world"]
