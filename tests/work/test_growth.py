"""What a command does to many beads takes as many times as long as there are many of them, not the square of that."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import batch as operations
from gastown_hooks.rules import plan
from gastown_hooks.stores import index
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH, Ledger
from gastown_hooks.work import batch, links, planned, removal
from gastown_hooks.work.world import World

NOW = clock.parse("2026-06-01T00:00:00Z")


def _plan(where: World, count: int) -> None:
    nodes = [plan.Node(f"n{n}", {"title": f"N{n}"}, plan.End("n0", True) if n else None, {}) for n in range(count)]
    edges = [(plan.End(f"n{n + 1}", True), plan.End(f"n{n}", True), "blocks") for n in range(1, count - 1)]
    planned.make(where, where.home(), plan.Plan(nodes, edges), NOW, dry_run=True)


def _batch(verb: str) -> Callable[[World, int], None]:
    def run(where: World, count: int) -> None:
        batch.run(where, operations.parsed("".join(verb.format(n, n + 1) for n in range(count - 1)), NOW), NOW, dry_run=True)
    return run


def _link(where: World, count: int) -> None:
    links.add(where, [(f"gp-{n}", f"gp-{n + 1}", "blocks") for n in range(count - 1)], NOW, dry_run=True)


def _delete(where: World, count: int) -> None:
    removal.delete(where.home(), where.caller, NOW, [f"gp-{n}" for n in range(count)], dry_run=True)


@pytest.mark.parametrize("mode", [OWN_BRANCH, CODE_BRANCH])
@pytest.mark.parametrize("act", [_plan, _batch("dep add gp-{} gp-{}\n"), _batch("close gp-{}\n"), _batch("create task 1 New{}\n"),
                                 _link, _delete], ids=["plan", "batch dep", "batch close", "batch create", "dep add", "delete"])
def test_the_calls_grow_with_the_beads(act: Callable[[World, int], None], mode: str, tmp_path: Path) -> None:
    def calls(count: int) -> int:
        beads = Beads(str(tmp_path / str(count) / ".beads"))
        Ledger.create_files(beads, "gp", mode)
        at = clock.stamp(NOW)
        Ledger(beads).transact(lambda view: [{"id": f"gp-{n}", "title": "B", "description": f"see gp-{n + 1}", "status": "open",
                                              "priority": 2, "created_at": at, "updated_at": at} for n in range(count)])
        Ledger(beads).fold()
        index.current(Ledger(beads))
        where, counted = World(Caller("me", str(tmp_path / str(count)))), itertools.count()
        sys.setprofile(lambda *event: next(counted))
        try:
            act(where, count)
        finally:
            sys.setprofile(None)
        return next(counted)

    calls(20)  # what is imported the first time
    assert calls(400) < 10 * calls(100)  # that of all pairs of them: 16 times
