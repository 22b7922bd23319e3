"""A child process gets the three descriptors that it is given, and its exit code is told, however we were started ourselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gastown_hooks.core.errors import GitFailed
from gastown_hooks.stores import child, git

ROOT = Path(__file__).resolve().parents[2]
SAY = f"""
import os, sys
sys.path[:0] = [{str(ROOT)!r}, *{sys.path!r}]
from gastown_hooks.core import errors
from gastown_hooks.stores import child
before()
files = child.memory("in", b"fed"), child.memory("out"), child.memory("err")
code = errors.handled("it", lambda: child.run(["sh", "-c", "cat; ls /proc/self/fd >&2; exit 3"], dict(os.environ), files, 10))
text = repr((code, child.text(files[1]), len(child.text(files[2]).split())))
os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), text.encode())
"""


@pytest.mark.parametrize("before", [
    "pass", "os.closerange(0, 3)", "os.close(1)", "os.dup2(0, 7)",
    "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"])
def test_however_we_were_started(before: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    subprocess.run([sys.executable, "-c", f"def before():\n    import os; {before}\n{SAY}", str(told)], check=True, timeout=30)
    assert told.read_text(encoding="utf-8") == "(3, 'fed', 4)"  # of the descriptors, ls itself has the fourth


def run(*command: str, timeout: float = 10) -> tuple[int | None, str]:
    files = child.memory("in"), child.memory("out"), child.memory("err")
    try:
        return child.run(list(command), dict(os.environ), files, timeout), child.text(files[1])
    finally:
        for fd in files:
            os.close(fd)


def test_it_has_a_session_of_its_own_and_dies_of_a_closed_pipe() -> None:
    code, out = run("sh", "-c", "ps -o sid= -p $$; echo $$")
    assert code == 0 and len(set(out.split())) == 1
    assert run("sh", "-c", "kill -PIPE $$")[0] == -signal.SIGPIPE
    assert run("sleep", "300", timeout=0.1)[0] is None


def test_in_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "-a b'c"
    folder.mkdir()
    assert run(*child.there(str(folder), "pwd", "-P")) == (0, f"{folder.resolve()}\n")
    code, out = run(*child.there(f"{folder}/gone", "echo", "here"))
    assert code and not out
    with pytest.raises(FileNotFoundError):
        run("gt-no-such-program")


def test_a_folder_that_cannot_be_entered_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "gone"):
        with pytest.raises(GitFailed, match="is missing"):
            git.run(str(tmp_path / name), "status", check=False)
