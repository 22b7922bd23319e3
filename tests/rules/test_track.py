"""What an identity has done, told by beads, merge requests, validations and costs."""

from __future__ import annotations

from typing import Any

import pytest

from gastown_hooks.rules import track

T = "2026-01-02T03:04:05Z"
TOAST, NUX = "gp/polecats/toast", "gp/polecats/nux"


def bead(name: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {name: {"id": name, "title": name, "status": "closed", "priority": 2, "created_at": T, "updated_at": T, "updated_by": "joe",
                   "closed_at": "2026-01-02T05:04:05Z", **more}}


def request(source: str, worker: str, state: str, fence: int = 1, **more: Any) -> dict[str, dict[str, Any]]:
    data = {"source": source, "branch": "b", "head": "h", "target": "main", "worker": worker, "fence": fence, "state": state, **more}
    return bead(f"gp-mr-{source}-{fence}-{state}", issue_type="merge-request", metadata=data, assignee=None)


def told(*parts: dict[str, dict[str, Any]], costs: list[dict[str, Any]] | None = None) -> list[track.Job]:
    return track.jobs({name: record for part in parts for name, record in part.items()}, costs or [])


@pytest.mark.parametrize(("parts", "wanted"), [
    ([bead("a", assignee=TOAST)], [("a", TOAST, "closed", 0)]),
    ([bead("a")], [("a", "joe", "closed", 0)]),
    ([bead("a", status="open", assignee=TOAST)], []),
    ([bead("a", issue_type="epic"), bead("b", issue_type="convoy"), bead("c", status="tombstone")], []),
    ([bead("a", assignee=TOAST), request("a", TOAST, "landed")], [("a", TOAST, "landed", 0)]),
    ([bead("a", assignee=TOAST), request("a", TOAST, "landed", tries=2)], [("a", TOAST, "landed", 2)]),
    ([bead("a", status="hooked"), request("a", TOAST, "queued")], []),
    ([bead("a", status="open"), request("a", TOAST, "failed", tries=1)], [("a", TOAST, "returned", 1)]),
    ([bead("a"), request("a", TOAST, "superseded", tries=1), request("a", NUX, "landed", 2)],
     [("a", NUX, "landed", 0), ("a", TOAST, "returned", 1)]),
    ([bead("a"), request("a", TOAST, "superseded"), request("a", TOAST, "landed", 2)], [("a", TOAST, "landed", 0)]),
    ([bead("a", status="open"), request("a", TOAST, "rejected")], [("a", TOAST, "returned", 1)]),
    ([bead("a", assignee=TOAST), request("a", TOAST, "failed", tries=1)], [("a", TOAST, "closed", 1)]),
    ([bead("a"), request("a", TOAST, "landed", 2), request("a", TOAST, "conflict")], [("a", TOAST, "landed", 1)]),
    ([bead("a", status="tombstone"), request("a", TOAST, "landed"), bead("x", issue_type="merge-request", metadata={})], [])])
def test_jobs(parts: list[dict[str, dict[str, Any]]], wanted: list[tuple[str, str, str, int]]) -> None:
    assert [(job.bead, job.actor, job.outcome, job.tries) for job in told(*parts)] == wanted


def test_what_it_cost_by_which_model_and_what_others_said() -> None:
    costs = [{"bead": "a", "fence": 1, "agent": "claude", "model": model, "tokens": {"input": count}, "cost": cost}
             for model, count, cost in (("opus", 10, 0.5), ("haiku", 3, None))]
    costs += [{"bead": "a", "fence": 2, "agent": "codex", "tokens": {"input": 9}, "cost": 9.0}]
    said = [{"validated_by": "gp/refinery", "validation_type": "merge"}, {"outcome": "failed"}, "odd"]
    job, = told(bead("a", validations=said), request("a", TOAST, "landed", agent="mine"), costs=costs)
    assert (job.agent, job.model, job.cost, job.tokens, job.hours, job.passed, job.failed) == ("mine", "opus", 0.5, 13, 2.0, 1, 1)
    assert not job.clean


def test_skills() -> None:
    text = "do it\n\n## Required Skills\nGo, SQL\n- careful reading\n\n## Other\nno"
    assert track.skills({"labels": ["gt:x", "python", "skill:go"], "description": text}) == ("python", "go", "sql", "careful reading")
    assert track.skills({"labels": "odd"}) == ()


def test_groups_and_numbers() -> None:
    every = told(bead("a", labels=["go"]), request("a", TOAST, "landed"),
                 bead("b", labels=["go", "py"]), request("b", TOAST, "landed", tries=1), bead("c", status="open", labels=["go"]),
                 request("c", NUX, "failed", tries=1), bead("d", labels=["py"]))
    rows = track.grouped(every, "actor")
    assert [(row["actor"], row["tasks"], row["landed"], row["returned"], row["first_try"], row["sent_back"]) for row in rows] == [
        (TOAST, 2, 2, 0, 1, 1), (NUX, 1, 0, 1, 0, 1), ("joe", 1, 0, 0, 1, 0)]
    assert {row["tag"]: row["tasks"] for row in track.grouped(every, "tag")} == {"go": 3, "py": 2}
    assert [job.bead for job in track.among(every, "gp/*", ["go", "py"])] == ["b"]
    assert track.summary([])["success_rate"] is None and track.summary(every)["success_rate"] == 0.5
    assert track.standing(every[:1]) > track.standing([]) > track.standing([job for job in every if job.actor == NUX])
