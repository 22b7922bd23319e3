"""Names for workers: a pool of short words that are easy to say, then numbers."""

from __future__ import annotations

from gastown_hooks.core import ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# The first three are the field's own examples; all are words one can say over a desk without a second try.
POOL = (
    "toast", "nux", "shadow", "amber", "badger", "bolt", "briar", "cinder", "clutch", "cobalt", "comet", "copper", "crank",
    "dingo", "dune", "ember", "falcon", "ferret", "flint", "fuse", "gasket", "gravel", "gully", "hawk", "heron", "hinge",
    "hubcap", "jackal", "juniper", "kestrel", "lantern", "lever", "lynx", "magnet", "marten", "mesa", "nickel", "onyx", "otter",
    "piston", "pixel", "quartz", "raven", "rivet", "rocket", "rust", "sable", "saddle", "sprocket", "tallow", "tarmac",
    "tinder", "torque", "tumble", "valve", "vapor", "viper", "walnut", "whistle", "wren", "yarrow", "zephyr", "zinc")
NUMBERED = "worker"


def choose(taken: Collection[str], pool: Sequence[str] = POOL) -> str:
    """The first free name of the pool, else the lowest free `worker<n>`, counted on from the pool's size.

    `taken` holds every name in use; the caller holds the rig's pool lock until the name is written down.
    """
    for name in pool:
        if name not in taken and name not in ids.RESERVED:
            return name
    number = len(pool) + 1
    while f"{NUMBERED}{number}" in taken:
        number += 1
    return f"{NUMBERED}{number}"
