from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import builders
import pytest
from rigtown import NOW, add, make_town, overseer, slung

from gastown_hooks.core import lock
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import config, processes
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import power

CRONTAB = """#!/bin/sh
# A stand-in for the crontab program: one file beside it.
file="${0%/*}/table"
case $1 in
  -l) [ -e "$file" ] || { echo "no crontab for tester" >&2; exit 1; }; cat "$file" ;;
  -) cat > "$file" ;;
esac
"""


@pytest.fixture
def town(tmp_path: Path, repo: Path) -> Town:
    made = make_town(tmp_path)
    add(made, "app", repo, gates="none")
    return made


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The account's crontab file, kept by a stand-in program."""
    program = tmp_path / "bin/crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    table = program.parent / "table"
    table.write_text("# mine\n0 1 * * * backup\n")
    return table


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a program and wait until it runs; what outlives the test is ended."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(code: str, cwd: str, **env: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", f"print(flush=True)\n{code}"], cwd=cwd, stdout=subprocess.PIPE,
                                 env={**os.environ, **env}, start_new_session=True)
        assert child.stdout is not None and child.stdout.readline() == b"\n"
        started.append(child)
        return child

    yield begin
    for child in started:
        child.kill()
        child.communicate()


SLEEP = "import time; time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); import time; time.sleep(600)"


def up(town: Town, *, with_cron: bool = True, dry_run: bool = False) -> list[str]:
    return power.up(town, with_cron=with_cron, caller=overseer(town), dry_run=dry_run, now=NOW)


def down(town: Town, *, dry_run: bool = False) -> power.Downed:
    return power.down(town, caller=overseer(town), dry_run=dry_run, now=NOW)


def test_up_and_down_leave_no_trace(town: Town, crontab: Path) -> None:
    before = crontab.read_text()
    assert up(town) == ["set the town running", "put the cron line in place", "wake app/witness", "wake app/refinery"]
    assert config.mode(town) == "running" and crontab.read_text().startswith(before) and town.root in crontab.read_text()
    assert os.path.exists(town.flag("app.witness")) and os.path.exists(town.flag("app.refinery"))
    found = down(town)
    assert found == power.Downed(["set the town by hand", "take the cron line out"], [], [], [], False)
    assert config.mode(town) == "by-hand" and crontab.read_text() == before


def test_twice_is_once(town: Town, crontab: Path) -> None:
    up(town)
    text = crontab.read_text()
    assert up(town) == ["wake app/witness", "wake app/refinery"] and crontab.read_text() == text
    down(town)
    assert down(town).acts == []


def test_no_cron_leaves_the_crontab_alone(town: Town, crontab: Path) -> None:
    before = crontab.stat()
    up(town, with_cron=False)
    assert crontab.stat() == before


def test_a_dry_run_tells_and_does_nothing(town: Town, crontab: Path, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    told = up(town, dry_run=True)
    assert config.mode(town) == "by-hand" and "gt" not in crontab.read_text()
    assert told == up(town)
    child = start(SLEEP, "/", GT_TOKEN=f"{config.town_id(town)}.x")
    told = down(town, dry_run=True).acts
    assert child.poll() is None and config.mode(town) == "running"
    assert told == down(town).acts and len(told) == 3


def test_roles_the_rig_does_not_have_are_not_woken(town: Town, repo: Path) -> None:
    add(town, "bare", repo, roles=("refinery",))
    assert "wake bare/witness" not in up(town) and "wake bare/refinery" in up(town)


def test_down_ends_what_carries_the_towns_token(town: Town, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    token = config.town_id(town)
    ours = [start(SLEEP, "/", GT_TOKEN=f"{token}.polecat.app.nux"), start(DEAF, town.root, GT_TOKEN=f"{token}.abc")]
    found = down(town)
    assert sorted(found.ended) == sorted(child.pid for child in ours) and found.left == [] and found.foreign == []
    assert all(child.poll() is not None for child in ours)


def test_down_spares_others(town: Town, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    shell = start(SLEEP, town.root)
    other = start(SLEEP, "/", GT_TOKEN="0123456789ab.role")
    near = start(SLEEP, "/", GT_TOKEN=f"{config.town_id(town)}x.role")
    found = down(town)
    assert [child.poll() for child in (shell, other, near)] == [None] * 3
    assert len(found.foreign) == 1 and found.foreign[0].startswith(f"{shell.pid} (") and found.left == []


def test_down_ends_the_loop(town: Town, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    code = (f"import sys; sys.path.insert(0, {str(builders.ROOT)!r}); from gastown_hooks.core import lock\n"
            f"held = lock.acquire({town.lock('daemon')!r}); print(flush=True); import time; time.sleep(600)")
    loop = start(code, "/")
    deadline = time.monotonic() + 20
    while not lock.is_held(town.lock("daemon")):
        assert time.monotonic() < deadline
    found = down(town)
    assert found.ended == [loop.pid] and loop.wait(10) is not None and found.left == []


def test_down_from_inside_spares_the_caller(town: Town, run_cli: builders.Run) -> None:
    done = run_cli("gt", "down", cwd=town.root, env={"GT_TOKEN": f"{config.town_id(town)}.x"})
    assert (done.code, done.out.splitlines()[-1]) == (0, "processes of the town: 0; cron lines: 0"), done.err
    assert processes.with_token(f"{config.town_id(town)}.", prefix=True) == []


def test_claims_and_trees_stay(town: Town) -> None:
    up(town)
    bead, home = slung(town.rig("app"))
    (Path(home.tree) / "unsaved").write_text("x")
    down(town)
    record = Ledger(town.rig("app").beads).get(bead)
    assert record is not None and record["status"] == "hooked" and (Path(home.tree) / "unsaved").read_text() == "x"
