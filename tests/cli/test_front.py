"""The entry points: exit codes, one line for every failure, JSON errors, quiet ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import builders
import click
import pytest

from gastown_hooks import __version__
from gastown_hooks.cli import common, loader


@pytest.mark.parametrize("program", ["gt", "bd"])
def test_version_and_help(run_cli: builders.Run, program: str) -> None:
    assert run_cli(program, "--version").out == f"{program} {__version__}\n"
    assert run_cli(program, "--help").out.startswith(f"Usage: {program} ")
    assert run_cli(program, "--json", "--version").out == f"{program} {__version__}\n"


@pytest.mark.parametrize("words", [["gt"], ["bd"], ["gt", "mq"], ["bd", "dep"], ["bd", "comments"]])
def test_without_a_command_the_help_is_shown(run_cli: builders.Run, words: list[str]) -> None:
    done, asked = run_cli(*words), run_cli(*words, "--help")
    assert (done.code, done.err) == (0, "") and done.out == asked.out and done.out.startswith(f"Usage: {' '.join(words)} ")
    as_json = run_cli(words[0], "--json", *words[1:])
    assert as_json.code == 2 and json.loads(as_json.err)["code"] == "usage"


@pytest.mark.parametrize(("program", "words", "line"), [
    ("bd", ["--actor", "me"], "bd: missing command. Next: bd --help"),
    ("gt", ["isntall"], "gt: no command isntall (did you mean install?). Next: gt --help"),
    ("bd", ["\x1b[31m"], "bd: no command '\\x1b[31m'. Next: bd --help"),
    ("bd", ["list\nx"], "bd: no command 'list\\nx' (did you mean list or lint?). Next: bd --help"),
    ("bd", ["x" * 300], f"bd: no command '{'x' * 59}…'. Next: bd --help"),
    ("bd", ["show", "\udcff"], "bd: \\udcff is not UTF-8 text"),
])
def test_wrong_usage_is_one_line_and_2(repo: Path, run_cli: builders.Run, program: str, words: list[str], line: str) -> None:
    assert run_cli("bd", "init", "-q", cwd=repo).code == 0
    done = run_cli(program, *words, cwd=repo)
    assert (done.code, done.out) == (2, "")
    assert done.err.replace("project-", "") == line + "\n"
    as_json = run_cli(program, "--json", *words, cwd=repo)
    assert as_json.code == 2 and json.loads(as_json.err)["code"] == "usage"


def test_bd_fails_with_1_and_a_finer_code(repo: Path, run_cli: builders.Run) -> None:
    run_cli("bd", "init", "-q", cwd=repo)
    done = run_cli("bd", "show", "project-none1", "--json", cwd=repo)
    assert done.code == 1 and done.out == ""
    assert json.loads(done.err) == {"error": "no bead project-none1. Next: bd list --all", "code": "not-found"}


def test_json_after_two_hyphens_is_a_title(repo: Path, run_cli: builders.Run) -> None:
    run_cli("bd", "init", "-q", cwd=repo)
    assert "✓ Created issue" in run_cli("bd", "create", "--", "--json", cwd=repo).out


@pytest.mark.parametrize("name", ["assignee", "label", "title", "id", "prefix"])
def test_three_hundred_characters(repo: Path, run_cli: builders.Run, name: str) -> None:
    run_cli("bd", "init", "-q", cwd=repo)
    words = ["--title", "x" * 600] if name == "title" else ["x", f"--{name}", "x" * 300]
    done = run_cli("bd", "create", *words, cwd=repo)
    assert done.code == 2 and done.err.count("\n") == 1 and len(done.err) < 300
    assert run_cli("bd", "list", "--json", cwd=repo).out == "[]\n"


def test_a_reader_that_leaves_is_no_error_worth_words(repo: Path, run_cli: builders.Run) -> None:
    run_cli("bd", "init", "-q", cwd=repo)
    run_cli("bd", "create", "x", "--stdin", input="long\n" * 200_000, cwd=repo)
    reading, writing = os.pipe()
    process = subprocess.Popen(builders.command("bd", "list", "--json"), cwd=repo, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    assert process.communicate(timeout=60)[1] == b""


def test_interrupted_is_130(repo: Path, run_cli: builders.Run) -> None:
    run_cli("bd", "init", "-q", cwd=repo)
    process = subprocess.Popen(builders.command("bd", "create", "x", "--stdin"), cwd=repo, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not _reads_stdin(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == b"" and err.strip() == b"bd: interrupted"


def _reads_stdin(pid: int) -> bool:
    """Whether the process waits in read(0, …)."""
    return Path(f"/proc/{pid}/syscall").read_text().startswith("0 0x0 ")


@pytest.mark.parametrize("text", ["plain", "ü — 漢字 ✓"])
def test_cleaned_leaves_printable_text(text: str) -> None:
    assert common.cleaned(text) == text


def test_cleaned_escapes_the_rest() -> None:
    assert common.cleaned("a\x1b[2J\n\u202e\udc80") == "a\\x1b[2J\\n\\u202e\\udc80"
    assert common.cleaned("a\n\tb", keep="\n\t") == "a\n\tb"


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    common.table([("a", 1), ("long\n", 22)], ("NAME", "N"))
    assert capsys.readouterr().out == "NAME    N\na       1\nlong\\n  22\n"


def test_an_ascii_terminal_gets_every_character(repo: Path, run_cli: builders.Run) -> None:
    run_cli("bd", "init", "-q", cwd=repo)
    done = run_cli("bd", "create", "漢", cwd=repo, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0 and "\\u6f22" in done.out


def test_a_bug_shows_its_traceback_and_is_70(tmp_path: Path) -> None:
    code = ("import sys; from gastown_hooks import front; front._click = lambda name, words: 1 // 0;"
            " sys.exit(front.bd())")
    done = builders.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(builders.ROOT)!r}); {code}", "where"], cwd=tmp_path)
    assert done.code == 70 and "ZeroDivisionError" in done.err


def test_commands_are_the_files_of_the_folder() -> None:
    group = loader.program("bd", "")
    names = group.list_commands(click.Context(group))
    assert "list" in names and not any(name.startswith("_") for name in names)
