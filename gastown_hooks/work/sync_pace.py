"""Whether and when `bd sync` may push: what the person agreed to, and how long a clone waits after a push of its own.

Of two clones that sync all the time the one that was first has the shorter way the next time, and would be first for ever: so each waits
twice as long as its last sync took before the next push. `push_seconds` of the ledger's settings is a minimum on top, within which nothing
is pushed at all.
"""

from __future__ import annotations

import time
from typing import Any

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import config

_LONGEST = 10 * clock.SECOND


def agreed(beads: Beads) -> str | None:
    """The remote to which the person lets us push."""
    return _read(beads).get("push")


def agree(beads: Beads, url: str) -> None:
    fsio.write_json(beads.sync, {**_read(beads), "push": url})


def pushed(beads: Beads, now: int, took: int) -> None:
    """Remember a push, and how long (ns) the sync took."""
    at = {"pushed_at": clock.stamp(now), "boot": clock.boot_id(), "since_boot": clock.since_boot(), "took": took}
    fsio.write_json(beads.sync, {**_read(beads), **at}, durable=False)


def last_push(beads: Beads) -> str | None:
    return _read(beads).get("pushed_at")


def held_back(beads: Beads, now: int) -> str:
    """Why nothing may be pushed yet; "" when it may."""
    wanted, last = int(config.ledger_settings(beads).push_seconds), last_push(beads)
    since = (now - clock.parse(last)) // clock.SECOND if wanted and last else -1
    return f"pushed {since} s ago, and push_seconds is {wanted}" if 0 <= since < wanted else ""


def rest(beads: Beads) -> float:
    """For how many seconds the other clones may be first."""
    found = _read(beads)
    if found.get("boot") != clock.boot_id():
        return 0.0
    left = min(2 * int(found["took"]), _LONGEST) - (clock.since_boot() - int(found["since_boot"]))
    return max(0, left) / clock.SECOND


def give_way(beads: Beads) -> None:
    time.sleep(rest(beads))


def _read(beads: Beads) -> dict[str, Any]:
    found = fsio.read_json(beads.sync)
    return found if isinstance(found, dict) else {}
