"""The harness's own proof: each of the wrong writers is caught."""

from __future__ import annotations

import pytest

from crash import scenarios
from crash.conftest import Matrix

BROKEN = [name for name, scenario in scenarios.ALL.items() if scenario.broken]


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_writer_is_caught(matrix: Matrix, name: str) -> None:
    report = matrix(name, "--all", "--doubles", "0", "--most", "1")
    assert report.violations, f"{name}: {report.total()} points and not one violation"
