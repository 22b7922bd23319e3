"""The landing protocol: merge requests from the queue into the target branch, tested together, or back to where they came from.

Requests are stacked; the whole stack is tested first, and a red one is searched by prefixes (rules/batching): each green prefix lands
at once, the culprit goes back, the others are stacked anew. A landing is one merge commit made before the gate runs, with the tested
tree; the journal takes the intent, then the target is moved by one compare-and-swap (with a remote: the plain push of that commit,
which the remote refuses if its branch moved), then all that follows from it is done, each step asking first whether it is done
already: the rig's refs, the beads closed with their proof, the requests closed, the mail, the workers' branches. Killed anywhere and
run again, it lands once. What is nobody's change (remote away, refused by policy, a gate that could not run) makes requests wait and
closes nothing.
"""

from __future__ import annotations

from typing import Any

from gastown_hooks.core.errors import Conflict, Corrupt, GastownError, GitFailed, NotFound, Refused, RemoteRefused
from gastown_hooks.core.paths import Rig
from gastown_hooks.rules import batching, requests, turn
from gastown_hooks.rules.batching import Search
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config, git
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import foreign, gate, linear, pulls, queue, refuse, settle, stack
from gastown_hooks.work.desk import Desk, RoundResult, listed, open_desk, requests_of, short
from gastown_hooks.work.reds import Reds
from gastown_hooks.work.stack import Member

REBUILDS = 5  # a remote that moves faster than the gates run: the rest waits for the next round


class Moved(Exception):
    """The target is not where it was, or a request was taken back: build again."""


def round(rig: Rig, now: int) -> RoundResult:
    """One refinery round, under the role's lock: everything that can land now lands. The steps are those of roles/refinery.py."""
    desk = open_desk(rig, now)
    look(desk)
    recover(desk)
    check_foreign(desk)
    pulls.look(desk)
    while batch := next_batch(desk):
        attempt(desk, batch)
    refuse.hold_rest(desk)
    pulls.finish(desk)
    return desk.result


def look(desk: Desk) -> None:
    """The target's tip, where it counts. What cannot be seen stops the round and closes nothing."""
    with desk.patience():
        desk.seen = desk.tip_now()


def recover(desk: Desk) -> None:
    """Settle, finish or abort every landing that has no outcome in the journal."""
    with desk.patience():
        for intent in [] if desk.stop else desk.unsettled():
            try:
                _recover(desk, intent)
            except Moved:
                pass  # noted as aborted; the requests are stacked again
            desk.seen = desk.tip_now()


def check_foreign(desk: Desk) -> None:
    """What came past the queue: put back, adopted, or the target is closed. Sets the commit to land on."""
    with desk.patience():
        if not desk.stop:
            foreign.check(desk, desk.seen)
        if not desk.stop and queue.in_order(desk.rig, desk.now):
            gate.commands(desk.rig)  # refuses while nobody said what the gates are


def next_batch(desk: Desk) -> list[Request]:
    """The requests whose turn it is, tested together; empty when the round is over. While the target is red, fixes one by one."""
    if desk.stop:
        return []
    size = 1 if desk.fixes_only else batching.stack_size(desk.estimate().rate, config.rig_settings(desk.rig).gate_slots)
    return queue.turn_of(desk.rig, desk.now, size=size, tried=[*desk.result.put_off, *desk.result.aside], fixes_only=desk.fixes_only).batch


def _recover(desk: Desk, intent: dict[str, Any]) -> None:
    repo, new = desk.repo(), intent["new"]
    known = repo.kind(new) == "commit"
    if known and repo.is_ancestor(new, desk.seen):
        settle.settle(desk, intent)
    elif known and desk.seen == intent["old"] and _still_wanted(desk, intent):
        _finish(desk, intent)
    else:
        desk.note("aborted", {"new": new, "why": f"{desk.target} is at {desk.seen}, or a request is not wanted any more"})


def attempt(desk: Desk, batch: list[Request]) -> None:
    """Land these requests, or say what becomes of them. What is left in the queue has another turn."""
    for _ in range(REBUILDS):
        if desk.stop:
            return
        try:
            batch = [request for request in batch if (request.is_fix or not desk.fixes_only) and not refuse.stale(desk, request)]
            if batch:
                _attempt(desk, batch)
            return
        except Moved:
            look(desk)
            recover(desk)
            check_foreign(desk)
        except (Refused, GitFailed, NotFound, Conflict, Corrupt) as error:
            refuse.put_off(desk, batch, str(error))
            desk.wait(str(error))
            return
    refuse.put_off(desk, batch, f"{desk.target} kept moving")


def _attempt(desk: Desk, batch: list[Request]) -> None:
    """Stack what merges. What does not merge with the target goes back; what only meets another of the stack stays behind it."""
    built = stack.build(desk.rig, desk.tip, batch)
    for clash in built.clashes:
        alone = [clash] if clash.on == desk.tip else stack.build(desk.rig, desk.tip, [clash.request]).clashes
        for found in alone:
            refuse.conflict(desk, found)
    for member in built.members:
        if member.empty and member.on == desk.tip:
            settle.elsewhere(desk, member.request)
    members = [member for member in built.members if not member.empty]
    evil = stack.refusals(desk.rig, members)
    for member in members:
        if member.request.id in evil:
            refuse.fail(desk, member.request, f"policy: {'; '.join(evil[member.request.id][:5])}", member.commit)
    if evil:
        raise Moved
    if members:
        _search(desk, members)


def _search(desk: Desk, members: list[Member]) -> None:
    """Test the stack, as many of its prefixes at once as the rig has gate slots. Lands what is green, sends the culprit back."""
    reds = Reds(desk.rig)
    _searched(desk, members, reds)
    reds.forget()


def _searched(desk: Desk, members: list[Member], reds: Reds) -> None:
    search, seen, slots = Search(len(members)), dict[int, gate.Verdict](), config.rig_settings(desk.rig).gate_slots
    with gate.Trials(desk.rig, desk.now) as trials:
        while not desk.stop:
            word, prefixes = batching.next_probes(search, desk.estimate().rate, slots, trials.running)
            if word == batching.DONE:
                return
            trials.keep(prefixes)
            last = prefixes[-1]
            keys = {prefix: _key(desk, members, prefix, word) for prefix in prefixes}
            ended = {prefix: found for prefix in prefixes if (found := reds.take(keys[prefix]))}
            if word == batching.PROBE and not ended:
                for prefix in prefixes:
                    if prefix not in trials.running:
                        trials.start(prefix, _landing(desk, members, search, prefix), name=members[prefix - 1].request.id)
                ended = trials.ended()
            elif not ended:
                ended = {last: _second_look(desk, _landing(desk, members, search, last), members[last - 1].request, seen[last])}
            for prefix in (prefix for prefix in ended if ended[prefix].red):
                reds.keep(keys[prefix], ended[prefix])
            search = _fold(desk, members, search, ended)
            if word == batching.CULPRIT and ended[last].red:
                _blame(desk, members[last - 1].request, _landing(desk, members, search, last), ended[last])
                return
            seen |= ended


def _key(desk: Desk, members: list[Member], prefix: int, word: str) -> str:
    """What `reds` knows a run by."""
    tree, tries = desk.repo().tree(members[prefix - 1].commit), sum(member.request.tries for member in members[:prefix])
    return f"{tree} {tries} {word}"


def _landing(desk: Desk, members: list[Member], search: Search, prefix: int) -> str:
    """The commit by which a prefix lands, on what has landed."""
    return stack.landing(desk.rig, desk.tip, members[search.green:prefix])


def _fold(desk: Desk, members: list[Member], search: Search, ended: dict[int, gate.Verdict]) -> Search:
    """Land the longest green prefix. Of those behind it the shortest counts: it is red, or its gate could not run."""
    green = max((prefix for prefix, verdict in ended.items() if verdict.green), default=0)
    if green > search.green:
        commit = _landing(desk, members, search, green)
        gate.record(desk.rig, commit, ended[green], desk.now)
        _land(desk, [member.request for member in members[search.green:green]], commit, ended[green])
        search = search.after(green, True)
    behind = min((prefix for prefix in ended if prefix > search.green), default=None)
    if behind is not None and ended[behind].red:
        return search.after(behind, False)
    if behind is not None:
        why = ended[behind].reason
        refuse.put_off(desk, [member.request for member in members[search.green:behind]], f"the gate could not run: {why}")
        desk.wait(why)
    return search


def _second_look(desk: Desk, commit: str, request: Request, first: gate.Verdict) -> gate.Verdict:
    """The gates once more on the tree that only this request can have made red; where they never err, the first run's word."""
    if not config.rig_settings(desk.rig).confirm_red:
        return first
    return gate.confirm(desk.rig, commit, first, desk.now, name=request.id)


def _blame(desk: Desk, request: Request, commit: str, verdict: gate.Verdict) -> None:
    if _base_is_green(desk):
        refuse.fail(desk, request, f"{verdict.result}: {verdict.reason}", commit, verdict)
        desk.learn(bad=1)


def _base_is_green(desk: Desk) -> bool:
    """Before anybody is blamed: what the change stands on passes. Mostly on record, since we landed it."""
    if desk.fixes_only:
        return True  # known to be red, and this fix does not mend it
    verdict = gate.confirmed(desk.rig, desk.tip, desk.now, name=f"target-{short(desk.tip)}")
    if verdict.red:
        foreign.red_base(desk, verdict.reason)
    elif verdict.result == gate.INFRA:
        desk.wait(f"cannot judge {desk.target}: {verdict.reason}")
    return verdict.green


# ---- the swap -------------------------------------------------------------------------------------------------

def _land(desk: Desk, landing: list[Request], commit: str, verdict: gate.Verdict) -> None:
    """Raises Moved when, while the gate ran, one of the requests was taken back (its work is in the tested tree), or the rig's
    own target was moved."""
    if foreign.moved(desk) or any(refuse.stale(desk, request) for request in landing):
        raise Moved
    commits = linear.chain(desk.repo(), desk.tip, commit, len(landing))
    entries = [{"mr": request.id, "bead": request.source, "fence": request.fence, "head": request.head, "branch": request.branch,
                "worker": request.worker, "commit": own} for request, own in zip(landing, commits, strict=True)]
    intent = {"old": desk.tip, "new": commit, "target": desk.target, "requests": entries,
              "gate": {"verdict": verdict.result, "seconds": verdict.seconds, "flake": verdict.flake}}
    desk.note("land", intent)
    _finish(desk, intent)
    desk.learn(good=len(landing))


def _finish(desk: Desk, intent: dict[str, Any]) -> None:
    """Swap and settle. Raises Moved; RemoteAway leaves the intent open, for the push may have arrived all the same."""
    old, new = intent["old"], intent["new"]
    try:
        if desk.remote:
            git.push(desk.rig.repo, new, desk.target_ref)
        else:
            reason = "gt: land " + " ".join(entry["mr"] for entry in requests_of(intent))
            git.update_refs(desk.rig.repo, [(desk.target_ref, new, old), (desk.landed_ref, new, old)], reason)
    except RemoteRefused as error:
        moved = error.reason == "moved"
        desk.note("aborted", {"new": new, "why": f"the remote refused: {error.why}"})
        if not moved:
            known = [settle.request_of(desk, entry) for entry in requests_of(intent)]
            refuse.put_off(desk, [request for request in known if request is not None], str(error))
            desk.wait(str(error))
        raise Moved from None
    except Conflict:
        desk.note("aborted", {"new": new, "why": f"{desk.target} moved"})
        raise Moved from None
    desk.tip = new
    settle.settle(desk, intent)
    desk.fixes_only = False
    foreign.reopen(desk)


def _still_wanted(desk: Desk, intent: dict[str, Any]) -> bool:
    review = config.rig_settings(desk.rig).review
    try:
        for entry in requests_of(intent):
            request = queue.find(desk.rig, entry["mr"])
            queue.check_source(desk.rig, request.source, request.fence)
            if not request.open or turn.unreviewed(request, review):
                return False
    except (NotFound, Conflict, Refused, Corrupt):
        return False
    return gate.recorded(desk.rig, intent["new"]) is not None


# ---- a look ahead ---------------------------------------------------------------------------------------------

def plan(rig: Rig, now: int) -> list[str]:
    """What a round would do with the queue as the rig knows the target now. Runs no gate, asks no remote, writes nothing but objects."""
    tip = rig_tip(rig)
    held, words = queue.turn_of(rig, now, size=1).held, []
    for found in queue.in_order(rig, now):
        request = requests.parse(found)
        if request.id in held:
            words.append(f"leave {request.id}: {held[request.id]}")
            continue
        try:
            queue.check_source(rig, request.source, request.fence)
            built = stack.build(rig, tip, [request])
            words.append(f"conflict {request.id}: {listed(built.clashes[0].files)}" if built.clashes else
                         f"close {request.id}: in the target already" if built.members[0].empty else f"gate and land {request.id}")
        except GastownError as error:
            words.append(f"refuse {request.id}: {error}")
    return words


def rig_tip(rig: Rig) -> str:
    """The last landing as the rig knows it."""
    settings = config.rig_config(rig)
    repo = Repo(rig.repo)
    tip = repo.resolve(requests.landed_ref(settings.target)) or repo.resolve(f"refs/heads/{settings.target}")
    if tip is None:
        raise Refused(f"{settings.target} has no commit", next=f"gt rig status {rig.name}")
    return tip
