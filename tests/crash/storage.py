"""Scenarios of core/fsio and the ledger: functions in a forked child."""

from __future__ import annotations

import json
import os

from crash import checker
from crash.engine import Acknowledge, Scenario, Story
from gastown_hooks.core import fsio, lock, paths
from gastown_hooks.stores import audit, events, mail
from gastown_hooks.stores.ledger import Ledger

OLD, NEW = b"old text\n" * 40, b"new text, longer than before\n" * 400
BASE = [b'{"n":%d,"text":"%s"}' % (n, b"x" * 50) for n in range(4)]


def _put(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _data(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


# ---- whole files

def _one_old(root: str) -> None:
    _put(f"{root}/file", OLD)
    _put(f"{root}/bystander", OLD)


def _old_or_new(story: Story) -> list[str]:
    found = _data(f"{story.root}/file")
    bad = [] if found in (OLD, NEW) else [f"neither the old text nor the new one: {(found or b'(gone)')[:60]!r}"]
    if story.last.acked and found != NEW:
        bad.append("acknowledged, but the old text is there")
    return bad + ([] if _data(f"{story.root}/bystander") == OLD else ["the bystander changed"])


def _new(story: Story) -> list[str]:
    return _old_or_new(story) + ([] if _data(f"{story.root}/file") == NEW else ["the new text is not there"])


def _write(root: str, ack: Acknowledge) -> None:
    fsio.write(f"{root}/file", NEW)
    ack("written")


def _swap(root: str, ack: Acknowledge) -> None:
    fsio.swap(fsio.stage(f"{root}/file", NEW), f"{root}/file")
    ack("written")


def _none(root: str) -> None:
    _put(f"{root}/bystander", OLD)


def _create(root: str, ack: Acknowledge) -> None:
    fsio.create(f"{root}/file", NEW)
    ack("written")


def _none_or_new(story: Story) -> list[str]:
    found = _data(f"{story.root}/file")
    bad = [] if found in (None, NEW) else ["half a file"]
    return bad + (["acknowledged, but not there"] if story.last.acked and found != NEW else [])


# ---- lines

def _line(n: int) -> bytes:
    return b'{"new":%d,"text":"%s"}' % (n, b"y" * (40 if n % 2 else 9000))


def _log(root: str) -> None:
    _put(f"{root}/log.jsonl", b"".join(line + b"\n" for line in BASE))


def _torn_log(root: str) -> None:
    _put(f"{root}/log.jsonl", b"".join(line + b"\n" for line in BASE) + b'{"torn":"by a writer that is dead')


def _append(root: str, ack: Acknowledge) -> None:
    for n in range(4):
        with lock.acquire(f"{root}/lock"):
            if _line(n) not in fsio.whole_lines(fsio.read(f"{root}/log.jsonl") or b""):
                fsio.append(f"{root}/log.jsonl", _line(n) + b"\n")
        ack(str(n))


def _lines_whole(story: Story) -> list[str]:
    data = _data(f"{story.root}/log.jsonl") or b""
    there = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    bad = ["the old lines changed"] if there[:4] != BASE else []
    bad += [f"a damaged line: {line[:80]!r}" for line in there if not _is_json(line)]
    return bad + [f"acknowledged line {n} is there {there.count(_line(int(n)))} times"
                  for n in set(story.acked) if there.count(_line(int(n))) != 1]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
        return True
    except ValueError:
        return False


# ---- the ledger

STAMP = "2026-01-02T03:04:05.000006Z"
BYSTANDERS = [
    b'{"id":"gp-a0","title":"plain","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z",'
    b'"updated_at":"2026-01-01T00:00:00Z"}',
    '{"id":"gp-m5","title":"ünknown \\u0026 escaped \\u003c","x_future":{"k":[1,2.50,null]},"status":"open","priority":0,'
    '"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","zz":"kept"}'.encode(),
    b'{"id":"gp-z9","title":"last","status":"closed","priority":4,"created_at":"2026-01-01T00:00:00Z",'
    b'"updated_at":"2026-01-01T00:00:00Z","closed_at":"2026-01-01T00:00:00Z"}',
]


def _bead(bead: str, **fields: object) -> dict[str, object]:
    return {"id": bead, "title": f"bead {bead}", "status": "open", "priority": 2, "issue_type": "task", "created_at": STAMP,
            "updated_at": STAMP, **fields}


def _beads(root: str) -> paths.Beads:
    return paths.Beads(f"{root}/.beads")


def _line_of(bead: dict[str, object]) -> bytes:
    return json.dumps(bead, ensure_ascii=False, separators=(",", ":")).encode()


def _ledger(root: str) -> None:
    Ledger.create_files(_beads(root), "gp", "own-branch")
    lines = [*BYSTANDERS, *(_line_of(_bead(f"gp-{n}")) for n in ("b1", "c2", "d3"))]
    _put(_beads(root).issues, b"".join(line + b"\n" for line in sorted(lines, key=lambda line: line[7:12])))
    Ledger(_beads(root)).transact(lambda view: [])  # the first use adopts the file


def _journaled_ledger(root: str) -> None:
    """With writes in the journal and a writer that died in the middle of its line."""
    _ledger(root)
    Ledger(_beads(root)).transact(lambda view: [{**(view.get("gp-b1") or {}), "notes": "before"}])
    with open(_beads(root).journal, "ab") as file:
        file.write(b'gp-c2 {"id":"gp-c2","title":"never ackno')


def _set(root: str, bead: str, **fields: object) -> None:
    Ledger(_beads(root)).transact(lambda view: [{**(view.get(bead) or _bead(bead)), **fields}])


STEPS = (
    ("update", lambda root: _set(root, "gp-b1", priority=1)),
    ("close", lambda root: _set(root, "gp-c2", status="closed", closed_at=STAMP)),
    ("create", lambda root: _set(root, "gp-n1", title="new")),
    ("two", lambda root: Ledger(_beads(root)).transact(
        lambda view: [{**(view.get("gp-d3") or {}), "assignee": "someone"}, {**(view.get("gp-b1") or {}), "assignee": "someone"}])),
    ("fold", lambda root: Ledger(_beads(root)).fold()),
    ("large", lambda root: _set(root, "gp-d3", description="y" * 9000)),
    ("fold2", lambda root: Ledger(_beads(root)).fold()),
    ("last", lambda root: _set(root, "gp-n1", title="newer")),
)
EXPECTED = {
    "update": {"gp-b1": {"priority": 1}}, "close": {"gp-c2": {"status": "closed"}}, "create": {"gp-n1": {}},
    "two": {"gp-d3": {"assignee": "someone"}, "gp-b1": {"assignee": "someone"}},
    "large": {"gp-d3": {"description": "y" * 9000}}, "last": {"gp-n1": {"title": "newer"}},
}
TOUCHED = {"gp-b1", "gp-c2", "gp-d3", "gp-n1"}


def _steps(root: str, ack: Acknowledge) -> None:
    for name, step in STEPS:
        step(root)
        ack(name)


def _acknowledged(story: Story) -> list[str]:
    ledger = checker.Ledger(f"{story.root}/.beads")
    bad = [*ledger.violations, *checker.readers_see(story.root),
           *checker.untouched(ledger, checker.Ledger(f"{story.template}/.beads"), TOUCHED)]
    bad += [f"{bead} is lost" for bead in ("gp-b1", "gp-c2", "gp-d3") if bead not in ledger.records]
    for word in set(story.acked) & set(EXPECTED):
        for bead, fields in EXPECTED[word].items():
            there = ledger.records.get(bead, {})
            bad += [f"acknowledged {word}: {bead}.{key} is {str(there.get(key))[:40]}"
                    for key, value in fields.items() if there.get(key) != value]
            bad += [] if there else [f"acknowledged {word}: {bead} is not there"]
    two = [ledger.records.get(bead, {}).get("assignee") for bead in ("gp-d3", "gp-b1")]
    return bad + (["half a transaction is visible"] if len(set(two)) != 1 else [])


def _retold(story: Story) -> list[str]:
    """The events, made again one by one, lead from the old beads to what is there: none is missing, none stands twice."""
    old = {name: json.loads(line) for name, line in checker.Ledger(f"{story.template}/.beads").file.items()}
    told: dict[tuple[str, str], object] = {}
    bad = []
    for event in audit.look(Ledger(_beads(story.root))).after(0):
        bead = event["payload"]["bead"]
        for key, change in event["payload"].get("changes", {}).items():
            was = told.get((bead, key), old[bead].get(key) if bead in old else change and change[0])
            bad += [f"the events of {bead}.{key} jump from {was!r} to {change[0]!r}"] if change and change[0] != was else []
            told[bead, key] = change[1] if change else "long"
    return bad + [f"no event says that {bead}.{key} became {str(value)[:40]!r}"
                  for bead, record in checker.Ledger(f"{story.root}/.beads").records.items() for key, value in record.items()
                  if bead in old and told.get((bead, key), old[bead].get(key)) not in (value, "long")]


def _all_done(story: Story) -> list[str]:
    bad = _acknowledged(story)
    missing = [name for name, _ in STEPS if name not in story.last.acked]
    left = [name for name in os.listdir(f"{story.root}/.beads") if name.endswith(".jsonl") and name != "issues.jsonl"]
    if Ledger(_beads(story.root)).all() != checker.Ledger(f"{story.root}/.beads").records:
        bad.append("the product reads another state than the independent reader")
    bad += _retold(story)
    return bad + [f"{name} was not acknowledged" for name in missing] + [f"another .jsonl in .beads: {name}" for name in left]


def _refused_is_unseen(story: Story) -> list[str]:
    """A disk error that is not called indeterminate left the old state (R2)."""
    bad = _acknowledged(story)
    if story.last.killed or story.last.code != 9 or not story.mode:
        return bad
    ledger = checker.Ledger(f"{story.root}/.beads")
    order = [name for name, _ in STEPS]
    failed = order[len(story.last.acked)] if len(story.last.acked) < len(order) else ""
    for bead, fields in EXPECTED.get(failed, {}).items():
        there = ledger.records.get(bead)
        if there is not None and (not fields or all(there.get(key) == value for key, value in fields.items())):
            bad.append(f"{failed} was refused ({story.last.output.strip()[-120:]}), yet {bead} has it")
    return bad


# ---- a person edits the file while the journal holds more

def _edit(root: str) -> None:
    """The hand of a person: gp-b1 gets a note, gp-m5 a label, the order is shuffled, a line is added."""
    path = _beads(root).issues
    lines = (_data(path) or b"").split(b"\n")[:-1]
    edited = []
    for line in lines:
        record = json.loads(line)
        if record["id"] == "gp-b1":
            record["design"] = "by hand"
            line = _line_of(record)
        edited.append(line)
    edited.append(_line_of(_bead("gp-h1", title="by hand")))
    _put(path + "~", b"".join(line + b"\n" for line in reversed(edited)))
    os.rename(path + "~", path)


def _edited(root: str) -> None:
    _journaled_ledger(root)
    _set(root, "gp-c2", priority=0)
    _edit(root)


def _after_edit(root: str, ack: Acknowledge) -> None:
    _set(root, "gp-d3", priority=0)
    ack("write")
    Ledger(_beads(root)).fold()
    ack("fold")


def _edit_survives(story: Story) -> list[str]:
    ledger = checker.Ledger(f"{story.root}/.beads")
    bad = [text for text in ledger.violations if story.last.code == 0]
    if story.last.acked:
        wanted = {"gp-b1": ("design", "by hand"), "gp-h1": ("title", "by hand"), "gp-c2": ("priority", 0), "gp-d3": ("priority", 0)}
        for bead, (key, value) in wanted.items():
            if ledger.records.get(bead, {}).get(key) != value:
                bad.append(f"{bead}.{key} is {ledger.records.get(bead, {}).get(key)!r}, not {value!r}")
        if ledger.records.get("gp-b1", {}).get("notes") != "before":
            bad.append("the journal's own change of the edited bead is lost")
    return bad + [f"{name} is lost" for name in ("gp-a0", "gp-m5", "gp-z9", "gp-h1") if name not in ledger.records]


def _plain_ledger(root: str) -> None:
    """Tracked beside the code: no journal, each write replaces the file."""
    Ledger.create_files(_beads(root), "gp", "code-branch")
    lines = [*BYSTANDERS, *(_line_of(_bead(f"gp-{n}")) for n in ("b1", "c2", "d3"))]
    _put(_beads(root).issues, b"".join(line + b"\n" for line in sorted(lines, key=lambda line: line[7:12])))


# ---- mail and events

def _town(root: str) -> None:
    os.makedirs(f"{root}/mayor")
    _put(f"{root}/mayor/town.json", b'{"id":"t"}\n')
    mail.deliver(f"{root}/box", "overseer", "mayor", "first", "before", key="first", now=1)
    events.emit(paths.Town(root), "begin", "overseer", {}, 1)


def _mail(root: str, ack: Acknowledge) -> None:
    mail.deliver(f"{root}/box", "overseer", "mayor", "second", "body\n" * 900, key="second", now=2)
    ack("mail")
    events.emit(paths.Town(root), "mail", "overseer", {"subject": "second"}, 2)
    ack("event")


def _mail_whole(story: Story) -> list[str]:
    found = [text for _, text in checker.mails(story.root)]
    whole = [text for text in found if b"Subject: second" in text and text.count(b"body\n") == 900]
    kinds = [event["type"] for event in checker.json_lines(f"{story.root}/.events.jsonl")]
    bad = [*checker.one_mail(story.root), *checker.readers_see(story.root)]
    bad += ["an old mail is lost"] if not any(b"Subject: first" in text for text in found) else []
    bad += [f"{len(found) - len(whole) - 1} mails are half a mail"] if len(found) - len(whole) != 1 else []
    bad += ["the acknowledged mail is not there"] if "mail" in story.acked and len(whole) != 1 else []
    bad += ["the acknowledged event is not there"] if "event" in story.acked and "mail" not in kinds else []
    return bad + (["the old event is lost"] if kinds[:1] != ["begin"] else [])


SCENARIOS = [
    Scenario("fsio-write", _one_old, _write, _new, glance=_old_or_new),
    Scenario("fsio-swap", _one_old, _swap, _new, glance=_old_or_new),
    Scenario("fsio-create", _none, _create, lambda story: _none_or_new(story), glance=_none_or_new),
    Scenario("fsio-append", _log, _append, _lines_whole, glance=_lines_whole),
    Scenario("fsio-append-torn", _torn_log, _append, _lines_whole, glance=_lines_whole),
    Scenario("ledger", _ledger, _steps, _all_done, glance=_refused_is_unseen),
    Scenario("ledger-torn", _journaled_ledger, _steps, _all_done, glance=_refused_is_unseen),
    Scenario("ledger-edited", _edited, _after_edit, _edit_survives, glance=_edit_survives),
    Scenario("ledger-code-branch", _plain_ledger, _steps, _all_done, glance=_refused_is_unseen),
    Scenario("mail", _town, _mail, _mail_whole, glance=_mail_whole),
    Scenario("broken-no-heal", _log, _append, _lines_whole, glance=_lines_whole, broken="no_heal"),
    Scenario("broken-journal-first", _ledger, _steps, _all_done, glance=_acknowledged, broken="journal_first"),
]
