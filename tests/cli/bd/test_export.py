"""What `bd export -o` may replace."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest


@pytest.mark.parametrize(("text", "code"), [("my notes\n", 1), ("", 0), ('{"id":"bd-a1","title":"One"}\n', 0), ("{}\n", 1), ("\n", 0)])
def test_only_an_export_of_before_is_replaced(run_cli: builders.Run, repo: Path, text: str, code: int) -> None:
    assert run_cli("bd", "init", "-q", "--prefix", "bd", cwd=repo).code == 0
    assert run_cli("bd", "create", "One", cwd=repo).code == 0
    file = repo / "file"
    file.write_text(text)
    done = run_cli("bd", "export", "-o", "file", cwd=repo)
    assert (done.code, file.read_text() == text) == (code, bool(code)), done
    assert not code or "file holds something else" in done.err
