"""What a killed round found red is not tested again, and nothing else is taken for red."""

from __future__ import annotations

from pathlib import Path

import pytest
from queueyard import Yard

from gastown_hooks.work import queue, reds, refuse

GATE = "! grep -rqs BAD --include=*.txt ."


class Killed(BaseException):
    pass


def killed(yard: Yard, monkeypatch: pytest.MonkeyPatch, place: object, name: str) -> None:
    def end(*args: object, **more: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(place, name, end)
        yard.round()


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("harm", ["", "{", '{"configuration": 1}', "settings"])
def test_killed_before_the_culprit_is_told_only_the_rest_is_tested(near: Yard, slots: int, harm: str,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    near.gates(near.counted(GATE), gate_slots=slots)
    made = near.many(6, (3,))
    for _ in range(2):
        killed(near, monkeypatch, refuse, "fail")
    path, before = Path(near.rig.refinery.reds), near.runs()
    if harm == "settings":
        near.gates(near.counted(f"true; {GATE}"), gate_slots=slots)
    elif harm:
        path.write_text(harm)
    result = near.round()
    assert result.sent_back == [made[3]] and result.landed
    assert all(near.get(f"gp-b{n}")["status"] == "closed" for n in (0, 1, 2, 4, 5)) and not path.exists()
    rest = min(slots, 2)  # what stands behind the culprit, both its prefixes at once where there are slots
    assert (near.runs() - before <= rest) == (not harm)
    assert "Last words of the gate" in near.get("gp-b3")["notes"]


def test_who_tries_a_failed_request_again_has_it_tested_again(near: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    near.gates(near.counted(GATE))
    [bad] = near.many(1, (0,))
    killed(near, monkeypatch, reds.Reds, "forget")
    before = near.runs()
    assert near.get("gp-b0")["status"] == "open" and Path(near.rig.refinery.reds).exists()
    queue.retry(near.rig, bad, caller=near.person(), now=near.now)
    assert near.round().sent_back == [bad] and near.runs() == before + 2
