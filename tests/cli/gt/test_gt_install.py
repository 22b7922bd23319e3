from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from builders import Run

from gastown_hooks import __version__


def test_install_then_again(run_cli: Run, tmp_path: Path) -> None:
    told = run_cli("gt", "install", "gt", "--git", "--dry-run")
    assert told.code == 0 and not (tmp_path / "gt").exists()
    done = run_cli("gt", "install", "gt", "--git")
    assert done.code == 0 and "gt up" in done.out and "cron" in done.out and len(done.out.splitlines()) == 4
    made = json.loads(run_cli("gt", "install", "other", "--git", "--json").out)
    assert "\n".join(made["acts"]).replace(f"{tmp_path}/other", f"{tmp_path}/gt") + "\n" == told.out
    assert (tmp_path / "gt/.git").is_dir() and (tmp_path / "gt/mayor/town.json").exists()
    again = run_cli("gt", "install", "gt", "--git")
    assert (again.code, again.out) == (0, f"{tmp_path}/gt is a complete town already\n")


def test_install_here(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert run_cli("gt", "install", cwd=tmp_path / "here").code == 0
    assert (tmp_path / "here/mayor/town.json").exists()


@pytest.mark.parametrize(("path", "code"), [("", 2), ("a\nb", 2), ("x" * 300, 2), ("/proc/nothing", 9), ("file", 5), ("gt/inner", 5)])
def test_install_refuses_in_one_line(run_cli: Run, tmp_path: Path, path: str, code: int) -> None:
    run_cli("gt", "install", "gt")
    (tmp_path / "file").write_text("")
    done = run_cli("gt", "install", "--", path)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done.err


def test_a_full_disk(run_cli: Run, tmp_path: Path) -> None:
    limited = "ulimit -f 0; trap '' XFSZ; exec \"$@\""
    from builders import command, run
    done = run(["sh", "-c", limited, "sh", *command("gt", "install", str(tmp_path / "gt"))])
    assert done.code == 9 and done.err.count("\n") == 1 and "no space left" in done.err, done.err
    assert not (tmp_path / "gt/mayor/town.json").exists()
    assert run_cli("gt", "install", "gt").code == 0


def test_version(run_cli: Run) -> None:
    assert run_cli("gt", "version").out == f"gt {__version__}\n"
    assert json.loads(run_cli("gt", "version", "--json").out)["version"] == __version__


def test_the_towns_files_belong_to_its_owner_alone(run_cli: Run, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run_cli("gt", "install", "gt")
    finally:
        os.umask(before)
    assert [p for p in (tmp_path / "gt").rglob("*") if stat.S_IMODE(p.lstat().st_mode) & 0o077] == []
