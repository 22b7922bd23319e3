"""The states of a bead, which changes are legal, and the one decision whether a bead may close."""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.core.late import late
from gastown_hooks.core.record import updated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import graph, ready, requests, waits
else:
    requests = late("gastown_hooks.rules.requests")
    ready, waits = late("gastown_hooks.rules.ready"), late("gastown_hooks.rules.waits")

STATUSES = ("open", "in_progress", "blocked", "deferred", "closed", "pinned", "hooked")
TOMBSTONE = "tombstone"
EPHEMERAL = "ephemeral now"  # what the tombstone of a bead says that is a wisp since
RENAMED_FROM = "renamed_from"  # in metadata: the id that a bead had before, or the ids, the first one first
PERSISTENT = "persistent now"  # what that of a wisp says that is kept since
_OWN = ("gt:", "provides:", "export:")  # labels of this bead and no other begin so
CLAIMED = ("hooked", "in_progress")
TYPES = ("bug", "feature", "task", "epic", "chore", "decision", "spike", "story", "milestone", "message", "merge-request",
         "molecule", "gate", "agent", "role", "rig", "convoy", "event", "slot")
WISPS = ("heartbeat", "ping", "patrol", "gc_report", "recovery", "error", "escalation")
ALIASES = {"enhancement": "feature", "feat": "feature", "dec": "decision", "adr": "decision", "investigation": "spike",
           "timebox": "spike", "user-story": "story", "ms": "milestone", "mr": "merge-request", "mol": "molecule"}


class Objection:
    """Why a bead may not close; `force` says whether a person may insist."""

    __slots__ = ("force", "next", "rule", "text")

    def __init__(self, rule: str, text: str, *, force: bool = True, next: str = "") -> None:
        self.rule, self.text, self.force, self.next = rule, text, force, next


def renamed(record: Record) -> str:
    """The id under which a bead that has another one now goes on; "" for any other bead."""
    reason = str(record.get("delete_reason") or "") if record.get("status") == TOMBSTONE else ""
    return reason.removeprefix("now ") if reason.startswith("now ") else ""


def former(record: Record) -> list[str]:
    """The ids that a bead had before this one, the first one first."""
    metadata = record.get("metadata")
    value = metadata.get(RENAMED_FROM) if isinstance(metadata, dict) else None
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]


def with_former(record: Record, names: Sequence[str]) -> Record:
    """The bead with the ids that it had before."""
    metadata = record.get("metadata")
    before = {RENAMED_FROM: names[0] if len(names) == 1 else [*names]}
    return updated(record, {"metadata": {**metadata, **before} if isinstance(metadata, dict) else before})


def doer(record: Record) -> str:
    """Who did a closed bead: its assignee, else who closed it (another program does not say: then who wrote it last); "" for one that
    is not closed, or of which nobody knows."""
    if record.get("status") != "closed":
        return ""
    return str(record.get("assignee") or record.get("closed_by") or record.get("updated_by") or "")


def is_step(record: Record) -> bool:
    """A step of a molecule: made by a formula, which leaves its place in the record."""
    return bool(record.get("source_location"))


def inherited(parent: Record | None) -> list[str]:
    """The labels that a new child has of its parent: not what is said of that bead alone (what it provides, what it is to the queue)."""
    labels = (parent or {}).get("labels") or []
    return [label for label in labels if not label.startswith(_OWN) and label != requests.FIX_LABEL]


def after_its_deletion(kept: Record | None, now: int) -> int:
    """The time of an act that takes a tombstone back: later than that, also where another clone's clock, which made it, is ahead."""
    try:
        return max(now, clock.parse(str((kept or {}).get("deleted_at"))) + 1000)
    except (ValueError, IndexError):
        return now


def is_away(kept: Record | None) -> bool:
    """Whether a wisp is the bead of its id, by the line that the ledger itself has of that: while the bead stands there, it counts."""
    return kept is None or (kept.get("status") == TOMBSTONE and kept.get("delete_reason") == EPHEMERAL)


def needs_landing(record: Record) -> bool:
    """I4: once given to a worker, a bead closes by what git proves, not by anybody's word."""
    fence = record.get("claim_fence", 0)
    return isinstance(fence, int) and fence >= 1 and not is_step(record) and not ready.is_wisp(record)


def illegal_change(old: str, new: str) -> str | None:
    """Why a bead may not go from one status to the other; None when it may (`closed` is asked of `objections`)."""
    if old == TOMBSTONE:
        return "it was deleted, and that is for ever"
    if new not in STATUSES:
        return f"known: {', '.join(STATUSES)}"
    return None


def objections(records: Mapping[str, Record], bead_id: str, now: int, *, landed: bool) -> list[Objection]:
    """What speaks against closing, the unforceable first. `landed`: the landing is proven (asked only if `needs_landing`)."""
    record = records[bead_id]
    if record.get("status") == TOMBSTONE:
        return [Objection("deleted", "it was deleted", force=False)]
    found = []
    if needs_landing(record) and not landed:
        found.append(Objection("not-landed", "it was given to a worker and its work is not in the target branch", force=False,
                               next=f"gt mq list; if it needs no commit: gt done --no-code --reason TEXT {bead_id}"))
    if record.get("pinned") or record.get("status") == "pinned":
        found.append(Objection("pinned", "it is pinned"))
    if ready.kind(record) == "gate" and (awaited := waits.pending(records, record, now)):
        found.append(Objection("gate", f"it is a gate that waits for {awaited}"))
    for reason in ready.blockers(records, bead_id, now):
        if reason.rule == "child":
            found.append(Objection("open-children", reason.text))
        elif reason.rule != "parent":  # what holds a parent says when to begin, not when a child is done
            found.append(Objection("open-blockers", f"it waits: {reason.text}"))
    return found


def unblocked_by(before: graph.Linked, after: graph.Linked, changed: Sequence[str], now: int) -> list[Record]:
    """The beads, wisps too, that became ready because these changed."""
    near = [name for name in dict.fromkeys(ready.reached(after, changed)) if name in before]
    free = (name for name in near if ready.hindrance(after, name, now, wisps=True) is None
            and ready.hindrance(before, name, now, wisps=True) is not None)
    return sorted(map(after.__getitem__, free), key=ready.in_order)


def child_number(records: Iterable[str], parent: str) -> int:
    """The next free N of `<parent>.N`, deleted children counted: an id is never given twice."""
    head = f"{parent}."
    taken = [int(tail) for bead_id in records if bead_id.startswith(head) and (tail := bead_id[len(head):]).isdigit()]
    return max(taken, default=0) + 1


def depth(bead_id: str) -> int:
    """How many child numbers an id has: `gp-abc12.3.1` has two."""
    parts = bead_id.split(".")
    count = 0
    while len(parts) > 1 and parts.pop().isdigit():
        count += 1
    return count


