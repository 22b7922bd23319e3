"""Session events as the agent program starts them: the command of the settings file, JSON on standard input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import builders
import pytest
from workers import WorkerTown

from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.paths import Home
from gastown_hooks.runtime import claude
from gastown_hooks.stores import beats, mail, processes
from gastown_hooks.work import lease as leases


class Slot:
    """A worker's slot; `event` runs one event, under the runner or by hand."""

    def __init__(self, tmp_path: Path) -> None:
        self.town = WorkerTown(tmp_path)
        self.town.bead(title="paint it")
        self.home: Home = self.town.sling()
        lease = leases.read(self.home)
        assert lease is not None
        self.lease = lease
        self.settings = json.loads(fsio.read(claude.write_settings(self.town.rig, self.home, lease, {})) or b"")

    def event(self, name: str, *, by_hand: bool = False, cwd: str | None = None) -> builders.Finished:
        [entry] = self.settings["hooks"][name]
        env = {**self.settings["env"], **({} if by_hand else {claude.UNDER_RUNNER: "1"})}
        payload = {"session_id": "s1", "transcript_path": "/none/s1.jsonl", "hook_event_name": name}
        words = ["sh", "-c", entry["hooks"][0]["command"] + "; exit $?"]
        return builders.run(words, cwd=cwd or self.home.tree, env=env, input=json.dumps(payload))

    def reason(self, **how: bool) -> str:
        done = self.event("Stop", **how)
        assert done.code == 0, done.err
        answer = json.loads(done.out) if done.out else {"decision": "", "reason": ""}
        assert answer["decision"] in ("", "block")
        return str(answer["reason"])


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(tmp_path)


def test_the_start_notes_the_session_and_tells_the_work(slot: Slot) -> None:
    done = slot.event("SessionStart", cwd="/")  # an agent's working directory says nothing about it
    assert done.code == 0 and "On your hook: gp-aaaaa" in done.out and "paint it" in done.out and len(done.out) <= 4097
    assert json.loads(fsio.read(slot.home.session) or b"")["session"] == "s1"
    assert beats.read(slot.home.heartbeat) is None  # the runner beats


def test_a_stop_is_refused_a_few_times_for_each_prompt(slot: Slot) -> None:
    slot.event("SessionStart")
    assert ["gp-aaaaa is still on your hook" in slot.reason() for _ in range(5)] == [True, True, True, False, False]
    assert slot.event("UserPromptSubmit").out == ""
    assert slot.reason()


def test_the_reason_names_what_is_missing(slot: Slot) -> None:
    assert "Nothing is committed yet" in slot.reason()
    Path(slot.home.tree, "x.txt").write_text("x\n")
    assert "not committed: git add -A" in slot.reason()
    builders.git(slot.home.tree, "add", "-A")
    builders.git(slot.home.tree, "commit", "-qm", "x")
    assert "not submitted" in slot.reason()


def test_who_is_done_or_has_lost_the_claim_may_stop(slot: Slot) -> None:
    slot.town.change("gp-aaaaa", assignee="gp/polecats/other")
    assert slot.reason() == "" and "claim on gp-aaaaa is over" in slot.event("UserPromptSubmit").out
    leases.advance(slot.home, slot.lease, leases.DONE)
    assert slot.reason() == ""
    fsio.remove(slot.home.lease)
    assert slot.reason() == "" and slot.event("SessionStart").out == ""


def test_unread_mail_is_told_with_the_prompt(slot: Slot) -> None:
    mail.deliver(slot.home.mail, "overseer", "gp/toast", "hi", "there", now=clock.now())
    assert "Mail: 1 unread" in slot.event("UserPromptSubmit").out


def test_a_failure_of_ours_never_blocks(slot: Slot) -> None:
    fsio.write(slot.home.lease, b"{}")
    for name in slot.settings["hooks"]:
        assert slot.event(name).code == 1


def test_a_session_by_hand_holds_the_tree(slot: Slot) -> None:
    assert slot.event("SessionStart", by_hand=True).code == 0
    beat = beats.read(slot.home.heartbeat)
    assert beat is not None and beat.pid == os.getpid() and beat.state == "by hand"  # not the shell that carries the command
    refused = slot.town.work()
    assert refused.code == 5 and "is at work" in refused.err
    assert ["on your hook" in slot.reason(by_hand=True) for _ in range(2)] == [True, False]  # a person is there


def test_no_session_by_hand_beside_another_agent(slot: Slot) -> None:
    with lock.acquire(slot.home.runner_lock):
        assert "a runner works in this tree" in slot.event("SessionStart", by_hand=True).out
        answer = json.loads(slot.event("UserPromptSubmit", by_hand=True).out)
        assert answer["decision"] == "block" and "gt session stop gp/toast" in answer["reason"]
    first = processes.find(1)
    assert first is not None
    beats.write(slot.home.heartbeat, beats.Beat(actor="x", session="", pid=1, start=first.start, boot_id=first.boot_id, seq=1, progress="",
                                                state="by hand", bead=""))
    assert "process 1 works in this tree" in slot.event("UserPromptSubmit", by_hand=True).out
    assert fsio.read_json(slot.home.session) is None
