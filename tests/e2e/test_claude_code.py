"""Claude Code in a town: the real program, led by a model that knows only what it reads in its context."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import builders
import pytest
from peers import claude
from peers.model_server import Answer, Bash, Conversation, Fault, ModelServer, Say, Write
from terminal import Terminal
from workers import WorkerTown, until

from gastown_hooks.core import fsio
from gastown_hooks.core.paths import Home
from gastown_hooks.stores import config, processes
from gastown_hooks.work import costs
from gastown_hooks.work import lease as leases

TASK = "Write the word moss into the file garden.txt"


def following(conversation: Conversation, *, by_tool: bool = False) -> Answer:
    """A model: what to do, how to commit and how to end, it finds in what it was told."""
    task = re.search(r"Write the word (\w+) into the file ([\w.]+)", conversation.context)
    commit = re.search(r"commit \(`([^`]+)`\)", conversation.context)
    end = re.search(r"then: (gt \w+)", conversation.context)
    if not (task and commit and end):
        return Say("I was told nothing to do.")
    steps: list[Bash | Write] = [Bash(f"printf '{task[1]}\\n' > {task[2]}"), Bash(f"{commit[1]} -m 'Plant {task[1]}'"), Bash(end[1])]
    if by_tool:
        where = re.search(r"orking directory: (\S+)", conversation.context)
        assert where
        steps[0] = Write(f"{where[1]}/{task[2]}", f"{task[1]}\n")
    done = [*conversation.commands, *conversation.written]
    left = [step for step in steps if (step.command if isinstance(step, Bash) else step.path) not in done]
    return left[0] if left else Say("All is done.")


class ClaudeTown(WorkerTown):
    """A town whose workers are the real program against `server`; the real refinery."""

    def __init__(self, tmp_path: Path, server: ModelServer, **environment: str) -> None:
        super().__init__(tmp_path)
        self.server = server
        os.unlink(self.rig.refinery.role_file("refinery"))
        env = {**claude.environment(server.url("/toast")), **environment}
        config.set(self.town, None, "agents.claude", {"command": claude.program(), "like": "claude", "env": env})
        config.set(self.town, self.rig, "agent", "claude")
        server.scripts["/toast"] = following

    def landed(self) -> None:
        """The bead's work is on the target, and nothing but it."""
        assert not self.server.failures
        bead = self.get()
        assert bead["status"] == "closed", self.words()
        repo = f"--git-dir={self.rig.repo}"
        changed = builders.git(self.rig.repo, repo, "diff", "--name-only", "main~1", "main")
        assert changed == "garden.txt" and builders.git(self.rig.repo, repo, "show", "main:garden.txt") == "moss"
        assert self.alive() == []

    def words(self) -> str:
        log = self.rig.polecat("toast").transcript
        return Path(log).read_text()[-3000:] if os.path.exists(log) else str(self.get())


def named(home: Home, program: str) -> list[processes.Process]:
    """The worker's processes that run this program."""
    lease = leases.read(home)
    assert lease is not None
    return [process for process in processes.with_token(lease.token) if os.path.basename(_program(process.pid)) == program]


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""  # gone


@pytest.fixture
def server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def town(tmp_path: Path, server: ModelServer) -> ClaudeTown:
    return ClaudeTown(tmp_path, server)


def test_a_model_that_knows_only_its_context_lands_a_bead(town: ClaudeTown) -> None:
    town.bead(title=TASK)
    home = town.sling()
    done = town.work()
    assert done.code == 0, done.err
    town.landed()
    assert not os.path.exists(home.root)
    conversations = town.server.conversations("/toast")
    assert len({conversation.session for conversation in conversations}) == 1 and "gp-aaaaa" in conversations[0].context
    [usage] = town.events("usage")
    assert usage["payload"]["bead"] == "gp-aaaaa" and usage["payload"]["tokens"]["input"] == 1000 * len(conversations)
    assert costs.spent(town.rig, "gp-aaaaa") == usage["payload"]["cost"] > 0
    assert not list((town.path / "home/.claude/projects").glob("*/memory/*"))


def test_who_stops_early_and_asks_is_told_to_go_on(town: ClaudeTown) -> None:
    def script(conversation: Conversation) -> Answer:
        if not conversation.commands and "Stop hook feedback" not in conversation.last:
            return Say("I would write moss into garden.txt. Shall I go on?")
        return following(conversation)

    town.server.scripts["/toast"] = script
    town.bead(title=TASK)
    town.sling()
    assert town.work().code == 0
    town.landed()
    assert "without asking" in town.server.conversations("/toast")[1].last
    assert len(town.events("usage")) == 1  # within one turn


def test_who_never_commits_is_finalised_by_the_runner(town: ClaudeTown) -> None:
    def script(conversation: Conversation) -> Answer:
        return Say("That should be it.") if conversation.commands else following(conversation)

    town.server.scripts["/toast"] = script
    config.set(town.town, town.rig, "max_turns", 2)
    town.bead(title=TASK)
    town.sling()
    assert town.work().code == 0
    town.landed()
    stops = [conversation for conversation in town.server.conversations("/toast") if "still on your hook" in conversation.last]
    assert len(stops) == 6  # three refusals of the stop in each of two turns
    assert len({conversation.session for conversation in stops}) == 1  # the same session, taken up again


def test_killed_in_the_middle_it_goes_on_and_leaves_no_stray(town: ClaudeTown) -> None:
    def script(conversation: Conversation) -> Answer:
        if not killed:
            return Bash("setsid sleep 600") if conversation.commands else following(conversation)
        return following(conversation)

    killed: list[int] = []
    town.server.scripts["/toast"] = script
    town.bead(title=TASK)
    home = town.sling()
    runner = town.begin()
    until(lambda: named(home, "sleep"))
    killed += [process.pid for process in named(home, "claude")]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)  # what its tool runs survives it
    assert runner.wait(60) == 0 and killed
    town.landed()
    conversations = town.server.conversations("/toast")
    assert len({conversation.session for conversation in conversations}) == 1
    assert sum("printf" in command for command in conversations[-1].commands) == 1  # nothing is done twice
    assert any(entry["cost"] is None for entry in costs.read(town.rig))  # the killed turn told its tokens only


def test_a_limit_is_waited_for_without_a_person(tmp_path: Path, server: ModelServer) -> None:
    def script(conversation: Conversation) -> Answer:
        if conversation.commands and not resets:
            resets.append(int(time.time()) + 6)
            return Fault(429, headers={"retry-after": "3600", "anthropic-ratelimit-unified-status": "rejected",
                                       "anthropic-ratelimit-unified-reset": str(resets[0])})
        seen.append(time.time())
        return following(conversation)

    resets: list[int] = []
    seen: list[float] = []
    town = ClaudeTown(tmp_path, server, ANTHROPIC_API_KEY="", CLAUDE_CODE_OAUTH_TOKEN="opens-nothing")  # a subscription is told its reset
    server.scripts["/toast"] = script
    town.bead(title=TASK)
    home = town.sling()
    runner = town.begin()
    until(lambda: town.turns(home).get("limited") == 1)
    record = town.turns(home)
    assert record["begun"] == 1 and record["failures"] == 0 and record["until"] >= resets[0]
    assert runner.wait(60) == 0
    town.landed()
    assert len(seen) == len(server.conversations("/toast")) - 1
    assert seen[0] < resets[0] <= min(at for at in seen[1:])  # nobody was asked before


def test_a_mode_that_denies_everything_is_an_error_and_no_loop(town: ClaudeTown) -> None:
    config.set(town.town, town.rig, "permission_mode", "default")
    town.bead(title=TASK)
    home = town.sling()
    assert town.work().code == 0
    record = town.turns(home)
    assert record["begun"] == 1 and "permission mode denies what it needs: Bash" in record["stalled"]
    assert len(town.mails(town.town.overseer.mail)) == 1 and town.requests() == []


@pytest.mark.parametrize("mode", ["default", "dontAsk"])
def test_who_starts_it_in_such_a_mode_is_told(town: ClaudeTown, mode: str) -> None:
    config.set(town.town, town.rig, "permission_mode", mode)
    town.bead(title=TASK)
    town.sling()
    told = builders.run(builders.command("gt", "-C", town.town.root, "session", "start", "gp/toast"), env={"GT_WAKE": "spawn"})
    assert (told.code, told.out) == (5, "") and "gp/toast stalled at once: its permission mode denies what it needs: Bash. " in told.err
    assert told.err.endswith("Next: gt config set gp.permission_mode acceptEdits, then gt session start gp/toast\n")


def test_an_account_that_is_refused_is_told_once(town: ClaudeTown) -> None:
    town.server.scripts["/toast"] = lambda conversation: Fault(403, "permission_error")
    town.bead(title=TASK)
    home = town.sling()
    assert town.work().code == 0
    assert "refuses the account" in town.turns(home)["stalled"] and len(town.server.conversations("/toast")) == 1


def test_a_budget_is_a_hard_stop(town: ClaudeTown) -> None:
    config.set(town.town, town.rig, "budget_usd", 0.006)  # one answer costs 0.00525
    town.bead(title=TASK)
    home = town.sling()
    assert town.work().code == 0
    assert "budget is used up" in town.turns(home)["stalled"] and town.requests() == []
    assert len(town.server.conversations("/toast")) == 2 and costs.spent(town.rig, "gp-aaaaa") == pytest.approx(0.0105)
    again = town.role("polecat", "decide", "--name", "toast")
    assert '"act":"end"' in again.out and len(town.server.conversations("/toast")) == 2


def by_hand(town: ClaudeTown) -> tuple[str, dict[str, str]]:
    """The line that `gt sling` prints in a town that is not up, and the environment of the person who types it."""
    claude.accept_dialogs(town.path / "home")
    config.set(town.town, None, "agents.claude", None)
    programs = town.path / "programs"
    programs.mkdir()
    (programs / "claude").symlink_to(claude.program())
    (programs / "gt").write_text(f"#!/bin/sh\nexec {shlex.join(builders.command('gt'))} \"$@\"\n")
    (programs / "gt").chmod(0o755)
    town.bead(title=TASK)
    done = builders.run(builders.command("gt", "-C", town.town.root, "sling", "gp-aaaaa", "gp"))
    assert done.code == 0, done.err
    home = town.rig.polecat("toast")
    line = f"cd {home.tree} && claude --settings {home.settings}"
    assert f"    {line}    #" in done.out and town.alive() == []
    return line, {**claude.environment(town.server.url("/toast")), "PATH": f"{programs}:{os.environ['PATH']}", "GT_WAKE": "inline"}


def told_cost(home: Home) -> float:
    """What the program's status line told last; a moment after each answer."""
    return float((fsio.read_json(home.spending) or {}).get("total", 0))


def test_by_hand_the_printed_line_lands_the_bead(town: ClaudeTown) -> None:
    line, env = by_hand(town)
    town.server.scripts["/toast"] = lambda conversation: following(conversation, by_tool=True)
    home = town.rig.polecat("toast")
    terminal = Terminal(line, env)
    try:
        terminal.until(lambda: os.path.exists(home.session))
        refused = town.work()
        assert refused.code == 5 and "is at work" in refused.err  # its runner keeps out
        terminal.type("go")
        terminal.until(lambda: town.server.conversations("/toast"))
        terminal.until(lambda: "gt done" in town.server.conversations("/toast")[-1].commands, 60)
        terminal.until(lambda: town.get()["status"] == "closed")
        town.role("witness", "patrol")
        assert os.path.exists(home.tree)  # the person still sits there
        terminal.until(lambda: told_cost(home) == pytest.approx(0.00525 * len(town.server.conversations("/toast"))))
        terminal.type("/exit")
        terminal.until(lambda: terminal.process.poll() is not None)
    finally:
        terminal.close()
    town.role("witness", "patrol")
    assert not os.path.exists(home.root)
    town.landed()
    assert costs.spent(town.rig, "gp-aaaaa") == pytest.approx(0.00525 * len(town.server.conversations("/toast")))


def test_a_budget_is_a_hard_stop_by_hand_too(town: ClaudeTown) -> None:
    line, env = by_hand(town)
    config.set(town.town, town.rig, "budget_usd", 0.001)
    town.server.scripts["/toast"] = lambda conversation: Say("Let me think.")
    terminal = Terminal(line.partition(" --settings")[0], env)  # its settings are found without the option, too
    try:
        terminal.until(lambda: os.path.exists(town.rig.polecat("toast").session))
        terminal.type("go")
        terminal.until(lambda: (fsio.read_json(town.rig.polecat("toast").spending) or {}).get("total", 0) > 0.01)
        assert len(town.server.conversations("/toast")) == 2  # it was told to go on, once
        terminal.type("again")
        terminal.until(lambda: b"used" in terminal.screen and b"budget_usd" in terminal.screen)
        assert len(town.server.conversations("/toast")) == 2
    finally:
        terminal.close()


def test_a_session_by_hand_is_taken_up_again(town: ClaudeTown) -> None:
    line, env = by_hand(town)
    town.server.scripts["/toast"] = lambda conversation: Say("Let me think.")
    home = town.rig.polecat("toast")
    terminal = Terminal(line, env)
    try:
        terminal.until(lambda: os.path.exists(home.session))
        terminal.type("go")
        terminal.until(lambda: len(town.server.conversations("/toast")) == 2)  # once it is told to go on; then the person decides
        terminal.until(lambda: os.path.exists(json.loads(fsio.read(home.session) or b"")["transcript"]))
    finally:
        terminal.close()
    session = json.loads(fsio.read(home.session) or b"")["session"]
    told = builders.run(builders.command("gt", "-C", town.town.root, "polecat", "status", "gp/toast"))
    assert f"{line} --resume {session}" in told.out


def test_a_person_takes_the_session_over_and_gives_it_back(town: ClaudeTown) -> None:
    def script(conversation: Conversation) -> Answer:
        return following(conversation, by_tool=True) if "finish it" in conversation.context else Bash("sleep 600")

    claude.accept_dialogs(town.path / "home")
    town.server.scripts["/toast"] = script
    town.bead(title=TASK)
    home = town.sling()
    runner = town.begin()
    until(lambda: named(home, "sleep"))
    terminal = Terminal(shlex.join(builders.command("gt", "-C", town.town.root, "attach", "gp/toast", "--now")),
                        claude.environment(town.server.url("/toast")))
    try:
        terminal.until(lambda: b"its session" in terminal.screen and named(home, "claude"))
        terminal.until(lambda: b"shift+tab" in terminal.screen)  # it takes keys
        assert not named(home, "sleep") and town.turns(home)["ended"] == "attached"
        terminal.type("finish it")
        terminal.until(lambda: town.get()["status"] == "closed", 60)
        assert os.path.exists(home.tree)
        terminal.type("/exit")
        assert runner.wait(60) == 0
    finally:
        terminal.close()
    town.landed()
    assert not os.path.exists(home.root)
    assert len({conversation.session for conversation in town.server.conversations("/toast")}) == 1
