"""The shim, built once for each test process; without a compiler these tests are skipped (tests/skips.txt)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crash import engine, harness

Matrix = Callable[..., harness.Report]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    library = engine.build_shim(str(tmp_path_factory.mktemp("shim")))
    if library is None:
        pytest.skip("no C compiler: the crash shim cannot be built")
    return library


@pytest.fixture
def matrix(shim: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Matrix:
    """`matrix("ledger", seconds=4)`: the scenario's sampled points, in a process of its own; prints points and seed."""

    def run(name: str, *arguments: str, seconds: float = 4) -> harness.Report:
        reports, said = harness.in_own_process(shim, ["--only", name, "--seconds", str(seconds), "--folder", str(tmp_path), *arguments])
        with capsys.disabled():
            print("\n" + said.splitlines()[0] if said else "")
        return reports[0]

    return run


@pytest.fixture
def bench(shim: str, tmp_path: Path) -> engine.Bench:
    return engine.Bench(str(tmp_path / "bench"), shim)
