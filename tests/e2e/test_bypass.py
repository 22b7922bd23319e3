"""A worker that goes past the merge queue: found, saved, told and set right before anything lands, and then good work lands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import builders
import livetown
import pytest
from livetown import LiveTown

Make = Callable[..., LiveTown]
# In $c: a commit with one more file, on the tip of the worker's branch; the worker's tree is as before.
FOREIGN = """echo x > {name}; git add {name}; c=$(git commit-tree $(git write-tree) -p HEAD -m foreign); git rm -qf {name}
echo $c > {out}
"""
OFF = "git -c core.hooksPath=/dev/null"
PUSH = "git push -q --no-verify $(git config remote.origin.url) $c:refs/heads/main"  # `origin` itself leads nowhere for a push
LOCAL = {
    "update-ref": f"{OFF} update-ref refs/heads/main $c",
    "commit on main": f"{OFF} symbolic-ref HEAD refs/heads/main && {OFF} commit -q --allow-empty --no-verify -m foreign "
                      f"&& git rev-parse HEAD > {{out}} && {OFF} symbolic-ref HEAD refs/heads/$branch",
    "the file itself": "echo $c > $(git rev-parse --git-common-dir)/refs/heads/main",
    "branch -f": f"{OFF} branch -f main $c",
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with livetown.towns(tmp_path, "test ! -e evil.txt") as make:
        yield make


def script(live: LiveTown, act: str, name: str = "evil.txt") -> str:
    """The bead's work with the act before it; the foreign commit's id is in `<path>/foreign`."""
    out = str(live.path / "foreign")
    return ("branch=$(git symbolic-ref --short HEAD)\n" + FOREIGN.format(name=name, out=out) + act.replace("{out}", out)
            + f" || echo failed > {live.path}/refused\necho x > good.txt\n")


def foreign(live: LiveTown) -> str:
    return (live.path / "foreign").read_text().strip()


@pytest.mark.parametrize("remote", [False, True], ids=["no remote", "remote"])
@pytest.mark.parametrize("how", LOCAL)
def test_the_rigs_own_target_is_put_back(make: Make, how: str, remote: bool) -> None:
    if remote and how not in ("update-ref", "commit on main"):
        return
    live = make(remote=remote)
    start = live.tip()
    bead = live.slung("Past the queue", script(live, LOCAL[how]))
    live.until(lambda: live.is_closed(bead))
    commit = foreign(live)
    assert not (live.path / "refused").exists()
    assert live.git("rev-parse", f"refs/gt/salvage/foreign/{commit}") == commit
    assert commit not in live.git("rev-list", "refs/heads/main").split() and live.files() == {"README.md", "good.txt"}
    assert live.git("rev-parse", "refs/heads/main^1") == start
    [event] = live.events("target_put_back")
    assert (event["was"], event["now"]) == (commit, start) and "gp: main was moved past the merge queue" in live.mails()
    again = live.slung("Good", "echo x > more.txt")
    live.until(lambda: live.is_closed(again))
    assert len(live.events("target_put_back")) == 1
    live.check()


def test_a_deleted_target_comes_back(make: Make) -> None:
    live = make()
    start = live.tip()
    bead = live.slung("Delete it", script(live, f"{OFF} update-ref -d refs/heads/main"))
    live.until(lambda: live.is_closed(bead))
    assert live.git("rev-parse", "refs/heads/main^1") == start and "good.txt" in live.files()
    live.check()


@pytest.mark.parametrize("act", ["git update-ref refs/heads/main $c", "git branch -f main $c", "git push -q --no-verify . $c:main",
                                 f"{OFF} push -q --no-verify $(git rev-parse --git-common-dir) $c:main", "git push -q origin $c:main",
                                 f"{OFF} push -q --no-verify origin $c:main", "git push -q $(git config remote.origin.url) $c:main"])
def test_the_guard_stands_where_nobody_switches_it_off(make: Make, act: str) -> None:
    live = make(remote="origin" in act)
    start = live.tip()
    bead = live.slung("Refused at once", script(live, act))
    live.until(lambda: live.is_closed(bead))
    assert (live.path / "refused").exists() and live.events("target_put_back") == [] and live.events("foreign_adopted") == []
    assert live.git("rev-parse", "refs/heads/main^1") == start
    live.check()


def test_a_green_push_to_the_remote_is_gated_and_adopted(make: Make) -> None:
    live = make(remote=True)
    bead = live.slung("Past the queue", script(live, PUSH, "extra.txt"))
    live.until(lambda: live.is_closed(bead))
    commit = foreign(live)
    [event] = live.events("foreign_adopted")
    assert event["to"] == commit and live.git("rev-parse", f"refs/gt/salvage/foreign/{commit}") == commit
    assert live.files() == {"README.md", "extra.txt", "good.txt"} and not (live.path / "refused").exists()
    assert live.git("rev-parse", "refs/heads/main^1") == commit
    live.check()


def test_a_red_push_to_the_remote_closes_the_target_until_it_is_green(make: Make) -> None:
    live = make(remote=True)
    bead = live.slung("Past the queue", script(live, PUSH))
    live.until(lambda: "gp: main is closed" in live.mails())
    commit = foreign(live)
    live.until(lambda: live.state(bead) == "waiting")
    for _ in range(2):
        live.tick()
    assert live.tip() == commit and live.get(bead)["status"] != "closed" and live.mails().count("gp: main is closed") == 1
    assert live.git("rev-parse", f"refs/gt/salvage/foreign/{commit}") == commit and len(live.events("escalation")) == 1
    live.push({"evil.txt": None}, "mend it")
    live.until(lambda: live.is_closed(bead))
    assert live.files() == {"README.md", "good.txt"} and "gp: main is open again" in live.mails()
    assert len(live.events("target_reopened")) == 1
    live.check()


def test_a_forced_push_closes_the_target_until_a_person_decides(make: Make) -> None:
    live = make(remote=True)
    first = live.slung("First", "echo x > first.txt")
    live.until(lambda: live.is_closed(first))
    landed = live.tip()
    bead = live.slung("Rewrites", script(live, PUSH.replace("$c", "+$(git commit-tree HEAD^{tree} -m new)")))
    live.until(lambda: "gp: main is closed" in live.mails())
    rewritten = live.tip()
    assert rewritten != landed and live.git("rev-parse", f"refs/gt/salvage/foreign/{rewritten}") == rewritten
    assert live.git("rev-parse", "refs/heads/main") == landed and live.get(bead)["status"] != "closed"
    builders.git(live.path, f"--git-dir={live.rig.repo}", "push", "-q", "--force", str(live.remote), f"{landed}:refs/heads/main")
    live.until(lambda: live.is_closed(bead))
    assert live.files() == {"README.md", "first.txt", "good.txt"}
    live.check()
