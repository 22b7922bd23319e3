"""Addresses of people and agents: `overseer` (or `human`), `mayor/`, `deacon/`, `RIG/witness`, `RIG/refinery`, `RIG/NAME`."""

from __future__ import annotations

from gastown_hooks.core import ids
from gastown_hooks.core.errors import NotFound
from gastown_hooks.core.paths import Home, Town
from gastown_hooks.core.system import os

HUMAN = "overseer"


def mailbox(town: Town, address: str) -> tuple[str, Home]:
    """The identity that the address means and its home. Raises NotFound with the known ones."""
    places = _places(town)
    wanted = ids.actor(HUMAN if address == "human" else address.rstrip("/"))
    if wanted in places:
        return wanted, places[wanted]
    short = [name for name in places if name.replace("/crew/", "/").replace("/polecats/", "/") == wanted]
    if len(short) == 1:
        return short[0], places[short[0]]
    why = f"it may mean {' or '.join(short)}" if short else f"the nearest is {ids.nearest(wanted, list(places))}"
    raise NotFound(f"nobody is {ids.shown(address)}", why=why, next="gt agents")


def _places(town: Town) -> dict[str, Home]:
    found = {HUMAN: town.overseer, "mayor": town.mayor, "deacon": town.deacon}
    for rig in town.rigs():
        found |= {f"{rig.name}/witness": rig.witness, f"{rig.name}/refinery": rig.refinery}
        for kind, root, home in (("crew", rig.crew_root, rig.crew), ("polecats", rig.polecats, rig.polecat)):
            found |= {f"{rig.name}/{kind}/{name}": home(name) for name in (sorted(os.listdir(root)) if os.path.isdir(root) else ())}
    return found
