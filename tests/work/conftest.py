"""Yards for the tests of the merge queue; a file that wants them otherwise has its own by the same names."""

from __future__ import annotations

from pathlib import Path

import pytest
import queueyard
from queueyard import Yard


@pytest.fixture(params=[False, True], ids=["local", "remote"])
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    """Once without a remote, once with one."""
    return queueyard.make(tmp_path, remote=request.param)


@pytest.fixture
def far(tmp_path: Path) -> Yard:
    """A rig with a remote."""
    return queueyard.make(tmp_path, remote=True)


@pytest.fixture
def near(tmp_path: Path) -> Yard:
    """A rig without one."""
    return queueyard.make(tmp_path)
