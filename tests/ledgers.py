"""Ledger files as other programs leave them: the published samples where they are, generated ones of the same shapes elsewhere."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

SAMPLES = Path(os.environ.get("GASTOWN_SAMPLES") or Path(__file__).resolve().parents[2] / "shared/samples")
ERAS = ("beads_v0.9.11", "beads_v0.20.0", "beads_v0.30.0", "beads_v0.47.0", "beads_HEAD_root", "br", "bv")
_ZONES = ("Z", "-08:00", "+11:00", "-07:00")


def sample(era: str) -> bytes:
    """The issues of an era."""
    path = SAMPLES / f"{era}_issues.jsonl"
    return path.read_bytes() if path.exists() else generated(300, seed=ERAS.index(era))


def generated(count: int, seed: int = 0, prefix: str = "bd") -> bytes:
    """A file of so many beads: dotted ids, tombstones, zones, escapes, unknown keys, long lines."""
    chance = random.Random(seed)
    beads = [_bead(chance, f"{prefix}-{n:05x}", n) for n in range(count)]
    beads += [_bead(chance, f"{bead['id']}.{k}", 7) for bead in beads[::20] for k in (1, 2, 10)][:count // 10]
    return text(beads)


def text(beads: list[dict[str, Any]]) -> bytes:
    """The file's bytes, as the original program writes them."""
    return b"".join(_line(bead) + b"\n" for bead in sorted(beads, key=lambda bead: str(bead["id"]).encode()))


def _line(bead: dict[str, Any]) -> bytes:
    line = json.dumps(bead, ensure_ascii=False, separators=(",", ":"))
    for plain, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        line = line.replace(plain, escaped) if bead.get("source_repo") is None else line
    return line.encode()


def _bead(chance: random.Random, name: str, number: int) -> dict[str, Any]:
    when = f"2025-1{chance.randrange(3)}-{chance.randrange(10, 28)}T1{chance.randrange(10)}:00:00.{chance.randrange(10**6):06d}"
    when += chance.choice(_ZONES)
    status = chance.choice(["open", "in_progress", "closed", "hooked", "tombstone"])
    bead: dict[str, Any] = {"id": name, "title": f"Bead {number} <b> & “ü” {chance.random()}"}
    bead["description"] = "line\n" * chance.randrange(40)
    bead |= {"status": status, "priority": chance.randrange(5), "issue_type": chance.choice(["task", "bug", "agent", "gate"])}
    bead |= {"created_at": when, "updated_at": when}
    if status == "closed":
        bead["closed_at"] = when
    if chance.random() < 0.2:
        bead["labels"] = sorted({chance.choice("abcdef") for _ in range(3)})
    if chance.random() < 0.2:
        bead["comments"] = [{"id": 1, "issue_id": name, "author": "x", "text": "long " * 5000, "created_at": when}]
    if status == "tombstone":
        bead |= {"deleted_at": when, "deleted_by": "me", "original_type": "task"}
    if chance.random() < 0.2:
        bead |= {"source_repo": "a & b", "x_unknown": {"deep": [1, 2.5, None, {"é": "<"}]}}
    return bead
