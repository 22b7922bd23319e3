"""A worker's lease: which bead it holds, under which fence, and how far its slot is prepared.

`polecats/<name>/lease.json`. An agent may run in the tree only in state `ready`; `done` means that its work is submitted and
the slot waits to be retired. The ledger decides who owns a bead; the lease is what the slot was made for.
"""

from __future__ import annotations

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.paths import Home
from gastown_hooks.core.values import asdict, dataclass, replace

PREPARING, READY, DONE = "preparing", "ready", "done"
STATES = (PREPARING, READY, DONE)
_TYPES = {"bead": str, "fence": int, "token": str, "actor": str, "branch": str, "base": str, "agent": str, "state": str,
          "created_at": str}


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease's fields. `base` is the commit that the branch started from, `created_at` an RFC 3339 time."""

    bead: str
    fence: int
    token: str
    actor: str
    branch: str
    base: str
    agent: str
    state: str
    created_at: str


def read(home: Home) -> Lease | None:
    """The home's lease; None where there is none. Raises Corrupt."""
    value = fsio.read_json(home.lease)
    if value is None:
        return None
    if not isinstance(value, dict) or any(type(value.get(key)) is not kind for key, kind in _TYPES.items()):
        raise Corrupt(f"{home.lease} is no lease", why="a field is missing or of the wrong kind", next="gt polecat status")
    if value["state"] not in STATES:
        raise Corrupt(f"{home.lease} is no lease", why=f"its state is none of {', '.join(STATES)}", next="gt polecat status")
    return Lease(**{key: value[key] for key in _TYPES})


def write(home: Home, lease: Lease) -> None:
    """Replace the lease, durably."""
    fsio.write_json(home.lease, asdict(lease))


def advance(home: Home, lease: Lease, state: str) -> Lease:
    """The lease in another state, written."""
    changed = replace(lease, state=state)
    write(home, changed)
    return changed
