"""What a person typed, as beads and as checked fields. Imported at every hot command: lean."""

from __future__ import annotations

from gastown_hooks.cli.plain import file_text, one_text, remark
from gastown_hooks.core import errors
from gastown_hooks.core.late import late
from gastown_hooks.rules import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gastown_hooks.core.record import Record
    from gastown_hooks.rules import edits, foreign
    from gastown_hooks.stores.ledger import Ledger
    from gastown_hooks.work.world import World
else:
    edits, foreign = late("gastown_hooks.rules.edits"), late("gastown_hooks.rules.foreign")

_CHECKS = {"title": fields.title, "priority": fields.priority, "issue_type": fields.issue_type, "status": fields.status}
_TEXTS = ("design", "acceptance_criteria", "notes", "run", "external_ref", "spec_id")


def located(where: World, texts: Sequence[str], *, quiet: bool = False) -> dict[str, Ledger]:
    """Each bead meant, by full id, with its ledger; a shortened id is told (on standard error)."""
    found: dict[str, Ledger] = {}
    for text in texts:
        ledger, bead_id = where.find(text)
        found[bead_id] = ledger
        if bead_id != text and not quiet:
            remark(f"bd: {text} is {bead_id}")
    return found


def target(where: World, text: str) -> str:
    """The full id of a dependency's target; a bead of another project stays as it is written."""
    if fields.is_foreign(text):
        foreign.parsed(text)
        return text
    return next(iter(located(where, [text])))


def change(where: World, texts: Sequence[str], verb: Callable[[Ledger, list[str], bool], list[Record]], dry_run: bool, *,
           adds: str = "") -> list[Record]:
    """Run a verb on beads of one or several ledgers; with several it is tried on all before any is written. `adds`: the option, if any,
    that adds anew each time: only in one ledger, where it is written at once or not at all."""
    found = located(where, texts)
    groups: dict[str, tuple[Ledger, list[str]]] = {}
    for bead_id, ledger in found.items():
        groups.setdefault(ledger.beads.root, (ledger, []))[1].append(bead_id)
    if len(groups) > 1 and adds:
        each = "; ".join(f"bd update {' '.join(bead_ids)} {adds} TEXT" for _, bead_ids in groups.values())
        raise errors.BadInput(f"{adds} for beads of {len(groups)} ledgers",
                       why="cut off between two of them, it would add again when it is repeated", next=each)
    if len(groups) > 1 and not dry_run:
        for ledger, bead_ids in groups.values():
            verb(ledger, bead_ids, True)
    after = {record["id"]: record for ledger, bead_ids in groups.values() for record in verb(ledger, bead_ids, dry_run)}
    return [after[bead_id] for bead_id in found]


def update_values(given: dict[str, Any], now: int) -> dict[str, Any]:
    """The record's fields from the options, checked; None clears a field."""
    values: dict[str, Any] = {}
    if given.get("design_file") is not None:
        given = {**given, "design": _design(given)}
        if not given["design"]:
            raise errors.BadInput("the new design is empty", why="perhaps what should have written it failed", next='--design ""')
    body = one_text(given["description"], from_stdin=given["stdin"], from_file=given["body_file"], what="description")
    if body is not None:
        values["description"] = fields.text(body, "description") or None
    for key in _TEXTS:
        if given.get(key) is not None:
            text = file_text(given[key][1:]) if key == "run" and given[key].startswith("@") else given[key]
            values[key] = (fields.script(text) if key == "run" and text else fields.text(text, key)) or None
    for key, check in _CHECKS.items():
        if given[key] is not None:
            values[key] = check(given[key])
    if given["assignee"] is not None:
        values["assignee"] = fields.assignee(given["assignee"]) or None
    if given["estimate"] is not None:
        values["estimated_minutes"] = fields.estimate(given["estimate"]) or None
    if given["set_labels"]:
        values["labels"] = fields.labels(given["set_labels"]) if any(given["set_labels"]) else []
    for key, option in (("due_at", "due"), ("defer_until", "defer")):
        if given[option] is not None:
            values[key] = fields.moment(given[option], now) if given[option] else None
    return values


def update_check(given: dict[str, Any], values: dict[str, Any], claim: bool, append: str | None, add: list[str], remove: list[str],
           parent: str | None, more: bool = False) -> None:
    if not values and not claim and append is None and not add and not remove and parent is None and not more:
        raise errors.BadInput("nothing to change", next="bd update --help")
    if append is not None and not append.strip():
        raise errors.BadInput("there is nothing to append to the notes")
    contradictions = (
        (claim and ("status" in values or "assignee" in values), "--claim and --status or --assignee"),
        ("labels" in values and bool(add or remove), "--set-labels and --add-label or --remove-label"),
        (bool(set(add) & set(remove)), "--add-label and --remove-label of the same label"),
        ("notes" in values and append is not None, "--notes and --append-notes"))
    for wrong, what in contradictions:
        if wrong:
            raise errors.BadInput(f"{what} contradict each other")


def create_values(given: dict[str, Any], now: int) -> dict[str, Any]:
    """The record's fields from the options, checked; what was not given is left out."""
    body = one_text(given["description"], from_stdin=given["stdin"], from_file=given["body_file"], what="description")
    script = given["run"]
    if script is not None and script.startswith("@"):
        script = file_text(script[1:])
    texts = {"description": body, "design": given["design"], "acceptance_criteria": given["acceptance_criteria"],
             "notes": given["notes"], "run": script, "external_ref": given["external_ref"]}
    checked: dict[str, Any] = {key: fields.text(value, key) for key, value in texts.items() if value is not None}
    checked |= _rarer(given, checked)
    if script is not None:
        checked["run"] = fields.script(script)
    checked["issue_type"] = fields.issue_type(given["issue_type"])
    checked["priority"] = fields.priority(given["priority"])
    checked["labels"] = fields.labels(given["labels"])
    for key, option, check in (("assignee", "assignee", fields.assignee), ("estimated_minutes", "estimate", fields.estimate)):
        if given[option] is not None:
            checked[key] = check(given[option])
    for key, option in (("due_at", "due"), ("defer_until", "defer")):
        if given[option] is not None:
            checked[key] = fields.moment(given[option], now)
    return checked


def _rarer(given: dict[str, Any], checked: dict[str, Any]) -> dict[str, Any]:
    """The options that only click hands over: hot commands have none of them."""
    found: dict[str, Any] = {}
    if given.get("design_file") is not None:
        found["design"] = fields.text(_design(given), "design")
    for key in ("spec_id", "mol_type", "wisp_type"):
        if given.get(key) is not None:
            found[key] = fields.text(given[key], key)
    if given.get("metadata") is not None:
        found["metadata"] = metadata(given["metadata"])
    parts = [f"## {heading}\n{given[key]}" for key, heading in (("skills", "Required Skills"), ("context", "Context")) if given.get(key)]
    if parts:
        found["description"] = "\n\n".join([*filter(None, [checked.get("description")]), *(fields.text(part) for part in parts)])
    return found


def _design(given: dict[str, Any]) -> str:
    """The text of --design-file."""
    if given["design_file"] == "-" and (given["stdin"] or given["body_file"] == "-"):
        raise errors.BadInput("description and design contradict each other", why="standard input is one of them")
    return one_text(given["design"], from_file=given["design_file"], what="design") or ""


def metadata(text: str) -> dict[str, Any]:
    """The object of --metadata: JSON, or @FILE."""
    return edits.metadata_object(file_text(text[1:]) if text.startswith("@") else text)
