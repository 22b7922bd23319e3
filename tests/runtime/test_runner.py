"""The runner's mechanics: starting, watching and collecting an agent program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import builders
import pytest

from gastown_hooks.runtime import runner
from gastown_hooks.stores import processes


def test_an_agent_starts_in_its_tree_with_default_signals_and_no_terminal(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    tree.mkdir()
    words = ["sh", "-c", "pwd; grep SigIgn /proc/$$/status; readlink /proc/$$/fd/0; ps -o sid= -p $$; echo $$"]
    pid = runner.start(words, {"PATH": os.environ["PATH"]}, str(tree), str(out), str(tmp_path))
    assert runner.exit_code(os.waitpid(pid, 0)[1]) == 0
    cwd, ignored, stdin, sid, shown = out.read_text().split("\n")[:5]
    assert cwd == str(tree) and stdin == "/dev/null" and int(sid) == int(shown) == pid
    assert not int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1))
    assert os.getcwd() == str(tmp_path)


@pytest.mark.parametrize("name", ["no-such-program", "./none", "/none/at/all"])
def test_a_missing_program_is_an_error_before_anything_starts(tmp_path: Path, name: str) -> None:
    before = processes.descendants_of(os.getpid())  # other tests' server (warm.py)
    with pytest.raises(OSError):
        runner.start([name], {"PATH": os.environ["PATH"]}, str(tmp_path), str(tmp_path / "out"), str(tmp_path))
    assert processes.descendants_of(os.getpid()) == before


def test_a_program_of_the_tree_does_not_hide_one_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "sh").write_text("#!/bin/true\n")
    (tmp_path / "sh").chmod(0o755)
    assert runner.which("sh", f".::{os.environ['PATH']}", str(tmp_path)) != str(tmp_path / "sh")


def test_progress_changes_with_the_files(tmp_path: Path) -> None:
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    before = runner.progress_of(paths)
    (tmp_path / "a").write_text("x")
    assert runner.progress_of(paths) != before


SUBREAPER = """
import os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from gastown_hooks.runtime import runner
from gastown_hooks.stores import processes
runner.become_subreaper(True)
subprocess.run(["sh", "-c", "setsid sh -c 'env -i sleep 300 & exit' & sleep 0.2"])
found = [p.pid for p in processes.descendants_of(os.getpid())]
print(len(found), flush=True)
left = processes.end(lambda: processes.descendants_of(os.getpid()), 0.2, meanwhile=runner.reap)
print(len(left), flush=True)
"""


def test_a_daemon_without_token_and_session_is_still_a_descendant() -> None:
    done = builders.run([sys.executable, "-c", SUBREAPER, str(builders.ROOT)])
    assert done.out.split() == ["1", "0"], done.err


def test_reaping_leaves_the_spared_child_to_its_waiter() -> None:
    with subprocess.Popen(["true"]) as spared:
        os.waitid(os.P_PID, spared.pid, os.WEXITED | os.WNOWAIT)
        runner.reap(spare=spared.pid)
        assert spared.wait() == 0


def test_a_runner_weighs_little(tmp_path: Path) -> None:
    script = ("import sys, time; sys.path.insert(0, sys.argv[1]); import gastown_hooks.runtime.runner as r; r.become_subreaper(True); "
              "print([m for m in ('json', 're', 'enum', 'signal', 'typing', 'pathlib', 'subprocess') if m in sys.modules], flush=True); "
              "time.sleep(60)")
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", script, str(builders.ROOT)], stdout=subprocess.PIPE) as one:
        assert one.stdout is not None and one.stdout.readline() == b"[]\n"
        deadline = time.monotonic() + 5
        private = None
        while private is None and time.monotonic() < deadline:
            rows = Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines()
            private = sum(int(row.split()[1]) for row in rows if row.startswith("Private_"))
        one.kill()
    assert private is not None and private < 5 * 1024, f"{private} kB of its own"


def test_a_runner_beats_while_a_decision_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BEAT_SECONDS", 0.05)
    spec = {key: str(tmp_path / key) for key in ("lease", "heartbeat")} | dict.fromkeys(("actor", "session", "bead"), "x")
    one = runner.Runner(spec)
    for folder in ("", "lease"):  # without a lease it is being retired: nothing is written where it was
        if folder:
            (tmp_path / folder).touch()
        read, write = os.pipe()
        with subprocess.Popen(["sh", "-c", "sleep 0.3; echo first; sleep 0.3; echo last"], stdout=write):
            os.close(write)
            assert one._heard(read) == b"first\nlast\n"
        assert (tmp_path / "heartbeat").exists() == bool(folder)
    assert one.seq >= 3


def test_a_runner_hears_at_once_of_a_replaced_file_and_of_an_end(tmp_path: Path) -> None:
    one = runner.Runner({"lease": str(tmp_path / "lease")})
    for deaf in (False, True):
        (tmp_path / "new").touch()
        begun = time.monotonic()
        with subprocess.Popen(["sh", "-c", "sleep 0.05; mv new lease; exec sleep 60"], cwd=tmp_path) as agent:
            pidfd = os.pidfd_open(agent.pid)
            assert not one._await(0.3 if deaf else 30.0, pidfd) and (tmp_path / "lease").exists()
            agent.kill()
            assert one._await(30.0, pidfd)
            os.close(pidfd)
        assert time.monotonic() - begun < 10
        if not deaf:
            os.close(one.news)
            one.news = -1  # as where the kernel has none left
