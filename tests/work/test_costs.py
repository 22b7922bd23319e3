"""What turns cost, recorded once each."""

from __future__ import annotations

from pathlib import Path

import pytest
from workers import WorkerTown

from gastown_hooks.core import clock, fsio
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.rules.reports import Report
from gastown_hooks.stores import config
from gastown_hooks.work import costs
from gastown_hooks.work import lease as leases


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    town = WorkerTown(tmp_path)
    town.bead()
    town.sling()
    return town


def add(town: WorkerTown, key: str, cost: float | None, tokens: int = 10) -> None:
    lease = leases.read(town.rig.polecat("toast"))
    assert lease is not None
    costs.add(town.rig, lease, Report(key, "s", cost=cost, tokens={"input": tokens}), clock.now())


def test_a_turn_counts_once_however_often_it_is_told(town: WorkerTown) -> None:
    for key, cost in (("a", 0.5), ("a", 0.5), ("b", 0.25), ("c", None)):
        add(town, key, cost)
    assert costs.spent(town.rig, "gp-aaaaa") == 0.75 and costs.spent(town.rig, "gp-other") == 0
    assert len(town.events("usage")) == len(costs.read(town.rig)) == 3
    assert town.events("usage")[0]["payload"] == {"bead": "gp-aaaaa", "tokens": {"input": 10}, "cost": 0.5}


def test_nothing_used_is_nothing_recorded(town: WorkerTown) -> None:
    add(town, "a", 0.0, tokens=0)
    assert costs.read(town.rig) == [] and fsio.read(town.rig.costs) is None


def test_what_is_left_of_a_budget(town: WorkerTown) -> None:
    add(town, "a", 0.5)
    assert costs.left(town.rig, "gp-aaaaa") is None
    config.set(town.town, town.rig, "budget_usd", 2)
    assert costs.left(town.rig, "gp-aaaaa") == 1.5


@pytest.mark.parametrize("line", ["no json", "[]", '{"key":"a","bead":"b"}', '{"key":"a","bead":"b","cost":"1"}',
                                  '{"key":"a","bead":"b","cost":true}'])
def test_a_bad_line_is_named(town: WorkerTown, line: str) -> None:
    add(town, "a", 0.5)
    with open(town.rig.costs, "a") as file:
        file.write(line + "\n")
    with pytest.raises(Corrupt, match="line 2"):
        costs.read(town.rig)
