"""Which convoys follow a bead; who must hear that it was closed: the deacon, when one (or another bead of the town) names it.

Lean: asked at every close and every look at a hook.
"""

from __future__ import annotations

from gastown_hooks.core import errors, jsons
from gastown_hooks.core.late import late
from gastown_hooks.core.system import os
from gastown_hooks.stores.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gastown_hooks.core.paths import Town
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import convoys, graph
    from gastown_hooks.stores import index, known
    from gastown_hooks.stores.pairs import Pair
else:
    convoys, graph = late("gastown_hooks.rules.convoys"), late("gastown_hooks.rules.graph")
    index, known = late("gastown_hooks.stores.index"), late("gastown_hooks.stores.known")

_SEARCHED = 1 << 17  # bytes: up to here a search is faster than opening the index


def is_followed(town: Town | None, bead_ids: Iterable[str]) -> bool:
    """Whether a convoy in the town's own ledger tracks one of these beads."""
    return town is not None and depends(Ledger(town.beads), bead_ids, "tracks")


def follows(records: Mapping[str, Record], bead_ids: Iterable[str]) -> bool:
    """`is_followed` by what is known of the town's beads."""
    above = graph.dependents(records)
    return any(kind == "tracks" for bead_id in bead_ids for _, kind in above.get(bead_id, ()))


def depends(ledger: Ledger, bead_ids: Iterable[str], kind: str = "") -> bool:
    """Whether a bead of the ledger depends on one of these, in this way; where only the text is searched, to be named is enough."""
    if not os.path.exists(ledger.beads.issues):
        return False
    wanted = list(bead_ids)
    texts = [f'"depends_on_id":"{bead_id}"'.encode() for bead_id in wanted]

    def named(pair: Pair) -> bool:
        if any(text in pair.journal() for text in texts):
            return True
        found = index.opened(ledger.beads, whole=False) if pair.base[0] > _SEARCHED else None  # what it has not seen is in the journal
        if found is None or found.seen[0] != jsons.dumps(pair.base):
            return any(text in pair.issues() for text in texts)
        return any(kind in ("", how) for bead_id in wanted for _, how in found.dependents(bead_id))
    return ledger.look(named)


def convoys_of(town: Town, bead_ids: Sequence[str]) -> dict[str, list[str]]:
    """By bead the open convoys that track it; or why that cannot be told: nobody's work waits for it."""
    ledger = Ledger(town.beads)
    try:
        found = index.current(ledger)
        if found is None or found.odd:
            following = convoys.following(ledger.all().values())
            return {bead_id: sorted(following.get(bead_id, [])) for bead_id in bead_ids}
    except errors.GastownError as error:
        return {bead_id: [f"unknown ({error})"] for bead_id in bead_ids}
    tracked = {bead_id: [name for name, kind in found.dependents(bead_id) if kind == "tracks"] for bead_id in bead_ids}
    return {bead_id: sorted(found.ids((*known.OPEN_CONVOYS, ("id", True, names)))) if names else [] for bead_id, names in tracked.items()}
