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


class Edits:
    """Random edits of one clone, and what each of them promised. Every written text is unique, so a lost one shows."""

    def __init__(self, who: str, seed: int) -> None:
        self.who, self.chance, self.count = who, random.Random(seed), 0
        self.written: list[tuple[str, str, Any]] = []  # (bead, field or list, value)
        self.replaced: set[tuple[str, str, str]] = set()  # what an edit saw and wrote over
        self.statuses: dict[str, str] = {}

    def one(self, beads: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """One bead with one more edit, made or changed."""
        self.count += 1
        value, kind = f"{self.who} {self.count}", self.chance.choice(("new", *FIELDS, *LISTS, "notes", "status", "delete"))
        when = f"2026-03-01T{self.count // 60 % 24:02d}:{self.count % 60:02d}:{self.chance.randrange(60):02d}" + self.chance.choice(_ZONES)
        living = sorted(name for name, bead in beads.items() if bead.get("status") != "tombstone")
        if kind == "new" or not living:
            bead = {"id": f"bd-{self.who}{self.count}", "title": value, "priority": 2, "created_at": when, "updated_at": when}
            self.written.append((bead["id"], "title", value))
            return bead
        bead = json.loads(json.dumps(beads[self.chance.choice(living)]))
        name = bead["id"]
        if kind in FIELDS:
            self.replaced.add((name, kind, str(bead.get(kind))))
            bead[kind] = value
            self.written.append((name, kind, value))
        elif kind in LISTS:
            bead.setdefault(kind, []).append(LISTS[kind](name, value, when))
            self.written.append((name, kind, LISTS[kind](name, value, when)))
        elif kind == "notes":
            bead["notes"] = f"{bead.get('notes', '')}\n{value}.".strip()
            self.written.append((name, "notes", f"{value}."))
        else:
            bead["status"] = "tombstone" if kind == "delete" else self.chance.choice(["open", "in_progress", "closed"])
            bead.pop("closed_at", None)
            bead |= {"closed": {"closed_at": when}, "tombstone": {"deleted_at": when}}.get(bead["status"], {})
            self.statuses[name] = bead["status"]
        return {**bead, "updated_at": when}


FIELDS = ("title", "assignee", "design", "x_field")
LISTS: dict[str, Any] = {
    "labels": lambda name, value, when: value, "comments": lambda name, value, when: {
        "id": value, "issue_id": name, "author": "x", "text": value, "created_at": when},
    "dependencies": lambda name, value, when: {"issue_id": name, "depends_on_id": value, "type": "related", "created_at": when}}


def lost(before: bytes, after: bytes, clones: list[Edits]) -> list[str]:
    """What of the edits, or of the file before them, is not in the file after them. Reads JSON alone, and knows nothing of merges."""
    beads = {bead["id"]: bead for bead in map(json.loads, after.splitlines())}
    replaced = {one for clone in clones for one in clone.replaced}
    touched = {name for clone in clones for name, _, _ in clone.written} | {name for clone in clones for name in clone.statuses}
    there = set(after.splitlines())
    missing = [f"line {line[:40]!r}" for line in before.splitlines() if json.loads(line)["id"] not in touched and line not in there]
    if len(beads) != len(there):
        missing.append("an id stands twice")
    for clone in clones:
        for name, key, value in clone.written:
            bead = beads.get(name, {})
            told = " ".join(comment["text"] for comment in bead.get("comments", []))
            whole = bead.get(key, [] if key in LISTS or key == "notes" else None)
            kept = value in whole if isinstance(whole, list) or key == "notes" else value == whole
            if not kept and (key in LISTS or (value not in told and (name, key, value) not in replaced)):
                missing.append(f"{name} {key} {value}")
        for name, status in clone.statuses.items():
            others = {other.statuses[name] for other in clones if name in other.statuses}
            wanted = "tombstone" if "tombstone" in others else status
            if (wanted == "tombstone" or len(others) == 1) and beads[name].get("status") != wanted:
                missing.append(f"{name} status {wanted}")
    return missing
