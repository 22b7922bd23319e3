"""What is Claude Code's own: the words of a turn, its settings file, and how to read what it prints.

The settings file lies in the worker's home, outside its tree, and is named with `--settings`: session events, the worker's identity for
the commands that the agent runs, no shared memory. A turn prints one JSON object a line (`--output-format stream-json`); the last one of
type `result` is its report. A file that is no JSON would be ignored in silence, so it is written as a whole each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadConfig
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.rules.reports import Report
from gastown_hooks.stores import callers, config, event_hooks, git
from gastown_hooks.work import costs, sling
from gastown_hooks.work.lease import Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")

TURN = ("-p", "--output-format", "stream-json", "--verbose")
ENVIRONMENT = {"CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1"}
UNDER_RUNNER = "GT_RUNNER"  # in the environment of a turn, not of a session by hand
MODES = ("bypassPermissions", "acceptEdits", "dontAsk", "auto", "default")
_DENYING = ("default", "dontAsk")  # nobody is there to be asked: no edit and no command but what the settings allow in so many words
_MODE_WORDS = ("--permission-mode", "--dangerously-skip-permissions")
_ALLOWED = ("gt:*", "bd:*", "git add:*", "git commit:*", "git status:*", "git diff:*", "git log:*")
_TOKENS = {"input": "inputTokens", "output": "outputTokens", "cache_read": "cacheReadInputTokens",
           "cache_write": "cacheCreationInputTokens"}
_USAGE = {"input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_input_tokens",
          "cache_write": "cache_creation_input_tokens"}


def words(rig: Rig, home: Home, lease: Lease, command: tuple[str, ...], environment: dict[str, str], left: float | None) -> list[str]:
    """The options of one turn; the settings file is written. `left` is what the turn may cost. Raises BadConfig for a permission mode
    that Claude Code would refuse, or that would deny everything."""
    found = [*TURN, "--settings", write_settings(rig, home, lease, environment)]
    if not _has_mode(command):
        found += ["--permission-mode", _mode(rig, environment)]
    if left is not None:
        found += ["--max-budget-usd", f"{left:.4f}"]
    return found


def denying(rig: Rig, command: tuple[str, ...]) -> str:
    """The rig's permission mode where a worker is denied nearly everything by it; "" for another."""
    mode = str(config.rig_settings(rig).permission_mode)
    return mode if mode in _DENYING and not _has_mode(command) else ""


def by_hand(rig: Rig, home: Home, lease: Lease, environment: dict[str, str]) -> list[str]:
    """The options with which a person starts it in a terminal; the settings file is written, also where it is found without the option."""
    session, path = resumable(home), write_settings(rig, home, lease, environment)
    folder = os.path.dirname(home.local_settings)
    ours = not os.path.lexists(folder) or (os.path.isdir(folder) and not os.path.islink(folder))
    if os.path.isdir(home.tree) and ours and not git.run(home.tree, "ls-files", "--", home.local_settings).out:  # nothing of the project's
        fsio.make_folder(folder)
        fsio.write_json(home.local_settings, fsio.read_json(path))
    return ["--settings", path, *(["--resume", session] if session else [])]


def write_settings(rig: Rig, home: Home, lease: Lease, environment: dict[str, str]) -> str:
    """The path of the settings file, brought up to date."""
    value = {
        "hooks": event_hooks.hooks(home, event_hooks.WORKER),
        "statusLine": {"type": "command", "command": event_hooks.command(home, "status")},
        "env": {**sling.worker_environment(rig, lease), **ENVIRONMENT, **environment},
        "autoMemoryEnabled": False,
        "permissions": {"allow": [f"Bash({words})" for words in _ALLOWED]},
    }
    if fsio.read_json(home.settings) != value:
        fsio.write_json(home.settings, value)
    return home.settings


def resumable(home: Home) -> str:
    """The session to go on with: the last one that began here, while its conversation is on disk; "" for none."""
    found = fsio.read_json(home.session)
    if not isinstance(found, dict) or not isinstance(found.get("session"), str) or not isinstance(found.get("transcript"), str):
        return ""
    return found["session"] if os.path.isfile(found["transcript"]) else ""


def report(transcript: str, offset: int) -> Report | None:
    """What the turn whose output begins at `offset` reported; None where it printed nothing of the kind."""
    limit: dict[str, Any] = {}
    answers: dict[str, dict[str, Any]] = {}
    session = model = ""
    for line in lines(transcript, offset):
        session = line.get("session_id") or session
        if line.get("type") == "result":
            return _result(line, limit)
        if line.get("type") == "rate_limit_event" and isinstance(line.get("rate_limit_info"), dict):
            limit = line["rate_limit_info"]
        if line.get("type") == "assistant" and isinstance(line.get("message"), dict):
            answers[str(line["message"].get("id"))] = line["message"].get("usage") or {}
            model = str(line["message"].get("model") or model)
    if not answers:
        return None
    return Report(f"{session}:{list(answers)[-1]}", session, tokens=_tokens(answers), model=model)


def begin_account(home: Home, payload: dict[str, Any], *, by_hand: bool) -> None:
    """A session begins: what it used so far is not its own to account for. The program tells a resumed session's old costs again."""
    transcript, source = str(payload.get("transcript_path") or ""), payload.get("source")
    told = {"session": payload.get("session_id"), "transcript": transcript, "blocks": 0, "by_hand": by_hand}
    if source != "compact":
        told["offset"] = os.path.getsize(transcript) if os.path.isfile(transcript) else 0
    if source == "startup":
        told["paid"] = 0.0
    elif source not in ("clear", "compact"):
        fsio.remove(home.spending)
        told["paid"] = None  # what the status line tells first
    fsio.write_json(home.session, {**(fsio.read_json(home.session) or {}), **told}, durable=False)


def settle(rig: Rig, home: Home, lease: Lease, now: int, *, last: bool = True) -> None:
    """Account for what a session by hand used since it was last asked. With `last` also where the program has not told its cost yet."""
    noted, spending = fsio.read_json(home.session), fsio.read_json(home.spending)
    if not isinstance(noted, dict) or not noted.get("by_hand"):
        return
    offset, paid = _whole(noted.get("offset")), noted.get("paid")
    tokens, model, end = _used(str(noted.get("transcript")), offset)
    told = spending if isinstance(spending, dict) and spending.get("session") == noted.get("session") else {}
    total, paid = told.get("total"), told.get("first") if paid is None else paid
    cost = None if total is None else round(total - paid if paid is not None and paid <= total else total, 6)
    if not cost and not (last and any(tokens.values())):
        return
    report = Report(f"{noted.get('session')}:{offset}:{paid}", str(noted.get("session")), cost=cost, tokens=tokens, model=model)
    costs.add(rig, lease, report, now)
    fsio.write_json(home.session, {**noted, "offset": end, "paid": total}, durable=False)


def _used(transcript: str, offset: int) -> tuple[dict[str, int], str, int]:
    """The tokens and the last model of the answers in the program's own transcript from there on, and where its whole lines end."""
    try:
        with open(transcript, "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        data = b""
    answers: dict[str, dict[str, Any]] = {}
    model = ""
    for line in _objects(text for text in fsio.whole_lines(data) if b'"type":"assistant"' in text):
        if isinstance(message := line.get("message"), dict):
            answers[str(message.get("id"))] = message.get("usage") or {}
            model = str(message.get("model") or model)
    return _tokens(answers), model, offset + data.rfind(b"\n") + 1


def _tokens(answers: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {name: sum(_whole(usage.get(key)) for usage in answers.values()) for name, key in _USAGE.items()}


def readable(line: str) -> list[str]:
    """A line of the transcript as a person reads it: what the agent said and did. Lines of other programs stay as they are."""
    if not line.startswith('{"type":"'):
        return [line]
    try:
        value = json.loads(line)
    except ValueError:
        return []
    if value.get("type") == "result":
        return [f"[turn ended: {_result(value, {}).text or value.get('subtype')}]"]
    if value.get("type") not in ("assistant", "user") or not isinstance(value.get("message"), dict):
        return []
    content = value["message"].get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return [text for block in blocks for text in _shown(block)]


def _shown(block: dict[str, Any]) -> list[str]:
    given = block.get("input") or {}
    if block.get("type") == "text":
        return str(block.get("text")).splitlines()
    if block.get("type") == "tool_use":
        what = given.get("command") or given.get("file_path") or json.dumps(given)
        return [f"$ {line}" if block.get("name") == "Bash" else f"[{block.get('name')}] {line}" for line in str(what).splitlines()]
    result = block.get("content") if block.get("type") == "tool_result" else None
    return [f"  {line}" for line in result.splitlines()] if isinstance(result, str) else []


def _result(line: dict[str, Any], limit: dict[str, Any]) -> Report:
    errors = [str(error) for error in line.get("errors") or ()]
    text = " ".join("; ".join([*errors, str(line.get("result") or "")]).split())[:200]
    failed, status = bool(line.get("is_error")), line.get("api_error_status")
    if failed and status is None and line.get("subtype") == "success":
        status = 0  # the server was not reached
    models = {name: usage for name, usage in (line.get("modelUsage") or {}).items() if isinstance(usage, dict)}
    cost = line.get("total_cost_usd")
    return Report(
        str(line.get("uuid")), str(line.get("session_id") or ""), text, failed, status if isinstance(status, int) else None,
        resets_at=_whole(limit.get("resetsAt")) if limit.get("status") == "rejected" else 0,
        over_budget=line.get("subtype") == "error_max_budget_usd",
        lost_session=any(error.startswith("No conversation found") for error in errors),
        refused=tuple(sorted({str(denied.get("tool_name")) for denied in line.get("permission_denials") or ()})),
        cost=float(cost) if isinstance(cost, (int, float)) else None,
        tokens={name: sum(_whole(usage.get(key)) for usage in models.values()) for name, key in _TOKENS.items()},
        model=max(models, key=lambda name: _whole(models[name].get(_TOKENS["output"])), default=""))


def lines(path: str, offset: int) -> list[dict[str, Any]]:
    """The JSON objects among the file's lines; the program's errors are in it as plain text."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return _objects(line for line in file if line.startswith(b'{"type":"'))
    except FileNotFoundError:
        return []


def _objects(texts: Iterable[bytes]) -> list[dict[str, Any]]:
    found = []
    for text in texts:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue  # cut by the program's death
    return [value for value in found if isinstance(value, dict)]


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _mode(rig: Rig, environment: dict[str, str]) -> str:
    mode = str(config.rig_settings(rig).permission_mode)
    key = f"{rig.name}.permission_mode"
    if mode not in MODES:
        raise BadConfig(key, why=f"{mode} denies a worker everything, or is unknown; known: {', '.join(MODES)}",
                        next=f"gt config set {key} {MODES[0]}")
    sandbox = environment.get("IS_SANDBOX") or callers.variable("IS_SANDBOX")
    if mode == MODES[0] and os.geteuid() == 0 and sandbox != "1":
        raise BadConfig(key, why=f"Claude Code refuses {mode} to root outside of a sandbox",
                        next=f"export IS_SANDBOX=1 where that is so, or: gt config set {key} acceptEdits")
    return mode


def _has_mode(command: tuple[str, ...]) -> bool:
    return any(word.split("=")[0] in _MODE_WORDS for word in command)
