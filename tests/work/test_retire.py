from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import slots
from builders import commit, git, run, write_files

from gastown_hooks.core import clock, fsio, lock
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.paths import Home, Rig
from gastown_hooks.stores import beats, processes
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import lease as leases
from gastown_hooks.work import rescue, retire, stashes, worktree_state
from gastown_hooks.work.salvage import Salvage

WRITER = {"GIT_AUTHOR_NAME": "gp/polecats/toast", "GIT_COMMITTER_NAME": "gp/polecats/toast"}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return slots.make_town(tmp_path / "town")


def go(rig: Rig, name: str = "toast", *, force: bool = False) -> Salvage:
    return retire.retire(rig, name, caller=slots.overseer(rig), now=slots.NOW, reason="test", force=force)


def back(rig: Rig, key: str) -> str:
    return rescue.restore(*rescue.find(rig.town, key)).path


def stash(tree: str, text: str, message: str = "", env: dict[str, str] | None = None) -> None:
    write_files(Path(tree), {"README.md": text})
    done = run(["git", "-C", tree, "stash", "push", "-q", *(["-m", message] if message else [])], env=env)
    assert done.code == 0, done.err


def at_work(home: Home, token: str, cwd: str, words: str = "exec sleep 60") -> subprocess.Popen[bytes]:
    """A process that carries a worker's token, really running."""
    env = {**os.environ, "GT_TOKEN": token}
    child = subprocess.Popen(["sh", "-c", f"echo up; {words}"], cwd=cwd, env=env, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"up\n"
    return child


def ended(child: subprocess.Popen[bytes]) -> bool:
    child.wait(10)
    assert child.stdout is not None
    child.stdout.close()
    return True


def full(rig: Rig) -> Home:
    """Unpushed commits, staged, unstaged, untracked, ignored files and a stash entry of its own."""
    home = slots.add_worker(rig, "toast", 7)
    tree = Path(home.tree)
    commit(tree, {"done.txt": "done\n"}, "unpushed")
    stash(home.tree, "stashed\n", "mine")
    write_files(tree, {"staged.txt": "s\n"})
    git(tree, "add", "-A")
    write_files(tree, {"src/app.py": "unstaged\n", "loose": "l\n", "x.o": "o"})
    return home


def test_all_of_it_comes_back_and_the_others_stash_stays(rig: Rig) -> None:
    other = slots.add_worker(rig, "nux", 8)
    stash(other.tree, "nux below\n", "below")
    home = full(rig)
    stash(other.tree, "nux above\n")
    before, entries = slots.seen(home.tree), slots.stash_list(rig)
    agent = at_work(home, slots.token(rig, "toast7"), home.tree)
    saved = go(rig, force=True)
    assert ended(agent) and saved.key == "toast/7" and saved.ignored == ["x.o"]
    assert not os.path.exists(home.root) and not worktree_state.admin_dir(rig, home.tree)
    assert not git(rig.repo, "for-each-ref", "refs/heads/polecat/toast")
    assert slots.stash_list(rig) == [line for line in entries if "mine" not in line] and len(entries) == 3
    path = back(rig, "toast/7")
    after = slots.seen(path)
    files = before["files"]
    assert isinstance(files, dict)
    del files[b"x.o"]
    assert after == before
    assert sorted(slots.stash_list(rig)) == sorted(entries)
    assert git(path, "stash", "show", "-p", "stash@{0}").endswith("+stashed")
    assert rescue.restore(*rescue.find(rig.town, "gp/toast/7")).existed
    assert git(rig.repo, "fsck", "--no-dangling") in ("", "notice: HEAD points to an unborn branch (gt-none)")
    assert [event["type"] for event in slots.events(rig)] == ["kill"]


def test_twice_is_once(rig: Rig) -> None:
    full(rig)
    go(rig)
    refs = slots.salvage_refs(rig)
    assert go(rig) == Salvage("", [], [])
    assert slots.salvage_refs(rig) == refs and len(slots.events(rig)) == 1


def test_a_landed_clean_worker_leaves_nothing_behind(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    head = commit(Path(home.tree), {"a": "1\n"}, "work")
    git(rig.repo, "update-ref", "refs/gt/landed/main", head)
    assert go(rig).saved == [] and not slots.salvage_refs(rig) and not os.path.exists(home.root)


def test_an_unlanded_clean_worker_leaves_its_commit(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    head = commit(Path(home.tree), {"a": "1\n"}, "work")
    assert go(rig).saved == ["head"]
    path = back(rig, "toast/1")
    assert git(path, "rev-parse", "HEAD") == head and not git(path, "status", "--porcelain")


def test_a_claim_that_nobody_works_on_opens_again(rig: Rig) -> None:
    bead = {"id": "gp-b3", "title": "t", "status": "hooked", "priority": 2, "issue_type": "task", "assignee": "gp/polecats/toast",
            "claim_fence": 3, "created_at": clock.stamp(1), "updated_at": clock.stamp(1)}
    Ledger(rig.beads).transact(lambda view: [bead])
    write_files(Path(slots.add_worker(rig, "toast", 3).tree), {"a": "1\n"})
    go(rig)
    found = Ledger(rig.beads).get("gp-b3")
    assert found is not None and found["status"] == "open" and "assignee" not in found
    assert "gt rescue show gp/toast/3" in found["notes"]


def test_a_claim_of_a_later_fence_is_left_alone(rig: Rig) -> None:
    bead = {"id": "gp-b3", "title": "t", "status": "hooked", "priority": 2, "issue_type": "task", "assignee": "gp/polecats/toast",
            "claim_fence": 4, "created_at": clock.stamp(1), "updated_at": clock.stamp(1)}
    Ledger(rig.beads).transact(lambda view: [bead])
    slots.add_worker(rig, "toast", 3)
    go(rig)
    assert Ledger(rig.beads).get("gp-b3") == bead


def test_a_branch_that_moved_is_not_deleted(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    git(rig.repo, "worktree", "prune")
    tip = commit(Path(home.tree), {"a": "1\n"}, "work")
    intent = retire.Intent("x", "y", "z", False, 1, phase=retire.REMOVING, branch="refs/heads/polecat/toast/b1@1", tip="1" * 40)
    fsio.rename(home.tree, home.old_tree)
    retire._advance(home, intent)
    go(rig)
    assert git(rig.repo, "rev-parse", "refs/heads/polecat/toast/b1@1") == tip


# ---- who may be at work

def test_a_live_runner_stops_it_unless_forced(rig: Rig) -> None:
    home = full(rig)
    hold = f"import fcntl,sys,time; f=open({home.runner_lock!r},'w'); fcntl.flock(f,2); print('up',flush=True); time.sleep(60)"
    token = slots.token(rig, "polecat.gp.toast")
    runner = subprocess.Popen([sys.executable, "-c", hold], env={**os.environ, "GT_TOKEN": token}, stdout=subprocess.PIPE)
    assert runner.stdout is not None and runner.stdout.readline() == b"up\n"
    with pytest.raises(Refused, match="is at work"):
        go(rig)
    assert os.path.isdir(home.tree) and not os.path.exists(home.retiring) and runner.poll() is None
    assert go(rig, force=True).saved and ended(runner)


def test_a_session_by_hand_stops_it_unless_forced(rig: Rig) -> None:
    home = full(rig)
    session = at_work(home, "", "/")
    found = processes.find(session.pid)
    assert found is not None
    beats.write(home.heartbeat, beats.Beat(actor="gp/polecats/toast", session="s", pid=found.pid, start=found.start, boot_id=found.boot_id,
                                           seq=1, progress="", state="working", bead="gp-b7"))
    with pytest.raises(Refused, match="is at work"):
        go(rig)
    assert go(rig, force=True).saved and ended(session)


def test_a_stray_with_the_token_is_ended(rig: Rig) -> None:
    home = full(rig)
    stray = at_work(home, slots.token(rig, "toast7"), "/", "trap '' TERM; sleep 60 & wait")
    innocent = at_work(home, slots.token(rig, "nux8"), "/")
    assert go(rig).saved and ended(stray) and innocent.poll() is None
    innocent.kill()
    ended(innocent)


def test_somebody_elses_process_in_the_tree_stops_it(rig: Rig) -> None:
    home = full(rig)
    before = slots.seen(home.tree)
    visitor = subprocess.Popen(["sleep", "60"], cwd=f"{home.tree}/src")
    with pytest.raises(Refused, match=f"{visitor.pid}"):
        go(rig, force=True)
    assert visitor.poll() is None and slots.seen(home.tree) == before and not os.path.exists(home.retiring)
    visitor.kill()
    visitor.wait()
    assert go(rig).saved


def test_the_caller_below_the_runner_is_not_ended(rig: Rig) -> None:
    """The runner's own last step: its lock is held, its beat is fresh, and it survives."""
    home = full(rig)
    lines = f"""
from gastown_hooks.core import lock
from gastown_hooks.stores import beats, processes
import subprocess
home = rig.polecat("toast")
held = lock.acquire(home.runner_lock)
me = processes.this()
beats.write(home.heartbeat, beats.Beat(actor="a", session="s", pid=me.pid, start=me.start, boot_id=me.boot_id, seq=1, progress="",
                                       state="working", bead="gp-b7"))
code = "import sys; sys.path[:0]={[*sys.path]!r}; import slots; from gastown_hooks.work import retire; " \\
       "rig=slots.Town({rig.town.root!r}).rig('gp'); " \\
       "retire.retire(rig, 'toast', caller=slots.overseer(rig), now=slots.NOW, reason='done')"
done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, GT_TOKEN=slots.token(rig, "toast7")))
assert done.returncode == 0
"""
    assert slots.run_work(rig, lines, env={"GT_TOKEN": slots.token(rig, "polecat.gp.toast")}).code == 0
    assert not os.path.exists(home.root) and "refs/gt/salvage/toast/7/tree" in slots.salvage_refs(rig)


def test_a_writer_that_goes_on_writing_loses_nothing(rig: Rig) -> None:
    home = full(rig)
    stop, written = threading.Event(), []

    def write() -> None:
        number = 0
        while not stop.is_set() and number < 100000:
            number += 1
            try:
                Path(home.tree, "log").write_text(f"{number}\n")
            except OSError:
                return
            written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        go(rig)
        left = False
    except Exception as error:
        assert "changed" in str(error) or "vanished" in str(error), error
        left = True
    finally:
        stop.set()
        thread.join()
    if left:
        assert Path(home.tree, "log").read_text() == f"{written[-1]}\n"
        go(rig)
    last = max(rescue.entries(rig), key=lambda saved: saved.generation)
    assert Path(back(rig, last.key), "log").read_text() == f"{written[-1]}\n"


def test_who_holds_a_file_open_is_waited_for_and_named(rig: Rig) -> None:
    """It sits elsewhere and carries no token: what it wrote after the tree's move would be in no salvage."""
    home = full(rig)
    program = "import sys; file = open(sys.argv[1], 'a'); print(flush=True); sys.stdin.read(); file.write('late'); file.close()"
    with subprocess.Popen([sys.executable, "-c", program, f"{home.tree}/log"], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={}) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"\n"
        with pytest.raises(Refused, match=rf"writing there: {writer.pid}"):
            go(rig)
        assert Path(home.tree, "log").exists()
        writer.communicate(b"")
    go(rig)
    last = max(rescue.entries(rig), key=lambda saved: saved.generation)
    assert Path(back(rig, last.key), "log").read_text() == "late"


# ---- killed

def laws(rig: Rig, before: dict[str, object], entries: list[str]) -> None:
    assert not os.path.exists(rig.polecat("toast").root) and not os.listdir(rig.town.removed_root)
    assert not os.path.exists(f"{rig.repo}/refs/stash.lock")
    assert {saved.key for saved in rescue.entries(rig)} == {"gp/toast/7"}, "one state, saved once"
    assert slots.stash_list(rig) == [line for line in entries if "mine" not in line]
    assert not git(rig.repo, "for-each-ref", "refs/heads/polecat/toast")
    assert len(slots.events(rig)) == 1
    after = slots.seen(back(rig, "toast/7"))
    assert after == before and sorted(slots.stash_list(rig)) == sorted(entries)


@pytest.mark.parametrize("part", range(2))
def test_killed_anywhere_and_run_again_is_never_killed(tmp_path: Path, part: int) -> None:
    act = "retire.retire(rig, 'toast', caller=slots.overseer(rig), now=slots.NOW, reason='test', force=True)"
    rig = slots.make_town(tmp_path / "town")
    other = slots.add_worker(rig, "nux", 8)
    stash(other.tree, "nux below\n", "below")
    home = full(rig)
    (Path(home.tree) / "x.o").unlink()
    before, entries = slots.seen(home.tree), slots.stash_list(rig)
    template = str(tmp_path / "template")
    subprocess.run(["cp", "-a", rig.town.root, template], check=True)
    calm = slots.run_work(rig, act)
    assert calm.code == 0, calm.err
    for kill_at in range(1 + part * slots.STEP // 2, 1 - int(calm.out), slots.STEP):
        subprocess.run(["rm", "-rf", rig.town.root], check=True)
        subprocess.run(["cp", "-a", template, rig.town.root], check=True)
        assert slots.run_work(rig, act, kill_at=kill_at).code == -signal.SIGKILL, kill_at
        done = slots.run_work(rig, act)
        assert done.code == 0, (kill_at, done.err)
        try:
            laws(rig, before, entries)
        except AssertionError as error:
            raise AssertionError(f"killed at call {kill_at} of {-int(calm.out)}: {error}") from error


# ---- the shared stash

def test_own_stash_entries_are_known_by_branch_and_author(rig: Rig) -> None:
    home = slots.add_worker(rig, "toast", 1)
    other = slots.add_worker(rig, "nux", 2)
    stash(home.tree, "1\n", "On polecat/nux/b2@2: a liar")
    git(home.tree, "checkout", "-q", "--detach")
    stash(home.tree, "2\n", env=WRITER)
    stash(other.tree, "3\n", "nux")
    lease = leases.read(home)
    found = [entry.message for entry in stashes.own(rig.repo, lease, lease.branch if lease else None)]
    assert len(found) == 1 and found[0].startswith("On polecat/toast/b1@1: "), "the committer's clock is before the lease began"
    since = leases.Lease("gp-b1", 1, "t", "gp/polecats/toast", "polecat/toast/b1@1", "", "exec", "ready", clock.stamp(0))
    assert len(stashes.own(rig.repo, since, since.branch)) == 2


def test_taking_out_entries_keeps_order_and_chain(rig: Rig) -> None:
    tree = slots.add_worker(rig, "toast", 1).tree
    for number in range(6):
        stash(tree, f"{number}\n", f"m{number}")
    entries = slots.stash_list(rig)
    mine = frozenset(entries[i].split(" ")[0] for i in (0, 3, 5))
    assert len(stashes.remove(rig.repo, mine)) == 3
    assert slots.stash_list(rig) == [entries[i] for i in (1, 2, 4)]
    assert git(tree, "rev-parse", "refs/stash") == entries[1].split(" ")[0]
    git(tree, "stash", "drop", "-q", "stash@{1}")
    assert slots.stash_list(rig) == [entries[i] for i in (1, 4)]
    assert stashes.remove(rig.repo, mine) == []
    assert len(stashes.remove(rig.repo, frozenset(line.split(" ")[0] for line in entries))) == 2
    assert slots.stash_list(rig) == [] and run(["git", "-C", tree, "rev-parse", "-q", "--verify", "refs/stash"]).code != 0


def test_packed_stash_refs_do_not_come_back(rig: Rig) -> None:
    tree = slots.add_worker(rig, "toast", 1).tree
    stash(tree, "a\n", "a")
    stash(tree, "b\n", "b")
    git(tree, "pack-refs", "--all")
    top, below = slots.stash_list(rig)
    stashes.remove(rig.repo, frozenset([top.split(" ")[0]]))
    assert git(tree, "rev-parse", "refs/stash") == below.split(" ")[0]
    stashes.remove(rig.repo, frozenset([below.split(" ")[0]]))
    assert run(["git", "-C", tree, "rev-parse", "-q", "--verify", "refs/stash"]).code != 0


def test_a_dead_owners_stash_lock_is_cleared(rig: Rig) -> None:
    tree = slots.add_worker(rig, "toast", 1).tree
    stash(tree, "a\n", "a")
    stash(tree, "b\n", "b")
    Path(f"{rig.repo}/refs/stash.lock").write_text("")
    top = slots.stash_list(rig)[0]
    assert stashes.remove(rig.repo, frozenset([top.split(" ")[0]])) == [top.split(" ")[0]]
    Path(f"{rig.repo}/refs/stash.lock").write_text("")
    assert stashes.remove(rig.repo, frozenset()) == [] and not os.path.exists(f"{rig.repo}/refs/stash.lock")


def test_a_reflog_that_a_deletion_left_without_its_ref_goes_too(rig: Rig) -> None:
    tree = slots.add_worker(rig, "toast", 1).tree
    stash(tree, "a\n", "a")
    oid = slots.stash_list(rig)[0].split(" ")[0]
    os.unlink(f"{rig.repo}/refs/stash")
    assert stashes.remove(rig.repo, frozenset([oid])) == [oid]
    assert not os.path.exists(f"{rig.repo}/logs/refs/stash") and not os.path.exists(f"{rig.repo}/refs/stash.lock")
    stash(tree, "b\n", "b")
    assert len(slots.stash_list(rig)) == 1


def test_others_stash_while_entries_are_taken_out(rig: Rig) -> None:
    """Two workers push in a loop; the third's entries go one by one, and nobody misses an entry."""
    mine = slots.add_worker(rig, "toast", 1).tree
    trees = [slots.add_worker(rig, name, number).tree for number, name in ((2, "nux"), (3, "rictus"))]
    for number in range(12):
        stash(mine, f"m{number}\n", f"mine {number}")
    oids = [line.split(" ")[0] for line in slots.stash_list(rig)]
    # Two plain gits refuse each other too when a disk is slow: a push is tried again, an entry must not be lost.
    loop = ("for i in $(seq 15); do echo $i > README.md; tries=0; until git stash push -q -m \"$1 $i\"; do "
            "tries=$((tries+1)); [ $tries -lt 20 ] || exit 1; done; done")
    children = [subprocess.Popen(["sh", "-c", loop, "sh", str(number)], cwd=tree) for number, tree in enumerate(trees)]
    taken = []
    for oid in oids:
        taken += stashes.remove(rig.repo, frozenset([oid]))
    codes = [child.wait(60) for child in children]
    left = slots.stash_list(rig)
    assert codes == [0, 0] and sorted(taken) == sorted(oids)
    assert not set(oids) & {line.split(" ")[0] for line in left}
    for number in (0, 1):
        messages = [line.rpartition(": ")[2] for line in reversed(left) if f": {number} " in line]
        assert messages == [f"{number} {i}" for i in range(1, 16)]
    assert git(mine, "rev-parse", "refs/stash") == left[0].split(" ")[0]


def test_the_lock_is_not_kept(rig: Rig) -> None:
    slots.add_worker(rig, "toast", 1)
    go(rig)
    assert not lock.is_held(rig.lock("retire.toast"))
