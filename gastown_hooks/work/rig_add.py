"""Adding a rig: a project's container folder with its shared repository, its agents' homes and its ledger.

The intent (`adding.json`) comes first and `config.json`, which makes the folder a rig, last: an add that was killed is completed by
the same command and never half counts. The user's own checkout is only read (`git-upload-pack`).
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gastown_hooks.core import clock, fsio, ids, lock, record
from gastown_hooks.core.errors import BadInput, Conflict, Refused, RemoteAway
from gastown_hooks.core.paths import BEADS, SPARSE_EXCLUDED, TRACKED_LEDGER, Home, Rig, Town
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import gates as guesses
from gastown_hooks.rules import requests
from gastown_hooks.stores import archive, config, events, git, quarantine, stubs, worktrees
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.config import RigConfig
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger, View
from gastown_hooks.stores.routes import Routes
from gastown_hooks.work import rig_source
from gastown_hooks.work.acts import Act, carry_out
from gastown_hooks.work.rig_source import Source
from gastown_hooks.work.town import home_acts

ROLES = ("witness", "refinery", "mayor")
Gates = str | list[str] | None
Ask = Callable[[list[str]], Gates]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for; None is "choose for me". `gates`: "none", commands, or None (guess, then `ask`)."""

    name: str
    place: str
    prefix: str | None = None
    branch: str | None = None
    roles: tuple[str, ...] | None = None
    gates: Gates = None
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """The rig, the acts that made it (none: it was there) and what the person should know."""

    name: str
    acts: list[str]
    notes: list[str]


@dataclass(slots=True)
class _Plan:
    rig: Rig
    source: Source
    target: str
    roles: tuple[str, ...]
    prefix: str | None
    wish: Wish
    now: int
    notes: list[str] = field(default_factory=list)

    @property
    def tracking(self) -> str:
        """Where the source's branch is kept: git's own place for a remote's, out of everybody's sight for a folder's."""
        return f"refs/remotes/origin/{self.target}" if self.source.url else f"refs/gt/source/{self.target}"

    def intent(self) -> dict[str, Any]:
        return {"url": self.source.url, "source": self.source.folder, "target": self.target, "roles": list(self.roles),
                "prefix": self.prefix}


def add(town: Town, wish: Wish, *, caller: Caller, dry_run: bool, now: int) -> Added:
    """Make the rig, or complete it. Raises Conflict or Refused when the name is another's, RemoteAway, BadInput."""
    rig = town.rig(ids.name(wish.name, "rig"))
    _check_wish(wish)
    source = rig_source.find(town, wish.place, caller.cwd)
    if rig.exists():
        return _already(rig, source, wish)
    _check_container(rig)
    _check_prefix(town, rig, wish.prefix)
    plan = _plan(rig, source, wish, now)
    if dry_run:
        return Added(rig.name, carry_out(list(_acts(plan)), dry_run=True), plan.notes)
    held = lock.attempt(rig.lock("add"))
    if held is None:
        raise Conflict(f"rig {rig.name} is being added", why=f"by {lock.holder(rig.lock('add'))}", next="gt rig list")
    with held:
        if rig.exists():
            return _already(rig, source, wish)
        acts = carry_out(list(_acts(plan)), dry_run=False)
        fsio.remove(rig.adding)
    events.emit(town, "rig_add", caller.actor, {"rig": rig.name, "acts": acts}, now)
    return Added(rig.name, acts, plan.notes + _parting(plan))


def default_prefix(name: str, taken: set[str]) -> str:
    """The initials of the name's parts, else its first letters; lengthened, then numbered, until nobody has it."""
    parts = [part for part in name.replace("_", "-").split("-") if part]
    letters = "".join(parts)
    choices = ["".join(part[0] for part in parts)] if len(parts) > 1 else []
    choices += [letters[:length] for length in range(min(2, len(letters)), min(len(letters), 16) + 1)]
    for choice in choices + [f"{choices[-1][:12]}{number}" for number in range(2, 1000)]:
        if choice not in taken:
            return choice
    raise BadInput(f"no free prefix for {name}", next="gt rig add … --prefix P")


# ---- deciding -----------------------------------------------------------------------------------------------

def _plan(rig: Rig, source: Source, wish: Wish, now: int) -> _Plan:
    begun = fsio.read_json(rig.adding)
    found = rig_source.probe(source)
    if begun is None:
        return _Plan(rig, source, rig_source.target_of(found, wish.branch), wish.roles or ROLES, wish.prefix, wish, now)
    plan = _Plan(rig, source, wish.branch or begun["target"], wish.roles or tuple(begun["roles"]), wish.prefix or begun["prefix"],
                 wish, now)
    if plan.intent() != {**begun, "roles": list(begun["roles"])}:
        raise Refused(f"{rig.root} is another add, begun and not finished", why=f"it was for {begun['url'] or begun['source']}, "
                      f"branch {begun['target']}", next=f"finish that one, or: gt rig remove {rig.name}")
    return plan


def _acts(plan: _Plan) -> Iterator[Act]:
    rig = plan.rig
    yield Act(f"begin rig {rig.name} in {rig.root}", partial(_begin, plan))
    yield Act(f"fetch {plan.target} of {git.shown_url(plan.source.place)} into {rig.repo}", partial(_fetch, plan))
    yield Act("prepare the shared repository for worktrees", partial(worktrees.prepare_repo, rig, plan.target))
    words = f"{plan.prefix}-" if plan.prefix else "a prefix made from its name, or its own ledger's,"
    yield Act(f"route {words} to the rig's ledger", partial(_route, plan))
    yield Act(f"make the ledger in {rig.beads.root}; import the one that the repository tracks, if any", partial(_make_ledger, plan))
    if "mayor" in plan.roles:
        yield Act(f"clone {plan.target} to {rig.mayor.tree}", partial(_clone_mayor, plan))
    if "refinery" in plan.roles:
        yield from home_acts(rig.refinery, "the refinery", ("refinery",))
        yield Act(f"make the worktree {rig.refinery.tree}, detached at {plan.target}", partial(_refinery_tree, plan))
    if "witness" in plan.roles:
        yield from home_acts(rig.witness, "the witness", ("witness",))
    for folder in (rig.polecats, rig.crew_root):
        yield Act(f"make the folder {folder}", partial(fsio.make_folder, folder))
    gates = plan.wish.gates
    words = "land without gates" if gates == "none" else f"set the gates: {'; '.join(gates or ())}"
    yield Act("guess the gates and ask" if gates is None else words, partial(_set_gates, plan))
    yield Act(f"write {rig.config}: {rig.name} is a rig", partial(_register, plan))


def _check_wish(wish: Wish) -> None:
    for role in wish.roles or ():
        if role not in ROLES:
            raise BadInput(f"{ids.shown(role)} is no role of a rig", why=f"known: {', '.join(ROLES)}")
    if wish.prefix is not None:
        ids.prefix(wish.prefix)
    if isinstance(wish.gates, list) and not all(gate.strip() and "\0" not in gate for gate in wish.gates):
        raise BadInput("an empty gate", why='say --gate none to land without any', next="gt rig add … --gate 'make test'")


def _already(rig: Rig, source: Source, wish: Wish) -> Added:
    there = config.rig_config(rig)
    same = (there.url, there.source) == (source.url, source.folder) and wish.branch in (None, there.target)
    if not same or wish.prefix not in (None, there.prefix):
        raise Conflict(f"there is a rig {rig.name} already", next="choose another name",
                       why=f"it is {there.url or there.source}, branch {there.target}, prefix {there.prefix}")
    return Added(rig.name, [], [f"rig {rig.name} is there already"])


def _check_container(rig: Rig) -> None:
    """The folder is absent, empty, or an add's that was begun."""
    if not os.path.lexists(rig.root) or os.path.exists(rig.adding):
        return
    if not os.path.isdir(rig.root) or [name for name in os.listdir(rig.root) if not name.endswith(".tmp")]:
        raise Refused(f"{rig.root} is in the way", why="it is not a rig", next=f"mv {rig.root} {rig.root}.old, or choose another name")


def _check_prefix(town: Town, rig: Rig, prefix: str | None) -> None:
    there = Routes(town).prefixes().get(prefix or "")
    if there is not None and there.root != rig.beads.root:
        raise Conflict(f"prefix {prefix} is taken", why=f"it leads to {there.root}", next="choose another: --prefix P")


# ---- doing --------------------------------------------------------------------------------------------------

def _begin(plan: _Plan) -> None:
    fsio.make_folder(plan.rig.root)
    fsio.write_json(plan.rig.adding, plan.intent())


def _fetch(plan: _Plan) -> None:
    """Built beside its place and renamed: a git killed half-way leaves nothing that counts."""
    rig, source, new = plan.rig, plan.source, plan.rig.new_repo
    if os.path.isdir(rig.repo):
        return
    fsio.remove_tree(new)
    git.run(rig.root, "init", "--quiet", "--bare", "--initial-branch=gt-none", "--template=", new)
    if source.url:
        git.run(new, "remote", "add", "origin", source.url)
    done = git.run(new, "fetch", "--quiet", "--no-write-fetch-head", "--update-shallow", "--end-of-options",
                   "origin" if source.url else source.place, f"+refs/heads/{plan.target}:{plan.tracking}",
                   env=rig_source.PROTOCOLS, check=False, timeout=git.NETWORK_TIMEOUT)
    if done.code != 0:
        fault = git.failure(("fetch",), done)
        raise fault if fault.code == "storage" else RemoteAway(
            f"cannot fetch {ids.shown(git.shown_url(source.place), 200)}", why=fault.why, next="run the same command again")
    tip = git.run(new, "rev-parse", "--verify", "--end-of-options", plan.tracking).line
    # What comes to the target from now on by another way than the queue is foreign, and gated before anything stands on it.
    git.update_refs(new, [(f"refs/heads/{plan.target}", tip, ""), (requests.landed_ref(plan.target), tip, "")], "gt: rig add")
    fsio.rename(new, rig.repo)


def _route(plan: _Plan) -> None:
    rig, routes = plan.rig, Routes(plan.rig.town)
    known = routes.prefixes()
    mine = [prefix for prefix, beads in known.items() if beads.root == rig.beads.root]
    if plan.prefix is None:
        tracked = Counter(prefix for bead_id in _tracked(plan)[0] if (prefix := _prefix_of(bead_id)))
        own = [prefix for prefix, _ in tracked.most_common() if prefix not in known]
        plan.prefix = mine[0] if mine else own[0] if own else default_prefix(rig.name, set(known))
        if tracked and not mine and not own:
            plan.notes.append(f"the repository's ledger uses prefixes that this town has already; new beads get {plan.prefix}-")
    routes.add(plan.prefix, rig.name)


def _make_ledger(plan: _Plan) -> None:
    """An empty ledger, then every bead of a tracked one that it does not hold yet."""
    rig = plan.rig
    Ledger.create_files(rig.beads, _chosen(plan), OWN_BRANCH)
    records, bad = _tracked(plan)

    def missing(view: View) -> list[dict[str, Any]]:
        there = view.ids()
        return [found for bead_id, found in records.items() if bead_id not in there]

    written = Ledger(rig.beads).transact(missing) if records else []
    quarantine.keep(rig.beads, (line for _, line, _ in bad))
    if written:
        plan.notes.append(f"imported {len(written)} beads from the repository's {TRACKED_LEDGER}")
    for number, _, reason in bad[:5]:
        plan.notes.append(f"line {number} of the repository's {TRACKED_LEDGER} is no bead ({reason}); kept in {rig.beads.quarantine}")
    if len(bad) > 5:
        plan.notes.append(f"{len(bad) - 5} more such lines are kept there too")


def _tracked(plan: _Plan) -> tuple[dict[str, dict[str, Any]], list[tuple[int, bytes, str]]]:
    """The beads of the ledger that the target branch tracks, and its lines that are none: (number, line, reason)."""
    branch = f"refs/heads/{plan.target}"
    found = git.run(plan.rig.repo, "cat-file", "blob", f"{branch}:{TRACKED_LEDGER}", check=False)
    records, bad = _beads(found.out.encode(errors="surrogateescape") if found.code == 0 else b"")
    for path, text in archive.committed(plan.rig.repo, branch).items():
        old, more = _beads(text)
        records = {**old, **records}
        bad += [(number, line, f"{reason}, in {path}") for number, line, reason in more]
    return records, bad


def _beads(text: bytes) -> tuple[dict[str, dict[str, Any]], list[tuple[int, bytes, str]]]:
    records: dict[str, dict[str, Any]] = {}
    bad: list[tuple[int, bytes, str]] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        try:
            if line.strip():
                bead = record.decode(line)
                if bead["id"] in records:
                    raise ValueError("the id stands twice")
                records[ids.bead(bead["id"])] = bead
        except (ValueError, BadInput) as error:
            bad.append((number, line, error.why if isinstance(error, BadInput) else str(error)))
    return records, bad


def _prefix_of(bead_id: str) -> str | None:
    try:
        return ids.prefix(bead_id.rpartition("-")[0])
    except BadInput:
        return None


def _clone_mayor(plan: _Plan) -> None:
    home = plan.rig.mayor
    if os.path.isdir(home.tree):
        return
    fsio.make_folder(home.root)
    fsio.remove_tree(home.new_tree)
    git.run(home.root, "clone", "--quiet", "--no-checkout", "--single-branch", "--no-tags", "--template=", "--branch", plan.target, "--",
            plan.rig.repo, home.new_tree)
    git.run(home.new_tree, "sparse-checkout", "set", "--no-cone", "--", "/*", *(f"!{pattern}" for pattern in SPARSE_EXCLUDED))
    git.run(home.new_tree, "checkout", "--quiet", plan.target, "--")
    if plan.source.url:
        git.run(home.new_tree, "remote", "set-url", "origin", plan.source.url)
    redirect(plan.rig, home)
    fsio.rename(home.new_tree, home.tree)


def _refinery_tree(plan: _Plan) -> None:
    rig, home = plan.rig, plan.rig.refinery
    tip = git.run(rig.repo, "rev-parse", "--verify", "--end-of-options", f"refs/heads/{plan.target}").line
    stubs.install(home.githooks, home, rig, plan.target)
    worktrees.add(rig, home.tree, start=tip, sparse=True, githooks=home.githooks, detach=True, replace_unready=True)


def redirect(rig: Rig, home: Home) -> None:
    """Let `bd` in the home's tree (or the one in the making) find the rig's ledger, unseen by git."""
    tree = home.new_tree if os.path.isdir(home.new_tree) else home.tree
    fsio.make_folder(f"{tree}/{BEADS}")
    fsio.write(f"{tree}/{BEADS}/redirect", os.path.relpath(rig.beads.root, home.tree).encode() + b"\n")
    fsio.make_folder(f"{tree}/.git/info")
    fsio.write(f"{tree}/.git/info/exclude", "".join(f"{line}\n" for line in worktrees.EXCLUDED).encode())


def _set_gates(plan: _Plan) -> None:
    rig, chosen = plan.rig, plan.wish.gates
    if chosen is None:
        guessed = _guess(plan)
        chosen = plan.wish.ask(guessed) if plan.wish.ask else None
        if chosen is None:
            command = guesses.as_setting(guessed) if guessed else "none"
            plan.notes.append(f"no gates are set: the queue lands nothing until you type: gt config set {rig.name}.gates {command}")
            return
    fsio.make_folder(os.path.dirname(rig.settings))
    with lock.acquire(rig.lock("settings")):
        fsio.write_json(rig.settings, {**(fsio.read_json(rig.settings) or {}), "gates": chosen})


def _guess(plan: _Plan) -> list[str]:
    tip = f"refs/heads/{plan.target}"
    top = git.run(plan.rig.repo, "ls-tree", "-z", "--name-only", tip).out.split("\0")
    below = git.run(plan.rig.repo, "ls-tree", "-z", "--name-only", "-r", tip, "--", "tests/", "test/").out.split("\0")
    texts = {name: git.run(plan.rig.repo, "cat-file", "blob", f"{tip}:{name}", check=False).out for name in guesses.READ if name in top}
    return guesses.guess({*top, *below}, texts)


def _register(plan: _Plan) -> None:
    rig = plan.rig
    made = RigConfig(rig.name, _chosen(plan), plan.target, plan.source.url, plan.source.folder)
    fsio.write_json(rig.config, made.as_json(clock.stamp(plan.now)))


def _chosen(plan: _Plan) -> str:
    assert plan.prefix is not None, "the route comes before the ledger"
    return plan.prefix


def _parting(plan: _Plan) -> list[str]:
    """What the person may have to do in their own checkout, which we do not touch."""
    source, rig = plan.source, plan.rig
    if source.url is None:
        return [f"{source.folder} has no remote: what lands goes to {rig.repo}",
                f"get it with: git -C {shlex.quote(source.folder or '')} pull {shlex.quote(rig.repo)} {plan.target}"]
    tip = git.run(rig.repo, "rev-parse", "--verify", "--end-of-options", plan.tracking).line
    ahead = rig_source.unpushed(source, tip, plan.target)
    return [f"{source.folder} has commits that {source.url} lacks ({ahead}): push them if workers need them"] if ahead else []
