"""A model's server on loopback that answers from a script: the part of the Messages API that Claude Code uses, streaming and not.

`server.scripts["/path"] = script` serves base URL `server.url("/path")`, so each agent of a town can have a model of its own. A script
is called with the conversation so far and gives an answer: `Say`, `Bash`, `Write` or `Fault`. It sees what the model would see and nothing
else; where it stands in its task it must read off the conversation, so that a resumed session goes on where it stopped.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    """Text that ends the turn."""

    text: str
    tokens: tuple[int, int] = (1000, 10)


@dataclass(frozen=True)
class Bash:
    """A call of the Bash tool."""

    command: str
    tokens: tuple[int, int] = (1000, 10)


@dataclass(frozen=True)
class Write:
    """A call of the Write tool."""

    path: str
    content: str
    tokens: tuple[int, int] = (1000, 10)


@dataclass(frozen=True)
class Fault:
    """An HTTP error instead of an answer."""

    status: int
    kind: str = "rate_limit_error"
    headers: dict[str, str] = field(default_factory=dict)


Answer = Say | Bash | Write | Fault


class Conversation:
    """A request as its reader sees it. `context` is every text in it: system, user, tool results, and what session events added."""

    def __init__(self, request: dict[str, Any], session: str) -> None:
        self.request, self.session = request, session
        self.messages: list[dict[str, Any]] = request.get("messages", [])
        self.has_tools = bool(request.get("tools"))

    @property
    def context(self) -> str:
        parts = [*texts(self.request.get("system")), *(part for message in self.messages for part in texts(message.get("content")))]
        return "\n".join(parts)

    @property
    def last(self) -> str:
        """The text of everything after the model's last answer."""
        tail: list[str] = []
        for message in reversed(self.messages):
            if message["role"] == "assistant":
                break
            tail = [*texts(message.get("content")), *tail]
        return "\n".join(tail)

    @property
    def commands(self) -> list[str]:
        """The Bash calls that were answered, in order."""
        return [block["input"].get("command", "") for block in self._calls("Bash")]

    @property
    def written(self) -> list[str]:
        """The files that the Write tool was called for, in order."""
        return [block["input"].get("file_path", "") for block in self._calls("Write")]

    def _calls(self, tool: str) -> list[dict[str, Any]]:
        blocks = [block for message in self.messages for block in blocks_of(message)]
        answered = {block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"}
        return [block for block in blocks if block.get("type") == "tool_use" and block["name"] == tool and block["id"] in answered]


def blocks_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def texts(content: Any) -> Iterator[str]:
    """Every text in a content, also those inside tool results."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else []:
        if block.get("type") == "text":
            yield block["text"]
        elif block.get("type") == "tool_result":
            yield from texts(block.get("content"))


Script = Callable[[Conversation], Answer]


class ModelServer:
    """Serves until `close`. `requests` holds (path, conversation) of every call for an answer."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.requests: list[tuple[str, Conversation]] = []
        self.failures: list[BaseException] = []
        self._numbers, self._lock = iter(range(1, 1 << 30)), threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def conversations(self, path: str = "") -> list[Conversation]:
        return [conversation for where, conversation in self.requests if where == path]

    def number(self) -> int:
        with self._lock:
            return next(self._numbers)

    def answer(self, path: str, conversation: Conversation) -> Answer:
        if not conversation.has_tools:
            return Say("title")  # a side call: no work of the model's
        self.requests.append((path, conversation))
        try:
            return self.scripts[path](conversation)
        except BaseException as error:
            self.failures.append(error)
            return Fault(400, "invalid_request_error")


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(404, b"", {})

    def do_GET(self) -> None:
        self._send(404, b"{}", {})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        path, _, rest = self.path.partition("/v1/")
        if rest.split("?")[0] != "messages":
            self._send(404, b"{}", {})
            return
        request = json.loads(data)
        answer = self.model.answer(path, Conversation(request, self.headers.get("x-claude-code-session-id") or ""))
        if isinstance(answer, Fault):
            body = {"type": "error", "error": {"type": answer.kind, "message": "as the script says"}}
            self._send(answer.status, json.dumps(body).encode(), answer.headers)
            return
        message = _message(request, answer, self.model.number())
        if request.get("stream"):
            self._send(200, _stream(message), {"content-type": "text/event-stream"})
        else:
            self._send(200, json.dumps(message).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the program was killed while it waited


def _block(answer: Say | Bash | Write, number: int) -> dict[str, Any]:
    if isinstance(answer, Say):
        return {"type": "text", "text": answer.text}
    tool, given = ("Bash", {"command": answer.command, "description": "a step"}) if isinstance(answer, Bash) else (
        "Write", {"file_path": answer.path, "content": answer.content})
    return {"type": "tool_use", "id": f"toolu_{number:08d}", "name": tool, "input": given}


def _message(request: dict[str, Any], answer: Say | Bash | Write, number: int) -> dict[str, Any]:
    return {"id": f"msg_{number:08d}", "type": "message", "role": "assistant", "model": request.get("model", "scripted"),
            "content": [_block(answer, number)], "stop_sequence": None,
            "stop_reason": "end_turn" if isinstance(answer, Say) else "tool_use",
            "usage": {"input_tokens": answer.tokens[0], "output_tokens": answer.tokens[1],
                      "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}}


def _stream(message: dict[str, Any]) -> bytes:
    [block] = message["content"]
    if block["type"] == "text":
        empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    usage = message["usage"]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"}]
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
