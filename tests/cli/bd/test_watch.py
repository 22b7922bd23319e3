"""`bd list -w` and `bd show -w` show again what somebody changed, `bd activity --follow` tells it."""

from __future__ import annotations

import select
import subprocess
import time
from pathlib import Path

import builders
import pytest


@pytest.mark.parametrize(("words", "first", "then"), [
    (("list", "--watch"), b"[P2] [task] - One\n", b"[P2] [task] - Changed\n"),
    (("show", "gp-a11", "--short", "-w"), b"[P2] [task] - One\n", b"[P2] [task] - Changed\n"),
    (("activity", "--follow"), b"gp-a11 created: One", b"gp-a11 ")])
def test_a_change_is_shown(words: tuple[str, ...], first: bytes, then: bytes, tmp_path: Path) -> None:
    place = tmp_path / "proj"
    builders.make_repo(place, {"README.md": "hello\n"})
    for made in (("init", "-p", "gp", "-q"), ("create", "One", "--id", "gp-a11")):
        assert builders.run(builders.command("bd", *made), cwd=place).code == 0
    with subprocess.Popen(builders.command("bd", *words), cwd=place, stdout=subprocess.PIPE) as watching:
        try:
            assert first in next_line(watching)
            assert builders.run(builders.command("bd", "update", "gp-a11", "--title", "Changed"), cwd=place).code == 0
            assert then in next_line(watching)
        finally:
            watching.kill()


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.1)[0]:
            return process.stdout.readline()
    raise AssertionError("nothing was shown")
