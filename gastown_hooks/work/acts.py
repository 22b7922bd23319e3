"""A plan as a list of acts: `--dry-run` prints the list, the real run carries it out. One decision makes both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gastown_hooks.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is not done yet: its words and how it is done. Doing it twice does no harm."""

    text: str
    do: Callable[[], object]


def carry_out(acts: Sequence[Act], *, dry_run: bool) -> list[str]:
    """Do the acts in order (not in a dry run); returns their words."""
    for act in () if dry_run else acts:
        act.do()
    return [act.text for act in acts]
