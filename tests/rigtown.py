"""A town made by its own commands' functions, with rigs added from real repositories and workers slung on them."""

from __future__ import annotations

import os
from pathlib import Path

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.core.values import replace
from gastown_hooks.stores import callers
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, rig_add, sling
from gastown_hooks.work import town as towns

NOW = clock.parse("2026-01-02T03:04:05Z")


def make_town(tmp_path: Path) -> Town:
    return towns.install(str(tmp_path / "gt"), now=NOW).town


def overseer(town: Town) -> callers.Caller:
    return callers.Caller("overseer", os.path.dirname(town.root), town)


def add(town: Town, name: str, place: Path | str, *, dry_run: bool = False, **wish: object) -> rig_add.Added:
    wished = replace(rig_add.Wish(name, str(place)), **wish)  # type: ignore[arg-type]
    return rig_add.add(town, wished, caller=overseer(town), dry_run=dry_run, now=NOW)


def slung(rig: Rig, title: str = "Do it", now: int = NOW) -> tuple[str, Home]:
    """A bead of the rig and the worker that was slung for it (nothing is started)."""
    bead = beads.create(Ledger(rig.beads), overseer(rig.town), now, title)
    [made] = sling.sling(rig.town, [bead["id"]], rig, caller=overseer(rig.town), now=now)
    return bead["id"], rig.polecat(made.name)
