from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import Run


@pytest.fixture
def town(run_cli: Run, tmp_path: Path, repo: Path) -> Path:
    assert run_cli("gt", "install", "gt").code == 0
    run_cli.cwd = tmp_path / "gt"
    assert run_cli("gt", "rig", "add", "app", str(repo), "--gate", "true").code == 0
    return tmp_path / "gt"


def test_get_set_unset(run_cli: Run, town: Path) -> None:
    assert run_cli("gt", "config", "set", "witness_seconds", "7", "--dry-run").out == "set witness_seconds to 7\n"
    assert run_cli("gt", "config", "get", "witness_seconds").out == "60\n"
    told = run_cli("gt", "config", "set", "witness_seconds", "7", "--dry-run", "--json").out
    assert json.loads(told) == {"acts": ["set witness_seconds to 7"], "dry_run": True}
    assert run_cli("gt", "config", "set", "witness_seconds", "7").out == "set witness_seconds to 7\n"
    assert run_cli("gt", "config", "get", "witness_seconds", "--json").out == "7\n"
    assert run_cli("gt", "config", "unset", "witness_seconds").code == 0
    assert run_cli("gt", "config", "get", "witness_seconds").out == "60\n"
    assert json.loads((town / "settings/config.json").read_text()) == {}


@pytest.mark.parametrize(("words", "value"), [
    (["app.gates", "pytest -q", "ruff check"], ["pytest -q", "ruff check"]), (["app.gates", "none"], "none"),
    (["app.gates", '["a", "b"]'], ["a", "b"]), (["app.gates", "make test"], ["make test"]), (["app.copy", ".env"], [".env"]),
    (["app.gate_timeout", "90"], 90), (["app.gate_slots", "4"], 4), (["app.confirm_red", "false"], False),
    (["app.gate_order", "failed-first"], "failed-first"),
    (["app.setup", "npm ci --no-audit"], "npm ci --no-audit")])
def test_values_of_a_rig(run_cli: Run, town: Path, words: list[str], value: object) -> None:
    assert run_cli("gt", "config", "set", *words).code == 0
    assert json.loads(run_cli("gt", "config", "get", words[0], "--json").out) == value


@pytest.mark.parametrize(("words", "code", "said"), [
    (["set", "app.gate", "x"], 7, "nearest is gates"), (["set", "nope", "x"], 7, "unknown key"),
    (["set", "app.gates", ""], 7, "app/settings"),
    (["set", "app.gate_timeout", "-5"], 2, "is a number"), (["set", "app.gate_timeout", "0"], 7, "gate_timeout"),
    (["set", "app.confirm_red", "maybe"], 2, "true or false"), (["set", "app.gate_slots", "0"], 7, "0 is not a whole number above 0"),
    (["set", "app.gate_order", "x"], 7, "one of fixed, failed-first"),
    (["set", "app.agent", "a", "b"], 2, "one value"), (["set", "agents", "{"], 2, "JSON"), (["get", "app.x"], 7, "unknown key"),
    (["set", "..gates", "x"], 2, "no rig name"), (["explain", "gatez"], 3, "nearest is gates")])
def test_wrong_words(run_cli: Run, town: Path, words: list[str], code: int, said: str) -> None:
    before = [(town / name).read_bytes() for name in ("settings/config.json", "app/settings/config.json")]
    done = run_cli("gt", "config", words[0], "--", *words[1:])
    assert (done.code, done.err.count("\n")) == (code, 1) and said in done.err, done.err
    assert before == [(town / name).read_bytes() for name in ("settings/config.json", "app/settings/config.json")]


def test_a_broken_settings_file_is_named_with_its_key(run_cli: Run, town: Path) -> None:
    (town / "app/settings/config.json").write_text('{"gatess": ["true"]}')
    for words in (["config", "list"], ["config", "get", "app.gates"], ["config", "set", "app.setup", "x"], ["rig", "status", "app"]):
        done = run_cli("gt", *words)
        assert done.code == 7 and "app/settings/config.json: gatess" in done.err and "nearest is gates" in done.err
    (town / "app/settings/config.json").write_text("{")
    done = run_cli("gt", "config", "list")
    assert done.code in (7, 8) and "app/settings/config.json" in done.err and done.err.count("\n") == 1


def test_explain_and_list(run_cli: Run, town: Path) -> None:
    assert "shell commands that must all succeed" in run_cli("gt", "config", "explain", "app.gates").out
    assert len(run_cli("gt", "config", "explain").out.splitlines()) > 10
    assert json.loads(run_cli("gt", "config", "explain", "gate_timeout", "--json").out)["RIG.gate_timeout"]["default"] == 1800
    listed = json.loads(run_cli("gt", "config", "list", "--json").out)
    assert listed["rigs"]["app"]["gates"] == ["true"] and listed["town"]["default_agent"] == "claude"
    assert 'app.gates = ["true"]' in run_cli("gt", "config", "list").out.splitlines()


def test_agent_programs(run_cli: Run, town: Path) -> None:
    names = [row["name"] for row in json.loads(run_cli("gt", "config", "agent", "list", "--json").out)]
    assert names[:7] == ["claude", "gemini", "codex", "cursor", "auggie", "amp", "opencode"]
    done = run_cli("gt", "config", "agent", "set", "claude-glm", "claude-glm --model glm-4")
    assert done.code == 0 and "works like claude" in done.out
    got = json.loads(run_cli("gt", "config", "agent", "get", "claude-glm", "--json").out)
    assert got == {"name": "claude-glm", "kind": "own", "command": "claude-glm --model glm-4", "like": "claude", "default": False}
    assert run_cli("gt", "config", "default-agent", "claude-glm").code == 0
    assert run_cli("gt", "config", "default-agent").out == "claude-glm\n"
    assert run_cli("gt", "config", "agent", "remove", "claude-glm").code == 5  # it is the default
    assert run_cli("gt", "config", "default-agent", "codex").code == 0
    assert run_cli("gt", "config", "agent", "remove", "claude-glm").code == 0
    assert run_cli("gt", "config", "agent", "get", "claude-glm").code == 3
    assert "* " in run_cli("gt", "config", "agent", "list").out


def test_a_built_in_is_overridden_and_comes_back(run_cli: Run, town: Path) -> None:
    assert run_cli("gt", "config", "agent", "remove", "claude").code == 5
    assert run_cli("gt", "config", "agent", "set", "claude", "claude-opus").code == 0
    assert json.loads(run_cli("gt", "config", "agent", "get", "claude", "--json").out)["kind"] == "override"
    assert run_cli("gt", "config", "agent", "remove", "claude").code == 0
    assert json.loads(run_cli("gt", "config", "agent", "get", "claude", "--json").out)["kind"] == "built-in"


@pytest.mark.parametrize(("command", "like"), [
    ("claude --x", "claude"), ("/opt/bin/claude-opus", "claude"), ("cursor-agent -f", "cursor"), ("codex --thinking low", "codex"),
    ("my-wrapper claude", ""), ("claudette", ""), ("'a b/gemini' x", "gemini")])
def test_whose_turns_it_has_is_guessed_and_shown(run_cli: Run, town: Path, command: str, like: str) -> None:
    done = run_cli("gt", "config", "agent", "set", "mine", command)
    assert f"works like {like or 'none'}" in done.out
    assert json.loads(run_cli("gt", "config", "agent", "get", "mine", "--json").out)["like"] == like


@pytest.mark.parametrize(("name", "command"), [("-x", "a"), ("a;b", "a"), ("", "a"), ("x" * 99, "a"), ("ok", ""), ("ok", "'open")])
def test_impossible_agents(run_cli: Run, town: Path, name: str, command: str) -> None:
    done = run_cli("gt", "config", "agent", "set", "--", name, command)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert json.loads((town / "settings/config.json").read_text()) == {}


def test_an_unknown_default_agent(run_cli: Run, town: Path) -> None:
    done = run_cli("gt", "config", "default-agent", "nope")
    assert done.code == 3 and "known: claude" in done.err
