"""`bd duplicates`"""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.work import links


@click.command(short_help="Find open beads that say the same.")
@click.option("--auto-merge", is_flag=True, help="Close all but the first of each group as its duplicates.")
@click.option("--prefix", metavar="P", help="Only the rig with this prefix.")
@common.dry_run_option
@common.json_option
def cli(auto_merge: bool, prefix: str | None, dry_run: bool, as_json: bool) -> None:
    """Find open beads of one type with the same title and texts. First in each group: the one that most others name, else the oldest.

    \b
    Examples:
      bd duplicates
      bd duplicates --auto-merge --dry-run
    """
    if dry_run and not auto_merge:
        raise BadInput("--dry-run without --auto-merge", why="bd duplicates alone changes nothing")
    where = _shared.world()
    found = links.twins(where, prefix)
    if auto_merge:
        pairs = [(record["id"], group[0]["id"]) for group in found for record in group[1:]]
        links.replace(where, pairs, "duplicates", clock.now(), dry_run=dry_run)
    if as_json:
        common.emit_json({"duplicate_groups": len(found), "groups": [
            {"title": group[0].get("title", ""), "suggested_target": group[0]["id"], "suggested_sources": [r["id"] for r in group[1:]],
             "issues": group} for group in found], "merged": auto_merge and not dry_run})
        return
    for group in found:
        common.say(f"{_words.brief(group[0])}")
        for record in group[1:]:
            done = "" if not auto_merge else " would be closed" if dry_run else " closed"
            common.say(f"  = {_words.brief(record)}{done}")
    if not found:
        common.say("✓ No duplicates")
