"""`bd create`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common, fast_write
from gastown_hooks.cli.bd import _batch, _original, _shared, _values
from gastown_hooks.core import clock, ids, jsons
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Wisps
from gastown_hooks.rules import fields, lint, states, waits
from gastown_hooks.stores import config
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import beads, wisps
from gastown_hooks.work.world import World


@click.command(short_help="Make a bead.")
@click.argument("title", required=False)
@click.option("--title", "title_option", metavar="TEXT", help="The title, instead of the argument.")
@click.option("-t", "--type", "issue_type", default="task", show_default=True, help="bug, feature, task, epic, chore, decision …")
@click.option("-p", "--priority", default="2", metavar="0-4", help="0 (most urgent) to 4, or P0 to P4. [default: 2]")
@click.option("-d", "--description", metavar="TEXT")
@click.option("--body-file", metavar="FILE", help="Read the description from a file (-: standard input).")
@click.option("--stdin", is_flag=True, help="Read the description from standard input.")
@click.option("--design", metavar="TEXT")
@click.option("--acceptance", "acceptance_criteria", metavar="TEXT")
@click.option("--notes", metavar="TEXT")
@click.option("-a", "--assignee", metavar="WHO")
@click.option("-l", "--label", "--labels", "labels", multiple=True, metavar="L[,L…]")
@click.option("--parent", metavar="ID", help="Make it a child: its id is the parent's with .1, .2 …, or its own in another rig.")
@click.option("--no-inherit-labels", is_flag=True, help="A child without its parent's labels.")
@click.option("--deps", "--dep", "deps", multiple=True, metavar="[TYPE:]ID[,…]", help="What it depends on (type: blocks).")
@click.option("--id", "bead_id", metavar="ID", help="This id instead of a new one.")
@click.option("--prefix", metavar="P", help="In the rig with this prefix.")
@click.option("--rig", metavar="NAME", help="In this rig.")
@click.option("--run", metavar="TEXT|@FILE", help="The shell script that is the work, for the exec agent.")
@click.option("-e", "--estimate", type=int, metavar="MINUTES")
@click.option("--due", metavar="TIME", help="+6h, +1d, 2026-01-31, RFC 3339.")
@click.option("--defer", metavar="TIME", help="Not ready before then.")
@click.option("--external-ref", metavar="REF", help="Its name elsewhere, such as gh-9.")
@click.option("--spec-id", metavar="ID", help="The specification it comes from.")
@click.option("--metadata", metavar="JSON|@FILE", help='Its own fields: {"team":"web"}.')
@click.option("--mol-type", type=click.Choice(["swarm", "patrol", "work"]))
@click.option("--design-file", metavar="FILE", help="Read the design from a file (-: standard input).")
@click.option("--skills", metavar="TEXT", help="What it takes; put under a heading of the description.")
@click.option("--context", metavar="TEXT", help="What to know; put under a heading of the description.")
@click.option("--waits-for", metavar="ID", help="Not ready before the children of this one are closed.")
@click.option("--waits-for-gate", type=click.Choice(["all-children", "any-children"]), help="All of them (so it is without) or any.")
@click.option("--event-category", "event_kind", metavar="KIND", help="Of an event (-t event): what happened, such as agent.started.")
@click.option("--event-actor", "actor", metavar="WHO", help="Of an event: who did it.")
@click.option("--event-target", "target", metavar="WHAT", help="Of an event: to what.")
@click.option("--event-payload", "payload", metavar="JSON", help="Of an event: the details.")
@click.option("--await-type", type=click.Choice(waits.TYPES), help="Of a gate (-t gate): what it waits for. [default: human]")
@click.option("--await-id", metavar="ID", help="Of a gate: the run, pull request or bead.")
@click.option("--timeout", metavar="30m|1h|2d", help="Of a gate: how long; a timer is over then.")
@click.option("--ephemeral", is_flag=True, help="A wisp: only this place has it, not git and no other clone. So is the child of one.")
@click.option("--wisp-type", type=click.Choice(states.WISPS), help="What kind of wisp.")
@click.option("--force", is_flag=True, help="An --id with another prefix than this repository's.")
@click.option("--validate", is_flag=True, help="Refuse it without the sections that bd lint asks for.")
@click.option("-f", "--file", metavar="FILE.md", help="Many at once: a `## Title` a bead (-: standard input).")
@click.option("--graph", metavar="PLAN.json", help="Many at once, all or none: nodes and edges (-: standard input).")
@click.option("--silent", is_flag=True, help="Print only the id.")
@_original.refused("--no-history", "it kept beads out of the original's database history", "bd create --ephemeral keeps one out of git")
@_original.refused("--repo", "one bd has one ledger", "bd -C FOLDER create TITLE", takes_value=True)
@common.dry_run_option
@common.json_option
def cli(title: str | None, title_option: str | None, parent: str | None, no_inherit_labels: bool, deps: tuple[str, ...],
        bead_id: str | None, prefix: str | None, rig: str | None, waits_for: str | None, waits_for_gate: str | None, ephemeral: bool,
        force: bool, validate: bool, file: str | None, graph: str | None, silent: bool, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Make a bead in this directory's ledger (or the one of --prefix, --rig, --id, --parent) and print its id.

    \b
    Examples:
      bd create "Fix the login" -t bug -p 1 -l web
      bd create "Write the docs" --deps gp-abc12
      bd create "A part of it" --parent gp-abc12 --body-file part.md
      bd create "Update the copyright" --prefix gp --run "sed -i s/2025/2026/ LICENSE"
      bd create "Look at the queue" --ephemeral --wisp-type patrol
      bd create "Wait a day" -t gate --await-type timer --timeout 1d
      bd create --graph plan.json --json
    """
    if silent and as_json:
        raise BadInput("--silent and --json contradict each other")
    now = clock.now()
    where = _shared.world()
    if file is not None or graph is not None:
        _only_a_file(file, graph, {"a title": title or title_option, "--parent": parent, "--deps": deps, "--id": bead_id,
                                   "--no-inherit-labels": no_inherit_labels,
                                   "--waits-for": waits_for, "--validate": validate, "--force": force, "--ephemeral": ephemeral,
                                   **{_option(k): v for k, v in given.items()}})
        there, _ = _place(where, None, None, prefix, rig)
        _batch.make(where, there, file=file, graph=graph, dry_run=dry_run, silent=silent, as_json=as_json)
        return
    if waits_for_gate is not None and waits_for is None:
        raise BadInput("--waits-for-gate without --waits-for")
    values = {**_values.create_values(given, now), **_event(given)}
    values |= fields.gate(given["await_type"], given["await_id"], given["timeout"], values["issue_type"])
    if values.get("await_type") == "timer" and "timeout" not in values:
        raise BadInput("--await-type timer without --timeout", why="it would never be over")
    if force and (bead_id is None or where.routes is not None):
        raise BadInput("--force is for --id in a repository of its own", why="a town finds beads by their prefix")
    if title is not None and title_option not in (None, title):
        raise BadInput("the title is given twice", why="once as an argument, once as --title")
    text = fields.title(title_option if title is None and title_option is not None else title or "")
    ledger, parent = _place(where, bead_id, parent, prefix, rig)
    if ephemeral or isinstance(ledger.beads, Wisps):
        values["ephemeral"] = True
        ledger = wisps.place(where, ledger, dry_run=dry_run)
    elif given["wisp_type"] is not None:
        raise BadInput("--wisp-type without --ephemeral", why="only a wisp has one")
    edges = [fields.dependency(part) for value in deps for part in value.split(",") if part.strip()]
    edges = [(kind, _shared.target(where, name)) for kind, name in [*edges, *([("waits-for", waits_for)] if waits_for is not None else [])]]
    missing = lint.missing({"title": text, **values}) if validate else []
    if missing:
        raise BadInput(f"the description lacks {', '.join(missing)}", why=f"a {values['issue_type']} needs them", next="bd lint --help")
    made = beads.create(ledger, where.caller, now, text, values=values, bead_id=bead_id, parent=parent, deps=edges, gate=waits_for_gate,
                        foreign=force, inherit=not no_inherit_labels, dry_run=dry_run)
    if not dry_run:
        where.touch(made["id"])
    fast_write.say_created(made, as_json=as_json, silent=silent, dry_run=dry_run)


_EVENT = {"event_kind": "--event-category", "actor": "--event-actor", "target": "--event-target", "payload": "--event-payload"}


def _event(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event bead. Raises BadInput for any other bead, and for details that are no JSON."""
    found = {key: fields.text(given[key], option) for key, option in _EVENT.items() if given[key] is not None}
    if found and given["issue_type"] != "event":
        raise BadInput(f"{_EVENT[next(iter(found))]} is of an event", why=f"this is a {given['issue_type']}", next="bd create … -t event")
    try:
        jsons.loads(found.get("payload", "{}"))
    except ValueError as error:
        raise BadInput("the payload is no JSON", why=str(error)) from None
    return found


def _option(name: str) -> str:
    return "--type" if name == "issue_type" else _EVENT.get(name, f"--{name.replace('_', '-')}")


def _only_a_file(file: str | None, graph: str | None, others: dict[str, Any]) -> None:
    ways = [name for name, value in {"--file": file, "--graph": graph}.items() if value is not None]
    plain = {"--type": "task", "--priority": "2"}
    more = [name for name, value in others.items() if value and value != plain.get(name)]
    if len(ways) + len(more) > 1:
        raise BadInput(f"{ways[0]} and {[*ways[1:], *more][0]} contradict each other", why="the file says it for each bead")


def _place(where: World, bead_id: str | None, parent: str | None, prefix: str | None, rig: str | None) -> tuple[Ledger, str | None]:
    """The one ledger that --prefix, --rig and --id mean, else the parent's, and the parent's full id."""
    if bead_id is not None and parent is not None:
        raise BadInput("--id and --parent contradict each other", why="a child's id is its parent's with a number")
    means: dict[str, Ledger] = {}
    if prefix is not None:
        means["--prefix"] = where.at(prefix)
    if rig is not None:
        town = where.caller.in_town()
        means["--rig"] = where.at(config.rig_config(town.rig(ids.name(rig, "rig"))).prefix)
    if bead_id is not None:
        means["--id"] = where.of(bead_id)
    if parent is not None:
        (parent, above), = _shared.located(where, [parent]).items()
        means = means or {"--parent": above}  # a rig's bead may have a parent elsewhere: an epic of the town
    if len({ledger.beads.root for ledger in means.values()}) > 1:
        raise BadInput(f"{' and '.join(means)} mean different ledgers")
    return next(iter(means.values()), None) or where.home(), parent
