"""bd activity --follow: what happens is shown when it happens."""

from __future__ import annotations

import subprocess
from pathlib import Path

import builders


def test_what_happens_is_shown_as_it_happens(tmp_path: Path, run_cli: builders.Run) -> None:
    repo = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    for words in (["init", "-p", "gp", "-q"], ["create", "One", "--id", "gp-one11"], ["create", "Two", "--id", "gp-two22"]):
        assert run_cli("bd", *words, cwd=repo).code == 0
    command = builders.command("bd", "activity", "--follow", "-n", "1", "--since", "1h", "--actor", "over*")
    with subprocess.Popen(command, cwd=repo, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            assert "+ gp-two22 created: Two  (overseer)" in program.stdout.readline()
            assert run_cli("bd", "comment", "gp-one11", "not hers", "--author", "jane", cwd=repo, env={"BD_ACTOR": "jane"}).code == 0
            assert run_cli("bd", "close", "gp-one11", "-r", "done", cwd=repo).code == 0
            assert "✓ gp-one11 completed: done  (overseer)" in program.stdout.readline()
        finally:
            program.terminate()
