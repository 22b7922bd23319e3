"""What git proves about a bead's work."""

from __future__ import annotations

import builders
import pytest
from queueyard import Yard

from gastown_hooks.core.errors import Refused
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import beads, proof, queue
from gastown_hooks.work.containment import contained, merge, merges


def test_nothing_is_proven_before_it_landed_and_the_bead_does_not_close(far: Yard) -> None:
    far.submit("one")
    assert proof.landed(far.rig, far.get("gp-one")) is None
    with pytest.raises(Refused):
        beads.close(Ledger(far.rig.beads), far.person(), far.now, ["gp-one"], "done")
    assert far.get("gp-one")["status"] == "in_progress"


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_work_that_a_person_brought_in_is_proven_once_adopted(far: Yard, how: str) -> None:
    base = far.tip()
    branch = far.branch("one")
    far.bead("one")
    far.commit(branch, {"a.txt": "a\n"})
    head = far.commit(branch, {"b.txt": "b\n"})
    one = far.submit("one", head=head, base=base)
    far.outsider({"other.txt": "x\n"})
    builders.git(far.scratch, "fetch", "-q", far.rig.repo, branch)
    builders.git(far.scratch, "branch", "-f", "work", "FETCH_HEAD")
    builders.git(far.scratch, "fetch", "-q", str(far.remote), "main")
    builders.git(far.scratch, "checkout", "-q", "--detach", "FETCH_HEAD")
    if how == "merge":
        builders.git(far.scratch, "merge", "-q", "--no-edit", "work")
    elif how == "squash":
        builders.git(far.scratch, "merge", "-q", "--squash", "work")
        builders.git(far.scratch, "commit", "-q", "-m", "squashed")
    else:
        builders.git(far.scratch, "cherry-pick", f"{base}..work")
    builders.git(far.scratch, "push", "-q", str(far.remote), "HEAD:main")
    before = far.remote_tip()
    result = far.round()
    assert result.landed == [(one, before)] and far.remote_tip() == before  # no second commit
    assert far.get("gp-one")["status"] == "closed" and proof.landed(far.rig, far.get("gp-one")) == before


def test_what_an_earlier_claim_landed_proves_nothing_about_this_one(far: Yard) -> None:
    far.submit("one")
    far.round()
    bead = {**far.get("gp-one"), "status": "in_progress", "claim_fence": 2}
    assert proof.landed(far.rig, bead) is None


def test_many_merges_by_one_git_are_what_each_is(near: Yard) -> None:
    base, changes = near.tip(), ({"a b.txt": "a\n"}, {"README.md": "other\n", "é\n.txt": "c\n"}, {"README.md": "one\n"})
    tip = near.commit("tip", {"README.md": "one\n", "é\n.txt": "d\n"}, base=base)
    heads = [near.commit(f"x{number}", files, base=base) for number, files in enumerate(changes)]
    found = merges(near.rig.repo, tip, [*heads, tip])
    assert [len(files) for _, files in found.values()] == [0, 2, 0, 0]
    assert found == {head: merge(near.rig.repo, tip, head) for head in [*heads, tip]}
    assert merges(near.rig.repo, tip, [heads[0], "0" * 40, heads[1]]) == {heads[0]: found[heads[0]]}
    assert merges(near.rig.repo, tip, []) == {}


def test_work_that_does_nothing_is_contained_in_nothing(far: Yard) -> None:
    base = far.tip()
    head = far.commit("x", {"README.md": "hello\n"})
    repo = Repo(far.rig.repo)
    assert not contained(repo, base, base, base) and not contained(repo, base, head, head)


def test_a_merge_request_by_hand_of_old_commits_proves_nothing(far: Yard) -> None:
    """A worker that did nothing submits a commit of the target itself."""
    far.bead("one")
    with pytest.raises(Refused, match="nothing"):
        queue.submit(far.rig, far.get("gp-one"), head=far.tip(), branch="main2", worker="gp/polecats/toast", fence=1, target="main",
                     caller=far.worker("gp-one"), now=far.now) if far.rig_git("branch", "main2", "main") == "" else None


@pytest.mark.parametrize("more", ["", "an empty commit"])
def test_a_branch_that_was_only_brought_up_to_date_has_nothing_to_land(far: Yard, more: str) -> None:
    far.bead("one")
    far.outsider({"theirs.txt": "not one's work\n"})
    branch = far.branch("one")
    for known in (False, True):  # whether the queue adopted what others pushed
        builders.git(far.rig.repo, f"--git-dir={far.rig.repo}", "fetch", "-q", str(far.remote), "+main:refs/remotes/origin/main")
        builders.git(far.scratch, "fetch", "-q", str(far.remote), "main")
        builders.git(far.scratch, "checkout", "-q", "--detach", "FETCH_HEAD")
        if more:
            builders.git(far.scratch, "commit", "-q", "--allow-empty", "-m", "nothing")
        builders.git(far.scratch, "push", "-q", far.rig.repo, f"+HEAD:refs/heads/{branch}")
        with pytest.raises(Refused, match="nothing to land"):
            far.submit("one", head=builders.git(far.scratch, "rev-parse", "HEAD"))
        if not known:
            far.round()
