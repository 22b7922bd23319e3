"""Gates: verdicts, limits, environment, processes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.core.errors import Refused
from gastown_hooks.stores import processes
from gastown_hooks.work import flakes, gate, passes, trial


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return queueyard.make(tmp_path)


def test_a_pass_is_noted_on_the_commit_and_not_asked_for_again(yard: Yard) -> None:
    yard.gates(yard.counted())
    assert gate.run(yard.rig, yard.tip(), yard.now).green
    assert gate.run(yard.rig, yard.tip(), yard.now).green and yard.runs() == 1
    note = json.loads(yard.rig_git("notes", "--ref=gates", "show", yard.tip()))
    assert note["verdict"] == "pass" and note["tree"] == yard.rig_git("rev-parse", "main^{tree}") and note["commit"] == yard.tip()


def test_other_gates_ask_again(yard: Yard) -> None:
    yard.gates(yard.counted())
    gate.run(yard.rig, yard.tip(), yard.now)
    yard.gates(yard.counted(), "true")
    gate.run(yard.rig, yard.tip(), yard.now)
    assert yard.runs() == 2


def test_a_pass_is_found_by_its_tree_and_each_commit_has_its_own_record(yard: Yard) -> None:
    yard.gates(yard.counted())
    one, other = (yard.commit(name, {"a": "a"}, message=name) for name in ("x", "y"))
    gate.run(yard.rig, one, yard.now)
    assert gate.run(yard.rig, other, yard.now).green and yard.runs() == 1
    notes = [json.loads(yard.rig_git("notes", "--ref=gates", "show", commit)) for commit in (one, other)]
    assert "from" not in notes[0] and notes[1]["from"] == one and notes[1]["ran_at"] == notes[0]["at"]
    assert [note["commit"] for note in notes] == [one, other] and notes[0]["tree"] == notes[1]["tree"]


@pytest.mark.parametrize("change", [{"setup": "true"}, {"copy": [".env", "other"]}, {"link": ["other"]}, {"gate_timeout": 1}, {}])
def test_another_configuration_asks_again(yard: Yard, change: dict[str, object]) -> None:
    for name in (".env", "other"):
        Path(yard.rig.root, name).write_text("KEY=1\n")
    before = {"copy": [".env"], "gate_timeout": 100}
    slow = "test -e ../../seen || sleep 1.1; touch ../../seen; "
    yard.gates(slow + yard.counted(), **before)
    gate.run(yard.rig, yard.tip(), yard.now)
    yard.rig_git("update-ref", "-d", "refs/notes/gates")
    gate.run(yard.rig, yard.tip(), yard.now)
    assert yard.runs() == 1
    if not change:
        Path(yard.rig.root, ".env").write_text("KEY=2\n")
    yard.gates(slow + yard.counted(), **(before | change))
    yard.rig_git("update-ref", "-d", "refs/notes/gates")
    gate.run(yard.rig, yard.tip(), yard.now)
    assert yard.runs() == 2


@pytest.mark.parametrize("word", ["true", "false"])
def test_settings_that_change_while_the_gates_run_make_it_no_verdict(yard: Yard, word: str) -> None:
    new = json.dumps({"gates": [yard.counted()]})
    yard.gates(f"printf %s '{new}' > {yard.rig.settings}; {word}")
    verdict = gate.run(yard.rig, yard.tip(), yard.now)
    assert verdict.result == gate.INFRA and "settings" in verdict.reason and gate.recorded(yard.rig, yard.tip()) is None
    assert gate.run(yard.rig, yard.tip(), yard.now).green and yard.runs() == 1, "the gates in force have run"


def test_kept_passes_are_bounded_and_a_damaged_one_is_none(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "LIMIT", 10)
    for number in range(35):
        passes.keep(yard.rig, f"{number:040x}", "c" * 40, 1.0, "now")
        assert len(os.listdir(yard.rig.refinery.gate_passes)) <= 10
    assert passes.find(yard.rig, f"{34:040x}") == {"commit": "c" * 40, "seconds": 1.0, "at": "now"}
    assert passes.find(yard.rig, f"{0:040x}") is None
    for path in Path(yard.rig.refinery.gate_passes).iterdir():
        path.write_text('{"tree": 1')
    assert passes.find(yard.rig, f"{34:040x}") is None


def test_a_pass_of_another_tree_is_never_recorded(yard: Yard) -> None:
    verdict = gate.run(yard.rig, yard.tip(), yard.now)
    with pytest.raises(ValueError, match="no pass"):
        gate.record(yard.rig, yard.commit("x", {"a": "a"}), verdict, yard.now)


def test_what_failed_last_runs_first_where_the_rig_says_that_order_does_not_matter(yard: Yard) -> None:
    commands = [f"echo {name} >> {yard.root}/order; test {name} != c || test -e mended" for name in "abc"]
    for order, expected in (("fixed", "abcabc"), ("failed-first", "cab")):
        yard.gates(*commands, gate_order=order)
        (yard.root / "order").write_text("")
        if order == "fixed":
            assert gate.run(yard.rig, yard.tip(), yard.now).red
        mended = yard.commit("mended", {"mended": order})
        assert gate.run(yard.rig, mended, yard.now).green
        assert (yard.root / "order").read_text().replace("\n", "") == expected
        assert json.loads(yard.rig_git("notes", "--ref=gates", "show", mended))["gates"] == commands


def test_the_names_of_what_failed_last_reach_the_next_run_and_pytest_begins_with_them(yard: Yard) -> None:
    suite = "def test_a(): pass\ndef test_b(): assert MENDED\n"
    yard.gates(f"cat $GT_GATE_FAILED > ../../names; {sys.executable} -m pytest -v -p no:randomly --failed-first "
               '-o cache_dir="$GT_GATE_FAILED.pytest"')
    red, green = (yard.commit(str(mended), {"test_x.py": f"MENDED = {mended}\n{suite}"}) for mended in (False, True))
    verdict = gate.run(yard.rig, red, yard.now)
    names = Path(yard.rig.refinery.root, "names")
    assert verdict.red and verdict.tests == ("test_x.py::test_b",) and names.read_text() == ""
    verdict = gate.run(yard.rig, green, yard.now)
    assert verdict.green and names.read_text() == "test_x.py::test_b\n"
    assert verdict.tail.index("test_x.py::test_b") < verdict.tail.index("test_x.py::test_a")


def test_a_forged_or_damaged_note_proves_nothing(yard: Yard) -> None:
    yard.gates("false")
    forged = {"verdict": "pass", "tree": "0" * 40, "gates": ["false"], "config": passes.configuration(yard.rig)}
    for text in ("not json", "[]", json.dumps(forged)):
        yard.rig_git("notes", "--ref=gates", "add", "-f", "-m", text, yard.tip())
        assert gate.recorded(yard.rig, yard.tip()) is None


def test_no_gates_configured_refuses(yard: Yard) -> None:
    Path(yard.rig.settings).unlink()
    with pytest.raises(Refused, match="no gates configured"):
        gate.run(yard.rig, yard.tip(), yard.now)


def test_the_first_failing_command_ends_the_run(yard: Yard) -> None:
    yard.gates("true", "echo two; exit 3", yard.counted())
    verdict = gate.run(yard.rig, yard.tip(), yard.now, name="x")
    assert verdict.result == gate.FAIL and verdict.reason == "echo two; exit 3: exit 3" and yard.runs() == 0
    assert "two" in verdict.tail and Path(verdict.log).name == "x.log"


def test_it_runs_on_exactly_the_commits_files_whatever_the_gate_before_left(yard: Yard) -> None:
    yard.gates("ls -A > ../../seen; touch junk; rm -f README.md; mkdir -p node_modules; printf x > node_modules/y; false")
    gate.run(yard.rig, yard.tip(), yard.now)
    gate.run(yard.rig, yard.tip(), yard.now)
    assert Path(yard.rig.refinery.root, "seen").read_text().split() == [".git", "README.md", "src"]


def test_nothing_of_the_callers_claim_git_or_keys_reaches_a_gate(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """M18: no claim, no git variable, no secret is in the gate's environment."""
    for name in ("GT_TOKEN", "GT_BEAD", "GT_FENCE", "BD_ACTOR", "BEADS_DIR", "GIT_DIR", "GIT_INDEX_FILE", "AWS_SECRET_ACCESS_KEY",
                 "SSH_AUTH_SOCK", "GIT_CONFIG_COUNT", "CLAUDE_CODE_SESSION"):
        monkeypatch.setenv(name, "0" if name == "GIT_CONFIG_COUNT" else "leak")
    yard.gates("env > ../../seen")
    assert gate.run(yard.rig, yard.tip(), yard.now).green
    seen = dict(line.split("=", 1) for line in Path(yard.rig.refinery.root, "seen").read_text().splitlines() if "=" in line)
    assert "leak" not in seen.values() and seen["GT_TOKEN"].startswith(queueyard.town_id(yard.root) + ".gp-gate-0.")
    assert seen["TMPDIR"].startswith(yard.rig.refinery.gates) and not os.path.exists(seen["TMPDIR"])
    assert not [name for name in seen if name.startswith(("BD_", "BEADS_")) or (name.startswith("GIT_") and name != "GIT_TERMINAL_PROMPT")]


def test_a_hanging_gate_is_ended_with_its_grandchildren(yard: Yard) -> None:
    """M13: 0 processes left."""
    yard.gates("sh -c 'trap \"\" TERM; sleep 600 & setsid sleep 600 & wait' & sleep 600", gate_timeout=1)
    verdict = gate.run(yard.rig, yard.tip(), yard.now)
    assert verdict.result == gate.TIMEOUT and "1 s" in verdict.reason
    assert processes.with_token(queueyard.town_id(yard.root), prefix=True) == []


def test_what_a_passing_gate_left_running_is_ended_and_does_not_hold_it_up(yard: Yard) -> None:
    yard.gates("setsid sleep 600 & sleep 600 & true", gate_timeout=100)
    verdict = gate.run(yard.rig, yard.tip(), yard.now)
    assert verdict.green and verdict.seconds < 60
    assert processes.with_token(queueyard.town_id(yard.root), prefix=True) == []


def test_output_is_cut_to_its_last_megabyte(yard: Yard) -> None:
    yard.gates("head -c 30000000 /dev/zero | tr '\\0' 'x'; echo; echo the end; false")
    verdict = gate.run(yard.rig, yard.tip(), yard.now)
    assert os.path.getsize(verdict.log) <= trial.LOG_LIMIT
    assert verdict.tail.endswith("the end\n\n[exit 1]\n") and len(verdict.tail) <= 1600


def test_kept_logs_are_bounded(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LOGS", 4)
    yard.gates("false")
    for number in range(7):
        verdict = gate.run(yard.rig, yard.tip(), yard.now, name=f"run-{number}")
        assert os.path.exists(verdict.log) and len(os.listdir(yard.rig.refinery.gate_logs)) <= 4


@pytest.mark.parametrize(("command", "result"), [
    ("exit 1", gate.FAIL), ("exit 127", gate.FAIL), ("kill -9 $$", gate.INFRA), ("kill -TERM $$", gate.INFRA),
    ("kill -SEGV $$", gate.FAIL), ("no-such-program", gate.INFRA), ("true && no-such-program", gate.INFRA),
    ("sh -c 'no-such-program'", gate.FAIL), ("./README.md", gate.INFRA), ("echo No space left on device; exit 1", gate.INFRA),
    ("exit 255", gate.FAIL)])
def test_verdicts(yard: Yard, command: str, result: str) -> None:
    yard.gates(command)
    assert gate.run(yard.rig, yard.tip(), yard.now).result == result


def test_a_set_up_that_fails_on_the_target_too_is_nobodys_change(yard: Yard) -> None:
    yard.gates("true", setup="test -e /nonexistent")
    head = yard.commit("x", {"a": "a"})
    assert gate.run(yard.rig, head, yard.now).result == gate.INFRA
    yard.gates("true", setup="test ! -e a")
    assert gate.run(yard.rig, head, yard.now).result == gate.FAIL


def test_extras_of_the_rig_are_in_the_tree(yard: Yard) -> None:
    Path(yard.rig.root, ".env").write_text("KEY=1\n")
    yard.gates("grep -q KEY .env && test -e made", setup="touch made", copy=[".env"])
    assert gate.run(yard.rig, yard.tip(), yard.now).green


def test_red_then_green_is_a_flake(yard: Yard) -> None:
    """M21: listed with the test's name, however much was printed after it."""
    yard.gates(f"test -e {yard.root}/again || {{ touch {yard.root}/again; echo 'FAILED a.py::b - c'; seq 3000; false; }}")
    verdict = gate.confirmed(yard.rig, yard.tip(), yard.now)
    assert verdict.green and verdict.flake and verdict.runs == 2
    assert [event["commit"] for event in yard.events("gate_flake")] == [yard.tip()]
    assert [(flake["test"], flake["count"]) for flake in flakes.listing(yard.rig)] == [("a.py::b", 1)]


def test_plain_text_does_nothing_to_a_terminal() -> None:
    text = trial.plain(b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x00\r\n\tok \xff \xe2\x80\xae", 1000)
    assert text == "red \\x1b]0;title\\x07 \\x00\n\tok \ufffd \\u202e"
