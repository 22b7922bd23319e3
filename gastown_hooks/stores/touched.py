"""The bead that an identity created, changed, looked at or closed last: what `bd update`, `bd close` and `bd show` without an id mean.

A file an identity, so nobody ever acts on what somebody else had in hand. Hot: imported when a bead is shown or written.
"""

from __future__ import annotations

from gastown_hooks.core import errors, fsio
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.paths import Beads


def remember(beads: Beads, actor: str, bead_id: str) -> None:
    """Nothing where bd keeps no files of its own yet, or may not write: it is a convenience."""
    path, line = beads.touched_by(actor), bead_id.encode() + b"\n"
    if not os.path.isdir(beads.local) or fsio.read(path) == line:
        return
    try:
        fsio.make_folder(beads.touched)
        fsio.write(path, line, durable=False)
    except errors.StorageFailed:
        pass


def last(beads: Beads, actor: str) -> str | None:
    return (fsio.read(beads.touched_by(actor)) or b"").decode().strip() or None


__all__ = ["last", "remember"]
