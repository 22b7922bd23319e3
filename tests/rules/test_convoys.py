"""Convoys: states of tracked beads, landing, what may be started."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.rules import convoys, ready

Record = dict[str, Any]


def bead(name: str, status: str = "open", *needs: str, **more: Any) -> Record:
    deps = [{"issue_id": name, "depends_on_id": need, "type": "blocks"} for need in needs]
    return {"id": name, "title": name.upper(), "status": status, "dependencies": deps, **more}


def convoy(*beads: str, **more: Any) -> Record:
    return {"id": "hq-cv-1", "issue_type": "convoy", "status": "open",
            "dependencies": [{"issue_id": "hq-cv-1", "depends_on_id": one, "type": "tracks"} for one in beads], **more}


def request(source: str, state: str) -> Record:
    return {"id": f"{source}-mr", "issue_type": "merge-request", "status": "blocked" if state in ("failed", "conflict") else "open",
            "metadata": {"source": source, "branch": "b", "head": "h", "target": "main", "worker": "w", "state": state, "fence": 1,
                         "reason": "why"}}


def known(*records: Record) -> dict[str, Record]:
    return {one["id"]: one for one in records}


@pytest.mark.parametrize("record, state, over", [
    (bead("a-1"), "ready", False),
    (bead("a-1", "open", "b-1"), "blocked", False),
    (bead("a-1", "open", "c-1"), "blocked", False),  # of a ledger that nobody knows
    (bead("a-1", "hooked", claim_fence=1), "working", False),
    (bead("a-1", "closed", claim_fence=1), "landed", True),
    (bead("a-1", "closed"), "closed", True),
    (bead("a-1", "tombstone"), "tombstone", True),
    (bead("a-1", "deferred"), "deferred", False),
])
def test_what_a_bead_is_up_to(record: Record, state: str, over: bool) -> None:
    found = convoys.look("a-1", known(record, bead("b-1")), {}, 0)
    assert (found.state, found.over, bool(found.waits_for)) == (state, over, state in ("blocked",)), found


@pytest.mark.parametrize("state, word", [
    ("queued", "submitted"), ("waiting", "submitted"), ("failed", "sent back"), ("conflict", "conflict")])
def test_its_request_says_more_than_its_status(state: str, word: str) -> None:
    records = known(bead("a-1", "open", claim_fence=1), request("a-1", state))
    found = convoys.look("a-1", records, convoys.by_claim(records.values()), 0)
    assert (found.state, found.request, found.waits_for) == (word, "a-1-mr", ["why"])
    records["a-1"]["claim_fence"] = 2  # an older claim's request says nothing
    assert convoys.look("a-1", records, convoys.by_claim(records.values()), 0).state == "ready"


@pytest.mark.parametrize("beads, landed", [
    ((bead("a-1", "closed"), bead("b-1", "closed")), True), ((bead("a-1", "closed"), bead("b-1", "tombstone")), True),
    ((bead("a-1", "closed"), bead("b-1", "hooked")), False), ((bead("a-1", "closed"),), False), ((), False)])
def test_it_lands_when_everything_is_known_to_be_closed(beads: tuple[Record, ...], landed: bool) -> None:
    assert convoys.has_landed(convoy("a-1", "b-1"), known(*beads)) is landed
    assert not convoys.has_landed(convoy(), known(*beads)), "an empty one never lands"


def test_what_came_back_is_not_started_again() -> None:
    records = known(bead("a-1"), bead("b-1", claim_fence=1), bead("c-1", "open", "a-1"), bead("d-1", assignee="somebody"), bead("e-1"),
                    bead("f-1", priority=0))
    may_begin = ready.ready(records, 0)
    assert [one["id"] for one in convoys.startable([convoy("a-1", "b-1", "c-1", "d-1", "f-1")], may_begin)] == ["f-1", "a-1"]
    assert convoys.startable([convoy("a-1", status="closed")], may_begin) == []


def test_the_work_below_an_epic() -> None:
    def child(name: str, of: str, **more: Any) -> Record:
        return {**bead(name, **more), "dependencies": [{"issue_id": name, "depends_on_id": of, "type": "parent-child"}]}

    records = known(bead("hq-1", issue_type="epic"), child("hq-1.1", "hq-1", issue_type="epic"), child("a-1", "hq-1.1"),
                    child("b-1", "hq-1"), child("b-2", "hq-1", issue_type="merge-request"), bead("c-1"))
    assert convoys.children_of(records, "hq-1") == ["a-1", "b-1"]


@pytest.mark.parametrize("metadata", [None, 3, [], "x"])
def test_foreign_metadata_counts_as_none(metadata: object) -> None:
    assert convoys.data(convoy(metadata=metadata)) == {}
