"""`bd sync`: the ledger and its remote become one, by git's plumbing alone: no checkout, no reset, no file but the ledger's.

One round: fetch; merge what the remote has into the ledger, three-way from the last common state (`refs/gt/ledger/…`); commit the
ledger as it stands then; push with an exact lease. Who was second begins again. Each step may be killed: the next sync repeats it.

`own-branch`: commits follow each other on a branch of the ledger's own, whose local end is the hidden `refs/gt/ledger/tip`.
`code-branch`: the commit goes on the current branch. Where its other commits are not pushed, or the remote's are not here, the remote
gets a commit of its own, on top of its own tip, that changes the ledger alone; a later pull merges the two with `bd merge`.
"""

from __future__ import annotations

import os

from gastown_hooks.core import clock, fsio, jsons, lock, record
from gastown_hooks.core.errors import Conflict, Refused, RemoteAway, RemoteRefused
from gastown_hooks.core.paths import BEADS, TRACKED_LEDGER, Beads, archived_year
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import merge3
from gastown_hooks.rules.merge_files import merge_files
from gastown_hooks.stores import archive, events, git, quarantine
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.ledger import Ledger, View
from gastown_hooks.stores.lines import decoded
from gastown_hooks.work import rename, sync_pace
from gastown_hooks.work.ledger_lines import by_id, count, joined, parted
from gastown_hooks.work.ledger_place import BASE, BRANCH, REMOTE, THERE, TIP, Place, blob, is_ledger, place

_TRIES = 12
_TOLD = 8
_FILES = (TRACKED_LEDGER, THERE.config, THERE.gitignore, THERE.attributes)


@dataclass(slots=True)
class Synced:
    """What a sync did, or would do."""

    received: list[str] = field(default_factory=list)
    sent: int = 0
    commit: str | None = None
    pushed: bool = False
    remote: str | None = None
    agreed: bool = False
    notes: list[str] = field(default_factory=list)
    held_back: str = ""  # why a push that was agreed to waits


def sync(where: Place, caller: Caller, now: int, *, agree: bool = False, push: bool = True, pull: bool = True,
         full: bool = False, message: str = "") -> Synced:
    """Fetch, merge, commit and, if the person agreed (`agree`: from now on), push. Without `pull` the remote is as it was fetched last.
    `full`: whatever push_seconds says.

    Raises RemoteAway, RemoteRefused, Conflict.
    """
    beads = where.ledger.beads
    with lock.acquire(beads.sync_lock):
        url = where.url()
        agreed = url is not None and (agree or sync_pace.agreed(beads) == url)
        if agree and url is not None and sync_pace.agreed(beads) != url:
            sync_pace.agree(beads, url)
        result = Synced(remote=url, agreed=agreed, held_back=sync_pace.held_back(beads, now) if push and agreed and not full else "")
        push = push and agreed and not result.held_back
        if push and sync_pace.rest(beads) and where.text(where.resolve(where.tracking)) != joined(_shared(where).items()):
            sync_pace.give_way(beads)
        begun = clock.since_boot()
        for _ in range(_TRIES):
            try:
                _round(where, caller, result, push=push, pull=pull, message=message)
                break
            except (RemoteRefused, Conflict) as error:
                if isinstance(error, RemoteRefused) and (error.reason != "moved" or not pull):
                    raise
            except RemoteAway:
                _round(where, caller, result, push=False, pull=False, message=message)  # it is committed here all the same
                raise
        else:
            raise Conflict(f"others were first {_TRIES} times", why="nothing is lost, and what they pushed is here", next="bd sync")
        if result.pushed:
            sync_pace.pushed(beads, now, clock.since_boot() - begun)
        git.pack(where.repo)
        if result.received:
            events.emit(caller.town, "synced", caller.actor, {"received": len(result.received)}, now)
        return result


def take_in(where: Place) -> Synced:
    """Fetch and merge; commit and push nothing. Raises RemoteAway."""
    with lock.acquire(where.ledger.beads.sync_lock):
        result = Synced(remote=where.url())
        where.ledger.fold()
        _take_in(where, _fetch(where) if result.remote is not None else None, result)
        return result


def preview(where: Place) -> Synced:
    """What a sync would do with what was fetched last."""
    url, theirs, mine = where.url(), where.resolve(where.tracking), _shared(where)
    there = by_id(where.text(theirs))
    merged = by_id(_merged(where, theirs, _read(where, theirs, mine), mine).data)
    changed = [name for name, line in merged.items() if mine.get(name) != line]
    sent = sum(there.get(name) != line for name, line in merged.items())
    return Synced([name.decode() for name in changed], sent, remote=url,
                  agreed=url is not None and sync_pace.agreed(where.ledger.beads) == url)


def fetched_prefix(top: str) -> str | None:
    """The prefix of the ledger on the branch that was cloned along with the code."""
    found = git.run(top, "rev-parse", "--verify", "--quiet", f"refs/remotes/{REMOTE}/{BRANCH}^{{commit}}", check=False)
    settings = blob(top, found.line, THERE.config) if found.code == 0 else None
    value = jsons.loads(settings.decode()) if settings else None
    return str(value["issue_prefix"]) if isinstance(value, dict) and value.get("issue_prefix") else None


def adopt(ledger: Ledger, top: str) -> None:
    """Take over what was cloned along: the first sync of a fresh clone, without asking the remote."""
    where = Place(ledger, top, BRANCH, TIP, BASE)
    theirs = where.resolve(where.tracking)
    if theirs is not None and blob(top, theirs, TRACKED_LEDGER) is not None:
        _take_in(where, theirs, Synced())


# ---- one round ---------------------------------------------------------------------------------------------

def _round(where: Place, caller: Caller, result: Synced, *, push: bool, pull: bool, message: str) -> None:
    where.ledger.fold()
    theirs = None if result.remote is None else _fetch(where) if pull else where.resolve(where.tracking)
    if where.own and theirs is not None and where.resolve(where.base) is None and blob(where.repo, theirs, TRACKED_LEDGER) is None:
        raise Refused(f"{REMOTE}'s branch {where.branch} holds no ledger", why="it is used for something else",
                      next=f"give it another name at {REMOTE}, then bd sync")
    _take_in(where, theirs, result)
    files = _here(where)
    head = where.resolve(where.tip)
    if head is None and not where.own:
        raise Refused("this branch has no commit yet", next="git commit, then bd sync")
    sent = count(files[TRACKED_LEDGER], where.text(theirs if theirs else head))
    words = message or f"beads: {sent} changed"
    new = _local(where, caller, head, theirs, files, words)
    result.commit, result.sent = new, sent
    if not push or (theirs is not None and _holds(where, theirs, files)):
        return
    if theirs is None and not where.own:
        result.notes = [f"{REMOTE} has no branch {where.branch} yet: git push it first"]
        return
    if not where.own and not _ledger_alone(where, theirs or "", new):
        new = _commit(where, caller, theirs, [theirs or ""], files, words)
    git.push(where.repo, new, f"refs/heads/{where.branch}", remote=REMOTE, lease=theirs or "")
    result.pushed = True
    git.update_refs(where.repo, [(where.tracking, new, None), (where.base, new, None)], "bd sync: pushed")


def _fetch(where: Place) -> str | None:
    if git.remote_tip(where.repo, f"refs/heads/{where.branch}", remote=REMOTE) is None:
        return None
    return git.fetch(where.repo, where.branch, remote=REMOTE)


def _take_in(where: Place, theirs: str | None, result: Synced) -> None:
    """Merge the remote's beads into the ledger, and remember that they are in it."""
    if theirs is None:
        return
    ours = _shared(where)
    there = _read(where, theirs, ours)
    merged = _merged(where, theirs, there, ours)
    if there.damaged:
        quarantine.keep(where.ledger.beads, there.damaged)
    told = ((merged.kept, f"beads are missing in {REMOTE}'s file without having been deleted; they stay"),
            (merged.back, "beads were missing here without having been deleted; they are back"),
            (len(there.damaged), f"lines of {REMOTE}'s file are no beads; they are kept in quarantine.log"))
    result.notes = [f"{number} {words}" for number, words in told if number] + [*merged.conflicts[:_TOLD]]
    if len(merged.conflicts) > _TOLD:
        result.notes.append(f"and {len(merged.conflicts) - _TOLD} more that had to give way; each is kept as a comment")
    rename.follow(where.ledger.beads, merged.moved)  # first: killed between, the next sync moves the same beads
    result.received += _install(where.ledger, ours, merged.data)
    _shelve(where, theirs, there.shelves, merged.shelved)
    git.update_refs(where.repo, [(where.base, theirs, None)], "bd sync: merged")


@dataclass(frozen=True, slots=True)
class _There:
    """What a commit of the remote's holds: the ledger's beads, the archive's texts by path, and the lines of both that are no beads."""

    beads: list[tuple[bytes, bytes]] = field(default_factory=list)
    shelves: dict[str, bytes] = field(default_factory=dict)
    damaged: list[bytes] = field(default_factory=list)


def _read(where: Place, theirs: str | None, ours: dict[bytes, bytes]) -> _There:
    trusted = set(ours.values())
    beads, damaged = parted(where.text(theirs), trusted)
    shelves = {}
    for path, text in where.shelves(theirs).items():
        whole, broken = parted(text, trusted)
        shelves[path] = joined(whole)
        damaged += broken
    return _There(beads, shelves, damaged)


@dataclass(frozen=True, slots=True)
class _Merged:
    """The ledger with the remote's changes; how many beads the remote lost, and we; of ours those that it has in its archive alone, and
    those that have another id now."""

    data: bytes
    kept: int = 0
    back: int = 0
    conflicts: tuple[str, ...] = ()
    shelved: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)


def _merged(where: Place, theirs: str | None, there: _There, ours: dict[bytes, bytes]) -> _Merged:
    """A missing or damaged line is no deletion: a tombstone is, and a place in the archive is one of the ledger."""
    if theirs is None:
        return _Merged(joined(ours.items()))
    known = dict(there.beads)
    old = {key for text in there.shelves.values() for key in by_id(text)} - set(known)
    base = parted(where.text(_common(where, theirs)), {*ours.values(), *known.values()})[0]
    mine = {*ours, *_archived(where.ledger.beads)}
    merged = merge_files(joined((key, line) for key, line in base if (key in known or key in old) and key in mine),
                         joined(ours.items()), joined(there.beads))
    lines, shelved = by_id(merged.data), dict[str, bytes]()
    for key, line in ours.items():
        if key not in lines and key in old:
            shelved[key.decode()] = line
        elif key not in lines:  # it has another id now: two clones had made two beads under this one
            lines[key] = _buried(line, merged.moved)
    return _Merged(joined(lines.items()), sum(key not in known and key not in old for key, _ in base),
                   sum(key in known and key not in mine for key, _ in base), tuple(map(str, merged.conflicts)), shelved, merged.moved)


def _shelve(where: Place, theirs: str, there: dict[str, bytes], shelved: dict[str, bytes]) -> None:
    """Merge the remote's archive into ours, year by year; then these beads leave our ledger too."""
    base, beads = where.shelves(_common(where, theirs)), where.ledger.beads

    def change(view: View) -> tuple[dict[str, bytes], dict[str, bytes]]:
        texts = {}
        for path, text in there.items():
            year, known = archived_year(path) or "", by_id(text)
            ours = archive.text(beads, year)
            left = b"".join(line + b"\n" for key, line in by_id(base.get(path, b"")).items() if key in known)
            merged = merge_files(left, ours, text).data
            if merged != ours:
                texts[year] = merged
        return texts, shelved

    if there and there != {THERE.archived(year): archive.text(beads, year) for year in archive.years(beads)}:
        where.ledger.shelve(change, known=False)
    elif shelved:
        where.ledger.shelve(lambda view: ({}, shelved))


def _common(where: Place, theirs: str) -> str | None:
    """The latest state that both have: what was synced last, or on a code branch what git merged last."""
    last = where.resolve(where.base)
    if last is not None and not where.is_in(last, theirs):
        last = last if where.own else None  # the remote's history was written anew: the content still tells
    head = None if where.own else where.resolve(where.tip)
    if head is None:
        return last
    shared = git.run(where.repo, "merge-base", head, theirs, check=False).line or None
    return shared if last is None or (shared is not None and where.is_in(last, shared)) else last


def _buried(line: bytes, moved: dict[str, str]) -> bytes:
    bead = record.decode(line)
    when = bead.get("updated_at") or bead.get("created_at")
    return record.encode(record.updated(bead, {"status": "tombstone", "deleted_at": when, "deleted_by": "merge", "closed_at": None,
                                               "delete_reason": f"now {moved.get(bead['id'], 'another bead')}"}))


def _install(ledger: Ledger, ours: dict[bytes, bytes], merged: bytes) -> list[str]:
    """Write what the merge changed; a bead that was changed meanwhile is merged once more."""
    changed = {key.decode(): line for key, line in by_id(merged).items() if ours.get(key) != line}
    before = _archived(ledger.beads) | ours

    def change(view: View) -> dict[str, bytes]:
        return {name: _onto(name, before.get(name.encode()), view.line(name), line) for name, line in changed.items()}

    return ledger.put(change) if changed else []


def _archived(beads: Beads) -> dict[bytes, bytes]:
    """The archive's lines by id, the newest year's where there are several."""
    return {key: line for year in archive.years(beads)[::-1] for key, line in by_id(archive.text(beads, year)).items()}


def _onto(name: str, before: bytes | None, now: bytes | None, new: bytes) -> bytes:
    if now is None or now == before:
        return record.encode(record.decode(new)) if b"\t" in new else new
    versions = [decoded(line, name) if line else None for line in (before, now, new)]
    merged = merge3.merge_record(*versions).record
    return now if merged is None else record.encode(merged)


# ---- commits -----------------------------------------------------------------------------------------------

def _local(where: Place, caller: Caller, head: str | None, theirs: str | None, files: dict[str, bytes], words: str) -> str:
    """The commit here that holds the ledger, made if there is none."""
    ahead = head is not None and (theirs is None or where.is_in(theirs, head))
    if where.own:
        parent = head if ahead else theirs
        if parent is not None and _holds(where, parent, files):
            new = parent
        else:
            new = _commit(where, caller, parent, [parent] if parent else [], files, words)
    elif theirs is not None and not ahead and _only_ledger(where, head or "", theirs):
        parents = [theirs] if where.is_in(head or "", theirs) else [head or "", theirs]
        new = theirs if len(parents) == 1 and _holds(where, theirs, files) else _commit(where, caller, theirs, parents, files, words)
    else:
        new = head or ""
        if not _holds(where, head or "", files):
            new = _commit(where, caller, head, [head or ""], files, words)
    if new != head:
        git.update_refs(where.repo, [(where.tip, new, head or "")], "bd sync")
    if not where.own:
        _stage(where, new)
    return new


def _holds(where: Place, commit: str, files: dict[str, bytes]) -> bool:
    """Whether the commit has all that; its settings too, by which a clone of it knows the prefix."""
    settings = blob(where.repo, commit, THERE.config) is not None or not os.path.exists(where.ledger.beads.config)
    return where.files(commit) == files and settings


def _commit(where: Place, caller: Caller, tree_of: str | None, parents: list[str], files: dict[str, bytes], words: str) -> str:
    """A commit whose tree is that of another one but for the ledger."""
    beads = where.ledger.beads
    index = {"GIT_INDEX_FILE": beads.sync_index}
    try:
        git.run(where.repo, "read-tree", *([tree_of] if tree_of else ["--empty"]), env=index)
        there = set(git.run(where.repo, "ls-files", "-z", env=index).out.split("\0"))
        entries = dict(files)
        for name in _FILES[1:]:
            content = None if name in there else fsio.read(f"{beads.root}/{os.path.basename(name)}")
            if content is not None:
                entries[name] = content
        given = "".join(f"100644 {_hash(where.repo, content)}\t{name}\0" for name, content in entries.items())
        git.run(where.repo, "update-index", "-z", "--add", "--index-info", input=given.encode(), env=index)
        tree = git.run(where.repo, "write-tree", env=index).line
    finally:
        fsio.remove(beads.sync_index)
        fsio.remove(f"{beads.sync_index}.lock")
    known = git.run(where.repo, "config", "--get-regexp", r"^user\.(name|email)$", check=False).out
    env = None if "user.name " in known and "user.email " in known else git.identity(
        caller.actor, f"{caller.actor.replace('/', '.')}@localhost")
    given_parents = [word for parent in parents for word in ("-p", parent)]
    return git.run(where.repo, "commit-tree", tree, *given_parents, "-m", words, env=env).line


def _hash(repo: str, content: bytes) -> str:
    return git.run(repo, "hash-object", "-w", "--stdin", input=content).line


def _stage(where: Place, commit: str) -> None:
    """The index holds the ledger as the commit does: git sees no change that nobody made. Other entries stay as they are."""
    def listed(*words: str) -> dict[str, list[str]]:
        out = git.run(where.repo, *words, "--", f"{BEADS}/", f"{THERE.archive}/").out
        return {entry.partition("\t")[2]: entry.split() for entry in out.split("\0") if entry}

    made, staged = listed("ls-tree", "-z", commit), listed("ls-files", "-z", "--stage")
    stale = [path for path in made if (path in _FILES or is_ledger(path)) and (
        path not in staged or (is_ledger(path) and made[path][2] != staged[path][1]))]
    if stale:
        given = "".join(f"{made[path][0]} {made[path][2]}\t{path}\0" for path in stale)
        git.run(where.repo, "update-index", "-z", "--add", "--index-info", input=given.encode())


def _only_ledger(where: Place, one: str, other: str) -> bool:
    """Whether two commits differ in nothing but the ledger."""
    names = git.run(where.repo, "diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other).out
    return all(is_ledger(name) for name in names.split("\0") if name)


def _ledger_alone(where: Place, theirs: str, new: str) -> bool:
    """Whether a push of `new` onto `theirs` would carry nothing but ledger commits."""
    if not where.is_in(theirs, new):
        return False
    names = git.run(where.repo, "log", "-z", "-m", "--format=", "--name-only", "--no-renames", f"{theirs}..{new}", "--").out
    return all(name.strip("\n").startswith(f"{BEADS}/") for name in names.split("\0") if name.strip("\n"))


# ---- what is here ------------------------------------------------------------------------------------------

def _here(where: Place) -> dict[str, bytes]:
    """What is for others: the ledger, then (so that no bead is in neither) its archive, by their paths in a commit."""
    beads, committed = where.ledger.beads, where.shelves(where.resolve(where.tip))
    shelves = {THERE.archived(year): archive.text(beads, year) for year in archive.years(beads)}
    return {TRACKED_LEDGER: joined(_shared(where).items()),
            **{path: joined(parted(text, set(committed.get(path, b"").split(b"\n")))[0]) for path, text in shelves.items()}}


def _shared(where: Place) -> dict[bytes, bytes]:
    """The ledger's beads. A line that is none stays here, for `bd doctor`."""
    committed = where.text(where.resolve(where.tip))
    return dict(parted(where.ledger.text(), set(committed.split(b"\n")))[0])


__all__ = ["REMOTE", "Place", "Synced", "adopt", "fetched_prefix", "place", "preview", "sync", "take_in"]
