"""What a ledger's journal has that its index has not seen: where that is little, it is looked at beside the index, not written into it.

Lean: asked at every `bd ready` and `bd close --continue`.
"""

from __future__ import annotations

from gastown_hooks.core import errors, jsons
from gastown_hooks.core.late import late
from gastown_hooks.stores import index, sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gastown_hooks.core import record
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import ready
    from gastown_hooks.stores.index import Index
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.stores.pairs import Pair
else:
    ready, record = late("gastown_hooks.rules.ready"), late("gastown_hooks.core.record")

LITTLE = 8 << 10  # bytes of the journal: about ten changes


def for_ready(ledger: Ledger) -> Index | None:
    """`index.current` for who asks only what is ready, without filters: a little that it has not seen is looked at beside it."""
    found = lagging(ledger)
    if found is not None and (found.whole or put_beside(ledger, found)):
        return found
    found = None  # lets go of it: it is going to be written
    return index.current(ledger)


def lagging(ledger: Ledger) -> Index | None:
    """The ledger's index as it is (`whole`: up to date); None where there is none, or it is of another history."""
    try:
        return None if ledger.write_through else index.opened(ledger.beads, whole=False)
    except (sqlite.Error, errors.StorageFailed, errors.LockTimeout):
        return None


def since(pair: Pair, its: Index, most: int) -> dict[str, tuple[bytes | None, bytes]] | None:
    """Per bead its line as the index saw it (None: it was none), and as it is. None: more than so many bytes, or of another history."""
    journal, (base, inode, seen) = pair.journal(), its.seen
    if (base, inode) != (jsons.dumps(list(pair.base)), pair.inode) or not 0 <= len(journal) - seen <= most:
        return None
    return pair.since(seen) if journal[max(0, seen - len(its.tail)):seen] == its.tail else None


def names(ledger: Ledger, its: Index) -> Iterable[str] | None:
    """The beads that were written since; None where they are not a few."""
    return ledger.look(lambda pair: since(pair, its, LITTLE))


def behind(pair: Pair, its: Index, most: int) -> dict[str, Record] | None:
    """The beads that were written since, as they are; None also where one of them is none."""
    found = since(pair, its, most)
    try:
        return None if found is None else {name: record.decode(line) for name, (_, line) in found.items()}
    except ValueError:
        return None


def put_beside(ledger: Ledger, its: Index) -> bool:
    """Put beside the index, for `Index.ready`, what has changed since; False where others may have become ready, or not, by that."""
    changed = ledger.look(lambda pair: since(pair, its, LITTLE))
    if changed is None or any(b"\\u001f" in line for _, line in changed.values()):
        return False
    try:
        for name, (old, new) in changed.items():
            bead = record.decode(new)
            effect = ready.effect(None if old is None else record.decode(old), bead, _is_alone(its, name))
            if effect is None:
                return False
            its.put_beside(row(bead), effect, ready.when({name: bead}, {}, name)[0] if effect == "comes" else None)
    except ValueError:
        return False
    return True


def _is_alone(its: Index, bead_id: str) -> Callable[[], bool]:
    return lambda: not its.dependents(bead_id)


def row(bead: Record) -> tuple[Any, ...]:
    """The bead's COLUMNS."""
    labels = bead.get("labels") or []
    return (*ready.in_order(bead), record.kind(bead), bead.get("title", ""), bead.get("estimated_minutes"), bead.get("assignee") or "",
            record.status(bead), "\x1f".join(("", *labels, "")) if labels else "")
