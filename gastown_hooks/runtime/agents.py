"""Agent programs: how each is started for one turn without a terminal, and how its session is taken up again.

A town's own programs are in its settings: `agents.NAME = {"command": "program args", "like": "claude"}`. The command is split as a shell
would split it, but no shell runs it. The prompt is its last argument; with `like`, that preset's arguments for a turn without a
terminal come before the prompt; `env` adds to its environment. `exec` is the embedded agent: it gets no prompt.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from gastown_hooks.core import clock, ids
from gastown_hooks.core.errors import BadConfig, NotFound
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.core.values import dataclass, field, replace
from gastown_hooks.rules import reports
from gastown_hooks.rules.turns import Record
from gastown_hooks.runtime import claude
from gastown_hooks.stores import config
from gastown_hooks.stores.config import Settings
from gastown_hooks.work import costs
from gastown_hooks.work.lease import Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    import shlex
else:
    shlex = late("shlex")


@dataclass(frozen=True, slots=True)
class Preset:
    """`turn` comes before the prompt of a turn without a terminal, `resume` (with `{session}`) takes an earlier session up.

    `resume_first`: the resume words are a subcommand, so they follow the program's name at once. `terminal` is for a session with a person,
    `told` the type and the key of the line with which a turn tells its session.
    """

    command: tuple[str, ...]
    turn: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    resume_first: bool = False
    env: dict[str, str] = field(default_factory=dict)
    prompted: bool = True
    terminal: tuple[str, ...] = ()
    told: tuple[str, str] = ("", "")
    dialect: str = ""  # whose settings file, session events and reports it has


EXEC, CLAUDE = "exec", "claude"
PRESETS: dict[str, Preset] = {
    "claude": Preset(("claude",), (), ("--resume", "{session}"), env=claude.ENVIRONMENT, dialect=CLAUDE),
    "gemini": Preset(("gemini", "--approval-mode", "yolo"), ("--output-format", "json", "-p"), ("--resume", "{session}")),
    "codex": Preset(("codex",), ("exec", "--json", "--dangerously-bypass-approvals-and-sandbox"), ("resume", "{session}"),
                    terminal=("--no-daemon",), told=("thread.started", "thread_id")),
    "cursor": Preset(("cursor-agent", "-f"), ("-p", "--output-format", "json"), ("--resume", "{session}")),
    "auggie": Preset(("auggie", "--allow-indexing"), ("--print",), ("--resume", "{session}")),
    "amp": Preset(("amp", "--dangerously-allow-all", "--no-ide"), ("-x",), ("threads", "continue", "{session}"), resume_first=True),
    "opencode": Preset(("opencode",), ("run", "--format", "json"), ("--session", "{session}"),
                       env={"OPENCODE_PERMISSION": '{"*":"allow"}'}),
    EXEC: Preset((sys.executable, "-I", "-m", "gastown_hooks.runtime.exec_agent"), prompted=False),
}


def turn(rig: Rig, home: Home, lease: Lease, prompt: str) -> tuple[list[str], dict[str, str]]:
    """(argv, further environment) for the worker's next turn, its session taken up again where there is one. Raises NotFound, BadConfig."""
    settings = config.town_settings(rig.town)
    preset = _preset(settings, lease.agent)
    if preset.dialect != CLAUDE:
        return command(settings, lease.agent, prompt)
    words = claude.words(rig, home, lease, preset.command, preset.env, costs.left(rig, lease.bead))
    argv, env = command(settings, lease.agent, prompt, session=claude.resumable(home), options=words)
    return argv, {**env, claude.UNDER_RUNNER: "1"}


def judged(rig: Rig, home: Home, lease: Lease, record: Record, now: int, *, dry_run: bool = False) -> Record:
    """The record of turns with the last turn's end as the agent program itself reported it; what the turn cost is recorded."""
    if not speaks(config.town_settings(rig.town), lease.agent):
        return record
    if not dry_run:
        claude.settle(rig, home, lease, now)
    if not record.begun or not record.ended:
        return record
    report = claude.report(home.transcript, record.offset)
    if report is None:
        return record
    if not dry_run:
        costs.add(rig, lease, report, now)
    return reports.judged(record, report, now // clock.SECOND) if report.cost is not None else record


def speaks(settings: Settings, agent_name: str) -> bool:
    """Whether the agent program is told its work at session events, and reports what a turn cost."""
    return agent_name in known(settings) and _preset(settings, agent_name).dialect == CLAUDE


def denying(rig: Rig, lease: Lease) -> str:
    """The permission mode by which the agent program would be denied nearly everything; "" where there is none."""
    preset = _preset(config.town_settings(rig.town), lease.agent)
    return claude.denying(rig, preset.command) if preset.dialect == CLAUDE else ""


def command(settings: Settings, agent_name: str, prompt: str, *, session: str = "",
            options: Sequence[str] = ()) -> tuple[list[str], dict[str, str]]:
    """(argv, further environment) for one turn of that agent program. Raises NotFound, BadConfig.

    The prompt is one argument, and never read as an option: it must not begin with a hyphen.
    """
    preset = _preset(settings, agent_name)
    argv = _with_session(preset, [*preset.command, *preset.turn, *options], session)
    if preset.prompted:
        argv.append(prompt if not prompt.startswith("-") else f" {prompt}")
    return argv, dict(preset.env)


def by_hand(rig: Rig, home: Home, lease: Lease | None) -> str | None:
    """The shell line with which a person starts the worker's agent program in a terminal; None for `exec`, which has none."""
    if lease is None or lease.agent not in known(config.town_settings(rig.town)):
        return None
    argv, _ = interactive(rig, home, lease)
    return f"cd {shlex.quote(home.tree)} && {shlex.join(argv)}" if argv else None


def interactive(rig: Rig, home: Home, lease: Lease) -> tuple[list[str], dict[str, str]]:
    """(argv, further environment) with which a person goes on with the worker's session, or begins one, in a terminal; no argv for an agent
    program that has no terminal. Raises NotFound, BadConfig."""
    preset = _preset(config.town_settings(rig.town), lease.agent)
    if not preset.prompted:
        return [], {}
    if preset.dialect == CLAUDE:
        return [*preset.command, *claude.by_hand(rig, home, lease, preset.env)], dict(preset.env)
    return _with_session(preset, [*preset.command, *preset.terminal], session(rig, home, lease)), dict(preset.env)


def session(rig: Rig, home: Home, lease: Lease) -> str:
    """The agent program's session that a person could take up; "" where there is none, or none is told."""
    preset = _preset(config.town_settings(rig.town), lease.agent)
    if preset.dialect == CLAUDE:
        return claude.resumable(home)
    kind, key = preset.told
    told = [str(line.get(key) or "") for line in claude.lines(home.transcript, 0) if line.get("type") == kind]
    return told[-1] if told else ""


def check(settings: Settings, agent_name: str) -> None:
    """Raises NotFound or BadConfig for an agent program that could not be started."""
    _preset(settings, agent_name)


def known(settings: Settings) -> list[str]:
    """The names of all agent programs, the presets first."""
    return [*PRESETS, *sorted(name for name in settings.agents if name not in PRESETS)]


def _with_session(preset: Preset, argv: list[str], session: str) -> list[str]:
    resume = [word.replace("{session}", session) for word in preset.resume] if session else []
    return [argv[0], *resume, *argv[1:]] if preset.resume_first else [*argv, *resume]


def _preset(settings: Settings, agent_name: str) -> Preset:
    own: Any = settings.agents.get(agent_name)
    if own is None:
        if agent_name not in PRESETS:
            raise NotFound(f"no agent program {ids.shown(agent_name)}", why=f"known: {', '.join(known(settings))}",
                           next=f"gt config agent set {ids.shown(agent_name)} COMMAND")
        return PRESETS[agent_name]
    env: Any = own.get("env") or {} if isinstance(own, dict) else {}
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise _bad(settings, agent_name, "env is a table of texts")
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
    return replace(base, command=words, env={**base.env, **env})


def _bad(settings: Settings, agent_name: str, why: str) -> BadConfig:
    return BadConfig(f"{settings.path}: agents.{agent_name}", why=why, next=f"gt config agent set {agent_name} COMMAND")
