"""The journal of landings, of which a round reads the end."""

from __future__ import annotations

import random

import pytest
from queueyard import Yard

from gastown_hooks.core import fsio
from gastown_hooks.work import desk


@pytest.mark.parametrize("seed", range(3))
def test_open_landings_are_found_at_the_end_of_a_long_journal(near: Yard, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice, opened, one = random.Random(seed), list[str](), desk.open_desk(near.rig, near.now)
    entry = {"mr": "gp-mr-x", "bead": 'gp-","clear":true', "fence": 1, "head": "h" * 40, "branch": "polecat/toast/x"}
    for number in range(100):
        if opened and dice.random() < 0.55:
            one.note(dice.choice(("settled", "aborted")), {"new": opened.pop(dice.randrange(len(opened)))})
        else:
            opened.append(f"commit-{number}")
            one.note("land", {"old": "o", "new": opened[-1], "requests": [entry] * dice.randrange(1, 30)})
        assert [found["new"] for found in one.unsettled()] == opened
    for new in opened:
        one.note("settled", {"new": new})
    with open(near.rig.refinery.landings, "ab") as file:
        file.write(b'{"settled":{"new":"torn')
    assert len(desk.landed_by_us(near.rig)) > 40
    monkeypatch.setattr(fsio, "read", lambda path: None)  # not all of it
    assert one.unsettled() == []
