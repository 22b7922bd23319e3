"""gt costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import Run
from workers import WorkerTown

from gastown_hooks.core import clock
from gastown_hooks.rules.reports import Report
from gastown_hooks.stores import config
from gastown_hooks.work import costs
from gastown_hooks.work import lease as leases


@pytest.fixture
def town(tmp_path: Path, run_cli: Run) -> WorkerTown:
    town = WorkerTown(tmp_path)
    run_cli.cwd = town.town.root
    return town


def spend(town: WorkerTown) -> None:
    for bead, spent in (("gp-aaaaa", [0.25, 0.5]), ("gp-bbbbb", [1.5, None])):
        town.bead(bead)
        lease = leases.read(town.sling(bead))
        assert lease is not None
        for number, cost in enumerate(spent):
            report = Report(f"{bead}{number}", "s", cost=cost, tokens={"input": 10, "cache_read": 5}, model=f"m-{bead[-1]}")
            costs.add(town.rig, lease, report, clock.now())


def test_nothing_spent(town: WorkerTown, run_cli: Run) -> None:
    assert "no turn" in run_cli("gt", "costs").out and json.loads(run_cli("gt", "costs", "--json").out) == []


def test_costs_by_bead_the_dearest_first(town: WorkerTown, run_cli: Run) -> None:
    spend(town)
    config.set(town.town, town.rig, "budget_usd", 2)
    first, second = json.loads(run_cli("gt", "costs", "--json").out)
    assert (first["bead"], first["cost"], first["unknown"], first["turns"]) == ("gp-bbbbb", 1.5, 1, 2)
    assert second == {"rig": "gp", "bead": "gp-aaaaa", "turns": 2, "tokens": {"input": 20, "cache_read": 10}, "cost": 0.75, "unknown": 0,
                      "budget": 2.0}
    lines = run_cli("gt", "costs").out.splitlines()
    assert "1.5000?" in lines[1] and "$2.00" in lines[1] and lines[-1] == "in all $2.25"


def test_costs_by_agent(town: WorkerTown, run_cli: Run) -> None:
    spend(town)
    [row] = json.loads(run_cli("gt", "costs", "--by", "agent", "--rig", "gp", "--json").out)
    assert (row["agent"], row["turns"], row["cost"]) == ("exec", 4, 2.25) and "budget" not in row
    assert run_cli("gt", "costs", "--rig", "none").code == 3


def test_by_model_also_how_the_work_went(town: WorkerTown, run_cli: Run) -> None:
    spend(town)
    rows = json.loads(run_cli("gt", "costs", "--by", "model", "--json").out)
    assert [(row["model"], row["cost"]) for row in rows] == [("m-b", 1.5), ("m-a", 0.75)]
    for number, (bead, state) in enumerate([("gp-aaaaa", "landed"), ("gp-bbbbb", "failed")], 1):
        data = {"source": bead, "branch": "b", "head": "h", "target": "main", "worker": "gp/polecats/x", "fence": number, "state": state}
        town.bead(f"gp-mr-{number}", issue_type="merge-request", status="closed", metadata=data)
    went = json.loads(run_cli("bd", "stats", "--group-by", "model", "--actor", "gp/polecats/*", "--json").out)["groups"]
    assert [(row["model"], row["landed"], row["returned"], row["cost"], row["tokens"]) for row in went] == [
        ("m-a", 1, 0, 0.75, 30), ("m-b", 0, 1, 1.5, 30)]


@pytest.mark.parametrize(("word", "kept"), [("2.5", 2.5), ("3", 3.0), ("0", 0.0)])
def test_a_budget_is_set_in_words(town: WorkerTown, run_cli: Run, word: str, kept: float) -> None:
    assert run_cli("gt", "config", "set", "gp.budget_usd", word).code == 0
    assert config.rig_settings(town.rig).budget_usd == kept


@pytest.mark.parametrize("word", ["-1", "much", "nan", "inf"])
def test_what_is_no_amount_is_refused(town: WorkerTown, run_cli: Run, word: str) -> None:
    assert run_cli("gt", "config", "set", "gp.budget_usd", "--", word).code == 2
