"""The jobs of a ledger: the same with its index and without."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import track as rules
from gastown_hooks.stores import index, known
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.work import track

T = "2026-01-02T03:04:05Z"


def records(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(60):
        bead: dict[str, Any] = {"id": f"gp-{number}", "title": "x", "status": chance.choice(["open", "closed", "closed", "tombstone"]),
                                "priority": 2, "issue_type": chance.choice(["task", "bug", "epic", "event"]), "created_at": T,
                                "updated_at": T}
        bead |= {key: who for key in ("assignee", "updated_by") if (who := chance.choice(["", "joe", "jane", "ünic*"]))}
        made.append(bead | ({"labels": ["go"]} if chance.random() < 0.5 else {}))
    for number in range(0, 60, 3):
        state = chance.choice(["landed", "failed", "queued"])
        data = {"source": f"gp-{number}", "branch": "b", "head": "h", "target": "main", "worker": "joe", "fence": 1, "state": state}
        made.append({"id": f"gp-mr-{number}", "title": "m", "status": "closed" if state == "landed" else "open", "priority": 2,
                     "issue_type": "merge-request", "created_at": T, "updated_at": T, "metadata": data})
    return made


def test_with_the_index_and_without_it_is_the_same(tmp_path: Path) -> None:
    ledger = Ledger(Beads(f"{tmp_path}/.beads"))
    Ledger.create_files(ledger.beads, "gp", OWN_BRANCH)
    for seed in range(3):
        ledger.transact(lambda view, seed=seed: records(seed))  # type: ignore[misc]
        assert index.current(ledger) is not None
        plain = rules.jobs(ledger.all())
        assert track.jobs([ledger], None) == plain and len(plain) > 10
        for who in ("joe", "jane", "nobody"):
            assert rules.among(track.jobs([ledger], None, who), who) == rules.among(plain, who)
        its = known.known(ledger)
        assert its is not None and len(its.those((("doer", True, ("jane",)),))) == sum(
            bead.get("status") == "closed" and (bead.get("assignee") or bead.get("updated_by")) == "jane" for bead in ledger.all().values())
