"""Pain point 10: of several takers at once one wins each bead; and B5: of several writers at once none is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import builders

TAKERS, BEADS = 8, 24
# One process that claims until nothing is left, and prints what it got.
TAKER = f"""
import contextlib, io, json, sys
sys.path.insert(0, {str(builders.ROOT)!r})
from gastown_hooks import front
got = []
while True:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert front._run("bd", ["ready", "--claim", "--json"], True) == 0
    found = json.loads(text.getvalue())
    if not found:
        break
    got += [bead["id"] for bead in found]
print(json.dumps(got))
"""


def test_each_bead_is_claimed_once(tmp_path: Path, run_cli: builders.Run) -> None:
    place = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    run_cli("bd", "init", "-p", "gp", "-q", cwd=place)
    made = [{"key": f"k{n}", "title": f"Bead {n}"} for n in range(BEADS)]
    (place / "plan.json").write_text(json.dumps({"nodes": made}))
    assert run_cli("bd", "create", "--graph", "plan.json", cwd=place).code == 0
    takers = [subprocess.Popen([sys.executable, "-c", TAKER], cwd=place, env={**builders.os.environ, "BD_ACTOR": f"taker{n}"},
                               stdout=subprocess.PIPE, text=True) for n in range(TAKERS)]
    got = {f"taker{n}": json.loads(taker.communicate(timeout=120)[0]) for n, taker in enumerate(takers)}
    every = [bead for beads in got.values() for bead in beads]
    assert len(every) == len(set(every)) == BEADS
    records = [json.loads(line) for line in (place / ".beads/issues.jsonl").read_text().splitlines()]
    assert {record["id"]: record["assignee"] for record in records} == {bead: who for who, beads in got.items() for bead in beads}


def test_labels_added_at_once_are_all_there(tmp_path: Path, run_cli: builders.Run) -> None:
    place = builders.make_repo(tmp_path / "proj", {"README.md": "hello\n"})
    run_cli("bd", "init", "-p", "gp", "-q", cwd=place)
    run_cli("bd", "create", "One", "--id", "gp-one11", cwd=place)
    adders = [subprocess.Popen(builders.command("bd", "label", "add", "gp-one11", f"l{n}"), cwd=place, stdout=subprocess.DEVNULL)
              for n in range(5)]
    assert [adder.wait(60) for adder in adders] == [0] * 5
    assert json.loads(run_cli("bd", "label", "list", "gp-one11", "--json", cwd=place).out) == [f"l{n}" for n in range(5)]
