"""`review = "pr"`: each request in the queue has a pull request at the host, made and read through gh, and its reviewers' word counts.

The word is written where a person's `gt mq approve` writes it, so all else is as with `review = "human"`. Approved: it lands.
Changes requested: sent back with the reviewers' words. Closed: rejected. Merged there: closed with proof once git finds the work
in the target. After the landing the pull request is told and closed, unless the host saw the merge itself. The host is asked once
in `review_seconds`; when it cannot be, requests that were not approved wait, and say why.
"""

from __future__ import annotations

from typing import Any

from gastown_hooks.core import clock, fsio, ids
from gastown_hooks.core.errors import Corrupt, GitFailed, Refused, RemoteRefused
from gastown_hooks.rules import order, pulls, requests, turn
from gastown_hooks.rules.pulls import Pull
from gastown_hooks.rules.requests import Request
from gastown_hooks.stores import config, git
from gastown_hooks.stores.gh import Host
from gastown_hooks.work import queue, refuse, settle, trial
from gastown_hooks.work.desk import Desk
from gastown_hooks.work.stack import title

TOLD = {requests.LANDED: "landed on {target} as {commit}", requests.REJECTED: "was rejected", requests.SUPERSEDED: "was superseded"}


def look(desk: Desk) -> None:
    """Make the pull requests that are missing and take over the word about all others, if it is time to ask."""
    waiting = [requests.parse(found) for found in queue.in_order(desk.rig, desk.now)]
    if not waiting or config.rig_settings(desk.rig).review != turn.PULL:
        return
    last, desk.away = _seen(desk)
    due = desk.now - last >= config.rig_settings(desk.rig).review_seconds * clock.SECOND
    if due or not (desk.away or all(request.pull for request in waiting)):
        desk.away = _asked(desk, waiting)
        fsio.write_json(desk.rig.refinery.pulls, {"at": clock.stamp(desk.now), "why": desk.away}, durable=False)


def finish(desk: Desk) -> None:
    """Tell and close the pull requests of requests that are closed; one of a branch that was submitted again stays.

    Whatever the rig's review is by now: what was opened is closed.
    """
    if desk.away or not desk.remote:
        return
    known = requests.usable(queue.unfinished(desk.rig))
    live = {request.branch for request in known if requests.STATUS[request.state] != "closed"}
    for request in known:
        if request.untold and request.branch not in live:
            with desk.apart(request.id):
                try:
                    _finish(desk, _host(desk), request)
                except GitFailed as error:
                    desk.away = str(error)
                    return


def _host(desk: Desk) -> Host:
    return Host(desk.settings.url or "", desk.rig.root)


def _seen(desk: Desk) -> tuple[int, str]:
    """When the host was asked last, and why in vain; it costs one more question not to know."""
    try:
        found = fsio.read_json(desk.rig.refinery.pulls) or {}
        return clock.parse(found["at"]), str(found["why"])
    except (Corrupt, KeyError, TypeError, ValueError):
        return 0, ""


def _asked(desk: Desk, waiting: list[Request]) -> str:
    """Why the host could not be asked; "" when it was."""
    host = _host(desk)
    if not desk.remote:
        return f"the rig has no remote. Next: gt config set {desk.rig.name}.review human"
    try:
        listed = host.listed(pulls.OPEN)
        for request in waiting:
            with desk.apart(request.id):
                _follow(desk, host, request, listed)
    except (GitFailed, Refused, Corrupt) as error:
        return str(error)
    return ""


def _follow(desk: Desk, host: Host, request: Request, listed: list[Pull]) -> None:
    pull = pulls.of_request(listed, request) or _missing(host, request)
    if pull is None or (pull.state == pulls.OPEN and pull.head != request.head):
        _push(desk, request)
        if pull is None:
            host.create(request.branch, request.target, title(request), _body(desk, request))
        pull = pulls.of_request(host.listed("all", branch=request.branch), request)
    if pull is None:
        raise Refused(f"no pull request for {request.branch}", why="gh made one, but does not list it")
    ours = request.reviewer == ids.shown(pull.url)  # the word that is there came from here; a person's own stays
    word: dict[str, Any] = {"review": None, "reviewer": None} if ours else {}
    if pull.word == pulls.APPROVED and pull.head == request.head and pull.state == pulls.OPEN and (ours or not request.review):
        word = {"review": requests.APPROVED, "reviewer": pull.url}
    queue.annotate(desk.rig, request.id, caller=desk.caller, now=desk.now, pull=pull.as_metadata(), **word)
    if pull.state == pulls.MERGED:
        _merged(desk, request, pull)
    elif pull.state == pulls.CLOSED:
        refuse.reject(desk, request, f"its pull request was closed: {ids.shown(pull.url)}")
    elif pull.word == pulls.CHANGES and pull.head == request.head and (ours or request.review != requests.APPROVED):
        refuse.fail(desk, request, f"changes requested in {ids.shown(pull.url)}", request.head,
                    words=f"Reviewers:\n{trial.plain(pull.said.encode('utf-8', 'replace'), 3000)}")


def _missing(host: Host, request: Request) -> Pull | None:
    """One that is not open any more, or none."""
    number = request.pull.get("number")
    found = [host.view(number)[0]] if type(number) is int else host.listed("all", branch=request.branch)
    return pulls.of_request([pull for pull in found if pull is not None], request)


def _merged(desk: Desk, request: Request, pull: Pull) -> None:
    """Closed as landed where git finds the work: in the commit that the host names, else in the target as it is."""
    known = pull.commit if desk.repo().kind(pull.commit) == "commit" else None
    if desk.tip and not desk.fixes_only and not settle.elsewhere(desk, request, known) and known:
        settle.elsewhere(desk, request)


def _push(desk: Desk, request: Request) -> None:
    """The branch at the remote is at the request's commit; what was submitted from it before may be replaced, nothing else."""
    ref = f"refs/heads/{request.branch}"
    there = git.remote_tip(desk.rig.repo, ref)
    if there == request.head:
        return
    older = [one for one in requests.usable(queue.requests(desk.rig, closed=True))
             if (one.branch, one.head) == (request.branch, there)]
    try:
        git.push(desk.rig.repo, request.head, ref, lease=there if older else None)
    except RemoteRefused as error:
        raise Refused(f"cannot push {ids.shown(request.branch)} for its pull request", why=error.why) from None


def _body(desk: Desk, request: Request) -> str:
    return (f"The work of {request.worker} on {request.source}, commit {request.head}.\n\n"
            f"The merge queue of {desk.rig.name} ({request.id}) tests it and lands it once this is approved. "
            "Requested changes send it back, closing this rejects it.\n")


def _is_about_to_be_seen(desk: Desk, request: Request) -> bool:
    """Whether the host will mark it as merged by itself: the commit is in the target's history, and came there just now."""
    repo, tip = desk.repo(), desk.repo().resolve(desk.landed_ref)
    if request.state != requests.LANDED or tip is None or not repo.is_ancestor(request.head, tip):
        return False
    age = desk.now - order.closed(request.record, desk.now)
    return bool(age < config.rig_settings(desk.rig).review_seconds * clock.SECOND)


def _finish(desk: Desk, host: Host, request: Request) -> None:
    number = request.pull["number"]
    pull, comments = host.view(number)
    if pull is not None and pull.state == pulls.OPEN and _is_about_to_be_seen(desk, request):
        return
    if pull is not None and pull.state != pulls.MERGED:
        text = f"{request.id} {TOLD[request.state]}".format(target=request.target, commit=request.record["metadata"].get("landed_as"))
        if not any(text in comment for comment in comments):
            host.comment(number, text + (f": {request.reason}" if request.state != requests.LANDED and request.reason else ""))
        if pull.state == pulls.OPEN:
            host.close(number)
    state = pulls.MERGED if pull is not None and pull.state == pulls.MERGED else pulls.CLOSED
    queue.annotate(desk.rig, request.id, caller=desk.caller, now=desk.now, pull={**request.pull, "state": state})
