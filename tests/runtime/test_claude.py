"""What is Claude Code's own: options, settings file, reports."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from workers import WorkerTown

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadConfig
from gastown_hooks.core.paths import Home
from gastown_hooks.runtime import claude
from gastown_hooks.stores import config
from gastown_hooks.work import lease as leases
from gastown_hooks.work.lease import Lease

RESULT = {"type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "result": "said", "session_id": "s1",
          "total_cost_usd": 0.25, "modelUsage": {"m": {"inputTokens": 7, "outputTokens": 3}, "n": {"inputTokens": 1}},
          "permission_denials": [], "uuid": "u1"}


@pytest.fixture
def slot(tmp_path: Path) -> tuple[WorkerTown, Home, Lease]:
    town = WorkerTown(tmp_path)
    town.bead()
    home = town.sling()
    lease = leases.read(home)
    assert lease is not None
    return town, home, lease


def printed(tmp_path: Path, *lines: dict[str, Any] | str) -> str:
    path = tmp_path / "transcript.log"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line, separators=(",", ":"))) + "\n" for line in lines))
    return str(path)


def test_the_report_is_read_from_where_the_turn_began(tmp_path: Path) -> None:
    path = printed(tmp_path, {**RESULT, "uuid": "before"})
    offset = os.path.getsize(path)
    assert claude.report(path, offset) is None
    with open(path, "a") as file:
        file.write("a warning\n{\"type\":\"torn\n" + json.dumps(RESULT, separators=(",", ":")) + "\n")
    found = claude.report(path, offset)
    assert found is not None and (found.key, found.session, found.cost, found.text) == ("u1", "s1", 0.25, "said")
    assert found.tokens == {"input": 8, "output": 3, "cache_read": 0, "cache_write": 0} and not found.failed
    assert found.model == "m"


def test_no_output_is_no_report(tmp_path: Path) -> None:
    assert claude.report(str(tmp_path / "none"), 0) is None


@pytest.mark.parametrize(("changes", "field", "value"), [
    ({"is_error": True, "api_error_status": 429}, "status", 429),
    ({"is_error": True}, "status", 0),
    ({"is_error": True, "subtype": "error_during_execution", "errors": ["other"]}, "status", None),
    ({"is_error": True, "subtype": "error_max_budget_usd", "errors": ["Reached maximum budget"]}, "over_budget", True),
    ({"is_error": True, "subtype": "error_during_execution", "errors": ["No conversation found with session ID: x"]}, "lost_session", True),
    ({"permission_denials": [{"tool_name": "Write"}, {"tool_name": "Bash"}, {"tool_name": "Bash"}]}, "refused", ("Bash", "Write")),
    ({"result": "a\n b" + "x" * 300}, "text", "a b" + "x" * 197)])
def test_what_a_result_says(tmp_path: Path, changes: dict[str, Any], field: str, value: object) -> None:
    found = claude.report(printed(tmp_path, {**RESULT, **changes}), 0)
    assert getattr(found, field) == value


@pytest.mark.parametrize(("info", "resets"), [({"status": "rejected", "resetsAt": 1800000000}, 1800000000),
                                              ({"status": "allowed", "resetsAt": 1800000000}, 0), ({"status": "rejected"}, 0)])
def test_when_a_limit_ends(tmp_path: Path, info: dict[str, Any], resets: int) -> None:
    found = claude.report(printed(tmp_path, {"type": "rate_limit_event", "rate_limit_info": info}, RESULT), 0)
    assert found is not None and found.resets_at == resets


def test_what_a_killed_turn_used_is_known_in_part(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "output_tokens": 2}
    lines = [{"type": "assistant", "session_id": "s1", "message": {"id": name, "usage": usage}} for name in ("m1", "m2", "m2")]
    found = claude.report(printed(tmp_path, *lines), 0)
    assert found is not None and found.cost is None and found.key == "s1:m2" and found.tokens["input"] == 10


def test_the_settings_file_is_outside_the_tree(slot: tuple[WorkerTown, Home, Lease]) -> None:
    town, home, lease = slot
    path = claude.write_settings(town.rig, home, lease, {"ANTHROPIC_MODEL": "m"})
    assert not path.startswith(home.tree + "/") and os.stat(path).st_mode & 0o777 == 0o600
    value = json.loads(fsio.read(path) or b"")
    assert value["env"]["GT_FENCE"] == str(lease.fence) and value["autoMemoryEnabled"] is False
    assert sorted(value["hooks"]) == ["SessionEnd", "SessionStart", "Stop", "UserPromptSubmit"]
    before = os.stat(path).st_ino
    assert value["env"]["ANTHROPIC_MODEL"] == "m"
    assert claude.write_settings(town.rig, home, lease, {"ANTHROPIC_MODEL": "m"}) == path and os.stat(path).st_ino == before


def test_root_needs_the_sandbox_word(slot: tuple[WorkerTown, Home, Lease], monkeypatch: pytest.MonkeyPatch) -> None:
    town, home, lease = slot
    monkeypatch.delenv("IS_SANDBOX", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(BadConfig, match="IS_SANDBOX=1"):
        claude.words(town.rig, home, lease, ("claude",), {}, None)
    assert "bypassPermissions" in claude.words(town.rig, home, lease, ("claude",), {"IS_SANDBOX": "1"}, None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "bypassPermissions" in claude.words(town.rig, home, lease, ("claude",), {}, None)


@pytest.mark.parametrize("mode", ["plan", "yolo"])
def test_a_mode_that_denies_everything_is_refused_before_the_start(slot: tuple[WorkerTown, Home, Lease], mode: str) -> None:
    town, home, lease = slot
    config.set(town.town, town.rig, "permission_mode", mode)
    with pytest.raises(BadConfig, match=r"gp\.permission_mode"):
        claude.words(town.rig, home, lease, ("claude",), {}, None)


def test_a_mode_in_the_towns_own_command_is_left_alone(slot: tuple[WorkerTown, Home, Lease]) -> None:
    town, home, lease = slot
    found = claude.words(town.rig, home, lease, ("claude", "--permission-mode=dontAsk"), {}, 1.5)
    assert "--permission-mode" not in found and found[-2:] == ["--max-budget-usd", "1.5000"]


def test_only_a_conversation_that_is_on_disk_is_taken_up(slot: tuple[WorkerTown, Home, Lease], tmp_path: Path) -> None:
    town, home, lease = slot
    assert claude.resumable(home) == ""
    fsio.write_json(home.session, {"session": "s1", "transcript": str(tmp_path / "s1.jsonl")})
    assert claude.resumable(home) == "" and claude.by_hand(town.rig, home, lease, {}) == ["--settings", home.settings]
    (tmp_path / "s1.jsonl").write_text("{}\n")
    assert claude.resumable(home) == "s1" and claude.by_hand(town.rig, home, lease, {})[2:] == ["--resume", "s1"]
    fsio.write_json(home.session, {"session": None})
    assert claude.resumable(home) == ""


@pytest.mark.parametrize(("line", "shown"), [
    ("plain words", ["plain words"]),
    ('{"type":"system","subtype":"init"}', []),
    ('{"type":"torn', []),
    ('{"type":"assistant","message":{"content":[{"type":"text","text":"a\\nb"}]}}', ["a", "b"]),
    ('{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]}}', ["$ ls"]),
    ('{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Write","input":{"file_path":"/x"}}]}}', ["[Write] /x"]),
    ('{"type":"user","message":{"content":[{"type":"tool_result","content":"out"}]}}', ["  out"]),
    ('{"type":"user","message":{"content":"words"}}', []),
    ('{"type":"result","subtype":"success","result":"said"}', ["[turn ended: said]"])])
def test_a_person_reads_what_was_said_and_done(line: str, shown: list[str]) -> None:
    assert claude.readable(line) == shown


@pytest.mark.parametrize("there", ["link", "file"])
def test_what_the_project_has_in_place_of_the_settings_folder_is_left_alone(slot: tuple[WorkerTown, Home, Lease], tmp_path: Path,
                                                                            there: str) -> None:
    """A link could lead anywhere, to the person's own settings too."""
    town, home, lease = slot
    own = tmp_path / "own"
    own.mkdir()
    place = Path(home.tree, ".claude")
    place.symlink_to(own) if there == "link" else place.write_text("the project's\n")
    assert claude.by_hand(town.rig, home, lease, {})[:2] == ["--settings", home.settings]
    assert os.listdir(own) == [] and (place.is_symlink() or place.read_text() == "the project's\n")
