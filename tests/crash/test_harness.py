"""The harness itself: what it counts, what it kills, and that its checker stands alone."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

from crash import checker, engine, harness, strace

WORK = """
import os, subprocess
os.makedirs("a/b")
with open("a/one", "wb") as file:
    file.write(b"x" * 100); file.flush(); os.fsync(file.fileno())
os.rename("a/one", "a/two"); os.symlink("two", "a/link"); os.link("a/two", "a/three"); os.unlink("a/three"); os.rmdir("a/b")
run = lambda *words: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
run("git", "init", "-q", "repo")
open("repo/file", "w").write("text")
run("git", "-C", "repo", "add", "file"); run("git", "-C", "repo", "commit", "-q", "-m", "one")
run("git", "-C", "repo", "branch", "side"); run("git", "-C", "repo", "worktree", "add", "-q", "../tree", "side")
run("sh", "-c", "echo hello > shell; cp a/two copied; mv copied moved; rm moved")
"""
DETACHED = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(60); open('late', 'w')"])
os.wait()
open("first", "w").close()
open("second", "w").close()
"""


def _python(text: str) -> list[engine.Command]:
    return [engine.Command((sys.executable, "-c", text))]


def _scenario(text: str) -> engine.Scenario:
    return engine.Scenario("probe", lambda root: None, lambda root: _python(text), lambda story: [], timeout=20)


def test_a_run_without_fault_counts_the_whole_tree(bench: engine.Bench) -> None:
    bench.prepare(_scenario(WORK))
    bench.fresh()
    bench.log = f"{bench.folder}/log"
    run = bench.run(_scenario(WORK), engine.COUNT, 0)
    assert run.code == 0, run.output
    with open(bench.log, encoding="utf-8") as file:
        rows = [line.split(" ", 3) for line in file.read().splitlines()]
    assert len(rows) == run.calls
    assert len({row[1] for row in rows}) >= 6, "python, four gits, the shell and its children"
    assert all(row[3].startswith(bench.root) for row in rows)


def test_the_count_agrees_with_strace(bench: engine.Bench) -> None:
    if not strace.works():
        pytest.skip("strace does not work here")
    scenario = _scenario(WORK)
    bench.prepare(scenario)
    ours, theirs = strace.both(bench, scenario)
    assert abs(ours - theirs) <= 0.1 * theirs, f"the shim counts {ours}, strace {theirs}"


def test_kill_reaches_a_detached_process_that_waits(bench: engine.Bench) -> None:
    scenario = _scenario(DETACHED)
    bench.prepare(scenario)
    bench.fresh()
    run = bench.run(scenario, engine.KILL_BEFORE, 2)
    assert run.killed and run.fired and not run.stray
    assert bench.map.alive() == []
    assert sorted(os.listdir(bench.root)) == ["first"]


def test_half_a_write_then_death(bench: engine.Bench) -> None:
    scenario = _scenario("import os; fd = os.open('file', os.O_CREAT | os.O_WRONLY); os.write(fd, b'0123456789'); os.unlink('file')")
    bench.prepare(scenario)
    bench.fresh()
    run = bench.run(scenario, engine.HALF_KILL, 2)
    assert run.killed and run.fired
    assert Path(bench.root, "file").read_bytes() == b"01234"


@pytest.mark.parametrize(("mode", "said"), [(engine.FULL_ONCE, "28"), (engine.EIO_ONCE, "5"), (engine.SHORT, "2")])
def test_refused_and_short_writes(bench: engine.Bench, mode: int, said: str) -> None:
    text = ("import os\nfd = os.open('file', os.O_CREAT | os.O_WRONLY)\n"
            "try: print(os.write(fd, b'0123'))\nexcept OSError as error: print(error.errno)\nos.write(fd, b'45')")
    bench.prepare(_scenario(text))
    bench.fresh()
    run = bench.run(_scenario(text), mode, 2)
    assert run.output.strip() == said
    assert not run.killed and run.fired and run.code == 0


def test_a_full_disk_stays_full_but_lets_remove(bench: engine.Bench) -> None:
    text = ("import os\nopen('a', 'w').close()\n"
            "for act in (lambda: open('b', 'w'), lambda: os.mkdir('c'), lambda: os.rename('a', 'd'), lambda: os.unlink('d')):\n"
            "    try: act(); print('ok')\n    except OSError as error: print(error.errno)\n")
    bench.prepare(_scenario(text))
    bench.fresh()
    assert bench.run(_scenario(text), engine.FULL_STICKY, 2).output.split() == ["28", "28", "ok", "ok"]


def test_the_checker_stands_alone() -> None:
    with open(checker.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.startswith(("gastown_hooks", "crash"))}


def test_every_violation_names_the_line_that_shows_it_again(bench: engine.Bench) -> None:
    scenario = engine.Scenario("never", lambda root: None, lambda root: _python("open('file', 'w').write('x')"),
                                lambda story: ["wrong"] if len(story.runs) > 1 else [])
    report = harness.matrix(bench, scenario, harness.Plan(modes=(engine.KILL_BEFORE,), most=1, seed=5))
    assert report.violations and "--only never --mode 1 --k 1 --seed 5" in report.violations[0]
