"""What people suffered from elsewhere, by number: each has a test that names it, here or where its subject is tested."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import builders
import warm

from gastown_hooks.core import lock
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import processes

TESTS = builders.ROOT / "tests"
NAMED = re.compile(r"^\W*Pain points? (\d+)", re.M)
NOT_HERE = {17: "formulas are not built yet"}


def test_every_pain_point_has_a_test_that_names_it() -> None:
    texts = [path.read_text(encoding="utf-8") for pattern in ("**/test_*.py", "**/scripts/*.txt") for path in TESTS.glob(pattern)]
    named = {int(number) for text in texts for number in NAMED.findall(text)}
    assert named.isdisjoint(NOT_HERE) and named | NOT_HERE.keys() == set(range(1, 26))


def tracker(place: Path) -> Path:
    repo = builders.make_repo(place / "proj", {"README.md": "hello\n"})
    assert warm.run("bd", "init", "-q", "--own-branch", "--prefix", "bd", cwd=repo).code == 0
    return repo


def test_no_process_stays(tmp_path: Path) -> None:
    """Pain point 6: no daemon: nothing that runs on, no socket, no pid file."""
    repo = tracker(tmp_path)
    for words in (["create", "One", "--id", "bd-a"], ["list"], ["close", "bd-a"]):
        assert builders.run(builders.command("bd", *words), cwd=repo).code == 0
    assert processes.below(str(tmp_path)) == []
    left = [path.name for path in (repo / ".beads").rglob("*") if path.is_socket() or path.is_fifo() or "pid" in path.name]
    assert left == []


def test_a_reader_waits_for_no_writer(tmp_path: Path) -> None:
    """Pain point 7: a reader needs no lock, and says what is wrong instead of showing nothing."""
    repo = tracker(tmp_path)
    assert warm.run("bd", "create", "One", "--id", "bd-a", cwd=repo).code == 0
    beads = Beads(str(repo / ".beads"))
    with lock.acquire(beads.ledger_lock):
        assert "One" in warm.run("bd", "list", cwd=repo, timeout=20).out
    Path(beads.issues).rename(tmp_path / "away")
    for words in (["list"], ["ready"], ["count"], ["show", "bd-a"]):
        done = warm.run("bd", *words, cwd=repo)
        assert (done.code, done.out) == (1, "") and done.err.startswith("bd: no ledger"), (words, done)


def test_the_everyday_verbs_need_nothing_but_python(tmp_path: Path) -> None:
    """Pain point 8: they import no package that would have to be installed."""
    repo = tracker(tmp_path)
    made = ""
    for words in (["create", "One"], ["list", "--json"], ["ready"], ["show"], ["update", "-p", "0"], ["update", "--claim"], ["close"]):
        given = words + [made] * (words[0] in ("show", "update", "close"))
        done = builders.run([sys.executable, "-I", "-S", *builders.command("bd", *given)[1:]], cwd=repo)
        assert done.code == 0, (words, done.err)
        made = json.loads(done.out)[0]["id"] if "--json" in words else made
