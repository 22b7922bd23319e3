"""The peers do what the tests take them for: the real program works against the scripted server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import builders
import pytest

from peers import claude
from peers.model_server import Answer, Bash, Conversation, Fault, ModelServer, Say


@pytest.fixture
def server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()
    assert not server.failures


def post(server: ModelServer, **fields: Any) -> dict[str, Any]:
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}], "tools": [{"name": "Bash"}], **fields}).encode()
    with urllib.request.urlopen(urllib.request.Request(server.url("/a/v1/messages"), body)) as answer:
        return dict(json.load(answer))


def test_a_script_is_asked_with_what_the_request_says(server: ModelServer) -> None:
    server.scripts["/a"] = lambda conversation: Say(conversation.context, tokens=(7, 3))
    answer = post(server, system=[{"type": "text", "text": "be good"}])
    assert answer["content"] == [{"type": "text", "text": "be good\nhello"}]
    assert answer["usage"]["input_tokens"] == 7 and answer["stop_reason"] == "end_turn"


def test_the_place_in_the_task_is_read_off_the_conversation() -> None:
    messages = [
        {"role": "user", "content": "begin"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a.txt"}]}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "never answered"}}]}]
    conversation = Conversation({"messages": messages}, "")
    assert conversation.commands == ["ls"] and "a.txt" in conversation.context and conversation.last == ""


def test_the_real_program_carries_out_what_the_script_says(server: ModelServer, tmp_path: Path) -> None:
    def script(conversation: Conversation) -> Answer:
        if "limited" in conversation.last:
            return Fault(429, headers={"retry-after": "3600"})
        return Say("said") if conversation.commands else Bash("printf done > made.txt")

    server.scripts["/a"] = script
    program, work = claude.program(), tmp_path / "work"
    work.mkdir()
    words = [program, "-p", "--output-format", "json", "--permission-mode", "bypassPermissions"]
    done = builders.run([*words, "begin"], cwd=work, env=claude.environment(server.url("/a")))
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["result"] == "said" and result["total_cost_usd"] > 0 and (work / "made.txt").read_text() == "done"
    again = builders.run([*words, "--resume", result["session_id"], "limited"], cwd=work, env=claude.environment(server.url("/a")))
    assert again.code == 1 and json.loads(again.out)["api_error_status"] == 429
    assert len(server.conversations("/a")) == 3
