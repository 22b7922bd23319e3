"""A batch is one transaction: one line of the journal, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.paths import Beads
from gastown_hooks.rules import batch as rules
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger
from gastown_hooks.work import batch, beads
from gastown_hooks.work.world import World

NOW = clock.parse("2026-06-01T00:00:00Z")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    Ledger.create_files(Beads(str(tmp_path / ".beads")), "gp", OWN_BRANCH)
    found = Ledger(Beads(str(tmp_path / ".beads")))
    for name in ("gp-a", "gp-b"):
        beads.create(found, Caller("me", str(tmp_path)), NOW, name, bead_id=name)
    return found


def run(ledger: Ledger, text: str) -> list[rules.Operation]:
    where = World(Caller("me", str(Path(ledger.beads.root).parent)))
    return batch.run(where, rules.parsed(text, NOW), NOW)


def test_one_line_of_the_journal(ledger: Ledger) -> None:
    before = Path(ledger.beads.journal).read_bytes()
    done = run(ledger, "create task 1 'New one'\ndep add gp-b gp-a\nupdate gp-a priority=0\nclose gp-a done\nclose gp-b # not a comment\n")
    assert Path(ledger.beads.journal).read_bytes().removeprefix(before).count(b"\n") == 1
    found = ledger.all()
    assert found[done[0].beads[0]]["title"] == "New one"
    assert (found["gp-a"]["priority"], found["gp-a"]["close_reason"], found["gp-b"]["close_reason"]) == (0, "done", "# not a comment")


def test_each_line_sees_those_before_it_and_one_that_fails_undoes_all(ledger: Ledger) -> None:
    before = Path(ledger.beads.journal).read_bytes()
    with pytest.raises(Refused, match="line 3: gp-b cannot close"):
        run(ledger, "update gp-a title=Changed\ndep add gp-b gp-a\nclose gp-b\n")
    with pytest.raises(Refused, match="line 2: gp-a cannot depend on gp-b"):
        run(ledger, "dep add gp-b gp-a\ndep add gp-a gp-b\n")
    assert Path(ledger.beads.journal).read_bytes() == before
