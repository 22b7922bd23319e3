"""Agent programs: how each is started for a turn."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.core.errors import BadConfig, NotFound
from gastown_hooks.runtime import agents
from gastown_hooks.stores.config import TOWN_KEYS, Settings


def settings(own: dict[str, Any]) -> Settings:
    return Settings("settings/config.json", TOWN_KEYS, {"agents": own})


@pytest.mark.parametrize(("name", "words"), [
    ("claude", ["claude", "do it"]),
    ("gemini", ["gemini", "--approval-mode", "yolo", "--output-format", "json", "-p", "do it"]),
    ("codex", ["codex", "exec", "--json", "--dangerously-bypass-approvals-and-sandbox", "do it"]),
    ("cursor", ["cursor-agent", "-f", "-p", "--output-format", "json", "do it"]),
    ("auggie", ["auggie", "--allow-indexing", "--print", "do it"]),
    ("amp", ["amp", "--dangerously-allow-all", "--no-ide", "-x", "do it"]),
    ("opencode", ["opencode", "run", "--format", "json", "do it"]),
])
def test_a_preset_takes_the_prompt_as_its_last_argument(name: str, words: list[str]) -> None:
    assert agents.command(settings({}), name, "do it")[0] == words


@pytest.mark.parametrize(("name", "part"), [
    ("claude", ["--resume", "s1"]), ("codex", ["resume", "s1"]), ("amp", ["threads", "continue", "s1"]), ("opencode", ["--session", "s1"])])
def test_a_session_is_taken_up_again(name: str, part: list[str]) -> None:
    words, _ = agents.command(settings({}), name, "go on", session="s1")
    at = words.index(part[0])
    assert words[at:at + len(part)] == part and words[-1] == "go on"


def test_a_command_of_the_town_is_split_but_no_shell_sees_it() -> None:
    words, _ = agents.command(settings({"mine": {"command": "my-agent --say 'a b' $(id)"}}), "mine", "do; it")
    assert words == ["my-agent", "--say", "a b", "$(id)", "do; it"]


def test_a_command_like_a_preset_gets_its_arguments_and_overrides_it() -> None:
    own = settings({"mine": {"command": "wrapped -v", "like": "gemini"}, "claude": {"command": "claude-beta"}})
    assert agents.command(own, "mine", "x")[0] == ["wrapped", "-v", "--output-format", "json", "-p", "x"]
    assert agents.command(own, "claude", "x")[0] == ["claude-beta", "x"]


def test_an_environment_of_the_town_is_added_to_the_presets() -> None:
    own = settings({"mine": {"command": "claude", "like": "claude", "env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1"}}})
    assert agents.command(own, "mine", "x")[1] == {**agents.PRESETS["claude"].env, "ANTHROPIC_BASE_URL": "http://127.0.0.1"}
    assert agents.speaks(own, "mine") and not agents.speaks(own, "codex") and not agents.speaks(own, "gone")


def test_the_options_of_a_turn_come_before_its_session_and_prompt() -> None:
    words, _ = agents.command(settings({}), "claude", "go on", session="s1", options=["-p"])
    assert words == ["claude", "-p", "--resume", "s1", "go on"]


def test_a_prompt_is_never_an_option() -> None:
    words, _ = agents.command(settings({}), "claude", "--version")
    assert words[-1] == " --version"


def test_the_embedded_agent_gets_no_prompt() -> None:
    words, _ = agents.command(settings({}), "exec", "do it")
    assert words[-1] == "gastown_hooks.runtime.exec_agent"


@pytest.mark.parametrize("own", [{"command": ""}, {"command": "a 'b"}, {"command": 3}, {"command": "a", "like": "nobody"}, 7,
                                 {"command": "a", "env": ["X=1"]}, {"command": "a", "env": {"X": 1}}])
def test_an_unusable_command_names_its_key(own: object) -> None:
    with pytest.raises(BadConfig, match=r"agents\.mine"):
        agents.command(settings({"mine": own}), "mine", "x")


def test_an_unknown_agent_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="claude, gemini, codex"):
        agents.command(settings({}), "clod", "x")
