"""Removing a rig: refused while work in it is unlanded; even then nothing is deleted, the container moves to `.removed/`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from gastown_hooks.core import clock, fsio, ids, lock
from gastown_hooks.core.errors import GastownError, NotFound, Refused
from gastown_hooks.core.paths import Home, Rig, Town
from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import claims, requests
from gastown_hooks.stores import config, events, git, known
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.stores.repo import Repo
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import queue, retire, rigs, wake
from gastown_hooks.work.acts import Act, carry_out
from gastown_hooks.work.containment import contained

# Under these, work lies that may be nowhere else. Salvaged work is kept by the move and is no reason to refuse.
WORK_REFS = ("refs/heads", "refs/gt/work", "refs/gt/mr")


@dataclass(frozen=True, slots=True)
class Removed:
    """Where the container is now, the acts, and what was unlanded in it."""

    kept: str
    acts: list[str]
    unlanded: list[str]


def remove(town: Town, name: str, *, force: bool, dry_run: bool, caller: Caller, now: int) -> Removed:
    """Take the rig out of the town. Raises NotFound; Refused, naming each piece of unlanded work, unless `force`.

    With `force` every worker is retired (its work saved) before the move.
    """
    rig = town.rig(ids.name(name, "rig"))
    if not rig.exists() and not os.path.exists(rig.adding):
        return _left_over(town, rig, dry_run)
    found = _refuse_unlanded(rig, force)
    kept = f"{town.removed_root}/{rig.name}-{now // clock.SECOND}"
    acts = list(_acts(rig, kept, caller, now))
    if not dry_run:
        with ExitStack() as held:
            roles = [wake.role_lock(town, role, rig.name) for role in ("refinery", "witness")]
            for path in (rig.lock("add"), rig.lock("pool"), *roles):
                held.enter_context(lock.acquire(path))
            _refuse_unlanded(rig, force)  # a sling, or a last push, while we waited
            acts = list(_acts(rig, kept, caller, now))
            carry_out(acts, dry_run=False)
        events.emit(town, "rig_remove", caller.actor, {"rig": rig.name, "kept": kept, "unlanded": found}, now)
    return Removed(kept, [act.text for act in acts], found)


def _refuse_unlanded(rig: Rig, may: bool) -> list[str]:
    """What is unlanded in the rig (nothing is in a half-made one). Raises Refused, naming it, unless it `may` be."""
    found = unlanded(rig) if rig.exists() else []
    if found and not may:
        shown = "; ".join(found[:8]) + (f"; and {len(found) - 8} more" if len(found) > 8 else "")
        raise Refused(f"rig {rig.name} has unlanded work", why=shown,
                      next=f"land it, or: gt rig remove {rig.name} --force (keeps all of it)")
    return found


def unlanded(rig: Rig) -> list[str]:
    """Every piece of work that is not proven to be in the target branch, in words. What cannot be read counts as work."""
    found: list[str] = []
    for look in (_claims, _requests, _refs, _landings, _trees):
        try:
            found += look(rig)
        except GastownError as error:
            found.append(f"cannot tell: {error.what}" + (f" ({error.why})" if error.why else ""))
    return found


def _acts(rig: Rig, kept: str, caller: Caller, now: int) -> Iterator[Act]:
    for name in rigs.folders(rig.polecats):
        yield Act(f"save the work of {rig.name}/{name} and retire it",
                  partial(retire.retire, rig, name, caller=caller, now=now, reason="its rig is removed", force=True))
    yield Act(f"move {rig.root} to {kept}", partial(_move, rig, kept))
    yield Act(f"drop the routes to {rig.name}", partial(Routes(rig.town).remove, rig.name))


def _move(rig: Rig, kept: str) -> None:
    fsio.make_folder(rig.town.removed_root)
    fsio.rename(rig.root, kept)


def _left_over(town: Town, rig: Rig, dry_run: bool) -> Removed:
    """No rig of this name; but perhaps a removal was killed between the move and the routes."""
    routes = Routes(town)
    if not any(beads.root == rig.beads.root for beads in routes.prefixes().values()):
        config.rig_config(rig)  # says which rigs there are
        raise NotFound(f"no rig {rig.name}")
    acts = [Act(f"drop the routes to {rig.name}", partial(routes.remove, rig.name))]
    return Removed("", carry_out(acts, dry_run=dry_run), [])


def _claims(rig: Rig) -> Iterator[str]:
    for record in known.those(Ledger(rig.beads), (("status", True, claims.CLAIMED),)).values():
        if record.get("status") in claims.CLAIMED:
            yield f"{record['id']} is with {ids.shown(str(record.get('assignee') or 'somebody'))}"


def _requests(rig: Rig) -> Iterator[str]:
    for request in queue.requests(rig):
        yield f"merge request {request['id']} is {requests.parse(request).state}"


def _refs(rig: Rig) -> Iterator[str]:
    made = config.rig_config(rig)
    target = f"refs/heads/{made.target}"
    landed = f"refs/remotes/origin/{made.target}" if made.url else target
    listed = git.run(rig.repo, "for-each-ref", f"--no-merged={landed}", "--format=%(objectname) %(refname)", "--", *WORK_REFS).lines
    tip = git.run(rig.repo, "rev-parse", "--verify", "--end-of-options", landed).line
    repo, seen = Repo(rig.repo), _landed_heads(rig)
    for line in listed:
        oid, _, ref = line.partition(" ")
        if oid not in seen and (ref == target or not contained(repo, None, oid, tip)):
            yield f"{ids.shown(ref)} has commits that are not in {made.target}"
        seen.add(oid)


def _landed_heads(rig: Rig) -> set[str]:
    """Submitted commits whose work landed, maybe as other commits."""
    return {request.head for request in requests.usable(queue.requests(rig, closed=True)) if request.state == requests.LANDED}


def _landings(rig: Rig) -> Iterator[str]:
    """Without a remote the landed commits are here and nowhere else until the user pulls them."""
    made = config.rig_config(rig)
    if made.url is not None or made.source is None:
        return
    tip = git.run(rig.repo, "rev-parse", "--verify", "--end-of-options", f"refs/heads/{made.target}").line
    if not os.path.isdir(made.source) or git.run(made.source, "cat-file", "-e", f"{tip}^{{commit}}", check=False).code != 0:
        yield f"what landed was not pulled: git -C {shlex.quote(made.source)} pull {shlex.quote(rig.repo)} {made.target}"


def _trees(rig: Rig) -> Iterator[str]:
    for name in rigs.folders(rig.polecats):
        yield f"worker {rig.name}/{name} is not retired"
    people = [(rig.crew(name), f"crew tree {name}") for name in rigs.folders(rig.crew_root)]
    for home, words in [*people, (rig.mayor, "the mayor's tree")]:
        if os.path.isdir(home.tree):
            yield from (f"{words} has {what}" for what in _loose(home))


def _loose(home: Home) -> Iterator[str]:
    """What of a clone is nowhere else: changes, commits, stashes."""
    if git.run(home.tree, "status", "--porcelain", "-z", "--untracked-files=normal").out:
        yield "uncommitted changes"
    if git.run(home.tree, "rev-list", "--max-count=1", "--branches", "HEAD", "--not", "--remotes", check=False).out:
        yield "unpushed commits"
    if git.run(home.tree, "rev-parse", "--verify", "--quiet", "refs/stash", check=False).code == 0:
        yield "stashes"
