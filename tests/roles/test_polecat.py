"""The polecat: a runner that keeps a worker at work, decides from facts, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import builders
import pytest
from workers import WorkerTown, until

from gastown_hooks.core import fsio
from gastown_hooks.core.paths import Home
from gastown_hooks.stores import beats, config, processes
from gastown_hooks.work import lease as leases
from gastown_hooks.work import wake
from gastown_hooks.work.lease import Lease


@pytest.fixture
def town(tmp_path: Path) -> WorkerTown:
    return WorkerTown(tmp_path)


def refs(town: WorkerTown, prefix: str) -> list[str]:
    return builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "for-each-ref", "--format=%(refname)", prefix).split()


def begin(town: WorkerTown, name: str = "toast") -> subprocess.Popen[bytes]:
    """The runner in the background."""
    words = [sys.executable, str(builders.ROOT / "roles/polecat.py"), "run", "--town", town.town.root, "--rig", "gp", "--name", name]
    with open(town.path / "runner.out", "ab") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "GT_WAKE": "inline"})


def test_a_script_becomes_a_merge_request_and_the_worker_is_gone(town: WorkerTown) -> None:
    town.bead(run="echo made > made.txt; echo said")
    home = town.sling()
    done = town.work()
    assert done.code == 0, done.err
    [request] = town.requests()
    assert request["metadata"]["source"] == "gp-aaaaa" and request["metadata"]["worker"] == "gp/polecats/toast"
    head = request["metadata"]["head"]
    assert builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "show", f"{head}:made.txt") == "made"
    log = builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "log", "-1", "--format=%an %s", head)
    assert log == "gp/polecats/toast work of gp-aaaaa"
    assert town.get()["status"] == "in_progress"  # closed when it has landed, not before
    assert not os.path.exists(home.root) and town.alive() == []
    assert Path(town.town.root, "refinery-rounds").read_text()


def test_running_twice_is_running_once(town: WorkerTown) -> None:
    town.bead(run="echo made > made.txt")
    town.sling()
    assert town.work().code == 0
    again = town.work()
    assert len(town.requests()) == 1 and "not prepared" in again.out


def test_a_script_that_changes_nothing_closes_its_bead_without_code(town: WorkerTown) -> None:
    town.bead(run="true")
    home = town.sling()
    assert town.work().code == 0
    assert town.get()["status"] == "closed" and town.requests() == [] and not os.path.exists(home.root)


def test_a_failing_script_is_tried_again_and_then_somebody_is_asked(town: WorkerTown) -> None:
    town.bead(run="echo half > half.txt; exit 7")
    home = town.sling()
    assert town.work().code == 0
    record = town.turns(home)
    assert record["begun"] == 3 and record["failures"] == 3 and "exit code 1" in record["stalled"]
    assert "its script ended with exit code 7" in town.get()["notes"]
    assert town.get()["assignee"] == "gp/polecats/toast" and Path(home.tree, "half.txt").read_text() == "half\n"
    assert len(town.mails(town.town.overseer.mail)) == len(town.mails(town.rig.witness.mail)) == 1
    assert town.work().code == 0 and len(town.mails(town.town.overseer.mail)) == 1  # asked once
    assert town.requests() == [] and town.alive() == [] and len(town.events("stalled")) == 1


def test_a_bead_without_run_is_nothing_for_the_embedded_agent(town: WorkerTown) -> None:
    town.bead()
    home = town.sling()
    town.work()
    assert "needs a script" in town.get()["notes"] and town.turns(home)["stalled"]


def test_an_agent_that_forgets_gt_done_is_finalised(town: WorkerTown) -> None:
    town.agent("import os, sys\nopen('x.txt', 'a').write('turn\\n')\nprint(sys.argv[-1])\n")
    town.bead()
    home = town.sling(agent="fake")
    assert town.work().code == 0
    [request] = town.requests()
    head = request["metadata"]["head"]
    log = builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "log", "-1", "--format=%an%n%B", head)
    assert log.startswith("gp/polecats/toast\nwork of gp-aaaaa\n") and "without gt done" in log
    assert builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "show", f"{head}:x.txt") == "turn\nturn\nturn"
    assert not os.path.exists(home.root)


def test_an_agent_that_does_nothing_at_all_stalls(town: WorkerTown) -> None:
    town.agent("print('I am done!')\n")
    town.bead()
    home = town.sling(agent="fake")
    town.work()
    assert "without having changed anything" in town.turns(home)["stalled"] and town.requests() == []


def test_a_missing_agent_program_stalls_at_once(town: WorkerTown) -> None:
    config.set(town.town, None, "agents.gone", {"command": "no-such-program-here --yes"})
    town.bead()
    home = town.sling(agent="gone")
    town.work()
    record = town.turns(home)
    assert record["begun"] == 1 and "no-such-program-here" in record["stalled"]


def test_a_worker_gets_its_environment_and_nothing_else(town: WorkerTown) -> None:
    out = town.path / "env.json"
    town.agent(f"""
import json, os
fds = sorted(int(f) for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + f))
json.dump({{'env': dict(os.environ), 'cwd': os.getcwd(), 'fds': fds, 'pgid': os.getpgid(0), 'pid': os.getpid(),
           'stdin': os.readlink('/proc/self/fd/0')}}, open({str(out)!r}, 'w'))
open('done.txt', 'w').write('x')
""")
    town.bead()
    home = town.sling(agent="fake")
    lease = leases.read(home)
    assert lease is not None
    done = town.role("polecat", "run", "--name", "toast", env={"GT_TOKEN": "foreign", "GIT_DIR": "/nowhere", "CLAUDECODE": "1"})
    assert done.code == 0, done.err
    told = json.loads(out.read_text())
    env = told["env"]
    wanted = {"GT_ROLE": "polecat", "GT_RIG": "gp", "GT_POLECAT": "toast", "BD_ACTOR": "gp/polecats/toast", "GT_BEAD": "gp-aaaaa",
              "GT_FENCE": str(lease.fence), "GT_TOKEN": lease.token, "GT_ROOT": town.town.root, "GIT_AUTHOR_NAME": "gp/polecats/toast",
              "BEADS_DIR": town.rig.beads.root}
    assert {key: env.get(key) for key in wanted} == wanted
    assert "GIT_DIR" not in env and "CLAUDECODE" not in env
    assert told["cwd"] == home.tree and told["pgid"] == told["pid"] and told["stdin"] == "/dev/null"
    assert 9 not in told["fds"] and 8 not in told["fds"]


STRAYS = """
import os, signal, subprocess, sys
subprocess.Popen(['sleep', '300'])
subprocess.Popen(['sleep', '300'], start_new_session=True)
subprocess.Popen(['sh', '-c', "trap '' TERM; while :; do sleep 0.1; done"], start_new_session=True)
subprocess.Popen(['env', '-i', 'sh', '-c', 'sleep 300'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvpe('sleep', ['sleep', '301'], {'PATH': '/usr/bin:/bin'})
    os._exit(0)
open('x.txt', 'a').write('x')
open(%r, 'a').write(' '.join(f for f in os.listdir('/proc') if f.isdigit()) + chr(10))
"""


def sleepers(tree: str) -> list[int]:
    """Processes that work in the tree, whatever is in their environment."""
    return [process.pid for process in processes.below(tree)]


def test_a_turn_leaves_no_stray_whatever_the_agent_starts(town: WorkerTown) -> None:
    town.agent(STRAYS % str(town.path / "pids"))
    town.bead()
    home = town.sling(agent="fake")
    assert town.work().code == 0
    assert sleepers(home.root) == [] and town.alive() == []
    assert len(town.requests()) == 1


def test_the_agent_may_kill_its_whole_process_group(town: WorkerTown) -> None:
    mark = town.path / "mark"
    town.agent(f"import os, signal\nif not os.path.exists({str(mark)!r}):\n    open({str(mark)!r}, 'w').close()\n"
               "    os.kill(0, signal.SIGKILL)\n"
               "open('x.txt', 'a').write('x')\n")
    town.bead()
    town.sling(agent="fake")
    assert town.work().code == 0
    assert len(town.requests()) == 1


BUSY = """
import os, subprocess, sys, time
mark = %r
if os.path.exists(mark):
    open('x.txt', 'a').write('second\\n')
    sys.exit(0)
open('x.txt', 'a').write('first\\n')
subprocess.Popen(['sh', '-c', "trap '' TERM; while :; do sleep 0.1; done"], start_new_session=True)
open(mark, 'w').close()
time.sleep(300)
"""


def busy(town: WorkerTown) -> tuple[Home, subprocess.Popen[bytes], Lease]:
    """A worker whose agent is busy for long."""
    mark = town.path / "mark"
    town.agent(BUSY % str(mark))
    town.bead()
    home = town.sling(agent="fake")
    runner = begin(town)
    until(mark.exists)
    lease = leases.read(home)
    assert lease is not None
    return home, runner, lease


def test_a_killed_runner_is_no_verdict_and_its_agent_does_not_go_on_beside_the_next(town: WorkerTown) -> None:
    home, runner, lease = busy(town)
    assert lease.token and processes.with_token(lease.token)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert processes.with_token(lease.token)  # orphans of the killed runner
    assert wake.runner_is_free(home)
    assert town.work().code == 0
    assert processes.with_token(lease.token) == [] and town.alive() == []
    [request] = town.requests()
    show = builders.git(town.rig.repo, f"--git-dir={town.rig.repo}", "show", f"{request['metadata']['head']}:x.txt")
    assert show.splitlines()[0] == "first" and "second" in show


def test_a_killed_agent_is_tried_again(town: WorkerTown) -> None:
    _, runner, lease = busy(town)
    agent = next(p for p in processes.descendants_of(runner.pid))
    assert processes.send(agent, signal.SIGKILL, token=lease.token)
    assert runner.wait(60) == 0
    assert town.alive() == [] and len(town.requests()) == 1


def test_two_runners_never_share_a_worker(town: WorkerTown) -> None:
    mark = town.path / "mark"
    town.agent(f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(300)\n")
    town.bead()
    home = town.sling(agent="fake")
    runner = begin(town)
    until(mark.exists)
    second = town.work()
    assert second.code == 0 and "already" in second.out and runner.poll() is None
    beat = beats.read(home.heartbeat)
    assert beat is not None and beat.pid == runner.pid and beat.state == "working" and beat.bead == "gp-aaaaa"
    runner.terminate()
    assert runner.wait(60) == 143
    assert town.alive() == [] and town.turns(home)["ended"] == "stopped" and wake.runner_is_free(home)


def test_a_lost_claim_is_saved_and_never_submitted(town: WorkerTown) -> None:
    mark = town.path / "mark"
    go = town.path / "go"
    town.agent(f"import os, time\nopen('x.txt', 'w').write('mine')\nopen({str(mark)!r}, 'w').close()\n"
               f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\n")
    town.bead()
    home = town.sling(agent="fake")
    fence = town.get()["claim_fence"]
    runner = begin(town)
    until(mark.exists)
    town.change("gp-aaaaa", claim_fence=fence + 1, assignee="gp/polecats/nux")
    go.touch()
    assert runner.wait(60) == 0
    assert town.requests() == [] and not os.path.exists(home.root)
    assert any(ref.startswith(f"refs/gt/salvage/toast/{fence}/") for ref in refs(town, "refs/gt/salvage"))
    assert town.get()["assignee"] == "gp/polecats/nux"


@pytest.mark.parametrize(("key", "word"), [("turn_seconds", "wall"), ("idle_seconds", "idle")])
def test_a_turn_without_end_is_ended(town: WorkerTown, key: str, word: str) -> None:
    config.set(town.town, town.rig, key, 1)
    town.agent("import signal, time\nsignal.signal(signal.SIGTERM, lambda *a: exit(3))\nwhile True:\n    time.sleep(1)\n")
    town.bead()
    home = town.sling(agent="fake")
    runner = begin(town)
    until(lambda: town.turns(home).get("ended"))
    assert town.turns(home)["ended"] == word
    runner.terminate()
    assert runner.wait(60) == 143 and town.alive() == []


def test_output_counts_as_work(town: WorkerTown) -> None:
    config.set(town.town, town.rig, "idle_seconds", 1)
    town.agent("import os, time\nfor n in range(0 if os.path.exists('x.txt') else 6):\n    print(n, flush=True)\n    time.sleep(0.25)\n"
               "open('x.txt', 'a').write('x')\n")
    town.bead()
    town.sling(agent="fake")
    assert town.work().code == 0
    assert len(town.requests()) == 1


def test_landing_does_not_wait_for_the_agents_last_words(town: WorkerTown) -> None:
    go = town.path / "go"
    town.agent("import os, subprocess, sys, time\nopen('x.txt', 'w').write('x')\nsubprocess.run(['git', 'add', 'x.txt'], check=True)\n"
               "subprocess.run(['git', 'commit', '-qm', 'x'], check=True)\n"
               f"subprocess.run({builders.command('gt', 'done')!r}, check=True)\n"
               f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\n")
    town.bead()
    home = town.sling(agent="fake")
    runner = begin(town)
    until(lambda: os.path.exists(f"{town.town.root}/refinery-rounds"))
    assert runner.poll() is None and len(town.requests()) == 1 and os.path.isdir(home.tree)
    go.touch()
    assert runner.wait(60) == 0 and not os.path.exists(home.root) and town.alive() == []


def test_a_session_by_hand_keeps_the_runner_out(town: WorkerTown) -> None:
    town.bead(run="true")
    home = town.sling()
    me = processes.this()
    beats.write(home.heartbeat, beats.Beat(actor="gp/polecats/toast", session="s", pid=me.pid, start=me.start, boot_id=me.boot_id, seq=1,
                                           progress="", state="working", bead="gp-aaaaa"))
    done = town.work()
    assert done.code == 5 and "at work" in done.err and not os.path.exists(home.turns)


@pytest.mark.parametrize("garbage", [b"", b"{", b'{"pid": -1}', b"[1, 2]", b"\xff\xfe"])
def test_a_damaged_lease_starts_nothing(town: WorkerTown, garbage: bytes) -> None:
    town.bead(run="echo x > x.txt")
    home = town.sling()
    fsio.write(home.lease, garbage)
    assert town.work().code == 8
    assert os.path.isdir(home.tree) and town.requests() == [] and town.alive() == []


def test_an_unreadable_ledger_decides_nothing(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt")
    home = town.sling()
    fsio.write(town.rig.beads.journal, b"this is no journal\n")
    before = fsio.read(home.lease)
    done = town.role("polecat", "decide", "--name", "toast")
    assert fsio.read(home.lease) == before and os.path.isdir(home.tree)
    assert '"act": "turn"' not in done.out


def test_the_third_lost_worker_poisons_the_bead(town: WorkerTown) -> None:
    town.bead(run="exit 1", metadata={"lost": ["nux@1", "slit@2"]})
    home = town.sling()
    town.work()
    bead = town.get()
    assert bead["status"] == "blocked" and "poison" in bead["labels"] and not bead.get("assignee")
    assert len(town.events("poisoned")) == 1 and os.path.isdir(home.tree)


def test_dry_run_says_what_it_would_do(town: WorkerTown) -> None:
    town.bead(run="echo x > x.txt")
    home = town.sling()
    done = town.role("polecat", "decide", "--name", "toast", "--dry-run")
    assert done.out == "would turn: first turn\n" and not os.path.exists(home.turns)


def test_the_runner_is_lean(town: WorkerTown) -> None:
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import gastown_hooks.runtime.runner; "
              "print(' '.join(sorted(sys.modules)))")
    done = builders.run([sys.executable, "-I", "-S", "-c", script, str(builders.ROOT)])
    loaded = set(done.out.split())
    heavy = {"click", "pygit2", "subprocess", "pathlib", "dataclasses", "typing", "ctypes", "tempfile", "filelock", "socket", "inspect"}
    assert not loaded & heavy
