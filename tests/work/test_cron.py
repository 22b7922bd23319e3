"""The cron line: put in, taken out, everything else byte for byte as it was. The account's own crontab is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import GastownError
from gastown_hooks.core.paths import Town
from gastown_hooks.work import cron

# Stands in for the crontab program: keeps the table in a file beside itself.
CRONTAB = '''#!/bin/sh
table="$(dirname "$0")/table"
if [ -e "$(dirname "$0")/broken" ]; then echo "crontab: your account is locked" >&2; exit 1; fi
case "$1" in
-l) if [ -e "$table" ]; then cat "$table"; else echo "no crontab for tester" >&2; exit 1; fi ;;
-) cat > "$table" ;;
*) exit 2 ;;
esac
'''
OTHERS = b"# my own line\n\nMAILTO=me@example.test\n0 5 * * 1 echo 100\\% \xff done  \n*/5 * * * * echo gastown"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "crontab").write_text(CRONTAB)
    (bin / "crontab").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}:{os.environ['PATH']}")
    return bin / "table"


def make_town(root: Path, town_id: str = "t0wn") -> Town:
    town = Town(str(root))
    fsio.make_folder(town.mayor.root)
    fsio.make_folder(os.path.dirname(town.daemon_log))
    fsio.write_json(town.marker, {"type": "town", "id": town_id, "name": "town"})
    return town


def test_the_line_comes_and_goes_and_the_rest_stays(tmp_path: Path, table: Path) -> None:
    town = make_town(tmp_path / "town")
    table.write_bytes(OTHERS + b"\n")
    assert cron.installed(town) is False
    assert cron.start(town) is True and cron.start(town) is False
    lines = table.read_bytes().split(b"\n")
    assert b"\n".join(lines[:-2]) == OTHERS and lines[-2].endswith(b"# gastown t0wn") and lines[-1] == b""
    assert cron.installed(town) is True
    assert cron.stop(town) is True and cron.stop(town) is False
    assert table.read_bytes() == OTHERS + b"\n"


def test_a_last_line_without_newline_is_not_glued_to(tmp_path: Path, table: Path) -> None:
    town = make_town(tmp_path / "town")
    table.write_bytes(OTHERS)
    cron.start(town)
    assert table.read_bytes().startswith(OTHERS + b"\n*/3 ")


def test_an_empty_crontab(tmp_path: Path, table: Path) -> None:
    town = make_town(tmp_path / "town")
    assert cron.start(town) is True
    assert table.read_bytes() == cron.line(town) + b"\n"
    assert cron.stop(town) is True and table.read_bytes() == b""


def test_two_towns_keep_their_own_line(tmp_path: Path, table: Path) -> None:
    one, other = make_town(tmp_path / "one", "aaaa"), make_town(tmp_path / "two", "aaaabb")
    cron.start(one)
    cron.start(other)
    assert cron.stop(one) is True
    assert table.read_bytes() == cron.line(other) + b"\n"


def test_a_moved_town_has_one_line(tmp_path: Path, table: Path) -> None:
    cron.start(make_town(tmp_path / "one"))
    moved = make_town(tmp_path / "two")
    assert cron.start(moved) is True
    assert table.read_bytes() == cron.line(moved) + b"\n"


def test_an_unreadable_crontab_is_not_taken_for_an_empty_one(tmp_path: Path, table: Path) -> None:
    town = make_town(tmp_path / "town")
    table.write_bytes(OTHERS)
    (table.parent / "broken").touch()
    with pytest.raises(GastownError, match="locked"):
        cron.start(town)
    assert table.read_bytes() == OTHERS


def test_no_crontab_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    town = make_town(tmp_path / "town")
    assert cron.available() is False and cron.installed(town) is None and cron.stop(town) is False
    with pytest.raises(GastownError, match="gt daemon run"):
        cron.start(town)


def test_the_line_does_what_it_says_whatever_the_path(tmp_path: Path, table: Path) -> None:
    town = make_town(tmp_path / "my town's 100% $(id)")
    for folder in (town.locks, town.dirty, town.beads.root):
        fsio.make_folder(folder)
    fsio.write(town.beads.routes, b"")
    line = cron.line(town)
    schedule, command = line.split(b" * * * * ", 1)
    assert schedule == b"*/3" and b"\n" not in line
    # What cron does: an unescaped % ends the command, an escaped one is a %; the shell gets the rest.
    assert b"%" not in command.replace(b"\\%", b"")
    subprocess.run(["/bin/sh", "-c", os.fsdecode(command.replace(b"\\%", b"%"))], check=True,
                   env={"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"})
    assert os.path.exists(town.last_tick)


def test_a_line_that_cron_could_not_take_is_refused(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = make_town(tmp_path / "town")
    monkeypatch.setenv("PATH", f"{table.parent}:{'/very/long' * 200}")
    assert len(cron.line(town)) <= 990 and sys.executable.encode() in cron.line(town)
