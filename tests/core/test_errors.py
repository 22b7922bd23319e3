"""Failures: their line, their code, what becomes of a bug."""

from __future__ import annotations

import errno
import os

import pytest
from builders import run
from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import errors


@pytest.mark.parametrize("error, line", [
    (errors.GastownError("it failed"), "it failed"),
    (errors.Refused("gp-1 stays open", why="it is not landed"), "gp-1 stays open: it is not landed"),
    (errors.NotFound("no gp-1", next="bd list"), "no gp-1. Next: bd list"),
    (errors.Conflict("gp-1", why="taken", next="gt status"), "gp-1: taken. Next: gt status"),
])
def test_the_line(error: errors.GastownError, line: str) -> None:
    assert str(error) == line


def test_every_class_has_its_own_short_code_and_a_meaning() -> None:
    table = errors.exit_codes()
    codes = [code for _, code, _ in table]
    assert len(codes) == len(set(codes))
    assert all(meaning for _, _, meaning in table)
    assert {number for number, _, _ in table} == {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70, 75, 130}


def test_classes_of_other_modules_are_not_in_the_table() -> None:
    class Elsewhere(errors.Refused):
        code = "elsewhere"

    assert "elsewhere" not in [code for _, code, _ in errors.exit_codes()]
    del Elsewhere


@pytest.mark.parametrize("number, why", [(errno.ENOSPC, "no space left"), (errno.EDQUOT, "no space left"), (errno.EFBIG, "no space left"),
                                         (errno.EROFS, os.strerror(errno.EROFS)), (errno.EIO, os.strerror(errno.EIO))])
def test_a_disk_that_refuses(number: int, why: str) -> None:
    error = errors.storage("/x/y", OSError(number, os.strerror(number)))
    assert isinstance(error, errors.StorageFailed)
    assert "/x/y" in str(error) and why in str(error) and ". Next: " in str(error)


def test_a_known_failure_is_one_line_and_its_code() -> None:
    said: list[str] = []

    def fail() -> int:
        raise errors.LockTimeout("ledger.lock is busy", why="held by pid 1")

    assert errors.handled("bd", fail, report=said.append) == 75
    assert said == ["bd: ledger.lock is busy: held by pid 1"]


def test_success_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.handled("gt", lambda: 0) == 0
    assert capsys.readouterr() == ("", "")


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> int:
        raise KeyboardInterrupt

    assert errors.handled("gt", stop) == 130
    assert capsys.readouterr().err == "gt: interrupted\n"


def test_a_reader_that_left() -> None:
    def pipe() -> int:
        raise BrokenPipeError

    assert errors.handled("gt", pipe) == 1


@pytest.mark.parametrize("what", [PermissionError(errno.EACCES, "denied", "/x/y"), NotADirectoryError(errno.ENOTDIR, "no", "/x")])
def test_a_place_that_is_not_ours_is_no_bug(what: OSError, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise what
    assert errors.handled("bd", main) == errors.StorageFailed.exit_code
    assert capsys.readouterr().err == f"bd: cannot use {what.filename}: {what.strerror}. Next: ls -ld {what.filename}\n"


def test_a_bug_shows_its_traceback_and_exits_with_70(capsys: pytest.CaptureFixture[str]) -> None:
    def bug() -> int:
        raise ZeroDivisionError("a fault of ours")

    assert errors.handled("gt", bug) == errors.BUG
    assert "Traceback" in (text := capsys.readouterr().err) and "a fault of ours" in text


@given(st.integers(0, 255))
def test_an_agent_hook_never_blocks_by_accident(code: int) -> None:
    assert errors.for_agent_hook(code) == (0 if code == 0 else 1)


def test_core_imports_nothing_slow() -> None:
    code = ("import sys; from gastown_hooks.core import clock, data, errors, fsio, ids, lock, paths, record;"
            "print([m for m in ('re', 'pathlib', 'typing', 'dataclasses', 'subprocess', 'click', 'datetime') if m in sys.modules])")
    import_only = ("import sys", f"sys.path.insert(0, {os.path.dirname(os.path.dirname(os.path.dirname(__file__)))!r})", code)
    done = run([__import__("sys").executable, "-I", "-S", "-c", "; ".join(import_only)])
    # json itself imports re; that is the interpreter's affair, ours is the rest.
    assert done.out.strip() in ("['re']", "[]"), done.out + done.err
