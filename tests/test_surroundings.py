"""The surroundings of the tests do what they promise: real runs of pytest on a folder with this conftest."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from builders import Finished, Run, run

HERE = Path(__file__).resolve().parent


def suite(tmp_path: Path, source: str, *, skips: str = "", args: tuple[str, ...] = (), env: dict[str, str] | None = None) -> Finished:
    folder = tmp_path / "suite/tests"
    folder.mkdir(parents=True)
    for name in ("conftest.py", "builders.py", "warm.py"):
        shutil.copy(HERE / name, folder)
    (folder / "skips.txt").write_text(skips)
    (folder / "test_it.py").write_text("import os, subprocess, sys, pytest\n" + source)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base"),
             "--rootdir", str(folder.parent), *args, "tests"]
    return run(words, cwd=folder.parent, env=env)


SKIPS = "def test_good(): pass\n@pytest.mark.parametrize('n', [1, 2])\ndef test_odd(n): pytest.skip('no reason listed')\n"


@pytest.mark.parametrize("args", [(), ("-n", "2")])
def test_a_skip_that_is_not_listed_fails_the_run(tmp_path: Path, args: tuple[str, ...]) -> None:
    done = suite(tmp_path, SKIPS, args=args)
    assert done.code == 1
    assert "tests/test_it.py::test_odd[1]" in done.out and "passed 1, failed 0, skipped 2" in done.out


def test_a_listed_skip_with_a_reason_does_not(tmp_path: Path) -> None:
    done = suite(tmp_path, SKIPS, skips="# why\ntests/test_it.py::test_odd: because\n")
    assert (done.code, "passed 1, failed 0, skipped 2" in done.out) == (0, True)


def test_a_listed_skip_without_a_reason_does(tmp_path: Path) -> None:
    assert suite(tmp_path, SKIPS, skips="tests/test_it.py::test_odd\n").code == 1


def test_a_process_left_behind_fails_its_test_and_is_ended(tmp_path: Path) -> None:
    source = ("def test_leaves_one(tmp_path):\n"
              "    import conftest; conftest._ended.__defaults__ = (0.2,)\n"
              "    pid = subprocess.Popen(['sleep', '600'], start_new_session=True).pid\n"
              "    while not open(f'/proc/{pid}/environ').read(): pass  # in the middle of its exec it has none yet\n"
              "    with open(tmp_path / '../../pid', 'w') as file:\n"
              "        file.write(str(pid))\n")
    done = suite(tmp_path, source, args=("-W", "ignore"))
    assert done.code == 1 and "processes outlived their test" in done.out
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_a_town_outside_the_test_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "gt/mayor").mkdir(parents=True)
    (tmp_path / "gt/mayor/town.json").write_text("{}")
    done = suite(tmp_path, f"def test_it(): open({str(tmp_path / 'gt/mayor/town.json')!r}).close()\n")
    assert done.code == 1 and "a town outside the test's folder was opened" in done.out


def test_nothing_is_inherited(tmp_path: Path) -> None:
    source = ("def test_it(tmp_path):\n"
              "    assert os.environ['HOME'] == str(tmp_path / 'home')\n"
              "    assert not [name for name in os.environ if name.startswith(('GT_', 'BD_', 'BEADS_', 'CLAUDE')) and name != 'GT_WAKE']\n"
              "    assert 'GIT_DIR' not in os.environ and os.environ['GIT_EDITOR'] == 'false'\n")
    done = suite(tmp_path, source, env={"GIT_DIR": "/x", "GT_ROLE": "mayor", "BD_ACTOR": "x", "BEADS_DIR": "/x", "CLAUDE_X": "1"})
    assert done.code == 0, done.out


def test_git_has_one_fixed_owner(repo: Path) -> None:
    done = run(["git", "-C", str(repo), "log", "--format=%an <%ae> %cn"])
    assert done.out == "Test Owner <owner@example.test> Test Owner\n"
    assert os.environ["GIT_CONFIG_NOSYSTEM"] == "1"


def test_programs_run_as_real_processes(run_cli: Run) -> None:
    for program in ("gt", "bd"):
        done = run_cli(program, "--version")
        assert done.code == 0 and done.out.startswith(f"{program} ") and not done.err
