"""Agent programs: how each is started for one turn without a terminal, and how its session is taken up again.

A town's own programs are in its settings: `agents.NAME = {"command": "program args", "like": "claude"}`. The command is split as a shell
would split it, but no shell runs it. The prompt is its last argument; with `like`, that preset's arguments for a turn without a
terminal come before the prompt. `exec` is the embedded agent: it gets no prompt.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from typing import Any

from gastown_hooks.core import ids
from gastown_hooks.core.errors import BadConfig, NotFound
from gastown_hooks.stores.config import Settings


@dataclass(frozen=True, slots=True)
class Preset:
    """`turn` comes before the prompt of a turn without a terminal, `resume` (with `{session}`) takes an earlier session up.

    `resume_first`: the resume words are a subcommand, so they follow the program's name at once.
    """

    command: tuple[str, ...]
    turn: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    resume_first: bool = False
    session_variable: str = ""
    env: dict[str, str] = field(default_factory=dict)
    prompted: bool = True


EXEC = "exec"
PRESETS: dict[str, Preset] = {
    "claude": Preset(("claude", "--dangerously-skip-permissions"), ("-p", "--output-format", "json"), ("--resume", "{session}"),
                     session_variable="CLAUDE_SESSION_ID", env={"CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1"}),
    "gemini": Preset(("gemini", "--approval-mode", "yolo"), ("--output-format", "json", "-p"), ("--resume", "{session}"),
                     session_variable="GEMINI_SESSION_ID"),
    "codex": Preset(("codex",), ("exec", "--json", "--dangerously-bypass-approvals-and-sandbox"), ("resume", "{session}")),
    "cursor": Preset(("cursor-agent", "-f"), ("-p", "--output-format", "json"), ("--resume", "{session}")),
    "auggie": Preset(("auggie", "--allow-indexing"), ("--print",), ("--resume", "{session}")),
    "amp": Preset(("amp", "--dangerously-allow-all", "--no-ide"), ("-x",), ("threads", "continue", "{session}"), resume_first=True),
    "opencode": Preset(("opencode",), ("run", "--format", "json"), ("--session", "{session}"),
                       env={"OPENCODE_PERMISSION": '{"*":"allow"}'}),
    EXEC: Preset((sys.executable, "-I", "-m", "gastown_hooks.runtime.exec_agent"), prompted=False),
}


def command(settings: Settings, agent_name: str, prompt: str, *, session: str = "") -> tuple[list[str], dict[str, str]]:
    """(argv, further environment) for one turn of that agent program. Raises NotFound, BadConfig.

    The prompt is one argument, and never read as an option: it must not begin with a hyphen.
    """
    preset = _preset(settings, agent_name)
    resume = [word.replace("{session}", session) for word in preset.resume] if session else []
    argv = [preset.command[0], *resume, *preset.command[1:]] if preset.resume_first else [*preset.command]
    argv += preset.turn
    if not preset.resume_first:
        argv += resume
    if preset.prompted:
        argv.append(prompt if not prompt.startswith("-") else f" {prompt}")
    return argv, dict(preset.env)


def by_hand(settings: Settings, agent_name: str) -> list[str] | None:
    """The command with which a person starts the agent program in a terminal; None for `exec`, which has none."""
    preset = _preset(settings, agent_name)
    return list(preset.command) if preset.prompted else None


def check(settings: Settings, agent_name: str) -> None:
    """Raises NotFound or BadConfig for an agent program that could not be started."""
    _preset(settings, agent_name)


def known(settings: Settings) -> list[str]:
    """The names of all agent programs, the presets first."""
    return [*PRESETS, *sorted(name for name in settings.agents if name not in PRESETS)]


def _preset(settings: Settings, agent_name: str) -> Preset:
    own: Any = settings.agents.get(agent_name)
    if own is None:
        if agent_name not in PRESETS:
            raise NotFound(f"no agent program {ids.shown(agent_name)}", why=f"known: {', '.join(known(settings))}",
                           next=f"gt config agent set {ids.shown(agent_name)} COMMAND")
        return PRESETS[agent_name]
    text, like = (own, "") if isinstance(own, str) else (own.get("command"), own.get("like") or "") if isinstance(own, dict) else ("", "")
    try:
        words = tuple(shlex.split(text)) if isinstance(text, str) else ()
    except ValueError as error:
        raise _bad(settings, agent_name, str(error)) from None
    if not words:
        raise _bad(settings, agent_name, "a command is expected")
    if like and like not in PRESETS:
        raise _bad(settings, agent_name, f"like {ids.shown(str(like))}; known: {', '.join(PRESETS)}")
    base = PRESETS[like] if like else Preset(())
    return Preset(words, base.turn, base.resume, base.resume_first, base.session_variable, base.env, base.prompted)


def _bad(settings: Settings, agent_name: str, why: str) -> BadConfig:
    return BadConfig(f"{settings.path}: agents.{agent_name}", why=why, next=f"gt config agent set {agent_name} COMMAND")
