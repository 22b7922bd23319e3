"""What `bd ready`, `bd list` and their kin answer from the index, without click.

None whenever the answer might be another than the whole ledger's: an unusual option, a shortened id, a line that is no bead, a bead
that waits for one in another ledger.
"""

from __future__ import annotations

from gastown_hooks.cli.plain import emit_json, remark
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gastown_hooks.cli.bd import _words
    from gastown_hooks.core.record import Record
    from gastown_hooks.stores import unseen
    from gastown_hooks.stores.index import Index
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work import world
    from gastown_hooks.work.world import World
else:
    _words, unseen, world = late("gastown_hooks.cli.bd._words"), late("gastown_hooks.stores.unseen"), late("gastown_hooks.work.world")


class Rows:
    """The first rows of a listing over all ledgers that it covers. `found` None: there is a ledger whose index cannot say."""

    def __init__(self, limit: int, as_json: bool, whole: bool, take: Callable[[Index, int], list[Any]],
                 count: Callable[[Index], int], look: Callable[[Ledger], Index | None] = index.current) -> None:
        self.limit, self._as_json = limit, as_json
        where = world.World(callers.caller())
        self.ledgers = [(ledger, trusted(where, ledger, whole, look)) for ledger in where.shown()]
        self.found: list[tuple[Any, ...]] | None = None
        if all(its for _, its in self.ledgers):
            rows = [(*row, ledger) for ledger, its in self.ledgers if its for row in take(its, self.limit)]
            self.found = rows if len(self.ledgers) == 1 else sorted(rows, key=lambda row: row[:3])[:self.limit or None]
            self.count = sum(count(its) for _, its in self.ledgers if its) if self.limit and len(rows) >= self.limit else len(rows)

    def say(self, in_words: Callable[[list[Record]], object]) -> int | None:
        """Print them."""
        beads = None if self.found is None else self._whole() if self._as_json else [bead_of(row) for row in self.found]
        if beads is None:
            return None
        if self._as_json:
            emit_json(beads, self.count)
            return 0
        if self.count > len(beads):
            remark(f"bd: {self.limit} of {self.count} shown; -n 0 shows all")
        in_words(beads)
        return 0

    def _whole(self) -> list[Record] | None:
        """The beads with the counts that listings have; None when one changed meanwhile."""
        rows = self.found or []
        records: dict[str, Record] = {}
        for ledger in {row[9].beads.root: row[9] for row in rows}.values():
            records |= ledger.some([row[2] for row in rows if row[9] is ledger])
        if any(row[2] not in records or bead_of(row) != bead_of(unseen.row(records[row[2]])) for row in rows):
            return None
        above = {row[2]: [one for _, its in self.ledgers if its for one in its.dependents(row[2])] for row in rows}
        return [_words.with_counts(records[row[2]], above) for row in rows]


def bead_of(row: tuple[Any, ...]) -> Record:
    """As much of a bead as its line shows."""
    return {"priority": row[0], "id": row[2], "issue_type": row[3], "title": row[4], "estimated_minutes": row[5], "assignee": row[6],
            "status": row[7], "labels": index.labels(row[8]) if row[8] else []}


def trusted(where: World, ledger: Ledger, whole: bool, look: Callable[[Ledger], Index | None] = index.current) -> Index | None:
    """The ledger's index, if what it says holds; `whole`: for the whole town, where beads may wait for those of other ledgers, or
    for wisps."""
    found = look(ledger)
    if found is None or found.odd:
        return None
    unknown = found.unknown() if whole else ()
    return None if unknown and (where.wisps(ledger) or any(where.leads_away(ledger, target) for target in unknown)) else found
