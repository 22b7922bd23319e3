"""`bd info`"""

from __future__ import annotations

import os

import click

from gastown_hooks import __version__
from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.core import data, fsio, record
from gastown_hooks.core.errors import BadInput, NotFound
from gastown_hooks.rules import graph, states
from gastown_hooks.stores import index, known
from gastown_hooks.stores.ledger import CODE_BRANCH, OWN_BRANCH
from gastown_hooks.work import formats

_NEWS = 20


@click.command(short_help="Show facts about this ledger.")
@click.option("--schema", is_flag=True, help="Show the fields, states, types and kinds of dependencies.")
@click.option("--whats-new", is_flag=True, help="Instead: what changed last in this program.")
@common.json_option
def cli(schema: bool, whats_new: bool, as_json: bool) -> None:
    """Show where this directory's ledger is, how it is kept, how large it is, and with --schema what a bead may hold.

    \b
    Examples:
      bd info
      bd info --schema --json
      bd info --whats-new
    """
    if schema and whats_new:
        raise BadInput("--schema and --whats-new contradict each other")
    if whats_new:
        _say_news(as_json)
        return
    where = _shared.world()
    ledger = where.home()
    its = known.known(ledger)
    count = (sum(found.get("status") != states.TOMBSTONE for found in ledger.all().values()) if its is None
             else its.index.count_listed([("scope", False, [index.DELETED])]))
    facts: dict[str, object] = {
        "path": ledger.beads.root, "prefix": ledger.prefix, "mode": CODE_BRANCH if ledger.write_through else OWN_BRANCH,
        "issue_count": count, "bytes": os.path.getsize(ledger.beads.issues), "version": __version__}
    form = formats.here(where.caller) or {}
    facts |= {**{name: form[name] for name in ("format", "merge_driver", "hooks") if form.get(name)}, "actor": where.caller.actor}
    if schema:
        facts |= {"fields": list(record.FIELDS), "statuses": [*states.STATUSES, states.TOMBSTONE], "types": list(states.TYPES),
                  "dependency_types": list(graph.KINDS)}
    if as_json:
        common.emit_json(facts)
        return
    for name, value in facts.items():
        common.say(f"{name}: {' '.join(value) if isinstance(value, list) else value}")


def _say_news(as_json: bool) -> None:
    """The entries of the changelog's first section, of which the newest stand last."""
    path = data.changelog()
    text = fsio.read(path)
    if text is None:
        raise NotFound(f"no {path}", why="this installation came without it")
    version, _, rest = text.decode().partition("\n## ")[2].partition("\n")
    entries = [" ".join(entry.split()) for entry in f"\n{rest}".partition("\n## ")[0].split("\n- ")[1:]]
    if as_json:
        common.emit_json({"version": __version__, "section": version, "entries": entries})
        return
    if len(entries) > _NEWS:
        common.remark(f"bd: the last {_NEWS} of {len(entries)}; all: {path}")
    common.say(f"{version} (this is {__version__})\n")
    for entry in entries[-_NEWS:]:
        common.say(f"- {entry}")
