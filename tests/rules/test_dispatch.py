"""Who has proven most in what a bead needs."""

from __future__ import annotations

import pytest

from gastown_hooks.rules import dispatch
from gastown_hooks.rules.track import Job


def did(name: str, clean: int, back: int = 0, skill: str = "go") -> list[Job]:
    return [*(Job(f"{name}{n}", name, "landed", skills=(skill,)) for n in range(clean)),
            *(Job(f"{name}-{n}", name, "returned", skills=(skill,)) for n in range(back))]


@pytest.mark.parametrize(("jobs", "taken", "wanted", "why"), [
    ([], "", "", "no worker is preferred: nobody has finished go tasks"),
    (did("a", 9, 1), "", "a", "worker a did 9 of 10 go tasks at the first try"),
    ([*did("a", 1), *did("b", 40, 2)], "", "b",
     "worker b did 40 of 42 go tasks at the first try; next: a did 1 of 1 go tasks at the first try"),
    ([*did("a", 5), *did("b", 4)], "a", "b", "worker b did 4 of 4 go tasks at the first try; a is not free"),
    (did("a", 5), "a", "", "no worker is preferred: a did 5 of 5 go tasks at the first try, but is not free"),
    (did("a", 1, 3), "", "", "no worker is preferred: a did 1 of 4 go tasks at the first try"),
    (did("a", 5, skill="py"), "", "", "no worker is preferred: nobody has finished go tasks")])
def test_the_best_free_one_is_chosen(jobs: list[Job], taken: str, wanted: str, why: str) -> None:
    found = dispatch.best(jobs, ["go"], lambda job: job.actor, lambda name: name not in taken, "worker")
    assert (found.name, found.why) == (wanted, why)


def test_without_skills_all_work_counts() -> None:
    found = dispatch.best([*did("a", 3, skill="py"), *did("b", 2)], [], lambda job: job.actor, lambda name: True, "worker")
    assert found.name == "a" and "3 of 3 all tasks" in found.why
