"""Who calls, and from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastown_hooks.core.errors import NotFound
from gastown_hooks.stores import callers


def test_a_folder_that_was_removed_under_its_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "tree"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(NotFound, match="the folder that you are in is gone"):
        callers.caller()
    assert callers.caller(str(tmp_path)).cwd == str(tmp_path)
