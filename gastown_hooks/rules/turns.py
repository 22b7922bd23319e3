"""What a worker's runner does next, from facts alone: the ledger, the lease, the tree and how the last turn ended."""

from __future__ import annotations

from gastown_hooks.core.values import dataclass, field, replace

MAX_FAILURES = 3
MAX_UNFINISHED = 2
FIRST_WAIT, LONGEST_WAIT = 1, 600

# How a turn ended.
EXITED = "exited"            # by itself; `code` says how (negative: by that signal)
WALL, IDLE = "wall", "idle"  # ended by us: over its time, or silent for too long
MISSING = "missing"          # the agent program or the tree is not there
STOPPED = "stopped"          # somebody stopped the worker
ATTACHED = "attached"        # a person took the session over, in the middle of the turn
CUT = "cut"                  # the runner itself was killed: no verdict on the agent
LIMITED = "limited"          # the model's server gives no more before `until`
ACCOUNT = "account"          # the model's server does not know the account, or is not paid
BUDGET = "budget"            # the turn reached the bead's budget
UNCOUNTED = (CUT, LIMITED, ATTACHED)  # the next turn is the same one again


@dataclass(frozen=True, slots=True)
class Record:
    """`turns.json`: what the runner did under one claim. `begun` counts turns; `ended` is how the last one ended ("" while it runs).

    `failures` and `unfinished` count in a row: turns that failed, and turns that ended well but without `gt done`.
    `stalled` holds the reason why somebody is asked instead of another turn. `offset` is where the turn's output begins in the transcript,
    `refused` the tools that the agent program's permission mode denied, `limited` the turns in a row that ended at a limit of the model's
    server, `until` when that ends (seconds since the epoch).
    """

    fence: int
    begun: int = 0
    ended: str = ""
    code: int = 0
    failures: int = 0
    unfinished: int = 0
    stalled: str = ""
    why: str = ""
    offset: int = 0
    refused: list[str] = field(default_factory=list)
    limited: int = 0
    until: int = 0


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
    now: int = 0  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Step:
    """One of: turn (after `wait` seconds), finalise, retire, stall, leave; `why` in words."""

    act: str
    why: str = ""
    wait: int = 0


def counted(record: Record) -> Record:
    """The record with its last turn counted: failed, or ended well without `gt done` (with it, nobody looks at the counts)."""
    failed = record.ended in (WALL, IDLE) or (record.ended == EXITED and record.code != 0)
    if record.ended in ("", STOPPED, ATTACHED, CUT, MISSING, LIMITED, ACCOUNT, BUDGET):
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
             ATTACHED: "a person took the session over, and gave it back",
             MISSING: record.why or "it could not be started", CUT: "its runner was killed",
             LIMITED: f"the model's server gives no answers now: {record.why}", BUDGET: f"its budget is used up: {record.why}",
             ACCOUNT: f"the model's server refuses the account: {record.why}"}
    if record.ended == EXITED:
        return f"signal {-record.code}" if record.code < 0 else f"exit code {record.code}"
    return words.get(record.ended, "it has not run")


def poisoned(lost: list[str]) -> bool:
    """A bead that was the end of three different workers is not given to a fourth."""
    return len({worker.partition("@")[0] for worker in lost}) >= 3


def _after_turn(facts: Facts, record: Record) -> Step:
    if record.ended in (MISSING, ACCOUNT, BUDGET):
        return Step("stall", how(record))
    if record.failures >= MAX_FAILURES:
        return Step("stall", f"{record.failures} turns in a row failed; the last: {how(record)}")
    work = facts.commits or facts.dirty
    if record.refused and record.unfinished and not work:
        return Step("stall", f"its permission mode denies what it needs: {', '.join(record.refused)}")
    if record.unfinished > MAX_UNFINISHED or (record.unfinished and record.begun >= facts.max_turns):
        return Step("finalise", "it stopped without gt done") if work else Step("stall", "it stops without having changed anything")
    if record.begun >= facts.max_turns and record.ended not in UNCOUNTED:
        return Step("stall", f"{record.begun} turns are over (max_turns)")
    if record.until > facts.now:
        return Step("turn", how(record), record.until - facts.now)
    if record.failures:
        return Step("turn", how(record), min(LONGEST_WAIT, FIRST_WAIT << (record.failures - 1)))
    return Step("turn", how(record) if record.begun else "first turn")
