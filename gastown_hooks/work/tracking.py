"""Who must hear that a bead was closed: the deacon, when a convoy (or another bead of the town) names it. Lean: asked at every close."""

from __future__ import annotations

import os

from gastown_hooks.stores import index
from gastown_hooks.stores.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.paths import Town
    from gastown_hooks.stores.pairs import Pair


def is_followed(town: Town | None, bead_ids: Iterable[str]) -> bool:
    """Whether the town's own ledger depends on one of these beads. A search of its bytes; once named is enough.

    What the index knows of the file need not be searched: the journal is enough then.
    """
    if town is None or not os.path.exists(town.beads.issues):
        return False
    names = list(bead_ids)
    wanted = [f'"depends_on_id":"{bead_id}"'.encode() for bead_id in names]

    def named(pair: Pair) -> bool:
        if any(one in pair.journal() for one in wanted):
            return True
        known = index.opened(town.beads, whole=False)  # after the journal: what a fold moves meanwhile is in one of them
        return any(known.dependents(name) for name in names) if known else any(one in pair.issues() for one in wanted)

    return Ledger(town.beads).look(named)
