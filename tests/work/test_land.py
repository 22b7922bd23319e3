"""The landing protocol, on real repositories."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.rules import requests
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import land, proof, queue
from gastown_hooks.work.desk import open_desk


def test_a_request_lands_as_one_merge_commit_and_its_bead_closes_with_proof(yard: Yard) -> None:
    old = yard.tip()
    one = yard.submit("one")
    head = yard.request(one).head

    result = yard.round()

    new = yard.tip()
    assert result.landed == [(one, new)] and not result.waiting
    assert yard.rig_git("rev-list", "--parents", "-1", new).split() == [new, old, head]
    if yard.remote is not None:
        assert yard.remote_tip() == new
    message = yard.rig_git("log", "-1", "--format=%B", new)
    for trailer in ("Bead: gp-one", f"Merge-Request: {one}", "Worker: gp/polecats/toast", "Claim-Fence: 1"):
        assert trailer in message
    assert yard.rig_git("log", "-1", "--format=%an <%ae>", new) == "gp/refinery <owner@example.test>"
    bead = yard.get("gp-one")
    assert bead["status"] == "closed" and bead["close_reason"].startswith("Merged in ")
    (validation,) = bead["validations"]
    assert validation["validated_by"] == "gp/refinery" and validation["validation_type"] == "merge"
    assert validation["quality_signals"]["tests_passed"] is True
    assert yard.request(one).state == requests.LANDED and yard.get(one)["metadata"]["landed_as"] == new
    assert yard.mails() == ["MERGED gp-one"]
    assert not yard.has(f"refs/heads/{yard.branch('one')}") and not yard.has(requests.pin(one))
    assert yard.tip("refs/gt/landed/main") == new
    assert yard.journal() == ["land", "settled"]
    assert proof.landed(yard.rig, bead) == new
    yard.check_green()


def test_a_second_round_changes_nothing(yard: Yard) -> None:
    yard.submit("one")
    yard.round()
    before = _everything(yard)
    result = yard.round()
    assert not result.landed and result.words() == "nothing to do"
    assert _everything(yard) == before


def test_the_commit_is_the_same_however_often_it_is_built(near: Yard) -> None:
    one = near.submit("one")
    first, second = (land.stack.build(near.rig, near.tip(), [near.request(one)]).tip for _ in range(2))
    assert first == second


def test_several_requests_land_in_order_each_on_the_one_before(yard: Yard) -> None:
    late = yard.submit("late", priority=3)
    urgent = yard.submit("urgent", priority=0)
    plain = yard.submit("plain", priority=2)
    assert [request for request, _ in yard.round().landed] == [urgent, plain, late]
    yard.check_green()


def test_without_gates_configured_nothing_lands_until_none_is_said_in_so_many_words(yard: Yard) -> None:
    """M12: without gates nothing lands, and every listing says so."""
    Path(yard.rig.settings).unlink()
    one, old = yard.submit("one"), yard.tip()
    result = yard.round()
    assert "no gates configured" in result.waiting and yard.tip() == old
    assert yard.request(one).state == requests.WAITING and "no gates" in yard.request(one).reason
    assert yard.get("gp-one")["status"] == "in_progress"
    yard.gates(none=True)
    assert [request for request, _ in yard.round().landed] == [one]
    assert json.loads(yard.rig_git("notes", "--ref=gates", "show", yard.tip()))["gates"] == "none"
    assert "tests_passed" not in yard.get("gp-one")["validations"][0]["quality_signals"] or not yard.runs()


def test_a_red_change_is_confirmed_once_then_sent_back_and_dependents_stay_blocked(yard: Yard) -> None:
    yard.gates(yard.counted("test ! -e bad.txt"))
    old = yard.tip()
    good, bad = yard.submit("good"), yard.submit("bad", {"bad.txt": "\x1b[31mboo\n"})
    result = yard.round()
    assert [request for request, _ in result.landed] == [good] and result.sent_back == [bad]
    assert yard.runs() == 1 + 2  # the base of the red one was landed by us: its record is there
    bead, request = yard.get("gp-bad"), yard.get(bad)
    assert bead["status"] == "open" and not bead.get("assignee") and bad in bead["notes"]
    assert request["status"] == "blocked" and request["metadata"]["state"] == requests.FAILED
    assert Path(request["metadata"]["gate_log"]).read_text().count("$ echo run") == 2
    assert yard.mails() == ["MERGED gp-good", f"MERGE_FAILED {bad}"]
    assert yard.rig_git("rev-list", "--count", f"{old}..main") == "2"
    assert yard.round().words() == "nothing to do"


def test_gate_output_cannot_speak_to_the_terminal_of_who_reads_the_note(near: Yard) -> None:
    near.gates(r"printf 'x\033]52;c;AAAA\007y\n'; false")
    near.submit("one")
    near.round()
    near.gates("true")  # the base was red under that gate; now judge only the change
    near.gates(r"test ! -e one.txt || { printf 'x\033]52;c;AAAA\007y\n'; false; }")
    near.round(later=4000)
    notes = near.get("gp-one")["notes"]
    assert "\x1b" not in notes and "\x07" not in notes and "\\x1b" in notes


def test_a_flake_lands_and_is_written_down(near: Yard) -> None:
    near.gates(f"test -e {near.root}/second || {{ touch {near.root}/second; false; }}")
    one = near.submit("one")
    assert [request for request, _ in near.round().landed] == [one]
    (flake,) = near.events("gate_flake")
    assert flake["name"] == one
    assert near.get("gp-one")["validations"][0]["quality_signals"]["flake"] is True


def test_a_conflict_costs_no_gate_run_and_names_files_and_commits(yard: Yard) -> None:
    """M5: 0 gate runs for a change that conflicts; its bead names base, both commits and files."""
    yard.gates(yard.counted())
    base = yard.tip()
    first = yard.submit("first", {"src/app.py": "first\n"})
    second = yard.submit("second", {"src/app.py": "second\n"}, base=base, worker="nux")
    result = yard.round()
    assert [request for request, _ in result.landed] == [first] and result.sent_back == [second]
    assert yard.runs() == 1
    note = yard.get("gp-second")["notes"]
    assert "src/app.py" in note and yard.request(second).head in note and yard.tip() in note
    assert yard.get("gp-second")["status"] == "open" and yard.request(second).state == requests.CONFLICT
    assert f"REWORK_REQUEST {second}" in yard.mails()


def test_two_changes_green_alone_and_red_together_one_lands(near: Yard) -> None:
    """M19: green alone and red together: exactly one goes back, the target stays green."""
    near.gates("test ! -e a.txt || test ! -e b.txt")
    one = near.submit("one", {"a.txt": "a"})
    two = near.submit("two", {"b.txt": "b"}, worker="nux")
    result = near.round()
    assert [request for request, _ in result.landed] == [one] and result.sent_back == [two]
    near.check_green()


def test_a_failed_request_can_be_retried_while_its_fence_stands(near: Yard) -> None:
    near.gates(f"test ! -e one.txt || test -e {near.root}/mended")
    one = near.submit("one")
    near.round()
    assert near.request(one).state == requests.FAILED
    queue.retry(near.rig, one, caller=near.person(), now=near.now)
    assert near.get("gp-one")["status"] == "in_progress" and near.get("gp-one")["assignee"] == "gp/polecats/toast"
    (near.root / "mended").touch()
    assert [request for request, _ in near.round().landed] == [one]
    assert near.get("gp-one")["status"] == "closed"


@pytest.mark.parametrize("word", ["reject", "reassign"])
def test_what_is_taken_back_while_its_gate_runs_does_not_land(near: Yard, word: str) -> None:
    """The gate command itself takes the request back."""
    one, old = near.submit("one"), near.tip()
    lines = [f"import sys; sys.path[:0] = [{str(Path(__file__).parents[2])!r}]", "from gastown_hooks.core.paths import Town",
             "from gastown_hooks.stores.callers import Caller", "from gastown_hooks.stores.ledger import Ledger",
             "from gastown_hooks.work import queue", f"rig = Town({near.rig.town.root!r}).rig('gp')",
             f"queue.reject(rig, {one!r}, reason='no', caller=Caller('overseer', '/', rig.town), now={near.now})" if word == "reject" else
             "Ledger(rig.beads).transact(lambda view: [{**view.get('gp-one'), 'claim_fence': 2, 'assignee': 'gp/polecats/nux'}])"]
    (near.root / "take_back.py").write_text("\n".join(lines))
    near.gates(f"{sys.executable} {near.root}/take_back.py")
    result = near.round()
    assert not result.landed and near.tip() == old and near.journal() == []
    assert near.request(one).state == (requests.REJECTED if word == "reject" else requests.SUPERSEDED)


def test_a_stale_fence_is_superseded(yard: Yard) -> None:
    one, old = yard.submit("one"), yard.tip()
    yard.put({**yard.get("gp-one"), "claim_fence": 2, "assignee": "gp/polecats/nux"})
    result = yard.round()
    assert result.superseded == [one] and yard.tip() == old
    assert yard.request(one).state == requests.SUPERSEDED and yard.get("gp-one")["status"] == "in_progress"


def test_what_is_pushed_after_the_submission_does_not_land_with_it(yard: Yard) -> None:
    """M10: what lands is the commit that was submitted."""
    one = yard.submit("one")
    later = yard.commit(yard.branch("one"), {"late.txt": "late"})
    yard.round()
    assert yard.request(one).state == requests.LANDED and yard.file("late.txt") is None
    assert yard.tip(f"refs/heads/{yard.branch('one')}") == later  # unlanded work keeps its branch


def test_a_new_submission_supersedes_the_old_one(yard: Yard) -> None:
    """M10: what lands is the commit that was submitted."""
    one = yard.submit("one")
    base = yard.tip()
    later = yard.commit(yard.branch("one"), {"late.txt": "late"})
    two = yard.submit("one", head=later, base=base)
    assert two != one and yard.request(one).state == requests.SUPERSEDED
    assert [request for request, _ in yard.round().landed] == [two]
    assert yard.file("late.txt") == "late"


def test_a_squashed_duplicate_is_closed_as_landed_without_a_second_commit(yard: Yard) -> None:
    """M11: work that is in the target already closes without a second commit."""
    base = yard.tip()
    one = yard.submit("one", {"same.txt": "same\n"})
    two = yard.submit("two", {"same.txt": "same\n"}, base=base, worker="nux")
    result = yard.round()
    assert [request for request, _ in result.landed] == [one, two]
    assert yard.rig_git("rev-list", "--count", "--first-parent", f"{base}..main") == "1"
    assert yard.get("gp-two")["status"] == "closed" and proof.landed(yard.rig, yard.get("gp-two")) == yard.tip()


@pytest.mark.parametrize("evil", ["escape", "absolute", "git-name", "modules", "control"])
def test_what_reaches_out_of_the_tree_is_refused_before_any_gate(near: Yard, evil: str) -> None:  # S13
    near.gates(near.counted())
    blob = near.rig_git("hash-object", "-w", "--stdin", input="../../etc/passwd" if evil == "escape" else "/etc/passwd")
    mode, name = {"escape": ("120000", "src/link"), "absolute": ("120000", "link"), "git-name": ("100644", ".g\u200cit"),
                  "modules": ("100644", ".gitmodules"), "control": ("100644", "a\x1bb")}[evil]
    tree = near.rig_git("mktree", input=f"{mode} blob {blob}\t{name}\n") if "/" not in name else near.rig_git(
        "mktree", input="040000 tree " + near.rig_git("mktree", input=f"{mode} blob {blob}\tlink\n") + "\tsrc2\n")
    base = near.tip()
    kept = near.rig_git("ls-tree", base)
    tree = near.rig_git("mktree", input=kept + "\n" + near.rig_git("ls-tree", tree) + "\n")
    head = builders.run(["git", f"--git-dir={near.rig.repo}", "commit-tree", tree, "-p", base, "-m", "evil"]).out.strip()
    near.rig_git("update-ref", f"refs/heads/{near.branch('one')}", head)
    one = near.submit("one", head=head)
    assert near.round().sent_back == [one]
    assert near.request(one).reason.startswith("policy: ") and near.runs() == 0 and near.tip() == base


# ---- the remote ---------------------------------------------------------------------------------------------

def test_a_remote_that_moves_between_gate_and_push_is_built_upon_and_never_forced(far: Yard) -> None:
    """M9: a push between gate and swap: the swap fails, the stack is rebuilt, nothing is lost or forced."""
    push = (f"test -e {far.root}/moved || {{ touch {far.root}/moved; cd {far.scratch} && git fetch -q {far.remote} main && "
            f"git checkout -q --detach FETCH_HEAD && echo x > outside.txt && git add -A && git commit -q -m outside && "
            f"git push -q {far.remote} HEAD:main; }}")
    far.gates(push)
    one = far.submit("one")
    result = far.round()
    assert [request for request, _ in result.landed] == [one]
    assert far.file("outside.txt") == "x\n" and far.file("one.txt") == "one\n"
    assert far.remote_tip() == far.tip() and len(result.foreign) == 1
    assert far.journal() == ["land", "aborted", "land", "settled"]
    far.check_green()


def test_a_remote_that_is_away_closes_nothing_and_is_tried_again(far: Yard) -> None:
    one = far.submit("one")
    assert far.remote is not None
    away = far.remote.rename(far.root / "away.git")
    result = far.round()
    assert result.waiting and not result.landed
    assert far.request(one).state == requests.WAITING and far.get("gp-one")["status"] == "in_progress"
    assert far.get(one)["status"] == "open" and far.mails() == []
    away.rename(far.remote)
    assert [request for request, _ in far.round().landed] == [one]


def test_a_remote_that_goes_away_between_gate_and_push_is_recovered_without_another_gate_run(far: Yard) -> None:
    far.gates(far.counted(f"test -e {far.root}/gone || {{ touch {far.root}/gone; mv {far.remote} {far.root}/away.git; }}"))
    one = far.submit("one")
    result = far.round()
    assert result.waiting and far.get("gp-one")["status"] == "in_progress" and far.journal() == ["land"]
    (far.root / "away.git").rename(str(far.remote))
    assert [request for request, _ in far.round().landed] == [one]
    assert far.runs() == 1 and far.journal() == ["land", "settled"]


def test_a_push_refused_by_policy_waits_with_backoff_and_closes_nothing(far: Yard) -> None:
    assert far.remote is not None
    far.gates(far.counted())
    hook = far.remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nread old new ref; case $ref in refs/heads/main) echo protected branch >&2; exit 1;; esac\n")
    hook.chmod(0o755)
    one = far.submit("one")
    result = far.round()
    assert "refused" in result.waiting and not result.landed and not result.sent_back
    assert far.request(one).state == requests.WAITING and far.get("gp-one")["status"] == "in_progress"
    assert far.get(one)["metadata"]["waits"] == 1 and far.round().words() == "nothing to do"  # not due yet
    far.round(later=31)
    assert far.get(one)["metadata"]["waits"] == 2 and far.runs() == 1
    hook.unlink()
    assert [request for request, _ in far.round(later=61).landed] == [one]
    assert far.runs() == 1


def test_the_workers_branch_at_the_remote_goes_when_all_of_it_landed(far: Yard) -> None:
    one = far.submit("one")
    branch = far.branch("one")
    builders.git(far.scratch, "push", "-q", str(far.remote), f"{far.request(one).head}:refs/heads/{branch}")
    far.round()
    assert branch not in builders.git(far.remote or "", "branch", "--list")


# ---- infra --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", ["no-such-program --x", "./not-there.sh", "kill -9 $$", "sh -c 'kill -9 $PPID'",
                                     "echo 'write: No space left on device'; exit 1"])
def test_what_is_nobodys_change_ejects_nobody(near: Yard, command: str) -> None:  # M14
    near.gates(command)
    one, old = near.submit("one"), near.tip()
    result = near.round()
    assert result.put_off == [one] and not result.sent_back and near.tip() == old
    assert near.request(one).state == requests.WAITING and near.get("gp-one")["status"] == "in_progress" and near.mails() == []
    near.gates("true")
    assert [request for request, _ in near.round(later=31).landed] == [one]


def test_a_gate_tree_that_cannot_be_made_ejects_nobody(near: Yard) -> None:  # M14
    Path(near.rig.refinery.gates).write_text("in the way")
    one = near.submit("one")
    assert near.round().put_off == [one]
    Path(near.rig.refinery.gates).unlink()
    assert [request for request, _ in near.round(later=31).landed] == [one]


def test_a_change_that_takes_the_gate_away_is_its_own_fault(tmp_path: Path) -> None:
    near = queueyard.make(tmp_path, files={"check.sh": "exit 0\n", "keep": "x"})
    near.gates("sh check.sh", "sh ./check.sh && sh -c 'test -e check.sh'")
    one = near.submit("one", {"check.sh": None})
    assert near.round().sent_back == [one]


# ---- a red target -------------------------------------------------------------------------------------------

def test_a_red_base_blames_nobody_escalates_once_and_opens_for_a_fix(near: Yard) -> None:
    """M20: on a red target only fixes land; somebody is told at once, a fix opens it again."""
    near.gates("test -e fixed.txt")
    one = near.submit("one")
    result = near.round()
    assert result.closed and not result.sent_back and not result.landed
    assert near.request(one).state == requests.WAITING and near.get("gp-one")["status"] == "in_progress"
    near.round()
    assert near.mails("overseer") == ["gp: main is closed"] and len(near.events("escalation")) == 1
    fix = near.submit("fix", {"fixed.txt": "x"}, worker="nux", labels=[requests.FIX_LABEL])
    result = near.round()
    assert [request for request, _ in result.landed] == [fix, one]
    assert "gp: main is open again" in near.mails("overseer")


# ---- killed between steps -----------------------------------------------------------------------------------

STEPS = ["note:land", "swap", "_follow", "close", "mail", "request", "_drop_branch", "_refresh", "note:settled"]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_step_and_run_again_it_lands_once(yard: Yard, step: str, before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.gates(yard.counted())
    one, old = yard.submit("one"), yard.tip()
    _arm(monkeypatch, step, before)
    with pytest.raises(Killed):
        yard.round()
    monkeypatch.undo()
    yard.round()
    assert yard.rig_git("rev-list", "--count", "--first-parent", f"{old}..main") == "1"
    assert yard.get("gp-one")["status"] == "closed" and yard.request(one).state == requests.LANDED
    assert yard.mails() == ["MERGED gp-one"] and yard.runs() == 1
    assert len(yard.get("gp-one")["validations"]) == 1
    assert yard.journal().count("settled") == 1
    if yard.remote is not None:
        assert yard.remote_tip() == yard.tip()
    yard.check_green()


def _arm(monkeypatch: pytest.MonkeyPatch, step: str, before: bool) -> None:
    """Raise past every handler right before or right after one step."""
    from gastown_hooks.stores import git as git_module
    from gastown_hooks.stores import mail as mail_module
    from gastown_hooks.work import beads, desk, settle

    name, _, kind = step.partition(":")
    places = {"note": [(desk.Desk, "note")], "swap": [(git_module, "push"), (git_module, "update_refs")], "close": [(beads, "close")],
              "mail": [(mail_module, "deliver")], "request": [(Ledger, "transact")]}
    seen = {"armed": False}

    def wrap(owner: object, attribute: str) -> None:
        real = getattr(owner, attribute)

        def stand_in(*args: object, **named: object) -> object:
            counts = not kind or (len(args) > 1 and args[1] == kind)
            if name == "swap":
                words = str(args)
                counts = "refs/heads/main" in words and seen["armed"]
            if name == "request":
                counts = seen["armed"] and bool(settle_running)
            if counts and before:
                raise Killed
            result = real(*args, **named)
            if counts:
                raise Killed
            return result

        monkeypatch.setattr(owner, attribute, stand_in)

    settle_running: list[int] = []
    real_land, real_close = land._finish, beads.close

    def finishing(*args: object) -> None:
        seen["armed"] = True
        real_land(*args)  # type: ignore[arg-type]

    def closing(*args: object, **named: object) -> object:
        result = real_close(*args, **named)  # type: ignore[arg-type]
        settle_running.append(1)
        return result

    monkeypatch.setattr(land, "_finish", finishing)
    if name == "request":
        monkeypatch.setattr(beads, "close", closing)
    for owner, attribute in places.get(name, [(settle, name)]):
        wrap(owner, attribute)


def test_an_intent_whose_bead_went_to_somebody_else_is_aborted(near: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    one, old = near.submit("one"), near.tip()
    _arm(monkeypatch, "note:land", False)
    with pytest.raises(Killed):
        near.round()
    monkeypatch.undo()
    near.put({**near.get("gp-one"), "claim_fence": 2, "assignee": "gp/polecats/nux"})
    near.round()
    assert near.tip() == old and near.journal() == ["land", "aborted"] and near.request(one).state == requests.SUPERSEDED


def test_a_landing_whose_request_was_deleted_meanwhile_is_settled(far: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    one = far.submit("one")
    _arm(monkeypatch, "swap", False)
    with pytest.raises(Killed):
        far.round()
    monkeypatch.undo()
    far.put({**far.get(one), "status": "tombstone"})
    far.round()
    assert far.tip() == far.remote_tip() and far.journal() == ["land", "settled"]


def test_a_target_that_turns_red_under_a_landing_lets_only_fixes_pass(far: Yard) -> None:
    push = (f"test -e {far.root}/moved || {{ touch {far.root}/moved; cd {far.scratch} && git fetch -q {far.remote} main && "
            f"git checkout -q --detach FETCH_HEAD && echo x > red.txt && git add -A && git commit -q -m outside && "
            f"git push -q {far.remote} HEAD:main; }}")
    far.gates(push, "test ! -e red.txt")
    one, two = far.submit("one"), far.submit("two", worker="nux")
    result = far.round()
    assert result.closed and not result.landed and not result.sent_back
    assert [far.request(request).state for request in (one, two)] == [requests.WAITING] * 2


def test_a_second_refinery_cannot_land_what_the_first_did(near: Yard) -> None:
    """M8: two rounds at once, the role's lock left out: the first one's landing happens while the second one's gate runs."""
    near.gates("true")
    one, two = near.submit("one"), near.submit("two", worker="nux")
    old = near.tip()
    desk = open_desk(near.rig, near.now)
    land.look(desk)
    land.check_foreign(desk)
    assert [request for request, _ in near.round().landed] == [one, two]
    tip = near.tip()
    land.attempt(desk, [near.request(one)])  # its tip is the old one
    assert near.tip() == tip != old
    near.check_green()


def test_the_plan_of_a_dry_run_says_what_the_round_then_does(near: Yard) -> None:
    base = near.tip()
    one = near.submit("one", {"src/app.py": "a\n"})
    assert land.plan(near.rig, near.now) == [f"gate and land {one}"]
    near.round()
    two = near.submit("two", {"src/app.py": "b\n"}, base=base, worker="nux")
    assert land.plan(near.rig, near.now) == [f"conflict {two}: src/app.py"]


def _everything(yard: Yard) -> tuple[str, object, list[str]]:
    records = dict(Ledger(yard.rig.beads).all())
    return yard.rig_git("for-each-ref"), records, yard.mails() + yard.mails("overseer") + yard.journal()

