"""gt daemon start and stop: the cron line and the mode, told to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pytest

LINE = "gastown_hooks.tick"


@pytest.fixture
def table(tmp_path: Path, run_cli: builders.Run) -> Path:
    run_cli.cwd = tmp_path / "town"
    assert run_cli("gt", "install", str(run_cli.cwd), cwd=tmp_path).code == 0
    return tmp_path / "home/.crontab"


def test_started_twice_and_stopped_twice(table: Path, run_cli: builders.Run) -> None:
    table.write_text("# mine\n")
    for words, dry, told, mode, lines in (
            ("start", True, "would have in the crontab: ", "by-hand", 0), ("start", False, "cron line put in place", "running", 1),
            ("start", False, "the cron line is in place", "running", 1), ("stop", True, "would take out the cron line", "running", 1),
            ("stop", False, "cron line taken out", "by-hand", 0), ("stop", False, "there is no cron line", "by-hand", 0)):
        done = run_cli("gt", "daemon", words, "--json", *["--dry-run"][:dry])
        [act] = json.loads(done.out).pop("acts")
        assert done.code == 0 and act.startswith(told), done
        assert json.loads(done.out) == {"mode": mode, "cron": bool(lines), "acts": [act], "dry_run": dry}
        assert table.read_text().startswith("# mine\n") and table.read_text().count(LINE) == lines


def test_without_a_crontab_program_the_loop_is_named(table: Path, run_cli: builders.Run) -> None:
    (table.parent / ".bin/crontab").unlink()
    bare = {"PATH": str(table.parent / ".bin")}
    done = run_cli("gt", "daemon", "start", env=bare)
    assert done.code == 0 and "gt daemon run" in done.out, done
    done = run_cli("gt", "daemon", "stop", "--json", env=bare)
    assert json.loads(done.out) == {"mode": "by-hand", "cron": None, "acts": ["there is no cron line"], "dry_run": False}
