"""`bd delete`"""

from __future__ import annotations

from typing import Any

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Wisps
from gastown_hooks.rules import graph
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import removal


@click.command(short_help="Delete beads.")
@click.argument("bead_ids", nargs=-1, metavar="ID...")
@click.option("--from-file", metavar="FILE", help="Read ids from a file, one a line (-: standard input).")
@click.option("--cascade", is_flag=True, help="Also all that depends on them.")
@click.option("-r", "--reason", metavar="TEXT", default="", help="Why; kept with what stays of them.")
@click.option("--hard", is_flag=True, help="Leave nothing of them here: no bd restore. A clone that changed one since may bring it back.")
@click.option("-f", "--force", is_flag=True, help="Do it; without, only what would happen is shown.")
@common.dry_run_option
@common.json_option
def cli(bead_ids: tuple[str, ...], from_file: str | None, cascade: bool, reason: str, hard: bool, force: bool, dry_run: bool,
        as_json: bool) -> None:
    """Show what deleting beads would do; with --force delete them. bd restore brings them back (not after --hard).

    \b
    Examples:
      bd delete gp-abc12
      bd delete gp-abc12 --force --reason "made twice"
      bd delete gp-epic1 --cascade --force
      bd delete gp-abc12 --hard --force
    """
    lines = (common.one_text(None, from_file=from_file) or "").split("\n")
    names = [*bead_ids, *(line.strip() for line in lines if line.strip() and not line.startswith("#"))]
    if not names:
        raise BadInput("no bead is named", next="bd delete ID")
    if hard and reason:
        raise BadInput("--hard and --reason contradict each other", why="nothing stays that could keep it")
    now, where = clock.now(), _shared.world()
    only_show = dry_run or not force
    done: dict[str, list[removal.Removal]] = {}  # by ledger; the last look at each

    def delete(ledger: Ledger, wanted: list[str], dry: bool) -> removal.Removal:
        return removal.delete(ledger, where.caller, now, wanted, reason, cascade=cascade, hard=hard, dry_run=dry)

    def verb(ledger: Ledger, wanted: list[str], dry: bool) -> list[Any]:
        """The wisps first: killed between, the same command finds the rest."""
        its = where.wisps(ledger) if cascade and not hard and not isinstance(ledger.beads, Wisps) else None
        gone = [] if its is None else [record["id"] for record in delete(ledger, wanted, True).deleted]
        on_them = [one for bead_id in gone for one, kind in where.wisps_on(ledger, bead_id) if kind in graph.BLOCKING and one not in named]
        with_them = [delete(its, list(dict.fromkeys(on_them)), dry)] if its is not None and on_them else []
        done[ledger.beads.root] = [delete(ledger, wanted, dry), *with_them]
        return done[ledger.beads.root][0].deleted

    named = _shared.located(where, names, quiet=True)
    _shared.change(where, names, verb, only_show)
    _say([one for ones in done.values() for one in ones], only_show, as_json)


def _say(done: list[removal.Removal], only_show: bool, as_json: bool) -> None:
    deleted = [record for one in done for record in one.deleted]
    edges, texts = sum(one.dependencies_removed for one in done), sum(one.references_updated for one in done)
    orphaned = [bead_id for one in done for bead_id in one.orphaned]
    if as_json:
        ids = [record["id"] for record in deleted]
        found = {"dependencies_removed": edges, "references_updated": texts, "dry_run": only_show}
        common.emit_json({"deleted": ids[0], **found} if len(ids) == 1 else
                         {"deleted": ids, "deleted_count": len(ids), **found, "orphaned_issues": orphaned})
        return
    for record in deleted:
        common.say(f"{'Would delete' if only_show else '✓ Deleted'} {_words.brief({**record, 'status': 'deleted'})}")
    if edges or texts:
        common.say(f"  Dependencies removed: {edges}\n  References updated: {texts}")
    if only_show:
        common.say("\nNothing was changed. To do it: the same with --force")
