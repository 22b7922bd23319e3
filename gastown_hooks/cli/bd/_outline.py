"""A bead and all that is connected with it, as much of each as its line and its edges show: from the indexes, without the beads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gastown_hooks.cli.fast_rows import bead_of
from gastown_hooks.core.paths import Wisps
from gastown_hooks.rules import fields, states
from gastown_hooks.stores import index, known
from gastown_hooks.stores.index import Index
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import deep
from gastown_hooks.work.world import World

Record = dict[str, Any]
_MANY = 500  # beads asked for one by one, in one question or in all; more: with all others


def connected(where: World, ledger: Ledger, root: str) -> dict[str, Record] | None:
    """The beads that `graph.connected` finds, in its order; None where the indexes cannot tell, or it is deleted."""
    ledgers = [ledger, *where.others(ledger)]
    its = [one for each in ledgers if not isinstance(each.beads, Wisps) and (one := known.known(each)) is not None]
    if len(its) < len(ledgers) or deep.leads_to(its, fields.FOREIGN):
        return None
    near = _Near([one.index for one in its])
    found, level, is_all = dict[str, Record](), [root], False
    while level:
        if not is_all:
            is_all = len(found) + len(level) > _MANY
            near.ask([] if is_all else level)
        level = [name for name in level if name in near.rows]
        found |= {name: near.bead(name) for name in level}
        level = list(dict.fromkeys(other for name in level for other in near.others(name) if other not in found))
    return found or None


class _Near:
    """The rows of some beads, not of deleted ones, and the edges from and to them."""

    def __init__(self, parts: Sequence[Index]) -> None:
        self._parts = parts
        self.rows: dict[str, tuple[Any, ...]] = {}
        self._targets: dict[str, list[tuple[str, str]]] = {}
        self._sources: dict[str, list[str]] = {}

    def ask(self, names: Sequence[str]) -> None:
        """Of these beads; of all, where there are none."""
        def among(column: str) -> str:
            return f"{column} IN ({', '.join('?' * len(names))})" if names else "TRUE"
        self._targets, self._sources = {}, {}
        for part in self._parts:
            wanted = [("status", False, [states.TOMBSTONE]), *([("id", True, names)] if names else [])]
            self.rows |= {row[2]: row for row in part.columns(index.COLUMNS, wanted) if row[2] not in self.rows}
            for source, target, kind in part.edges("source, target, kind", f"{among('source')} ORDER BY source, place", names):
                self._targets.setdefault(source, []).append((target, kind))
            for source, target in part.edges("source, target", among("target"), names):
                self._sources.setdefault(target, []).append(source)

    def bead(self, name: str) -> Record:
        edges = [{"depends_on_id": target, "type": kind} for target, kind in self._targets.get(name, ())]
        return {**bead_of(self.rows[name]), "dependencies": edges}

    def others(self, name: str) -> list[str]:
        return [*(target for target, _ in self._targets.get(name, ())), *sorted(self._sources.get(name, ()))]
