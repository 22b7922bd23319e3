"""The deacon: convoys land and go on by its round, and by nothing else of it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import builders
import pytest
from workers import WorkerTown

from gastown_hooks.core.record import arrange
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger

ROLE = builders.ROOT / "roles/deacon.py"


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    """A launched convoy of three beads: closed, ready, waiting for the ready one."""
    made = WorkerTown(tmp_path, running=True)
    made.bead("gp-aaaaa", status="closed")
    made.bead("gp-bbbbb", run="echo b > b")
    made.bead("gp-ccccc", run="echo c > c", dependencies=[{"issue_id": "gp-ccccc", "depends_on_id": "gp-bbbbb", "type": "blocks"}])
    tracks = [{"issue_id": "hq-cv-1", "depends_on_id": bead, "type": "tracks"} for bead in ("gp-aaaaa", "gp-bbbbb", "gp-ccccc")]
    batch = {**made.get("gp-aaaaa"), "id": "hq-cv-1", "issue_type": "convoy", "status": "open", "dependencies": tracks,
             "metadata": {"launched": {"by": "overseer"}}}
    Ledger(made.town.beads).transact(lambda view: [arrange(batch)])
    return made


def patrol(town: WorkerTown, role: Path = ROLE, *words: str) -> builders.Finished:
    return builders.run([sys.executable, str(role), "patrol", "--town", town.town.root, *words], cwd=town.path, env={"GT_WAKE": "off"})


def test_a_round_starts_what_is_ready_and_the_next_one_nothing_more(town: WorkerTown) -> None:
    told = patrol(town, ROLE, "--dry-run")
    assert told.code == 0 and told.out == "would give gp-bbbbb to gp/polecats/toast\n" and town.get("gp-bbbbb")["status"] == "open"
    done = patrol(town)
    assert done.code == 0 and "gave gp-bbbbb to gp/polecats/toast" in done.out, done
    assert patrol(town).out == "" and town.get("gp-ccccc")["status"] == "open"


def test_by_hand_it_starts_nothing(town: WorkerTown) -> None:
    config.set_mode(town.town, "by-hand")
    assert patrol(town).out == "" and town.get("gp-bbbbb")["status"] == "open"


def test_copied_alone_it_still_lands_a_convoy(town: WorkerTown) -> None:
    copy = town.path / "deacon.py"
    shutil.copy(ROLE, copy)
    for bead in ("gp-bbbbb", "gp-ccccc"):
        town.change(bead, status="closed")
    done = patrol(town, copy)
    assert done.code == 0 and "hq-cv-1 landed" in done.out, done
    assert (Ledger(town.town.beads).get("hq-cv-1") or {})["status"] == "closed" and patrol(town, copy).out == ""


def test_a_rig_whose_settings_cannot_be_read_is_told_and_starts_nothing(town: WorkerTown) -> None:
    Path(town.rig.settings).write_text('{"gatess": 1}')
    done = patrol(town)
    assert done.code == 1 and "gatess" in done.out and "Traceback" not in done.err and town.get("gp-bbbbb")["status"] == "open"
