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
from gastown_hooks.stores import beats, config, mail, processes
from gastown_hooks.work import costs
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

    def event(self, name: str, *, by_hand: bool = False, cwd: str | None = None, **more: object) -> builders.Finished:
        env = {**self.settings["env"], **({} if by_hand else {claude.UNDER_RUNNER: "1"})}
        command = self.settings["statusLine"]["command"] if name == "status" else self.settings["hooks"][name][0]["hooks"][0]["command"]
        payload = {"session_id": "s1", "transcript_path": str(self.town.path / "s1.jsonl"), "hook_event_name": name, **more}
        return builders.run(["sh", "-c", command + "; exit $?"], cwd=cwd or self.home.tree, env=env, input=json.dumps(payload))

    def used(self, cost: float, *answers: str) -> None:
        """The program answers, and tells in its status line what the session cost in all."""
        with open(self.town.path / "s1.jsonl", "a") as file:
            for one in answers:
                message = {"id": one, "usage": {"input_tokens": 100, "output_tokens": 5}}
                file.write(json.dumps({"parentUuid": None, "message": message, "type": "assistant"}, separators=(",", ":")) + "\n")
        shown = self.event("status", by_hand=True, cost={"total_cost_usd": cost})
        assert shown.out == f"gp-aaaaa ${cost:.2f}\n", shown.err

    def account(self) -> list[tuple[float | None, int]]:
        return [(entry["cost"], entry["tokens"]["input"]) for entry in costs.read(self.town.rig)]

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


def test_what_a_session_by_hand_used_is_accounted_for_once(slot: Slot) -> None:
    slot.used(0.0)
    slot.event("SessionStart", by_hand=True, source="startup")
    assert slot.event("UserPromptSubmit", by_hand=True).out == "" and slot.account() == []
    slot.used(0.25, "m1", "m1", "m2")
    slot.event("UserPromptSubmit", by_hand=True)
    assert slot.account() == [(0.25, 200)]
    slot.event("UserPromptSubmit", by_hand=True)
    slot.used(0.75, "m3")
    for _ in range(2):
        slot.event("SessionEnd", by_hand=True, reason="prompt_input_exit")
    assert slot.account() == [(0.25, 200), (0.5, 100)]
    slot.event("SessionStart", by_hand=True, source="resume")
    slot.used(0.75)  # the program tells the old costs of a resumed session again
    slot.used(1.0, "m4")
    slot.event("status", by_hand=True, session_id="s2", cost={"total_cost_usd": 99})  # somebody who was told to keep out
    slot.event("SessionEnd", by_hand=True, session_id="s2")
    slot.used(1.0)
    slot.event("SessionEnd", by_hand=True)
    assert slot.account()[2:] == [(0.25, 100)] and costs.spent(slot.town.rig, "gp-aaaaa") == 1.0


def test_a_killed_session_by_hand_is_accounted_for_by_the_next_one(slot: Slot) -> None:
    slot.event("SessionStart", by_hand=True, source="startup")
    slot.used(0.25, "m1")
    slot.event("SessionStart", source="resume")  # under the runner, which reports its own costs
    slot.used(9.0, "m2")
    slot.event("SessionEnd")
    assert slot.account() == [(0.25, 100)]


def test_a_program_that_tells_no_cost_is_accounted_for_by_its_tokens(slot: Slot) -> None:
    slot.event("SessionStart", by_hand=True, source="startup")
    slot.used(0.0, "m1")
    fsio.remove(slot.home.spending)
    slot.event("SessionEnd", by_hand=True)
    assert slot.account() == [(None, 100)]
    assert slot.event("status", by_hand=True).out == ""


def test_a_budget_stops_a_session_by_hand_at_its_next_prompt(slot: Slot) -> None:
    config.set(slot.town.town, slot.town.rig, "budget_usd", 0.5)
    slot.event("SessionStart", by_hand=True, source="startup")
    slot.used(0.4, "m1")
    assert slot.event("UserPromptSubmit", by_hand=True).out == ""
    slot.used(0.6, "m2")
    answer = json.loads(slot.event("UserPromptSubmit", by_hand=True).out)
    assert answer["decision"] == "block" and "the budget of gp-aaaaa is used up ($0.60)" in answer["reason"]
    assert slot.reason(by_hand=True) == ""  # nor is it told to go on
    config.set(slot.town.town, slot.town.rig, "budget_usd", 1)
    assert slot.event("UserPromptSubmit", by_hand=True).out == ""


def test_who_starts_the_program_without_options_has_the_events_too(slot: Slot) -> None:
    claude.by_hand(slot.town.rig, slot.home, slot.lease, {})
    assert fsio.read(slot.home.local_settings) == fsio.read(slot.home.settings)
    assert builders.git(slot.home.tree, "status", "--porcelain") == ""
    builders.git(slot.home.tree, "add", "--force", "--sparse", ".claude/settings.local.json")
    fsio.write(slot.home.local_settings, b"{}")
    claude.by_hand(slot.town.rig, slot.home, slot.lease, {})
    assert fsio.read(slot.home.local_settings) == b"{}"  # the project's own


@pytest.mark.parametrize(("place", "says"), [
    ("mayor", "[GAS TOWN] mayor in"), ("gp/crew/anna", "[GAS TOWN] gp/crew/anna in"), ("gp/witness", ""), ("gp/polecats/nobody", ""),
    ("deacon", ""), ("gp/crew/no/body", ""), ("settings", "")])
def test_residents_get_their_context_and_mail_and_nobody_else(slot: Slot, place: str, says: str) -> None:
    root = f"{slot.town.town.root}/{place}"
    home = Home(root)
    mail.deliver(home.mail, "overseer", place, "hi", "there", now=clock.now())
    ran = {}
    for word in ("start", "prompt", "stop", "end", "status"):
        command = slot.settings["hooks"]["Stop"][0]["hooks"][0]["command"].replace(slot.home.root, root).removesuffix("stop") + word
        ran[word] = builders.run(["sh", "-c", command], input="{}")
    assert all(done.code == 0 for done in ran.values()), ran
    assert says in ran["start"].out and bool(ran["start"].out) == bool(says)
    assert ran["prompt"].out == ("[GAS TOWN] Mail: 1 unread.\n" if says else "")
    assert not any(ran[word].out for word in ("stop", "end", "status"))


def test_the_mayors_own_settings_start_the_events(slot: Slot) -> None:
    hooks = json.loads(fsio.read(slot.town.town.mayor.own_settings) or b"")["hooks"]
    ran = [builders.run(["sh", "-c", hooks[name][0]["hooks"][0]["command"]], input="{}") for name in ("SessionStart", "UserPromptSubmit")]
    assert "[GAS TOWN] mayor in" in ran[0].out and [(done.code, done.err) for done in ran] == [(0, "")] * 2
