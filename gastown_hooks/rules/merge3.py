"""The one merge engine: three-way, field by field, on records and on whole files. Pure, symmetric, deterministic.

Equal sides give that; only one side changed gives that side; both changed goes by the field's kind: sets element by element,
dependencies by (target, type), comments and notes keep both, texts by line, times by their sense, metadata key by key, priority
the more urgent, status base-aware (a reopen is a change). Where one value must go, the later `updated_at` stays (of one moment: the
value that sorts last) and the other is kept as a comment. A removal is a change; a tombstone is for ever, but for who takes it back
knowing it (`bd restore`, a rename to and fro); unknown fields are treated like any other. Comments that were merged stand by time; those
of one moment have one order too, so that merging again changes nothing.
"""

from __future__ import annotations

from gastown_hooks.core import clock, ids
from gastown_hooks.core.jsons import canonical, dumps
from gastown_hooks.core.record import FIELDS
from gastown_hooks.rules import text3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gastown_hooks.core.record import Record

    GiveWay = Callable[[str, Any, Any], Any]

_PLACE = {field: place for place, field in enumerate(FIELDS)}
_TEXTS = frozenset(("title", "description", "design", "acceptance_criteria"))
_TIMES = frozenset(field for field in FIELDS if field.endswith("_at")) | {"defer_until", "last_activity"}
_EARLIEST = frozenset(("created_at", "started_at", "closed_at", "deleted_at"))
_LATEST = frozenset(("updated_at", "last_activity", "compacted_at"))
_HIGHEST = frozenset(("claim_fence", "compaction_level"))
_SETS = frozenset(("labels", "waiters"))
_CLAIM = frozenset(("status", "assignee"))
_QUIET = frozenset(("updated_by", "closed_by", "comments.id"))  # who was second, and a number that only one clone counted: nothing is lost
_DEFAULTS = {"status": "open", "issue_type": "task"}
_CLOSING = ("closed_at", "closed_by", "close_reason", "closed_by_session")
_DELETING = ("deleted_at", "deleted_by", "delete_reason", "original_type")
_GONE: Any = object()


class Conflict:
    """A field that both sides changed differently, so that one value had to give way (`lost`)."""

    __slots__ = ("bead", "field", "kept", "lost")

    def __init__(self, bead: str, field: str, kept: Any, lost: Any) -> None:
        self.bead, self.field, self.kept, self.lost = bead, field, kept, lost

    def __str__(self) -> str:
        return f"{self.bead} {self.field}: kept {_said(self.kept)}, not {_said(self.lost)}"


class Merged:
    """The merged record (None: gone) and what could not be kept as a value."""

    __slots__ = ("conflicts", "record")

    def __init__(self, record: Record | None, conflicts: list[Conflict]) -> None:
        self.record, self.conflicts = record, conflicts


def merge_record(base: Record | None, ours: Record | None, theirs: Record | None) -> Merged:
    """One bead of three versions; None is "not there". `merge_record(b, x, y)` equals `merge_record(b, y, x)`."""
    if ours is None or theirs is None:
        return _one_gone(base, theirs if ours is None else ours)
    if _alike(ours, theirs):
        return Merged(min(ours, theirs, key=dumps), [])
    if base is not None:
        if _alike(base, ours) and _may_stand(base, theirs):
            return Merged(theirs, [])
        if _alike(base, theirs) and _may_stand(base, ours):
            return Merged(ours, [])
    key = _moment if _moment(ours) != _moment(theirs) else _age
    low, high = sorted((ours, theirs), key=key)
    return _Merge(base or {}, low, high).result()


def _alike(one: Any, other: Any) -> bool:
    """Whether they are equal in any program's eyes: 1 is neither 1.0 nor true."""
    return bool(one == other) and canonical(one) == canonical(other)


def _may_stand(base: Record, side: Record) -> bool:
    """Whether a side is a bead that was not deleted before, or that was taken back since."""
    if base.get("status") != "tombstone":
        return True
    return side.get("status") != "tombstone" and _moment(side) > (instant(base.get("deleted_at")) or _moment(base))


def _said(value: Any) -> str:
    return "nothing" if value is _GONE else ids.shown(value if isinstance(value, str) else canonical(value))


def instant(text: Any) -> int | None:
    """The time in nanoseconds; None for what is none."""
    try:
        return clock.parse(text)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None


def _moment(record: Record) -> int:
    return instant(record.get("updated_at")) or 0


def _age(record: Record) -> tuple[int, str]:
    """The order of two of one moment."""
    return len(record), canonical(record)


def _one_gone(base: Record | None, left: Record | None) -> Merged:
    if left is None or base is None:
        return Merged(left, [])
    if canonical(base) == canonical(left) and left.get("status") != "tombstone":
        return Merged(None, [])  # a line taken out by hand and untouched since: meant
    return Merged(left, [Conflict(left["id"], "(record)", "the changed record", "its removal")])


class _Merge:
    """One merge: `high` is the side that was updated later, and stays where one value must go."""

    def __init__(self, base: Record, low: Record, high: Record) -> None:
        self.base, self.low, self.high = base, low, high
        self.tied = _moment(low) == _moment(high)
        self.id: str = high["id"]
        self.conflicts: list[Conflict] = []
        self.comments: list[Record] = []

    def result(self) -> Merged:
        merged: Record = {}
        for key in _order(self.low, self.high):
            value = self._status() if key == "status" else self._field(key)
            if value is not _GONE:
                merged[key] = value
        if "status" not in merged and self._status() != "open":
            _put(merged, "status", self._status())
        self._settle(merged)
        if self.comments:
            _put(merged, "comments", _with_comments(merged.get("comments"), self.comments))
        return Merged(merged, self.conflicts)

    def _field(self, key: str) -> Any:
        old, low, high = (side.get(key, _GONE) for side in (self.base, self.low, self.high))
        for same in (_equal, _same):  # letter by letter first: a side that wrote a default out, or another zone, changed that
            if same(key, low, high):
                return low if high is _GONE or (self.tied and _rank(low) > _rank(high)) else high
            if same(key, old, low):
                return high
            if same(key, old, high):
                return low
        return self._both_changed(key, old, low, high)

    def _both_changed(self, key: str, old: Any, low: Any, high: Any) -> Any:
        if key in _EARLIEST | _LATEST:
            return _by_time(low, high, key in _LATEST)
        if key == "closed_by" and _GONE not in (low, high):  # of who closed it first, as closed_at
            first = _by_time(self.low.get("closed_at"), self.high.get("closed_at"), latest=False)
            return self._kept(key, *((low, high) if first == self.low.get("closed_at") else (high, low)))
        if key == "priority" and _numbers(low, high):
            return min(low, high)
        if key in _HIGHEST and _numbers(low, high):
            return max(low, high)
        merged = _merge_parts(key, old, low, high, self._give_way)
        if merged is not _GONE:
            return merged
        if key in _CLAIM and _fence(self.low) != _fence(self.high):
            return self._kept(key, *((low, high) if _fence(self.low) > _fence(self.high) else (high, low)))
        if key == "assignee" and low is not _GONE and high is not _GONE:
            begun = [instant(side.get("started_at")) for side in (self.low, self.high)]
            if None not in begun and begun[0] != begun[1]:  # both took it: the first has it
                return self._kept(key, *((low, high) if min(begun) == begun[0] else (high, low)))  # type: ignore[type-var]
        return self._give_way(key, high, low)

    def _give_way(self, key: str, later: Any, earlier: Any) -> Any:
        if self.tied and _rank(earlier) > _rank(later):
            later, earlier = earlier, later
        return self._kept(key, later, earlier)

    def _kept(self, key: str, kept: Any, lost: Any) -> Any:
        if key in _QUIET:
            return kept
        self.conflicts.append(Conflict(self.id, key, kept, lost))
        if lost is not _GONE and lost not in ("", None):
            text = f"Merge: {key} of another version: {lost if isinstance(lost, str) else canonical(lost)}"
            self.comments.append({"id": ids.derived("merge", self.id, text), "issue_id": self.id, "author": "merge",
                                  "text": text, "created_at": self.high.get("updated_at") or self.low.get("updated_at") or ""})
        return kept

    def _status(self) -> str:
        old, low, high = ((side.get("status") or "open") for side in (self.base, self.low, self.high))
        if "tombstone" in (low, high) or not (_may_stand(self.base, self.low) and _may_stand(self.base, self.high)):
            return "tombstone"
        if low == high or not self._restated(self.low):
            return str(high)
        if not self._restated(self.high):
            return str(low)
        if "closed" in (low, high) and old != "closed":
            return "closed"
        if _fence(self.low) != _fence(self.high):
            return str(low if _fence(self.low) > _fence(self.high) else high)
        return str(max(low, high) if self.tied else high)

    def _restated(self, side: Record) -> bool:
        """Whether the side changed the status; closed again at another time is a change too."""
        if not self.base or (side.get("status") or "open") != (self.base.get("status") or "open"):
            return True
        was, now = (version.get("closed_at", _GONE) for version in (self.base, side))
        return side.get("status") == "closed" and bool(side.get("closed_at")) and not _same("closed_at", was, now)

    def _settle(self, merged: Record) -> None:
        """Fields that follow the status, and the report when the two sides disagreed about it."""
        status = merged.get("status") or "open"
        sides = (self.high, self.low, self.base)
        if status == "tombstone":
            self._bury(merged, sides)
        elif status == "closed":
            _carry(merged, [side for side in sides if side.get("status") == "closed"], _CLOSING[:1])
        elif any(side.get("status") == "closed" for side in sides):
            merged.pop("closed_at", None)
            merged.pop("closed_by", None)
        lost = {str(side.get("status") or "open") for side in (self.low, self.high)} - {status}
        if status != "tombstone" and lost and self._restated(self.low) and self._restated(self.high):
            self.conflicts.append(Conflict(self.id, "status", status, lost.pop()))

    def _bury(self, merged: Record, sides: tuple[Record, Record, Record]) -> None:
        _carry(merged, [side for side in sides if side.get("status") == "tombstone"], _DELETING)
        for side in (self.low, self.high):
            if side.get("status") != "tombstone" and canonical(side) != canonical(self.base):
                self.conflicts.append(Conflict(self.id, "status", "tombstone", "an edit of the deleted bead"))


def _carry(merged: Record, sources: list[Record], keys: tuple[str, ...]) -> None:
    for key in keys:
        for source in sources:
            if key not in merged and key in source:
                _put(merged, key, source[key])


def _order(low: Record, high: Record) -> list[str]:
    """High's keys in their order; a key that only low has comes behind the one it follows there."""
    order, before = list(high), ""
    for key in low:
        if key not in high:
            order.insert(order.index(before) + 1 if before else 0, key)
        before = key
    return order


def _put(record: Record, key: str, value: Any) -> None:
    """Set in place; a new key goes to its place among the known ones."""
    if key in record:
        record[key] = value
        return
    items = list(record.items())
    at = next((i for i, (other, _) in enumerate(items) if _PLACE.get(other, -1) > _PLACE.get(key, len(FIELDS))), len(items))
    items.insert(at, (key, value))
    record.clear()
    record.update(items)


def _rank(value: Any) -> str:
    return "" if value is _GONE else canonical(value)


def _equal(key: str, one: Any, other: Any) -> bool:
    if one is _GONE or other is _GONE:
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return _alike(one, other)


def _same(key: str, one: Any, other: Any) -> bool:
    """The same in meaning: empty and absent, two zones' texts of one instant."""
    one, other = (_GONE if value is None else value for value in (one, other))
    if key in _PLACE and key != "priority":  # other programs leave empty values out
        one, other = ((_DEFAULTS.get(key, _GONE) if v is _GONE or v in ("", [], {}, False, 0) else v) for v in (one, other))
    if key in _TIMES and instant(one) is not None:
        return instant(one) == instant(other)
    return _equal(key, one, other)


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _fence(record: Record) -> int:
    fence = record.get("claim_fence", 0)
    return fence if _numbers(fence) else 0


def _by_time(low: Any, high: Any, latest: bool) -> Any:
    first, second = instant(low), instant(high)
    if first is None or second is None:
        return high if second is not None or first is None else low
    return (high if second > first else low) if latest else (low if first < second else high)


# ---- values made of parts ----------------------------------------------------------------------------------

def _merge_parts(key: str, old: Any, low: Any, high: Any, give_way: GiveWay) -> Any:
    """The value with both sides' changes; _GONE when it has no parts that could be told from each other."""
    if key in _TEXTS or key == "notes":
        if isinstance(low, str) and isinstance(high, str):
            return _merge_text(key, old if isinstance(old, str) else "", low, high)
        return _GONE
    if key == "metadata":
        return _merge_map(key, old, low, high, give_way) if isinstance(low, dict) and isinstance(high, dict) else _GONE
    lists = [[] if value is _GONE else value for value in (old, low, high)]
    name = _ELEMENT_NAMES.get(key)
    if name is None or not all(isinstance(part, list) for part in lists):
        return _GONE
    merged = _merge_elements(key, name, lists, give_way)
    return sorted(merged) if key in _SETS and all(isinstance(part, str) for part in merged) else merged


def _merge_text(key: str, old: str, low: str, high: str) -> Any:
    if key == "notes":
        both = text3.appended(old, low, high)
        if both is not None:
            return both
    merged = text3.merge(old, low, high) if old else None
    return _GONE if merged is None else merged


def _merge_map(path: str, old: Any, low: Record, high: Record, give_way: GiveWay) -> Record:
    old = old if isinstance(old, dict) else {}
    merged = {}
    for key in _order(low, high):
        value = _merge_value(f"{path}.{key}", old.get(key, _GONE), low.get(key, _GONE), high.get(key, _GONE), give_way)
        if value is not _GONE:
            merged[key] = value
    return merged


def _merge_value(path: str, old: Any, low: Any, high: Any, give_way: GiveWay) -> Any:
    was, one, other = (None if v is _GONE else canonical(v) for v in (old, low, high))
    if other in (one, was):
        return low
    if one == was:
        return high
    if low is _GONE or high is _GONE:  # removed here, changed there: the change stays
        return high if low is _GONE else low
    if isinstance(low, dict) and isinstance(high, dict):
        return _merge_map(path, old, low, high, give_way)
    return give_way(path, high, low)


def _merge_elements(path: str, name: Callable[[Any], str], lists: list[list[Any]], give_way: GiveWay) -> list[Any]:
    """Element by element: one that a side removed and the other left alone goes; one added or changed stays."""
    was, one, other = ({name(part): part for part in side} for side in lists)
    values = (_merge_value(path, was.get(key, _GONE), one.get(key, _GONE), other.get(key, _GONE), give_way)
              for key in [*was, *sorted({*one, *other} - {*was})])
    merged = [value for value in values if value is not _GONE]
    return sorted(merged, key=_comment_order) if path == "comments" else merged


def _dependency_name(part: Any) -> str:
    if not isinstance(part, dict):
        return canonical(part)
    return canonical([part.get("depends_on_id"), part.get("type") or "blocks"])


def _comment_name(part: Any) -> str:
    """Early ids are numbers that each clone counts for itself: they name nothing across clones."""
    if not isinstance(part, dict):
        return canonical(part)
    if isinstance(part.get("id"), str):
        return canonical(part["id"])
    return canonical([part.get("created_at"), part.get("author"), part.get("text")])


def _comment_order(part: Any) -> tuple[int, str]:
    return (instant(part.get("created_at")) or 0) if isinstance(part, dict) else 0, _comment_name(part)


_ELEMENT_NAMES: dict[str, Callable[[Any], str]] = {
    "labels": canonical, "waiters": canonical, "validations": canonical, "dependencies": _dependency_name, "comments": _comment_name}


def _with_comments(there: Any, new: list[Record]) -> list[Any]:
    known = there if isinstance(there, list) else []
    names = {_comment_name(comment) for comment in known}
    return sorted(known + [comment for comment in new if _comment_name(comment) not in names], key=_comment_order)
