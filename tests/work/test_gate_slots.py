"""Several gates at once, on real repositories and processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.rules import requests
from gastown_hooks.stores import processes
from gastown_hooks.work import gate, prove

ROOT = Path(__file__).parents[2]
GATE = "! grep -rqs BAD --include=*.txt ."


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return queueyard.make(tmp_path)


def meet(yard: Yard, count: int) -> str:
    """A gate command that passes once `count` of it were seen running."""
    return (f"mkdir -p {yard.root}/here; touch {yard.root}/here/$$; n=0; while test $(ls {yard.root}/here | wc -l) -lt {count}; "
            "do n=$((n+1)); test $n -lt 600 || exit 1; sleep 0.05; done")


def strays(yard: Yard) -> list[processes.Process]:
    return processes.with_token(queueyard.town_id(yard.root), prefix=True)


def verdicts(yard: Yard) -> list[str]:
    return sorted(event["verdict"] for event in yard.events("gate_run"))


def test_prefixes_are_tested_at_once_each_in_a_tree_of_its_own(yard: Yard) -> None:
    yard.gates(meet(yard, 3), gate_slots=3)
    made = yard.many(3)
    assert [request for request, _ in yard.round().landed] == made
    assert len(verdicts(yard)) == 3 and strays(yard) == []
    assert sorted(os.listdir(yard.rig.refinery.gates)) == ["gp-gate-0", "gp-gate-1", "gp-gate-2"]
    yard.check_green()


@pytest.mark.parametrize("bad", [(8,), (0, 4)])
def test_the_culprits_go_back_and_all_others_land(yard: Yard, bad: tuple[int, ...]) -> None:
    yard.gates(GATE, gate_slots=4)
    made = yard.many(9, bad)
    result = yard.round()
    assert sorted(result.sent_back) == sorted(made[n] for n in bad)
    assert sorted(request for request, _ in result.landed) == sorted(one for n, one in enumerate(made) if n not in bad)
    yard.check_green()


def test_a_run_that_can_tell_nothing_more_is_ended_with_its_processes(yard: Yard) -> None:
    yard.gates(f"{GATE} || {{ test -e b1.txt || exit 1; setsid sleep 600 & sleep 600; }}", gate_slots=4, confirm_red=False)
    made = yard.many(4, bad=(0,))
    began = time.monotonic()
    result = yard.round()
    assert result.sent_back == made[:1] and [request for request, _ in result.landed] == made[1:] and time.monotonic() - began < 300
    assert strays(yard) == [] and verdicts(yard).count("cancelled") >= 3


@pytest.mark.parametrize("landing", ["merge", "linear"])
def test_a_longer_prefix_that_still_runs_when_a_shorter_one_lands_is_not_run_again(yard: Yard, landing: str) -> None:
    """M22: the commit that lands has its own record, which names the one that the gates ran on, where that is another."""
    moved = f"while test $(git --git-dir={yard.rig.repo} rev-parse main) = {yard.tip()}; do sleep 0.05; done"
    yard.gates(f"test ! -e b3.txt || {{ {moved}; }}", gate_slots=2, landing=landing)
    made = yard.many(4)
    assert [request for request, _ in yard.round().landed] == made and yard.journal() == ["land", "settled"] * 2
    assert verdicts(yard) == [gate.PASS] * 2
    note = json.loads(yard.rig_git("notes", "--ref=gates", "show", "main"))
    ran_on = note.get("from", note["commit"])
    assert note["commit"] == yard.tip() and (ran_on != yard.tip()) is (landing == "merge")
    assert note["tree"] == yard.tip("main^{tree}") == yard.tip(f"{ran_on}^{{tree}}") and prove.check(yard.rig).unproven == []


def test_each_tree_has_the_rigs_extras_and_its_own_set_up(yard: Yard) -> None:
    Path(yard.rig.root, ".env").write_text("KEY=1\n")
    Path(yard.rig.root, "cache").mkdir()
    yard.gates(f"grep -q KEY .env && test $(cat made) = $PWD && touch cache/$$ && {meet(yard, 3)}", gate_slots=3,
               setup="test ! -e made; pwd > made", copy=[".env"], link=["cache"])
    made = yard.many(3)
    assert [request for request, _ in yard.round().landed] == made
    assert len(os.listdir(f"{yard.rig.root}/cache")) == 3


@pytest.mark.parametrize("slots", [1, 3])
def test_a_hanging_gate_is_a_failure_after_one_confirming_run_and_leaves_nothing(yard: Yard, slots: int) -> None:
    """M13: one confirming run, 0 processes left."""
    hang = "setsid sleep 600 & sleep 600"
    yard.gates(yard.counted(f"test ! -e b1.txt || {{ {hang}; }}"), gate_timeout=1, gate_slots=slots)
    yard.many(1)
    assert len(yard.round().landed) == 1 and yard.runs() == 1
    hanging = yard.submit("b1", worker="w1")
    assert yard.round().sent_back == [hanging] and yard.request(hanging).reason.startswith("timeout") and yard.runs() == 3
    assert strays(yard) == []


def test_a_gate_that_cannot_run_in_one_slot_ejects_nobody(yard: Yard) -> None:
    """M14: nobody goes back for what is nobody's change."""
    yard.gates("test ! -e b1.txt || test -e b2.txt || kill -9 $$; test ! -e b2.txt || sleep 600", gate_slots=3, gate_timeout=60)
    made = yard.many(3)
    result = yard.round()
    assert not result.sent_back and result.put_off == made[len(result.landed):2] and strays(yard) == []
    assert all(yard.request(one).state != requests.FAILED for one in made)


def test_what_a_killed_refinery_left_in_any_tree_is_ended_at_the_next_run(yard: Yard) -> None:
    yard.gates(f"test -e {yard.root}/go || {{ setsid sleep 600 & {meet(yard, 3)}; sleep 600; }}", gate_slots=3)
    made = yard.many(3)
    code = (f"import sys; sys.path[:0] = [{str(ROOT)!r}]\nfrom gastown_hooks.core.paths import Town\nfrom gastown_hooks.work import land\n"
            f"land.round(Town({yard.rig.town.root!r}).rig('gp'), {yard.now + 1})")
    refinery = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not (yard.root / "here").is_dir() or len(os.listdir(yard.root / "here")) < 3:
        assert time.monotonic() < deadline and refinery.poll() is None
        time.sleep(0.02)
    refinery.send_signal(signal.SIGKILL)
    refinery.wait()
    assert len(strays(yard)) >= 6
    (yard.root / "go").touch()
    assert gate.run(yard.rig, yard.tip(), yard.now).green and strays(yard) == []
    assert [request for request, _ in yard.round().landed] == made
    yard.check_green()
