"""`.beads/quarantine.log`: lines that were taken out of a ledger, or never let in, exactly as they were found."""

from __future__ import annotations

import os

from gastown_hooks.core import fsio, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.paths import Beads


def keep(beads: Beads, lines: Iterable[bytes]) -> None:
    """Add these lines, durably; one that is there already is not added again, so a repeated act adds nothing."""
    fsio.make_folder(os.path.dirname(beads.quarantine_lock))
    with lock.acquire(beads.quarantine_lock):
        there = set((fsio.read(beads.quarantine) or b"").split(b"\n"))
        new = [line for line in dict.fromkeys(lines) if line not in there]
        if new:
            fsio.append(beads.quarantine, b"".join(line + b"\n" for line in new))
