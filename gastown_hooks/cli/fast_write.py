"""`bd create`, `bd update` and `bd close` with plain options, without click. Each returns an exit code, or None: click does it.

None is said only before anything was written: for an unusual option, a shortened id, several ledgers, a close that git must prove.
"""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.plain import brief, cleaned, emit_json, say
from gastown_hooks.core import clock
from gastown_hooks.core.late import late
from gastown_hooks.rules import fields, states
from gastown_hooks.stores import callers
from gastown_hooks.work import tracking, verbs
from gastown_hooks.work.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gastown_hooks.cli.bd import _values
    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import steps
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work import advance, wake
else:
    _values = late("gastown_hooks.cli.bd._values")
    advance, wake = late("gastown_hooks.work.advance"), late("gastown_hooks.work.wake")

_COMMON: fast.Options = {
    "-t": ("issue_type", "one"), "--type": ("issue_type", "one"), "-p": ("priority", "one"), "--priority": ("priority", "one"),
    "-d": ("description", "one"), "--description": ("description", "one"), "-a": ("assignee", "one"), "--assignee": ("assignee", "one"),
    "--design": ("design", "one"), "--acceptance": ("acceptance_criteria", "one"), "--notes": ("notes", "one")}
_CREATE = fast.JSON | _COMMON | {"-l": ("labels", "many"), "--label": ("labels", "many"), "--labels": ("labels", "many"),
                                 "--silent": ("silent", "flag")}
_UPDATE = fast.JSON | _COMMON | {
    "-s": ("status", "one"), "--status": ("status", "one"), "--title": ("title", "one"), "--claim": ("claim", "flag"),
    "--append-notes": ("append_notes", "one"), "--add-label": ("add_labels", "many"), "--remove-label": ("remove_labels", "many")}
_CLOSE = fast.JSON | {"-r": ("reasons", "many"), "--reason": ("reasons", "many"), "-f": ("force", "flag"), "--force": ("force", "flag"),
                      "--continue": ("go_on", "flag"), "--no-auto": ("no_auto", "flag")}
# What click gives for the options that are not plain.
_ABSENT: dict[str, Any] = {"stdin": False, "body_file": None, "run": None, "external_ref": None, "estimate": None, "due": None,
                           "defer": None, "set_labels": ()}


def run(words: list[str]) -> int | None:
    """The exit code of a verb and its words."""
    return {"create": bd_create, "update": bd_update, "close": bd_close}[words[0]](words[1:])


def bd_create(words: list[str]) -> int | None:
    options = fast.parsed(words, _CREATE)
    if options is None or len(options[0]) != 1 or (options[1]["silent"] and options[1]["as_json"]):
        return None
    now, where, given = clock.now(), World(callers.caller()), options[1]
    given = {**_ABSENT, **given, "issue_type": given["issue_type"] or "task", "priority": given["priority"] or "2"}
    if options[1]["issue_type"] == "" or options[1]["priority"] == "":
        return None
    values, title = _values.create_values(given, now), fields.title(options[0][0])
    made = verbs.create(where.home(), where.caller, now, title, values=values)
    where.touch(made["id"])
    say_created(made, as_json=given["as_json"], silent=given["silent"], dry_run=False)
    return 0


def say_created(made: Record, *, as_json: bool, silent: bool, dry_run: bool) -> None:
    """A new bead."""
    if as_json:
        emit_json(made)
    elif silent:
        say(made["id"])
    else:
        say(f"{'Would create issue' if dry_run else '✓ Created issue'}: {made['id']}")
        say(f"  Title: {cleaned(made['title'])}\n  Priority: P{made['priority']}\n  Status: {made['status']}")


def bd_update(words: list[str]) -> int | None:
    options = fast.parsed(words, _UPDATE)
    if options is None or options[1]["status"] == "closed":
        return None
    now, where, given = clock.now(), World(callers.caller()), options[1]
    place = _place(where, options[0])
    if place is None:
        return None
    ledger, names, _ = place
    values = _values.update_values({**_ABSENT, **given}, now)
    add, remove = fields.labels(given["add_labels"]), fields.labels(given["remove_labels"])
    _values.update_check(given, values, given["claim"], given["append_notes"], add, remove, None)
    after = verbs.update(ledger, where.caller, now, names, values, add_labels=add, remove_labels=remove,
                         append_notes=given["append_notes"], claim=given["claim"])
    where.touch(after[-1]["id"])
    say_updated(after, as_json=given["as_json"], dry_run=False)
    return 0


def say_updated(after: list[Record], *, as_json: bool, dry_run: bool) -> None:
    """Changed beads."""
    if as_json:
        emit_json(after)
        return
    for record in after:
        say(f"{'Would update issue' if dry_run else '✓ Updated issue'}: {record['id']}")


def bd_close(words: list[str]) -> int | None:
    options = fast.parsed(words, _CLOSE)
    if options is None or len(options[1]["reasons"]) > 1:
        return None
    given = options[1]
    now, where = clock.now(), World(callers.caller())
    place = _place(where, options[0])
    if place is None:
        return None
    ledger, names, found = place
    if len(names) > 1 if given["go_on"] else given["no_auto"]:
        return None
    if any(map(states.needs_landing, found)):
        return None
    reason, session = "".join(given["reasons"]) or "Closed", fields.session(callers.variable("CLAUDE_SESSION_ID"))
    if given["go_on"]:
        known = where.known([ledger])
        followed = tracking.follows(known, names)
        _close_and_go_on(where, ledger, known, names, reason, now, given, session)
    else:
        followed = tracking.is_followed(where.caller.town, names)
        after = verbs.close(ledger, where.caller, now, names, reason, force=given["force"], session=session)
        where.touch(after[-1]["id"])
        say_closed(after, as_json=given["as_json"], dry_run=False)
    if followed and where.caller.town is not None:
        wake.wake(where.caller.town, "deacon")
    return 0


def _close_and_go_on(where: World, ledger: Ledger, known: Mapping[str, Record], names: list[str], reason: str, now: int,
                     given: dict[str, Any], session: str) -> None:
    no_auto = given["no_auto"]
    onward = advance.next_step(where, known, names[0], now, auto=not no_auto)
    after, found = advance.close(where, ledger, names, reason, now, onward, force=given["force"], session=session, alone=True)
    where.touch((after[0] if no_auto or found.step is None else found.step)["id"])
    if not given["as_json"]:
        say_closed(after, as_json=False, dry_run=False)
    say_next(after, found, no_auto, given["as_json"])


def say_closed(after: list[Record], *, as_json: bool, dry_run: bool) -> None:
    """Closed beads."""
    if as_json:
        emit_json(after)
        return
    for record in after:
        say(f"{'Would close' if dry_run else '✓ Closed'} {record['id']}: {cleaned(record.get('close_reason') or '')}")


def say_next(after: list[Record], found: steps.Next, no_auto: bool, as_json: bool) -> None:
    """The step after a closed one."""
    if as_json:
        step = {} if found.step is None else {"next_step": found.step}
        emit_json({"closed": after, "continue": {
            "closed_step": after[0], **step, "auto_advanced": found.step is not None and not no_auto,
            "molecule_complete": found.complete, "molecule_id": found.molecule, "reason": found.why}})
        return
    if found.complete:
        say(f"✓ Molecule {found.molecule} complete! All steps closed.")
    elif found.step is not None:
        say(f"\nNext ready in molecule:\n  {brief(found.step)}")
        if not no_auto:
            say("→ Marked in_progress (use --no-auto to skip)")
    else:
        say("\nNo next step:")
    for why in found.why:
        say(f"  passed over {cleaned(why)}" if found.molecule else f"  {cleaned(why)}")


def _place(where: World, texts: list[str]) -> tuple[Ledger, list[str], list[Record]] | None:
    """The one ledger that holds all these beads, their ids and the beads; None unless each is named in full."""
    names = list(dict.fromkeys(texts))
    if any(":" in text for text in names):
        return None  # another project's
    places = [where.place(text) for text in names]
    if len({ledger.beads.root for ledger, _ in places}) != 1 or [name for _, name in places] != names:
        return None
    ledger = places[0][0]
    found = ledger.some(names)
    return (ledger, names, [found[name] for name in names]) if len(found) == len(names) else None
