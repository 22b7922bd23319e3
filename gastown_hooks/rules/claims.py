"""Which beads workers hold. A claim is a bead that is hooked or in progress, has a fence, and is assigned to a polecat of the rig."""

from __future__ import annotations

from gastown_hooks.core import ids
from gastown_hooks.core.errors import BadInput
from gastown_hooks.rules import requests, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gastown_hooks.core.record import Record

CLAIMED = states.CLAIMED


def is_claim(rig: str, bead: Record) -> bool:
    """Whether a worker of the rig was given the bead by a sling and has it still. What a person wrote by hand is none."""
    return bead.get("status") in CLAIMED and fence(bead) > 0 and worker(rig, bead.get("assignee")) is not None


def worker(rig: str, actor: object) -> str | None:
    """The name of the rig's polecat that this identity is; None for anybody else."""
    head = f"{rig}/polecats/"
    if not isinstance(actor, str) or not actor.startswith(head):
        return None
    try:
        return ids.name(actor[len(head):], "polecat")
    except BadInput:
        return None


def fence(bead: Record) -> int:
    """The bead's fence; 0 when it was never assigned."""
    found = bead.get("claim_fence")
    return found if type(found) is int else 0


def by_worker(rig: str, beads: Iterable[Record]) -> dict[str, Record]:
    """Worker name to the bead it holds; the one of the newest claim, should there be two."""
    held = [(fence(bead), bead["id"], name, bead) for bead in beads if bead.get("status") in CLAIMED and fence(bead) > 0
            and (name := worker(rig, bead.get("assignee"))) is not None]
    return {name: bead for _, _, name, bead in sorted(held, key=lambda claim: claim[:2])}


def unsubmitted(rig: str, records: Mapping[str, Record]) -> dict[str, Record]:
    """`by_worker` of the claims without an unsettled merge request."""
    submitted = requests.open_claims(records.values())
    return by_worker(rig, (bead for bead in records.values() if (bead["id"], fence(bead)) not in submitted))
