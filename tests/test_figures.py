"""The README's figures are in the form that bench/table.py prints; what each bench says is read as it says it."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table() -> object:
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return import_module("table")
    finally:
        sys.path.remove(str(ROOT / "bench"))


def test_the_readme_has_the_table_that_was_measured(table) -> None:  # type: ignore[no-untyped-def]
    measured = table.table_of(json.loads(table.FIGURES.read_text(encoding="utf-8")))
    assert table.with_figures(README, measured) == README


def test_each_bench_is_read(table) -> None:  # type: ignore[no-untyped-def]
    row = {"what": "a", "figure": "1", "goal": "2"}
    assert table.rows_of(json.dumps([row])) == [row]
    told = (("python -I -S -c pass", 9, 1), ("bd export, 3000 beads", 90, 10))
    lines = [f"{what:<44} {ms:8.0f} ms {ratio:8.1f} x\n" for what, ms, ratio in told]
    assert table.rows_of_tracker("".join(lines)) == [
        {"what": "bd export, 3000 beads", "figure": "10.0 x bare Python, 90 ms", "goal": ""}]
    assert table.rows_of_queue('{"rows": [{"what": "a", "goal": "M1", "figure": 3.5, "limit": 4}]}') == [
        {"what": "a (M1)", "figure": "3.5", "goal": "4"}]


def test_a_readme_without_marks_is_left_alone(table) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit):
        table.with_figures("no marks", "x")


@pytest.mark.parametrize("part", ["speed.py", "tracker.py", "latency.py", "workers.py", "merge_queue.py"])
def test_every_part_is_there(part: str, table) -> None:  # type: ignore[no-untyped-def]
    assert part in {command[0] for command, _ in table.PARTS.values()} and (ROOT / "bench" / part).exists()
