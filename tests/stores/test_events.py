"""The log of events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import builders
import pytest

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Corrupt
from gastown_hooks.core.paths import Town
from gastown_hooks.stores import events

NOW = clock.parse("2026-01-02T03:04:05Z")


def test_one_line_an_event_and_none_outside_a_town(tmp_path: Path) -> None:
    town = Town(str(tmp_path))
    events.emit(None, "x", "overseer", {}, NOW)
    events.emit(town, "sling", "overseer", {"bead": "gp-1", "text": "a\nb\x1b\u2028"}, NOW)
    raw = Path(town.events).read_bytes()
    assert raw.count(b"\n") == 1 and b"\x1b" not in raw
    assert events.read(town) == [{"ts": "2026-01-02T03:04:05.000000Z", "type": "sling", "actor": "overseer",
                                  "payload": {"bead": "gp-1", "text": "a\nb\x1b\u2028"}}]


def test_a_torn_tail_is_cut_and_a_bad_line_is_named(tmp_path: Path) -> None:
    town = Town(str(tmp_path))
    events.emit(town, "a", "x", {}, NOW)
    with open(town.events, "ab") as file:
        file.write(b'{"ts":"2026')
    assert [event["type"] for event in events.read(town)] == ["a"]
    events.emit(town, "b", "x", {}, NOW)
    assert [event["type"] for event in events.read(town)] == ["a", "b"]
    with open(town.events, "ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(Corrupt, match="line 3"):
        events.read(town)


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    script = ("import sys; from gastown_hooks.core.paths import Town; from gastown_hooks.stores import events\n"
              "for n in range(25): events.emit(Town(sys.argv[1]), 'x', 'w' + sys.argv[2], {'n': n}, 0)")
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)]) for n in range(6)]
    assert [writer.wait(60) for writer in writers] == [0] * 6
    found = events.read(Town(str(tmp_path)))
    assert sorted((event["actor"], event["payload"]["n"]) for event in found) == [(f"w{w}", n) for w in range(6) for n in range(25)]


def test_it_is_cheap_to_import() -> None:
    script = ("import sys; before = set(sys.modules); import gastown_hooks.stores.events; "
              "print([m for m in ('pathlib', 'typing', 'dataclasses', 'subprocess', 'click', 'email') "
              "if m in sys.modules and m not in before])")
    script = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); {script}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_last_hours_of_a_long_log_are_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town(str(tmp_path))
    every = [{"ts": clock.stamp(NOW + n * clock.SECOND), "type": "x", "actor": f"w{n % 3}", "payload": {"n": n, "text": "y" * (n % 700)}}
             for n in range(5000)]
    lines = [json.dumps(event, separators=(",", ":")) for event in every]
    Path(town.events).write_text("\n".join(lines) + "\n")
    assert [event["payload"]["n"] for event in events.read(town)] == list(range(5000))
    read = builders.read_sizes(monkeypatch)
    late = [event["payload"]["n"] for event in events.backwards(town, NOW + 4990 * clock.SECOND)]
    assert late[:10] == list(range(4999, 4989, -1)) and sum(read) < 200_000 < os.stat(town.events).st_size
    assert len(list(events.backwards(town, holding=b'"actor":"w1"'))) == 1667
