"""Goals of the merge queue that take a whole town, processes of their own, or a watch on git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import builders
import pytest
import queueyard

from gastown_hooks.rules import requests
from gastown_hooks.stores import config
from gastown_hooks.work import rework
from gastown_hooks.work.desk import open_desk

ROLE = Path(__file__).resolve().parents[2] / "roles/refinery.py"
WATCH = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
exec {git} "$@"
"""


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_in_ten_conflicts_and_gets_one_fresh_worker_each(tmp_path: Path) -> None:
    """M5: a tenth of the changes conflict: no gate run, one fresh worker each, with base, both commits and files; the others land."""
    yard = queueyard.make(tmp_path)
    yard.gates(yard.counted())
    config.set_mode(yard.rig.town, "running")
    base = yard.tip()
    fine = [yard.submit("first", {"src/app.py": "first\n"}, worker="first")]
    fine += [yard.submit(f"b{n}", worker=f"w{n}", base=base) for n in range(17)]
    clashing = [yard.submit(f"c{n}", {"src/app.py": f"c{n}\n"}, base=base, worker=f"c{n}") for n in range(2)]
    landed = [request for request, _ in yard.round().landed]
    assert sorted(landed) == sorted(fine) and yard.runs() <= 2
    for _ in range(2):  # asked twice, sent once
        rework.send_workers(open_desk(yard.rig, yard.now))
    assert len(yard.events("sling")) == len(clashing)
    for request in map(yard.request, clashing):
        bead = yard.get(request.source)
        assert request.state == requests.CONFLICT and bead["status"] == "hooked" and bead["claim_fence"] > request.fence
        note = bead["notes"]
        assert "src/app.py" in note and base in note and request.head in note
        assert any(commit in note for commit in yard.rig_git("log", "--first-parent", "--format=%H", f"{base}..main").split())


def test_two_refineries_at_once_land_once(tmp_path: Path) -> None:
    """M8: the lock file is removed under the first one, so that two processes gate the same stack; one lands it."""
    yard = queueyard.make(tmp_path, remote=True)
    yard.gates(yard.counted(f"while test ! -e {yard.root}/go; do sleep 0.05; done"))
    old, one = yard.tip(), yard.submit("one")
    words = [sys.executable, str(ROLE), "patrol", "--town", yard.rig.town.root, "--rig", "gp"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)]
    until(lambda: yard.runs() == 1)
    for path in [*Path(yard.rig.town.locks).rglob("*"), *Path(yard.rig.root).rglob("*.lock")]:
        if path.is_file() and "refinery" in str(path) and "gate" not in path.name:
            path.unlink()
    both.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    until(lambda: yard.runs() == 2)
    (yard.root / "go").touch()
    told = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert yard.rig_git("rev-list", "--count", "--first-parent", f"{old}..main") == "1" and yard.remote_tip() == yard.tip()
    assert yard.request(one).state == requests.LANDED and yard.mails() == ["MERGED gp-one"]
    assert len(yard.get("gp-one")["validations"]) == 1
    yard.check_green()


@pytest.mark.parametrize("landing", ["merge", "linear"])
def test_no_push_to_the_target_is_forced(tmp_path: Path, landing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """M9: somebody pushes while the gate runs; every push that git is asked for is plain, and both changes are there."""
    far = queueyard.make(tmp_path, remote=True)
    push = (f"test -e {far.root}/moved || {{ touch {far.root}/moved; cd {far.scratch} && git fetch -q {far.remote} main && "
            f"git checkout -q --detach FETCH_HEAD && echo x > outside.txt && git add -A && git commit -q -m outside && "
            f"git push -q {far.remote} HEAD:main; }}")
    far.gates(push, landing=landing)
    made = [far.submit("one"), far.submit("two", worker="nux")]
    watch, log = tmp_path / "home/.watch/git", tmp_path / "git.log"
    watch.parent.mkdir()
    watch.write_text(WATCH.format(log=log, git=shutil.which("git")))
    watch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{watch.parent}:{os.environ['PATH']}")
    assert [request for request, _ in far.round().landed] == made
    monkeypatch.undo()
    pushes = [line for line in log.read_text().splitlines() if " push " in line and ":refs/heads/main" in line]
    assert len(pushes) == 2 and not any("--force" in line or " -f" in line or " +" in line or ":+" in line for line in pushes)
    assert far.file("outside.txt") == "x\n" and far.file("one.txt") == "one\n" and far.remote_tip() == far.tip()
    assert (builders.git(far.remote or "", "rev-list", "--merges", "main") == "") is (landing == "linear")


@pytest.mark.parametrize("words", [("mq", "list"), ("rig", "status", "gp"), ("rig", "list")])
def test_listings_say_that_nothing_lands_without_gates(tmp_path: Path, words: tuple[str, ...], run_cli: builders.Run) -> None:
    """M12: who looks at the queue or the rig sees that no gates are configured, and that "none" was said."""
    yard = queueyard.make(tmp_path)
    Path(yard.rig.settings).unlink()
    assert ": nothing lands" in run_cli("gt", *words, cwd=yard.rig.root).out
    yard.gates(none=True)
    assert "none" in run_cli("gt", *words, cwd=yard.rig.root).out


def test_after_everything_every_first_parent_commit_is_a_tested_tree(tmp_path: Path, run_cli: builders.Run) -> None:
    """M22: batches, a culprit, a conflict, a dependent and outsiders later: 100 % of `git log --first-parent` has its gate note."""
    yard = queueyard.make(tmp_path, remote=True)
    yard.gates("! grep -rqs BAD --include=*.txt .")
    base = yard.tip()
    for n in range(6):
        yard.submit(f"b{n}", {f"b{n}.txt": "BAD\n" if n == 3 else "fine\n", **({"src/app.py": f"{n}\n"} if n > 4 else {})},
                    worker=f"w{n}", base=base)
    yard.submit("clash", {"src/app.py": "clash\n"}, base=base, worker="clash")
    yard.round()
    yard.outsider({"crew.txt": "x"})
    yard.submit("last", worker="last")
    yard.round()
    yard.check_green()
    assert " 0 not" in run_cli("gt", "mq", "prove", cwd=yard.rig.root).out


