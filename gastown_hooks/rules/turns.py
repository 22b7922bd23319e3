"""What a worker's runner does next, from facts alone: the ledger, the lease, the tree and how the last turn ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

MAX_FAILURES = 3
MAX_UNFINISHED = 2
FIRST_WAIT, LONGEST_WAIT = 1, 600

# How a turn ended.
EXITED = "exited"            # by itself; `code` says how (negative: by that signal)
WALL, IDLE = "wall", "idle"  # ended by us: over its time, or silent for too long
MISSING = "missing"          # the agent program or the tree is not there
STOPPED = "stopped"          # somebody stopped the worker
CUT = "cut"                  # the runner itself was killed: no verdict on the agent


@dataclass(frozen=True, slots=True)
class Record:
    """`turns.json`: what the runner did under one claim. `begun` counts turns; `ended` is how the last one ended ("" while it runs).

    `failures` and `unfinished` count in a row: turns that failed, and turns that ended well but without `gt done`.
    `stalled` holds the reason why somebody is asked instead of another turn.
    """

    fence: int
    begun: int = 0
    ended: str = ""
    code: int = 0
    failures: int = 0
    unfinished: int = 0
    stalled: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """`claim`: True when the ledger still gives the bead to this worker under this fence, None when it cannot be told."""

    claim: bool | None
    prepared: bool
    submitted: bool
    commits: bool
    dirty: bool
    record: Record
    max_turns: int


@dataclass(frozen=True, slots=True)
class Step:
    """One of: turn (after `wait` seconds), finalise, retire, stall, leave; `why` in words."""

    act: str
    why: str = ""
    wait: int = 0


def counted(record: Record) -> Record:
    """The record with its last turn counted: failed, or ended well without `gt done` (with it, nobody looks at the counts)."""
    failed = record.ended in (WALL, IDLE) or (record.ended == EXITED and record.code != 0)
    if record.ended in ("", STOPPED, CUT, MISSING):
        return record
    if failed:
        return replace(record, failures=record.failures + 1, unfinished=0)
    return replace(record, failures=0, unfinished=record.unfinished + 1)


def next_step(facts: Facts) -> Step:
    """The decision. Doubt about the claim leaves everything as it is; a lost claim is never submitted."""
    record = facts.record
    if facts.claim is None:
        return Step("leave", "the ledger cannot tell whose the bead is")
    if facts.claim is False:
        return Step("retire", "the bead was given to somebody else" if not facts.submitted else "submitted")
    if facts.submitted:
        return Step("retire", "submitted")
    if not facts.prepared:
        return Step("leave", "the tree is not prepared yet")
    if record.stalled:
        return Step("leave", f"stalled: {record.stalled}")
    return _after_turn(facts, record)


def how(record: Record) -> str:
    """How the last turn ended, in words."""
    words = {WALL: "it ran longer than turn_seconds", IDLE: "it was silent for idle_seconds", STOPPED: "it was stopped",
             MISSING: record.why or "it could not be started", CUT: "its runner was killed"}
    if record.ended == EXITED:
        return f"signal {-record.code}" if record.code < 0 else f"exit code {record.code}"
    return words.get(record.ended, "it has not run")


def poisoned(lost: list[str]) -> bool:
    """A bead that was the end of three different workers is not given to a fourth."""
    return len({worker.partition("@")[0] for worker in lost}) >= 3


def _after_turn(facts: Facts, record: Record) -> Step:
    if record.ended == MISSING:
        return Step("stall", how(record))
    if record.failures >= MAX_FAILURES:
        return Step("stall", f"{record.failures} turns in a row failed; the last: {how(record)}")
    work = facts.commits or facts.dirty
    if record.unfinished > MAX_UNFINISHED or (record.unfinished and record.begun >= facts.max_turns):
        return Step("finalise", "it stopped without gt done") if work else Step("stall", "it stops without having changed anything")
    if record.begun >= facts.max_turns:
        return Step("stall", f"{record.begun} turns are over (max_turns)")
    if record.failures:
        return Step("turn", how(record), min(LONGEST_WAIT, FIRST_WAIT << (record.failures - 1)))
    return Step("turn", how(record) if record.begun else "first turn")
