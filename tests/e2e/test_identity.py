"""Working directories, environment and authorship of agents, by the tables of the original's documentation."""

from __future__ import annotations

import os
from pathlib import Path

import builders
import pytest
import rigtown

from gastown_hooks.core import clock
from gastown_hooks.core.paths import Rig
from gastown_hooks.stores import callers, config
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads


def town_with_rig(tmp_path: Path) -> Rig:
    town = rigtown.make_town(tmp_path)
    rigtown.add(town, "green", builders.make_repo(tmp_path / "project", {"README.md": "hello\n"}), prefix="gr", gates=["true"])
    config.set(town, None, "default_agent", "exec")
    return town.rig("green")


def land(rig: Rig, run: str, run_cli: builders.Run) -> str:
    """A bead whose script is `run`, slung and landed by real processes that are waited for."""
    bead = beads.create(Ledger(rig.beads), rigtown.overseer(rig.town), clock.now(), "Look around", values={"run": run})["id"]
    inline = {"GT_WAKE": "inline"}
    for words in (("sling", bead, "green", "--start"), ("daemon", "tick")):
        done = run_cli("gt", *words, cwd=rig.town.root, env=inline)
        assert done.code == 0, done.err
    assert (Ledger(rig.beads).get(bead) or {})["status"] == "closed"
    return str(bead)


def test_a_polecats_world_is_the_documented_one(tmp_path: Path, run_cli: builders.Run) -> None:
    rig = town_with_rig(tmp_path)
    bead = land(rig, "env > seen.txt; pwd > where.txt", run_cli)
    show = ["git", f"--git-dir={rig.repo}", "show"]
    seen = dict(line.split("=", 1) for line in builders.run([*show, "main:seen.txt"]).out.splitlines() if "=" in line)
    record = Ledger(rig.beads).get(bead) or {}
    actor = record["assignee"]
    name = actor.rpartition("/")[2]
    expected = {
        "GT_ROLE": "polecat", "GT_ROOT": rig.town.root, "GT_RIG": "green", "GT_POLECAT": name, "BD_ACTOR": f"green/polecats/{name}",
        "GIT_AUTHOR_NAME": actor, "GIT_AUTHOR_EMAIL": config.owner_email(rig.town), "BEADS_DIR": f"{rig.root}/.beads",
        "BEADS_AGENT_NAME": f"green/{name}", "BEADS_NO_DAEMON": "1", "GT_BEAD": bead, "GT_FENCE": str(record["claim_fence"])}
    assert {key: seen.get(key) for key in expected} == expected
    assert builders.run([*show, "main:where.txt"]).out.strip() == f"{rig.town.root}/green/polecats/{name}/rig"
    assert seen["GT_TOKEN"].startswith(config.town_id(rig.town) + ".")

    log = builders.run([*show, "-s", "--format=%an|%ae|%cn|%(trailers:separator=%x7C)", "main^2"]).out.strip().split("|")
    assert log[:3] == [actor, "owner@example.test", actor]
    assert log[3:] == [f"Bead: {bead}", f"Executed-By: {actor}", f"Claim-Fence: {record['claim_fence']}"]
    merge = builders.run([*show, "-s", "--format=%an|%ae", "main"]).out.strip()
    assert merge == "green/refinery|owner@example.test"
    assert record["created_by"] == "overseer" and record["updated_by"] == "green/refinery"


def test_each_home_is_where_the_table_says(tmp_path: Path) -> None:
    rig = town_with_rig(tmp_path)
    for path in ("mayor", "deacon", "green/witness", "green/refinery/rig", "green/mayor/rig", "green/crew", "green/polecats",
                 "green/.repo.git", "green/.beads", ".beads/routes.jsonl", "mayor/town.json", "mayor/CLAUDE.md", "green/config.json"):
        assert os.path.exists(f"{rig.town.root}/{path}"), path
    assert not os.path.exists(f"{rig.root}/.git") and not os.path.exists(f"{rig.witness.root}/rig")


def test_identity_comes_from_the_environment_then_the_folder(tmp_path: Path) -> None:
    rig = town_with_rig(tmp_path)
    os.makedirs(f"{rig.crew_root}/joe/rig")
    for folder, actor in ((rig.town.root, "overseer"), (rig.root, "overseer"), (f"{rig.crew_root}/joe/rig", "green/crew/joe"),
                          (rig.witness.root, "green/witness"), (rig.refinery.tree, "green/refinery"), (rig.town.mayor.root, "mayor"),
                          (rig.town.deacon.root, "deacon"), (str(tmp_path), "overseer")):
        assert callers.caller(folder).actor == actor, folder
    os.makedirs(rig.polecat("nux").root)
    Path(rig.polecat("nux").lease).write_text("[1]")
    damaged = callers.caller(rig.polecat("nux").root)
    assert (damaged.actor, damaged.bead, damaged.fence) == ("green/polecats/nux", None, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BD_ACTOR", "green/crew/ann")
        assert callers.caller(rig.town.root).actor == "green/crew/ann"
        patch.setenv("BEADS_ACTOR", "green/crew/eve")
        assert callers.caller(rig.town.root).actor == "green/crew/eve"
        assert "BEADS_ACTOR" not in callers.persons_environment({}) | callers.clean_environment({})


def test_a_gate_sees_nothing_of_the_worker(tmp_path: Path, run_cli: builders.Run) -> None:
    """M18: no claim, no token of the worker, no git variable reaches the command that judges it."""
    rig = town_with_rig(tmp_path)
    config.set(rig.town, rig, "gates", [f"env > {tmp_path}/gate-env"])
    land(rig, "echo x > x", run_cli)
    seen = {line.split("=")[0] for line in (tmp_path / "gate-env").read_text().splitlines()}
    hidden = ("GIT_DIR", "GIT_INDEX", "GIT_WORK", "BD_", "BEADS_", "GT_BEAD", "GT_FENCE", "CLAUDE")
    assert seen and not {name for name in seen if name.startswith(hidden)}
