"""The harness's own proof: each of the wrong writers is caught."""

from __future__ import annotations

import pytest

from crash import scenarios
from crash.conftest import Matrix

BROKEN = [name for name, scenario in scenarios.ALL.items() if scenario.broken]
# A long act with a wide gap: every 20th call meets it. The others are short, or wrong without any kill.
SPARSE = {"broken-close-first": ("--mode", "2", "--every", "20")}


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_writer_is_caught(matrix: Matrix, name: str) -> None:
    report = matrix(name, *SPARSE.get(name, ("--all", "--doubles", "0")), "--most", "1")
    assert report.violations, f"{name}: {report.total()} points and not one violation"


def test_all_five_are_here() -> None:
    assert sorted(scenarios.ALL[name].broken for name in BROKEN) == ["close_first", "journal_first", "no_heal", "no_swap", "remove_first"]
