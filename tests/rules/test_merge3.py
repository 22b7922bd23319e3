"""The merge engine: its laws on generated records, and the cases in which other engines lose data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gastown_hooks.core import clock
from gastown_hooks.core.jsons import canonical
from gastown_hooks.rules import states
from gastown_hooks.rules.merge3 import _comment_name, _dependency_name, merge_record

STAMPS = ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-03T00:00:00Z", "2026-02-01T00:00:00Z"]
WORDS = st.sampled_from(["", "a", "b", "one\ntwo\nthree", "one\ntwo\nfour", "zero\none\ntwo\nthree", "one\nTWO\nthree\n"])
JSON = st.recursive(st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"]),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("pq"), inner, max_size=2),
                    max_leaves=4)
DEPENDENCY = st.fixed_dictionaries(
    {"issue_id": st.just("t-a"), "depends_on_id": st.sampled_from(["t-b", "t-c"]),
     "type": st.sampled_from(["blocks", "related"])},
    optional={"metadata": st.sampled_from(["{}", "{\"gate\":\"x\"}"])})
COMMENT = st.fixed_dictionaries({"id": st.sampled_from([1, 2, "u-1"]), "issue_id": st.just("t-a"),
                                 "author": st.sampled_from("xy"), "text": st.sampled_from(["hi", "ho"]),
                                 "created_at": st.sampled_from(STAMPS)})
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "title": WORDS, "description": WORDS, "notes": WORDS, "assignee": st.sampled_from("xy"),
    "status": st.sampled_from(["open", "in_progress", "closed", "hooked", "tombstone", "blocked"]),
    "priority": st.integers(0, 4), "issue_type": st.sampled_from(["task", "bug"]), "claim_fence": st.integers(0, 3),
    "created_at": st.sampled_from(STAMPS), "updated_at": st.sampled_from(STAMPS), "closed_at": st.sampled_from(STAMPS),
    "labels": st.lists(st.sampled_from("abc"), max_size=3), "dependencies": st.lists(DEPENDENCY, max_size=2),
    "comments": st.lists(COMMENT, max_size=2), "metadata": st.dictionaries(st.sampled_from("kl"), JSON, max_size=2),
    "x-unknown": JSON, "pinned": st.booleans(), "estimated_minutes": st.integers(0, 5)}
RECORD = st.fixed_dictionaries({"id": st.just("t-a")}, optional=FIELDS)
SOME = st.none() | RECORD
# What a program writes: dated, and no element twice.
WRITTEN = st.fixed_dictionaries({"id": st.just("t-a"), "updated_at": st.sampled_from(STAMPS)}, optional={
    **{key: value for key, value in FIELDS.items() if key != "updated_at"},
    "labels": st.lists(st.sampled_from("abc"), max_size=3, unique=True),
    "dependencies": st.lists(DEPENDENCY, max_size=2, unique_by=_dependency_name),
    "comments": st.lists(COMMENT, max_size=3, unique_by=_comment_name)})


def literal(record: Any) -> str:
    return json.dumps(record)


@settings(max_examples=400, deadline=None)
@given(base=SOME, ours=SOME, theirs=SOME)
def test_the_sides_may_change_places(base: Any, ours: Any, theirs: Any) -> None:
    one, other = merge_record(base, ours, theirs), merge_record(base, theirs, ours)
    assert literal(one.record) == literal(other.record)
    assert [str(c) for c in one.conflicts] == [str(c) for c in other.conflicts]


@settings(max_examples=200, deadline=None)
@given(base=SOME, ours=RECORD, theirs=RECORD)
def test_a_merge_of_the_merged_changes_nothing(base: Any, ours: Any, theirs: Any) -> None:
    merged = merge_record(base, ours, theirs).record
    again = merge_record(base, merged, merged)
    assert literal(again.record) == literal(merged) and not again.conflicts


@settings(max_examples=150, deadline=None)
@given(base=st.none() | WRITTEN, ours=WRITTEN, theirs=WRITTEN)
def test_either_side_merged_in_once_more_changes_nothing(base: Any, ours: Any, theirs: Any) -> None:
    if base is not None:
        base = {key: value for key, value in base.items() if key != "claim_fence"} | {"updated_at": "2026-01-01T00:00:00Z"}
    merged = merge_record(base, ours, theirs).record
    for side in (ours, theirs):
        assert canonical(merge_record(base, merged, side).record) == canonical(merged)


@settings(max_examples=100, deadline=None)
@given(versions=st.permutations([[n, n + 1] for n in range(4)]), moment=st.sampled_from(STAMPS))
def test_comments_come_together_in_one_order_whatever_was_merged_first(versions: list[list[int]], moment: str) -> None:
    def version(numbers: list[int]) -> dict[str, Any]:
        said = [{"id": n, "author": "x", "text": str(m), "created_at": moment} for n, m in enumerate(numbers)]
        return {"id": "t-a", "updated_at": moment, "comments": said}

    one = two = None
    for numbers in versions:
        one, two = merge_record(None, one, version(numbers)).record, merge_record(None, version(numbers[::-1]), two).record
    assert one is not None and two is not None
    texts = [[comment["text"] for comment in found["comments"]] for found in (one, two)]
    assert texts == [list("01234")] * 2


@settings(max_examples=300, deadline=None)
@given(base=RECORD, ours=RECORD, theirs=RECORD)
def test_nothing_that_only_one_side_changed_is_lost(base: Any, ours: Any, theirs: Any) -> None:
    """Pain point 1: no field is dropped, known or unknown."""
    merged = merge_record(base, ours, theirs).record
    assert merged is not None
    dead = "tombstone" in (base.get("status"), ours.get("status"), theirs.get("status"))
    for key in {*base, *ours, *theirs} - {"comments", "closed_at"}:
        was, one, other = (canonical(side.get(key)) for side in (base, ours, theirs))
        if key == "status" and (dead or ours.get("status") == theirs.get("status") == "closed"
                                or "closed" in (ours.get("status"), theirs.get("status"))):
            continue
        if key == "status":
            was, one, other = (canonical(side.get(key, "open")) for side in (base, ours, theirs))
        wanted = other if was == one else one if was == other or one == other else None
        if wanted is not None and json.loads(wanted):
            assert canonical(merged.get(key, "open" if key == "status" else None)) == wanted, key


@settings(max_examples=200, deadline=None)
@given(base=SOME, ours=RECORD, theirs=RECORD)
def test_closed_at_stands_on_closed_beads_only(base: Any, ours: Any, theirs: Any) -> None:
    sides = [base or {}, ours, theirs]
    if any((side.get("status") == "closed") != ("closed_at" in side) for side in sides):
        return
    merged = merge_record(base, ours, theirs).record
    assert merged is not None
    if merged.get("status") != "tombstone":
        assert (merged.get("status") == "closed") == ("closed_at" in merged)


@settings(max_examples=200, deadline=None)
@given(base=SOME, ours=SOME, theirs=SOME)
def test_a_tombstone_is_for_ever(base: Any, ours: Any, theirs: Any) -> None:
    """Pain point 5: what is deleted stays so, unless it was taken back by who knew that, while nobody else changed it."""
    dead = [side for side in (ours, theirs) if (side or {}).get("status") == "tombstone"]
    if dead and dead != [base]:
        merged = merge_record(base, ours, theirs).record
        assert merged is not None and merged["status"] == "tombstone"


BASE: dict[str, Any] = {"id": "t-a", "title": "T", "status": "open", "priority": 2, "created_at": STAMPS[0],
                        "updated_at": STAMPS[0]}
CLOSED = {**BASE, "status": "closed", "closed_at": STAMPS[2], "close_reason": "done", "updated_at": STAMPS[2]}


def merged(base: Any, ours: Any, theirs: Any) -> Any:
    return merge_record(base, ours, theirs).record


def test_a_reopen_beside_an_edit_stays_open() -> None:
    reopened = {k: v for k, v in CLOSED.items() if k not in ("closed_at", "close_reason")} | {"status": "open"}
    result = merged(CLOSED, reopened, {**CLOSED, "title": "New", "updated_at": STAMPS[3]})
    assert (result["status"], result["title"]) == ("open", "New") and "closed_at" not in result


def test_closed_beats_progress_whoever_was_later() -> None:
    result = merged(BASE, CLOSED, {**BASE, "status": "in_progress", "started_at": STAMPS[3], "updated_at": STAMPS[3]})
    assert (result["status"], result["closed_at"], result["started_at"]) == ("closed", STAMPS[2], STAMPS[3])


def test_the_first_of_two_closes_gives_the_time() -> None:
    later = {**CLOSED, "closed_at": STAMPS[3], "close_reason": "again", "updated_at": STAMPS[3]}
    result = merged(BASE, CLOSED, later)
    assert result["closed_at"] == STAMPS[2]
    assert {result["close_reason"], result["comments"][0]["text"].split(": ")[-1]} == {"done", "again"}


def test_closed_twice_is_closed_by_who_was_first() -> None:
    first, second = {**CLOSED, "closed_by": "joe"}, {**CLOSED, "closed_at": STAMPS[3], "closed_by": "ann", "updated_at": STAMPS[3]}
    for sides in ((first, second), (second, first)):
        result = merge_record(BASE, *sides).record
        assert result is not None and (result["closed_at"], result["closed_by"]) == (STAMPS[2], "joe")



@pytest.mark.parametrize(("one", "other", "wanted"), [(0, 1, 0), (3, 1, 1), (2, 0, 0), (2, 4, 4)])
def test_the_more_urgent_priority_and_p0_is_a_value(one: int, other: int, wanted: int) -> None:
    assert merged(BASE, {**BASE, "priority": one}, {**BASE, "priority": other})["priority"] == wanted


def test_labels_are_merged_one_by_one() -> None:
    base = {**BASE, "labels": ["a", "b"]}
    assert merged(base, {**BASE, "labels": ["b", "c"]}, {**BASE, "labels": ["a", "b", "d"]})["labels"] == ["b", "c", "d"]


def test_dependencies_are_named_by_target_and_type() -> None:
    def edge(target: str, kind: str = "blocks") -> dict[str, str]:
        return {"issue_id": "t-a", "depends_on_id": target, "type": kind}
    base = {**BASE, "dependencies": [edge("t-b")]}
    ours = {**BASE, "dependencies": [edge("t-b", "related"), edge("t-b")]}
    result = merged(base, ours, {**BASE, "dependencies": [edge("t-c")]})
    assert sorted((d["depends_on_id"], d["type"]) for d in result["dependencies"]) == [("t-b", "related"), ("t-c", "blocks")]


def test_both_sides_of_appended_notes() -> None:
    base = {**BASE, "notes": "start"}
    result = merged(base, {**base, "notes": "start\none"}, {**base, "notes": "start\ntwo", "updated_at": STAMPS[3]})
    assert result["notes"] == "start\none\ntwo"


def test_changes_of_different_lines_meet_and_of_the_same_line_leave_a_comment() -> None:
    base = {**BASE, "description": "1\n2\n3\n4"}
    apart = merged(base, {**base, "description": "1!\n2\n3\n4"}, {**base, "description": "1\n2\n3\n4!"})
    assert apart["description"] == "1!\n2\n3\n4!"
    both = merge_record(base, {**base, "description": "x"}, {**base, "description": "y", "updated_at": STAMPS[2]})
    assert both.record is not None and both.record["description"] == "y"
    assert both.record["comments"][0]["text"].endswith("x") and [c.field for c in both.conflicts] == ["description"]


def test_the_same_instant_in_another_zone_is_no_change() -> None:
    theirs = {**BASE, "created_at": STAMPS[1], "title": "New"}
    assert merged(BASE, theirs, {**BASE, "priority": 1})["title"] == "New"
    due = [{**BASE, "due_at": stamp} for stamp in STAMPS]
    assert merged(due[0], due[1], due[3])["due_at"] == STAMPS[3]


def test_metadata_by_key_keeps_the_loser() -> None:
    base = {**BASE, "metadata": {"a": 1, "deep": {"x": 1, "y": 1}}}
    result = merge_record(base, {**base, "metadata": {"a": 2, "deep": {"x": 2, "y": 1}}},
                          {**base, "metadata": {"a": 3, "deep": {"x": 1, "y": 2}, "n": 0}, "updated_at": STAMPS[2]})
    assert result.record is not None
    assert result.record["metadata"] == {"a": 3, "deep": {"x": 2, "y": 2}, "n": 0}
    assert [c.field for c in result.conflicts] == ["metadata.a"]


def test_the_higher_claim_keeps_the_bead() -> None:
    ours = {**BASE, "status": "hooked", "assignee": "r/polecats/new", "claim_fence": 2, "updated_at": STAMPS[2]}
    theirs = {**BASE, "status": "in_progress", "assignee": "r/polecats/old", "claim_fence": 1, "updated_at": STAMPS[3]}
    result = merged(BASE, ours, theirs)
    assert (result["status"], result["assignee"], result["claim_fence"]) == ("hooked", "r/polecats/new", 2)


def test_of_two_claims_the_first_keeps_the_bead_and_the_other_is_told() -> None:
    """Pain point 10: a claim in two clones has one winner, the same everywhere."""
    first = {**BASE, "status": "in_progress", "assignee": "ann", "started_at": STAMPS[2], "updated_at": STAMPS[2]}
    second = {**first, "assignee": "bob", "started_at": STAMPS[3], "updated_at": STAMPS[3]}
    for sides in ((first, second), (second, first)):
        result = merge_record(BASE, *sides)
        assert result.record is not None and (result.record["assignee"], result.record["started_at"]) == ("ann", STAMPS[2])
        assert [str(one) for one in result.conflicts] == ["t-a assignee: kept ann, not bob"]


def test_a_line_taken_out_by_hand_stays_out_only_when_nobody_changed_it() -> None:
    assert merged(BASE, None, BASE) is None
    assert merged(BASE, None, CLOSED) == CLOSED


def test_an_edit_of_a_deleted_bead_is_reported() -> None:
    dead = {**BASE, "status": "tombstone", "deleted_at": STAMPS[2], "updated_at": STAMPS[2]}
    result = merge_record(BASE, dead, {**BASE, "title": "Edited", "updated_at": STAMPS[3]})
    assert result.record is not None and result.conflicts
    assert (result.record["status"], result.record["deleted_at"], result.record["title"]) == ("tombstone", STAMPS[2], "Edited")


def test_a_tombstone_is_taken_back_by_who_knew_it() -> None:
    dead = {**BASE, "status": "tombstone", "deleted_at": STAMPS[2], "updated_at": STAMPS[2]}
    stale, back = ({**BASE, "title": "Back", "updated_at": STAMPS[at]} for at in (1, 3))
    assert merged(dead, dead, back) == merged(dead, back, dead) == back
    assert merged(dead, {**back, "priority": 1}, {**back, "notes": "n"}) == {**back, "priority": 1, "notes": "n"}
    for base, ours, theirs in ((dead, dead, stale), (None, dead, back), (BASE, dead, back), (dead, {**dead, "deleted_by": "x"}, back),
                               (dead, stale, {**stale, "notes": "n"})):
        assert (merged(base, ours, theirs) or {})["status"] == "tombstone"


def test_what_takes_a_tombstone_back_is_later_than_it_whosever_clock_is_ahead() -> None:
    dead = {**BASE, "status": "tombstone", "deleted_at": STAMPS[3], "updated_at": STAMPS[3]}
    at = states.after_its_deletion(dead, clock.parse(STAMPS[0]))
    assert merged(dead, dead, {**BASE, "updated_at": clock.stamp(at)})["status"] == "open"
    assert states.after_its_deletion(dead, at + 7) == at + 7
    assert [states.after_its_deletion(one, 5) for one in (None, {}, {"deleted_at": "yesterday"})] == [5, 5, 5]


def test_validations_of_both_sides_are_kept() -> None:
    base = {"id": "gp-a", "title": "x", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    one, other = ({**base, "validations": [{"validated_by": who, "outcome": "passed"}]} for who in ("jane", "gp/refinery"))
    found = [merge_record(base, *sides).record for sides in ((one, other), (other, one))]
    assert found[0] == found[1] and len((found[0] or {})["validations"]) == 2
