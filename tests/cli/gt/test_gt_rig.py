from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from builders import Run, command, commit, make_repo


@pytest.fixture
def town(run_cli: Run, tmp_path: Path) -> Path:
    assert run_cli("gt", "install", "gt").code == 0
    run_cli.cwd = tmp_path / "gt"
    return tmp_path / "gt"


def test_add_list_status_remove(run_cli: Run, town: Path, repo: Path) -> None:
    assert "gt rig add" in run_cli("gt", "rig", "list").out
    words = ["gt", "rig", "add", "app", str(repo), "--gate", "true", "--gate", "echo ok", "--prefix", "xy"]
    told = run_cli(*words, "--dry-run")
    assert told.code == 0 and not (town / "app").exists()
    assert "\n".join(json.loads(run_cli(*words, "--dry-run", "--json").out)["acts"]) + "\n" == told.out
    done = run_cli(*words)
    assert done.code == 0 and len(done.out.splitlines()) == 4, done.err
    assert done.out.splitlines()[0] == f"✓ app is a rig: main of {repo}, prefix xy, gates: true; echo ok"
    assert run_cli(*words).out == f"app is a rig already: main of {repo}, prefix xy, gates: true; echo ok\n"
    assert "bd create TITLE --prefix xy" in done.out and f"git -C {repo} pull" in done.out
    assert json.loads((town / "app/settings/config.json").read_text()) == {"gates": ["true", "echo ok"]}
    [listed] = json.loads(run_cli("gt", "rig", "list", "--json").out)
    assert (listed["name"], listed["prefix"], listed["target"], listed["problem"]) == ("app", "xy", "main", "")
    assert run_cli("gt", "rig", "list").out.splitlines()[0].split()[0] == "RIG"
    status = json.loads(run_cli("gt", "rig", "status", "app", "--json").out)
    assert status["tip"] == status["landed"] and status["roles"] == ["witness", "refinery", "mayor"]
    assert "xy" in run_cli("gt", "rig", "status", "app").out
    told = run_cli("gt", "rig", "remove", "app", "--dry-run", "--json")
    assert told.code == 0 and json.loads(told.out)["acts"] and (town / "app").exists()
    done = run_cli("gt", "rig", "remove", "app")
    assert done.code == 0 and "kept, with all its refs, in" in done.out and not (town / "app").exists()


def test_remove_names_the_work(run_cli: Run, town: Path, repo: Path) -> None:
    run_cli("gt", "rig", "add", "app", str(repo), "--gate", "none")
    (town / "app/mayor/rig/README.md").write_text("edited")
    done = run_cli("gt", "rig", "remove", "app")
    assert done.code == 5 and "the mayor's tree has uncommitted changes" in done.err and "--force" in done.err
    assert run_cli("gt", "rig", "remove", "app", "--force").code == 0


@pytest.mark.parametrize("name", ["..", "-x", "a;b", "#(id)", "a" * 300, "", "settings"])
def test_impossible_names_on_each_command(run_cli: Run, town: Path, repo: Path, name: str) -> None:
    for words in (["rig", "add", "--", name, str(repo)], ["rig", "remove", "--", name], ["rig", "status", "--", name]):
        done = run_cli("gt", *words)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), (words, done.err)


def test_unknown_rig_and_no_town(run_cli: Run, town: Path, repo: Path, tmp_path: Path) -> None:
    for words in (["rig", "remove", "nope"], ["rig", "status", "nope"], ["config", "get", "nope.gates"]):
        done = run_cli("gt", *words)
        assert (done.code, done.err.count("\n")) == (3, 1) and "known rigs: none yet" in done.err
    for words in (["rig", "add", "a", str(repo)], ["rig", "list"], ["status"], ["agents"], ["up"], ["down"], ["config", "list"]):
        done = run_cli("gt", *words, cwd=tmp_path)
        assert done.code == 3 and "not in a town" in done.err and "gt install" in done.err


def test_addresses_never_become_options_or_commands(run_cli: Run, town: Path, tmp_path: Path) -> None:
    for url in (f"--upload-pack=touch {tmp_path}/owned", f"ext::touch {tmp_path}/owned", "-oProxyCommand=x"):
        done = run_cli("gt", "rig", "add", "--", "app", url)
        assert done.code == 2 and not (tmp_path / "owned").exists() and not (town / "app").exists()


def test_gate_none_stands_alone(run_cli: Run, town: Path, repo: Path) -> None:
    done = run_cli("gt", "rig", "add", "app", str(repo), "--gate", "none", "--gate", "true")
    assert done.code == 2 and "stands alone" in done.err


def test_without_a_terminal_it_does_not_ask(run_cli: Run, town: Path, tmp_path: Path) -> None:
    project = make_repo(tmp_path / "p", {"Cargo.toml": ""})
    done = run_cli("gt", "rig", "add", "app", str(project), input="none\n")
    assert done.code == 0 and "gt config set app.gates '[\"cargo test\"]'" in done.out
    assert json.loads(run_cli("gt", "config", "get", "app.gates").out) is None
    line = next(line for line in done.out.splitlines() if "gt config set" in line).rpartition("gt config set ")[2]
    assert subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True).stdout.decode().splitlines()[1] == '["cargo test"]'
    assert run_cli("gt", "config", "set", "app.gates", '["cargo test"]').code == 0
    assert json.loads(run_cli("gt", "config", "get", "app.gates").out) == ["cargo test"]


@pytest.mark.parametrize(("answer", "gates"), [(b"\n", ["go test ./..."]), (b"none\n", "none"), (b"make check\n", ["make check"])])
def test_on_a_terminal_it_asks(town: Path, tmp_path: Path, answer: bytes, gates: object) -> None:
    project = make_repo(tmp_path / "p", {"go.mod": "module x\n"})
    ours, theirs = pty.openpty()
    child = subprocess.Popen(command("gt", "rig", "add", "app", str(project)), cwd=town, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        pass  # the terminal closed
    os.close(ours)
    assert child.wait(60) == 0, said
    assert b"go test ./..." in said
    assert json.loads((town / "app/settings/config.json").read_text())["gates"] == gates


def test_hostile_names_in_a_repository_are_shown_harmless(run_cli: Run, town: Path, tmp_path: Path) -> None:
    project = make_repo(tmp_path / "p", {"a": ""})
    commit(project, {".beads/issues.jsonl": '{"id":"a b\\u001b[31m"}\n'}, "x")
    done = run_cli("gt", "rig", "add", "app", str(project))
    assert done.code == 0 and "\x1b" not in done.out and "line 1" in done.out
