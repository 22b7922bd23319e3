from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from builders import Run, command, run


@pytest.fixture
def town(run_cli: Run, tmp_path: Path, repo: Path) -> Path:
    assert run_cli("gt", "install", "gt").code == 0
    run_cli.cwd = tmp_path / "gt"
    assert run_cli("gt", "rig", "add", "app", str(repo)).code == 0
    return tmp_path / "gt"


def test_status(run_cli: Run, town: Path) -> None:
    lines = run_cli("gt", "status").out.splitlines()
    assert lines[0] == f"{town}: by hand (gt up starts it)" and lines[3] == "Needs you (1)" and "app has no gates" in lines[4]
    found = json.loads(run_cli("gt", "status", "--json").out)
    assert found["mode"] == "by-hand" and [n["what"] for n in found["needs_you"]] == ["app has no gates"]
    assert lines[1] == "last seen: tick never, app never"


def test_status_says_what_to_do_next(run_cli: Run, tmp_path: Path, repo: Path) -> None:
    run_cli("gt", "install", "gt")
    run_cli.cwd = tmp_path / "gt"
    assert run_cli("gt", "status").out.splitlines()[-1] == "Nothing is under way. Next: gt rig add NAME URL-OR-FOLDER"
    run_cli("gt", "rig", "add", "app", str(repo), "--gate", "none")
    assert "gt sling BEAD app starts it" in run_cli("gt", "status").out.splitlines()[-1]


def test_a_town_by_hand_prints_the_line_that_starts_the_work(run_cli: Run, town: Path) -> None:
    bead = run_cli("bd", "create", "x", "--prefix", "ap", "--silent").out.strip()
    done = run_cli("gt", "sling", bead, "app")
    assert f"cd {town}/app/polecats/toast/rig && claude --settings {town}/app/polecats/toast/settings.json " in done.out, done.err
    assert "gt session start app/toast " in done.out
    assert "gt session start app/toast, or gt attach app/toast" in run_cli("gt", "status").out
    named = run(["git", "-C", f"{town}/app/polecats/toast/rig", "config", "--worktree", "--get-regexp", "^user"]).out
    assert named == "user.name app/polecats/toast\nuser.email owner@example.test\n", "a commit by hand bears the worker's name"
    other = run_cli("bd", "create", "y", "--prefix", "ap", "--silent").out.strip()
    assert f"gt sling {other} app" in run_cli("gt", "sling", other).err
    done = run_cli("gt", "sling", other, "app", "--agent", "nobody")
    assert done.code == 3 and json.loads(run_cli("bd", "show", other, "--json").out)[0]["status"] == "open"
    done = run_cli("gt", "sling", other, "app", "--agent", "exec")
    assert f"bd update {other} --run SCRIPT" in done.out and "polecats/nux/rig &&" not in done.out


def test_a_stalled_worker_is_told_once_and_with_the_way_on(run_cli: Run, town: Path) -> None:
    bead = run_cli("bd", "create", "x", "--prefix", "ap", "--silent").out.strip()
    run_cli("gt", "sling", bead, "app")
    home = town / "app/polecats/toast"
    (home / "turns.json").write_text(json.dumps({"fence": 1, "stalled": "three turns failed"}))
    assert run_cli("gt", "stop", "--all").code == 0  # does not hide why it stalled
    out = run_cli("gt", "status").out
    (home / "turns.json").write_text(json.dumps({"fence": 1, "stalled": "no log-in. Next: claude login"}))
    assert "no log-in. Next: claude login, then gt session start app/toast\n" in run_cli("gt", "status").out
    assert out.count("three turns failed") == 1 and "Next: gt peek app/toast, then gt session start app/toast" in out


def test_status_watches(town: Path) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(command("gt", "status", "--watch"), cwd=town, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while said.count(b"app has no gates") < 2:
        said += os.read(ours, 4096)
    child.send_signal(2)
    assert child.wait(20) == 130
    os.close(ours)


def test_agents(run_cli: Run, town: Path) -> None:
    found = json.loads(run_cli("gt", "agents", "--json").out)
    assert [a["actor"] for a in found] == ["app/refinery", "app/witness", "deacon", "mayor"]
    assert {"actor", "role", "rig", "state", "bead", "age", "evidence", "why"} == set(found[0])
    assert "EVIDENCE" in run_cli("gt", "agents").out.splitlines()[0]


def test_up_and_down(run_cli: Run, town: Path) -> None:
    told = run_cli("gt", "up", "--no-cron", "--dry-run")
    done = run_cli("gt", "up", "--no-cron")
    assert (told.code, done.code) == (0, 0) and done.out.startswith(told.out) and "gt daemon run" in done.out
    assert json.loads(run_cli("gt", "status", "--json").out)["mode"] == "running"
    done = run_cli("gt", "down")
    assert (done.code, done.out.splitlines()[-1]) == (0, "processes of the town: 0; cron lines: 0")
    found = json.loads(run_cli("gt", "down", "--json").out)
    assert found == {"acts": [], "ended": [], "left": [], "foreign": [], "cron": False}
