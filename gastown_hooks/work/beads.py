"""The verbs on beads (`work/verbs`), with what git proves about a bead's landing looked up where a close needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gastown_hooks.rules import states
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import proof as proofs
from gastown_hooks.work import tracking, verbs, wake
from gastown_hooks.work.beadwrite import Draft, commit
from gastown_hooks.work.verbs import Proof, create, reopen
from gastown_hooks.work.world import World

Record = dict[str, Any]


def update(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], values: Mapping[str, Any] | None = None,
           **more: Any) -> list[Record]:
    """Like `verbs.update`; a status `closed` asks the same decision as `close`."""
    closing = (values or {}).get("status") == "closed"
    landed = _landings(World(caller), ledger, bead_ids) if closing else {}
    followed = closing and tracking.is_followed(caller.town, bead_ids)
    after = verbs.update(ledger, caller, now, bead_ids, values, landed=landed, **more)
    if followed and not more.get("dry_run"):
        _wake_deacon(caller)
    return after


def transact(ledger: Ledger, caller: Caller, now: int, closed: Sequence[str], fill: Callable[[Draft, Mapping[str, Proof]], None], *,
             dry_run: bool, linked: bool = False) -> Draft:
    """One transaction in which these beads may close: `fill(draft, landed)` is given what git proves of their landings. `linked`: see
    `beadwrite.commit`."""
    landed = _landings(World(caller), ledger, closed)
    followed = tracking.is_followed(caller.town, closed)
    draft = commit(ledger, lambda draft: fill(draft, landed), dry_run, linked=linked)
    if followed and not dry_run:
        _wake_deacon(caller)
    return draft


def close(ledger: Ledger, caller: Caller, now: int, bead_ids: Sequence[str], reason: str | Mapping[str, str], *,
          proof: proofs.Landing | None = None, no_code: bool = False, fence: int | None = None, force: bool = False, session: str = "",
          dry_run: bool = False) -> list[Record]:
    """Like `verbs.close`, for a bead given to a worker with `proof` or with a landing that git proves.

    With `fence` only while the bead's claim is this one. The deacon is woken for a bead that a convoy tracks.
    """
    given = Proof(proof.commit if proof else None, proof, fence)
    landed = dict.fromkeys(bead_ids, given) if proof or no_code else _landings(World(caller), ledger, bead_ids)
    followed = tracking.is_followed(caller.town, bead_ids)
    after = verbs.close(ledger, caller, now, bead_ids, reason, landed=landed, no_code=no_code, force=force or proof is not None,
                        session=session, dry_run=dry_run)
    if followed and not dry_run:
        _wake_deacon(caller)
    return after


def _wake_deacon(caller: Caller) -> None:
    if caller.town is not None:
        wake.wake(caller.town, "deacon")


def _landings(world: World, ledger: Ledger, bead_ids: Sequence[str]) -> dict[str, Proof]:
    """Per bead that needs a landing and has one, the proof. Asked before the lock is taken: git may take its time."""
    found: dict[str, Proof] = {}
    for bead_id in bead_ids:
        record = ledger.get(bead_id)
        if world.routes is None or record is None or not states.needs_landing(record):
            continue
        own = world.routes.rig_of(bead_id)
        commits = (proofs.landed(rig, record) for rig in ([own] if own else world.routes.town.rigs()))
        commit = next((commit for commit in commits if commit), None)
        if commit is not None:
            found[bead_id] = Proof(commit, None, record.get("claim_fence"))
    return found


__all__ = ["close", "create", "reopen", "transact", "update"]
