"""Who must hear that a bead was closed: the deacon, when a convoy (or another bead of the town) names it. Lean: asked at every close."""

from __future__ import annotations

import os

from gastown_hooks.core.late import late
from gastown_hooks.stores.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.paths import Town
    from gastown_hooks.stores import index
else:
    index = late("gastown_hooks.stores.index")

_SEARCHED = 1 << 17  # bytes: up to here a search is faster than opening the index


def is_followed(town: Town | None, bead_ids: Iterable[str]) -> bool:
    """Whether the town's own ledger depends on one of these beads; to be named once is enough."""
    if town is None or not os.path.exists(town.beads.issues):
        return False
    wanted, ledger = list(bead_ids), Ledger(town.beads)
    found = index.current(ledger) if os.path.getsize(town.beads.issues) > _SEARCHED else None
    if found is not None:
        return any(found.dependents(bead_id) for bead_id in wanted)
    texts = [f'"depends_on_id":"{bead_id}"'.encode() for bead_id in wanted]
    return ledger.look(lambda pair: any(text in pair.issues() or text in pair.journal() for text in texts))
