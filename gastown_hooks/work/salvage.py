"""Saving everything a worker made, under refs, and proving that it can be read back.

`refs/gt/salvage/<name>/<fence>/`: `head` what HEAD pointed to; `branch`, `work` the branch's tip and the pinned commit where
they differ; `index` and `tree` commits of the staged and of all files; `meta` a tree: salvage.json, `index` (every entry with
its flags), `conflicts/{base,ours,theirs}`, `ignored`, `state/` (a merge or rebase in progress), `embedded/` (files inside
submodules) and `modules/` (their repositories); `extra/N`, `reflog/N` commits that only those states or the worktree's reflog
still reach; `stash/N` and `stashes`, the worker's own stash entries and their messages. A clean tree needs no `index`, `tree`, `meta`.
A later, different state of the same claim is saved beside the first, as `<fence>.2` and so on. The same state saved again
gives the same refs: no clock and no chance is in the objects.
"""

from __future__ import annotations

from collections.abc import Mapping

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Conflict, Corrupt, GitFailed
from gastown_hooks.core.ids import shown
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import dataclass, replace
from gastown_hooks.stores import git
from gastown_hooks.work import snapshot, worktree_state
from gastown_hooks.work.lease import Lease
from gastown_hooks.work.snapshot import Changed, Entry
from gastown_hooks.work.stashes import Stash
from gastown_hooks.work.worktree_state import CONFLICTS, Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")

ROOT = "refs/gt/salvage"
_ROUNDS = 5
_LISTED = 100


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was saved: the refs' common start ("" when nothing needed saving), the refs below it, the ignored files' names."""

    ref_prefix: str
    saved: list[str]
    ignored: list[str]

    @property
    def key(self) -> str:
        """`<name>/<fence>`, as `gt rescue` takes it."""
        return self.ref_prefix.removeprefix(f"{ROOT}/")


def save(rig: Rig, name: str, fence: int, lease: Lease | None = None, *, needless: bool = False) -> tuple[Salvage, Facts]:
    """Save the worker's state and verify it; returns it with the facts it was made from.

    With `needless`, a clean tree whose head is landed already gives an empty Salvage. Raises Refused for an unreadable file,
    Changed when somebody keeps writing.
    """
    for last in (False,) * (_ROUNDS - 1) + (True,):
        try:
            facts = worktree_state.look(rig, name, fence, lease)
            if needless and facts.clean and _is_landed(rig, facts):
                return Salvage("", [], _ignored(facts)), facts
            salvage = _write(rig, name, fence, lease, facts)
            verify(rig, salvage, facts, worktree_state.look(rig, name, fence, lease, before=facts))
            return salvage, facts
        except Changed:
            if last:
                raise
    raise AssertionError("unreachable")


def verify(rig: Rig, salvage: Salvage, facts: Facts, fresh: Facts) -> None:
    """Read the salvage back from the object database and compare it with a fresh look at the tree.

    Raises Changed when the tree is another by now, Corrupt when the database does not hold what was saved.
    """
    if replace(fresh, stashes=()) != replace(facts, stashes=()) or not {s.oid for s in fresh.stashes} <= {s.oid for s in facts.stashes}:
        raise Changed(f"{rig.name}/{facts.name} changed while it was saved", why="somebody still writes there",
                      next="end that program, then run it again")
    refs = generation_refs(rig, salvage.ref_prefix)
    if sorted(refs) != sorted(salvage.saved):
        raise Corrupt(f"{salvage.ref_prefix} is not what was saved", next="run it again")
    if "tree" in refs and facts.files is not None:
        _compare(snapshot.listed(rig.repo, f"{refs['tree']}^{{tree}}"), facts.files.entries, f"{salvage.ref_prefix}/tree")
        _compare(snapshot.listed(rig.repo, f"{refs['index']}^{{tree}}"), facts.staged(), f"{salvage.ref_prefix}/index")
    known = [f"^{facts.base}"] if facts.base and not snapshot.missing(rig.repo, [facts.base]) else []
    # The walk that git itself makes after a fetch: it ends at the first object that is not there.
    git.run(rig.repo, "rev-list", "--objects", "--quiet", "--stdin", input="\n".join([*refs.values(), *known]).encode() + b"\n")


def generations(rig: Rig, name: str, fence: int) -> list[tuple[str, dict[str, str]]]:
    """The saved states of a claim, the first one first: (ref prefix, refs below it)."""
    found = prefixes(rig, f"{ROOT}/{name}/")
    first = f"{ROOT}/{name}/{fence}"
    return sorted(((prefix, refs) for prefix, refs in found.items() if prefix == first or prefix.startswith(f"{first}.")),
                  key=lambda item: _generation(item[0]))


def generation_refs(rig: Rig, prefix: str) -> dict[str, str]:
    """The refs below one saved state's prefix, without it."""
    return prefixes(rig, f"{prefix}/").get(prefix, {})


def prefixes(rig: Rig, start: str = f"{ROOT}/") -> dict[str, dict[str, str]]:
    """Every saved state below `start`: prefix to (ref without it -> object)."""
    found: dict[str, dict[str, str]] = {}
    for line in git.run(rig.repo, "for-each-ref", "--format=%(objectname) %(refname)", start).lines:
        oid, _, ref = line.partition(" ")
        parts = ref.split("/")
        if len(parts) >= 6:  # refs/gt/salvage/foreign/<commit> has five
            found.setdefault("/".join(parts[:5]), {})["/".join(parts[5:])] = oid
    return found


def _write(rig: Rig, name: str, fence: int, lease: Lease | None, facts: Facts) -> Salvage:
    wanted = _objects(rig, name, fence, lease, facts)
    earlier = generations(rig, name, fence)
    for prefix, refs in earlier:
        if not wanted or _covers(refs, wanted):
            return Salvage(prefix, sorted(refs), _ignored(facts))
    if not wanted:
        return Salvage("", [], _ignored(facts))
    number = _generation(earlier[-1][0]) + 1 if earlier else 1
    prefix = f"{ROOT}/{name}/{fence}" + (f".{number}" if number > 1 else "")
    git.update_refs(rig.repo, [(f"{prefix}/{ref}", oid, "") for ref, oid in wanted.items()], f"salvage {name}/{fence}")
    return Salvage(prefix, sorted(wanted), _ignored(facts))


def _covers(refs: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a saved state holds all of `wanted`: the same state, with at least these stash entries (a retire that was
    killed after it had taken them out finds none)."""
    plain, stashed = _split(refs)
    plain_wanted, stashed_wanted = _split(wanted)
    if set(plain_wanted) == {"head"}:  # only commits: any state that holds the commit will do
        return plain_wanted["head"] in plain.values() and stashed_wanted <= stashed
    return plain == plain_wanted and stashed_wanted <= stashed


def _split(refs: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    return ({ref: oid for ref, oid in refs.items() if not ref.startswith("stash")},
            {oid for ref, oid in refs.items() if ref.startswith("stash/")})


def _generation(prefix: str) -> int:
    number = prefix.rpartition("/")[2].partition(".")[2]
    return int(number) if number.isdecimal() else 1


def _objects(rig: Rig, name: str, fence: int, lease: Lease | None, facts: Facts) -> dict[str, str]:
    """Write the objects; returns ref (below the prefix) to object."""
    wanted = {ref: oid for ref, oid in (("head", facts.head), ("branch", facts.branch), ("work", facts.work)) if oid}
    if wanted.get("branch") == facts.head:
        wanted.pop("branch", None)
    if wanted.get("work") in (facts.head, facts.branch):
        wanted.pop("work", None)
    wanted.update({f"reflog/{number}": oid for number, oid in enumerate(facts.lost)})
    wanted.update({f"extra/{number}": oid for number, oid in enumerate(facts.extra)})
    if facts.files is not None and not facts.clean:
        wanted |= _trees(rig, name, fence, lease, facts)
    wanted.update({f"stash/{number}": stash.oid for number, stash in enumerate(facts.stashes)})
    if facts.stashes:
        wanted["stashes"] = snapshot.put(rig.repo, [_stash_list(facts.stashes)])[0]
    return wanted


def _trees(rig: Rig, name: str, fence: int, lease: Lease | None, facts: Facts) -> dict[str, str]:
    assert facts.files is not None
    home, when = rig.polecat(name), clock.parse(lease.created_at) // clock.SECOND if lease else 0
    snapshot.store(rig.repo, home.tree, [*facts.files.entries.items(), *facts.files.embedded])
    if facts.modules:
        snapshot.store(rig.repo, worktree_state.modules_dir(rig, home.tree), facts.modules)
    parents = [facts.head] if facts.head else []
    index = _commit(rig, snapshot.tree(rig.repo, facts.staged()), parents, when, f"Staged files of {rig.name}/{name}, fence {fence}\n")
    tree = _commit(rig, snapshot.tree(rig.repo, facts.files.entries), [*parents, index], when, _message(rig, name, fence, lease, facts))
    return {"index": index, "tree": tree, "meta": _meta(rig, name, fence, lease, facts)}


def _commit(rig: Rig, tree: str, parents: list[str], when: int, message: str) -> str:
    stamp = f"{when} +0000"
    env = {**git.identity("gt salvage", "salvage@localhost"), "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    words = [word for parent in parents for word in ("-p", parent)]
    return git.run(rig.repo, "-c", "i18n.commitEncoding=UTF-8", "commit-tree", *words, tree, input=message.encode(), env=env).line


def _meta(rig: Rig, name: str, fence: int, lease: Lease | None, facts: Facts) -> str:
    assert facts.files is not None
    about = {"version": 1, "rig": rig.name, "name": name, "fence": fence, "bead": lease.bead if lease else None,
             "branch": facts.branch_name, "head_ref": facts.head_ref, "base": facts.base, "empty_folders": facts.files.empty,
             "special_files": facts.files.special, "index_readable": facts.index is not None}
    contents = {"salvage.json": json.dumps(about, indent=1).encode(), "ignored": _ignored_text(facts).encode(),
                "index": b"".join(stage.line() for stage in facts.index or ()),
                **{f"state/{path}": data for path, data in facts.state}}
    if facts.index is None and facts.raw_index is not None:
        contents["index.raw"] = facts.raw_index
    oids = snapshot.put(rig.repo, contents.values())
    entries = {path: Entry(snapshot.FILE, oid) for path, oid in zip(contents, oids, strict=True)}
    for stage in facts.index or ():
        if stage.number:
            entries[f"conflicts/{CONFLICTS[stage.number]}/{stage.path}"] = Entry(stage.mode, stage.oid)
    entries.update({f"embedded/{path}": entry for path, entry in facts.files.embedded})
    entries.update({f"modules/{path}": entry for path, entry in facts.modules})
    return snapshot.tree(rig.repo, entries)


def _message(rig: Rig, name: str, fence: int, lease: Lease | None, facts: Facts) -> str:
    assert facts.files is not None
    lines = [f"Files of {rig.name}/{name}, fence {fence}", "", f"bead: {lease.bead if lease else 'unknown'}",
             f"branch: {facts.branch_name or 'none'}", f"files: {len(facts.files.entries)}"]
    lines += [f"in progress: {', '.join(path for path, _ in facts.state)}"] if facts.state else []
    lines += [f"not a file, not saved: {shown(path, 200)}" for path in facts.files.special]
    lines += [f"ignored, not saved: {shown(path, 200)} ({size} bytes)" for path, size in facts.files.ignored[:_LISTED]]
    more = len(facts.files.ignored) - _LISTED
    lines += [f"and {more} more ignored files: see meta:ignored"] if more > 0 else []
    return "\n".join(lines) + "\n"


def _ignored_text(facts: Facts) -> str:
    assert facts.files is not None
    return "".join(f"{size}\t{json.dumps(path)}\n" for path, size in facts.files.ignored)


def _ignored(facts: Facts) -> list[str]:
    return [path for path, _ in facts.files.ignored] if facts.files else []


def _stash_list(found: tuple[Stash, ...]) -> bytes:
    return json.dumps([{"oid": stash.oid, "message": stash.message} for stash in found], indent=1).encode()


def _compare(stored: dict[str, Entry], wanted: Mapping[str, Entry], what: str) -> None:
    here = {path: (entry.mode, entry.oid) for path, entry in wanted.items()}
    there = {path: (entry.mode, entry.oid) for path, entry in stored.items()}
    if here != there:
        wrong = next(path for path in sorted({*here, *there}) if here.get(path) != there.get(path))
        raise Corrupt(f"{what} does not hold {shown(wrong, 200)} as it is on disk", next="run it again")


def _is_landed(rig: Rig, facts: Facts) -> bool:
    """Whether every commit of the worker is in a landed tip."""
    tips = git.run(rig.repo, "for-each-ref", "--format=%(objectname)", "refs/gt/landed/").out.split()
    mine = {oid for oid in (facts.head, facts.branch, facts.work, *facts.lost, *facts.extra) if oid}
    if not tips or facts.stashes:
        return False
    try:
        return not git.run(rig.repo, "rev-list", "--max-count=1", "--stdin",
                           input="\n".join([*mine, *(f"^{tip}" for tip in tips)]).encode() + b"\n").out.strip()
    except (GitFailed, Conflict):
        return False  # saving too much harms nobody
