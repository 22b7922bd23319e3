"""What the gate or the remote refuses closes nothing and loses nothing; it lands when it can. Whole town, real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import builders
import livetown
import pytest
from livetown import LiveTown

Make = Callable[..., LiveTown]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with livetown.towns(tmp_path, remote=True) as make:
        yield make


def refuse(live: LiveTown, refs: str) -> Path:
    """A policy of the remote: no push to these refs."""
    hook = Path(str(live.remote), "hooks/pre-receive")
    hook.write_text(f'#!/bin/sh\nwhile read old new ref; do case "$ref" in {refs}) echo "frozen by policy" >&2; exit 1;; esac; done\n')
    hook.chmod(0o755)
    return hook


def test_what_the_gate_refuses_stays_open_and_so_does_all_that_waits_for_it(make: Make) -> None:
    live = make("test ! -e bad.txt")
    start = live.tip()
    bad = live.slung("Bad", "echo x > bad.txt")
    after = live.bead("After", "echo x > after.txt", bad)
    later = live.bead("Later", "echo x > later.txt", after)
    live.until(lambda: live.state(bad) == "failed")
    for _ in range(3):
        live.tick()
    assert live.get(bad)["status"] == "open" and "did not land" in live.get(bad)["notes"] and live.tip() == start
    assert not {after, later} & live.ready() and live.run("gt", "sling", after, "gp").code == 5
    live.bd("update", bad, "--run", "echo x > good.txt")
    live.gt("sling", bad, "gp")
    live.until(lambda: live.is_closed(bad))
    assert after in live.ready() and later not in live.ready() and "good.txt" in live.files()
    live.check()


@pytest.mark.parametrize("refs", ["refs/heads/main", "*"], ids=["the target", "every ref"])
def test_a_push_that_policy_refuses_lands_when_it_may(make: Make, refs: str) -> None:
    live = make()
    start = live.tip()
    hook = refuse(live, refs)
    bead = live.slung("Work", "echo x > work.txt")
    after = live.bead("After", "true", bead)
    live.until(lambda: live.state(bead) == "waiting")
    for _ in range(3):
        live.tick()
    request = live.request(bead)
    assert request is not None and "frozen by policy" in request["reason"] and live.has(request["head"])
    assert live.get(bead)["status"] != "closed" and after not in live.ready() and live.tip() == start
    hook.unlink()
    live.until(lambda: live.is_closed(bead))
    assert "work.txt" in live.files() and after in live.ready()
    live.check()


@pytest.mark.parametrize("when", ["before sling", "after gt done"])
def test_a_remote_that_is_away_is_waited_for(make: Make, when: str) -> None:
    live = make("test -e README.md")
    assert live.remote is not None
    start, hidden = live.tip(), live.path / "away.git"
    if when == "before sling":
        live.remote.rename(hidden)
        bead = live.slung("Work", "echo x > work.txt")
    else:
        live.gt("config", "set", "gp.gates", f"mv {live.remote} {hidden}; test -e README.md")
        bead = live.slung("Work", "echo x > work.txt")
        live.until(hidden.exists)
        live.gt("config", "set", "gp.gates", "test -e README.md")
    after = live.bead("After", "true", bead)
    live.until(lambda: live.state(bead) == "waiting")
    for _ in range(3):
        live.tick()
    request = live.request(bead)
    assert request is not None and live.has(request["head"]) and live.get(bead)["status"] != "closed" and after not in live.ready()
    hidden.rename(live.remote)
    assert live.tip() == start
    live.until(lambda: live.is_closed(bead))
    assert "work.txt" in live.files() and live.landed() == [bead]
    live.check()


def test_a_remote_that_moves_while_the_gate_runs_is_built_upon(make: Make) -> None:
    """The gate itself pushes somebody else's commit, twice: each time the change is built and tested again on what is there."""
    live = make()
    script = live.path / "gate.sh"
    pushed = live.path / "pushed"
    script.write_text(f'''set -e
test -e work.txt || exit 0
n=$(cat {pushed} 2>/dev/null | wc -l)
if [ "$n" -lt 2 ]; then
    echo x >> {pushed}
    rm -rf {live.path}/elsewhere
    git clone -q {live.remote} {live.path}/elsewhere
    cd {live.path}/elsewhere
    echo $n > outside$n.txt
    git add . && git commit -qm "outside $n" && git push -q origin HEAD:main
fi
''')
    live.gt("config", "set", "gp.gates", f"env -u GIT_DIR -u GIT_WORK_TREE sh {script}")
    bead = live.slung("Work", "echo x > work.txt")
    live.until(lambda: live.is_closed(bead))
    assert live.files() >= {"work.txt", "outside0.txt", "outside1.txt"}
    assert len(live.events("foreign_adopted")) == 2
    assert builders.git(live.remote or "", "log", "--format=%s", "--first-parent", "main").splitlines()[1:3] == ["outside 1", "outside 0"]
    live.check()
