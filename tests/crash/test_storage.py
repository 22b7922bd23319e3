"""core/fsio and the ledger: broken at every k-th file call, then done again."""

from __future__ import annotations

import pytest

from crash import storage
from crash.conftest import Matrix

NAMES = [scenario.name for scenario in storage.SCENARIOS if not scenario.broken]


@pytest.mark.parametrize("name", NAMES)
def test_broken_at_any_call_and_done_again(matrix: Matrix, name: str) -> None:
    report = matrix(name, "--doubles", "20", seconds=2)
    assert report.points["kill-before"] and report.points["kill-after"] and report.points["disk-full"]
    assert not report.violations, "\n".join(report.violations)
