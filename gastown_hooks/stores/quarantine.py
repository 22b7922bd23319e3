"""`.beads/quarantine.log`: lines that were taken out of a ledger, or never let in, exactly as they were found."""

from __future__ import annotations

from gastown_hooks.core import fsio, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gastown_hooks.core.paths import Beads


def keep(beads: Beads, lines: Iterable[bytes]) -> None:
    """Add these lines, durably; one that is there already is not added again, so a repeated act adds nothing."""
    with lock.acquire(beads.quarantine + ".lock"):
        there = set((fsio.read(beads.quarantine) or b"").split(b"\n"))
        new = [line for line in dict.fromkeys(lines) if line not in there]
        if new:
            fsio.append(beads.quarantine, b"".join(line + b"\n" for line in new))
