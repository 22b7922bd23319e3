"""`bd ready`"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gastown_hooks.cli import common, fast_wanted
from gastown_hooks.cli.bd import _filters, _listing, _ready_views, _shared, _words
from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.late import late
from gastown_hooks.rules import graph, ready, steps
from gastown_hooks.stores import index
from gastown_hooks.stores.known import Together
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import take
from gastown_hooks.work.world import World

if TYPE_CHECKING:
    from gastown_hooks.work import deep
else:
    deep = late("gastown_hooks.work.deep")

Record = dict[str, Any]
_RECENT = 48 * 3600 * clock.SECOND
_FOR_EVER = 1 << 90  # later than any time that a bead can have
_LATEST = 1 << 62  # for the index, which holds a later one as this
_GATES: fast_wanted.Wanted = [("kind", True, ["gate"]), ("status", True, ["closed"])]

_ORDERS = {"priority": "priority", "oldest": "created"}  # as the index calls them
_TRIED = 20  # to claim
_WHATEVER_STATE = {"everything": True, "statuses": (), "names": (), "include_templates": False, "include_gates": False,
                   "include_infra": False}


def _sorts(now: int) -> dict[str, Callable[[Record], Any]]:
    def hybrid(record: Record) -> Any:
        urgent, created, name = ready.in_order(record)
        return (0, urgent, created, name) if created > now - _RECENT else (1, created, urgent, name)
    return {"priority": ready.in_order, "oldest": lambda record: ready.in_order(record)[1:], "hybrid": hybrid}


@click.command(short_help="Show the work that may begin now.")
@click.option("-s", "--sort", type=click.Choice(list(_sorts(0))), default="priority", show_default=True,
              help="hybrid: those of the last two days by priority, then the older ones by age.")
@click.option("--include-deferred", is_flag=True, help="Also what is put off until a time to come.")
@click.option("--claim", is_flag=True, help="Take the first one: yours and in_progress. One taker wins.")
@click.option("--explain", is_flag=True, help="Also show what is not ready, and why.")
@click.option("--mol", metavar="ID", help="The ready steps of a molecule, and which of its steps may be done side by side.")
@click.option("--gated", is_flag=True, help="Steps that a gate held which has closed since.")
@click.option("--pretty", is_flag=True, help="As a tree, children below their parents.")
@click.option("--plain", is_flag=True, help="As a numbered list (it is so anyway).")
@_filters.filter_options
@common.dry_run_option
@common.json_option
def cli(sort: str, include_deferred: bool, claim: bool, explain: bool, mol: str | None, gated: bool, pretty: bool, plain: bool, limit: int,
        prefix: str | None, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Show open beads that nothing holds back, the most urgent first. From the town's top folder: those of all rigs.

    \b
    Examples:
      bd ready
      bd ready -p 0 --unassigned
      bd ready --parent gp-abc12
      bd ready --claim --json
      bd ready --explain
      bd ready --mol gp-mol1
      bd ready --gated --json
    """
    _check(claim, explain, mol, gated, pretty, plain, include_deferred, dry_run, as_json)
    now = clock.now()
    at = _FOR_EVER if include_deferred else now
    where = _shared.world()
    ledgers = where.shown(prefix)
    its = where.wisps_of(*ledgers) if mol is not None or gated else _filters.wisps(where, ledgers, given)
    if not (explain or gated or mol is not None):
        quick = _by_index(where, ledgers, prefix, given, sort, limit, claim, min(at, _LATEST))
        if quick is not None and _say_quick(quick, ledgers, sort, limit, claim, pretty, dry_run, as_json, at):
            return
    wisps, fits = bool(its), _filters.test(where, given, now)
    if mol is not None:
        _say_steps(where, ledgers, mol, fits, at, wisps, sort, limit, claim, dry_run, as_json)
        return
    parts = deep.alone(where) if gated and prefix is None else None
    if parts is not None:
        gates = [record for part in parts for record in part.those(_GATES).values()]
        resumed = [one for one in steps.resumed(Together(parts), gates, now) if fits(one.step)]
        _ready_views.say_gated(resumed[:limit or None], as_json)
        return
    own = {**_shared.everything(ledgers), **its}
    known = where.around(own)
    if gated:
        resumed = [one for one in steps.resumed(known, known.values(), now) if one.step["id"] in own and fits(one.step)]
        _ready_views.say_gated(resumed[:limit or None], as_json)
        return
    every = sorted((r for r in ready.ready(known, at, wisps=wisps) if r["id"] in own and fits(r)), key=_sorts(now)[sort])
    if claim:
        _claim(where, every, at, dry_run, as_json)
        return
    found = _listing.limited(every, limit, as_json)
    held = [one for one in ready.blocked(known, at, wisps=wisps) if one[0]["id"] in own and fits(one[0])] if explain else []
    if as_json:
        common.emit_json(_explained(found, held, known) if explain else _words.counted(found, known), len(every))
        return
    if pretty and found:
        _listing.say_tree(found)
    else:
        _words.say_ready(found, any(
            ready.status(record) == "open" and ready.unfit(record, at, wisps=wisps) is None for record in own.values()))
    if explain:
        _say_held(held)


def _say_steps(where: World, ledgers: list[Ledger], mol: str, fits: Callable[[Record], bool], at: int, wisps: bool, sort: str, limit: int,
               claim: bool, dry_run: bool, as_json: bool) -> None:
    """`--mol`: of one molecule, of which each step is read."""
    root = next(iter(_shared.located(where, [mol], quiet=True)))
    known = Together([where.known(ledgers)])
    every = sorted((known[name] for name in graph.descendants(known, root)
                    if fits(known[name]) and ready.hindrance(known, name, at, wisps=wisps) is None), key=_sorts(clock.now())[sort])
    if claim:
        _claim(where, every, at, dry_run, as_json)
    else:
        _ready_views.say_molecule(known, root, _listing.limited(every, limit, as_json), at, as_json)


def _check(claim: bool, explain: bool, mol: str | None, gated: bool, pretty: bool, plain: bool, include_deferred: bool, dry_run: bool,
           as_json: bool) -> None:
    for wrong, what in (
            (explain and claim, "--explain and --claim contradict each other"),
            (pretty and (plain or as_json or claim), "--pretty, --plain, --claim and --json contradict each other"),
            ((mol is not None) + gated + explain + pretty > 1, "--mol, --gated, --explain and --pretty contradict each other"),
            (gated and (claim or include_deferred), "--gated, --claim and --include-deferred contradict each other"),
            (dry_run and not claim, "--dry-run without --claim: bd ready changes nothing")):
        if wrong:
            raise BadInput(what)


def _by_index(where: World, ledgers: list[Ledger], prefix: str | None, given: Record, sort: str, limit: int,
              claim: bool, at: int) -> _listing.Found | None:
    """The first ready beads and how many there are, or to be claimed the first that are nobody else's; None where the index cannot tell."""
    wanted = _listing.may_begin(where, ledgers, at)
    if wanted is None or sort not in _ORDERS:
        return None
    free = [("assignee", True, ["", where.caller.actor])] if claim else []
    found = _listing.found(prefix, {**given, **_WHATEVER_STATE}, wanted=[*wanted, *free],
                           first=(_ORDERS[sort], False, _TRIED if claim else limit), counted=not claim)
    return found if found.told else None


def _say_quick(quick: _listing.Found, ledgers: list[Ledger], sort: str, limit: int, claim: bool, pretty: bool, dry_run: bool,
               as_json: bool, at: int) -> bool:
    """Whether that was all: not where others took all of the first, or nothing at all is ready and the reason is to be told."""
    found = sorted(quick.records, key=_sorts(clock.now())[sort])
    if claim:
        return _claim(quick.where, found, at, dry_run, as_json, whole=len(found) < _TRIED)
    if not found and not _is_any(ledgers, min(at, _LATEST)):
        return False
    found = _listing.limited(found, limit, as_json, quick.count)
    if as_json:
        common.emit_json(_words.counted(found, quick.known), quick.count)
    elif found and pretty:
        _listing.say_tree(found)
    else:
        _words.say_ready(found, True)
    return True


def _is_any(ledgers: list[Ledger], now: int) -> bool:
    """Whether anything is ready, as far as indexes tell."""
    return any(its.count_ready(now) for its in map(index.current, ledgers) if its is not None and not its.odd)


def _say_held(held: list[tuple[Record, list[ready.Reason]]]) -> None:
    common.say(f"\nNot ready ({len(held)}):")
    for record, reasons in held:
        common.say(_words.line(record))
        for reason in reasons:
            common.say(f"    {common.cleaned(reason.text)}")


def _claim(where: World, candidates: list[Record], at: int, dry_run: bool, as_json: bool, *, whole: bool = True) -> bool:
    """Take the first that is free; whether that was all there is to try (`whole`: these are all)."""
    taken = take.first(where, candidates, clock.now(), at, dry_run=dry_run)
    if taken is None and not whole:
        return False
    if taken is not None and not dry_run:
        where.touch(taken["id"])
    _say_claimed(taken, dry_run, as_json)
    return True


def _say_claimed(record: Record | None, dry_run: bool, as_json: bool) -> None:
    if as_json:
        common.emit_json([record] if record else [])
    elif record is None:
        common.say("✨ Nothing to claim: no ready work that is nobody's")
    else:
        common.say(f"{'Would claim' if dry_run else '✓ Claimed'} {_words.brief(record)}")


def _explained(found: list[Record], held: list[tuple[Record, list[ready.Reason]]], known: dict[str, Record]) -> Record:
    blocked = []
    for record, reasons in held:
        by = [_words.stub(bead_id, known) for bead_id in dict.fromkeys(reason.bead for reason in reasons if reason.bead)]
        blocked.append({**record, "blocked_by": [{key: bead.get(key) for key in ("id", "title", "status", "priority")} for bead in by],
                        "blocked_by_count": len(by), "reasons": [{"rule": r.rule, "text": r.text} for r in reasons]})
    circles = graph.cycles(known)
    return {"ready": [{**record, "reason": "open, nothing holds it"} for record in _words.counted(found, known)],
            "blocked": blocked, "cycles": circles,
            "summary": {"total_ready": len(found), "total_blocked": len(held), "cycle_count": len(circles)}}
