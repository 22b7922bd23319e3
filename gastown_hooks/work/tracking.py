"""Who must hear that a bead was closed: the deacon, when a convoy (or another bead of the town) names it. Lean: asked at every close."""

from __future__ import annotations

import os

from gastown_hooks.stores.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.paths import Town


def is_followed(town: Town | None, bead_ids: Iterable[str]) -> bool:
    """Whether the town's own ledger depends on one of these beads. A search of its bytes; once named is enough."""
    if town is None or not os.path.exists(town.beads.issues):
        return False
    wanted = [f'"depends_on_id":"{bead_id}"'.encode() for bead_id in bead_ids]
    return Ledger(town.beads).look(lambda pair: any(one in pair.issues() or one in pair.journal() for one in wanted))
