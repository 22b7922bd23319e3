"""Two columns of a great many rows of an index: asked as two texts, for to make each row takes three times as long."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gastown_hooks.stores.index import Index, Wanted


def titles(its: Index, wanted: Wanted) -> tuple[list[str], list[str]]:
    """The ids and the titles, in lower case, of the beads of which all this is true."""
    return _two("id", "low", lambda names: its.columns(names, wanted))


def ends(its: Index, kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """The sources and the targets of all edges of these kinds."""
    return _two("source", "target", lambda names: its.edges(names, f"kind IN ({', '.join('?' * len(kinds))})", kinds))


def _two(one: str, other: str, ask: Callable[[str], list[tuple[Any, ...]]]) -> tuple[list[str], list[str]]:
    """`one`: of ids, in which there is no newline."""
    first, second = ask(f"group_concat({one}, char(10)), group_concat({other}, char(10))")[0]
    found = ([], []) if first is None else (first.split("\n"), second.split("\n"))
    if len(found[0]) == len(found[1]):
        return found
    rows = ask(f"{one}, {other}")
    return [row[0] for row in rows], [row[1] for row in rows]
