"""What one landing round works with: the target's tip, the journal of landings, the state file, and whom to tell.

`refinery/landings.jsonl`: `{"land":{old,new,target,requests:[{mr,bead,fence,head,branch,worker,commit}],gate,at}}` before the
target is moved (of old a single request's fields without the list), then `{"settled":{new,at}}` or `{"aborted":{new,why,at}}`,
with `"clear":true` where no landing is open any more: a round reads what stands behind the last such line.
`refinery/state.json`: work/targets. `refinery/estimate.json`:
{"bad", "good"}: how requests fared of late. Absent files mean: nothing landed yet, nothing closed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gastown_hooks.core import clock, fsio, ids, jsons, lock
from gastown_hooks.core.errors import Conflict, Corrupt, GitFailed, NotFound, Refused
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import dataclass, field
from gastown_hooks.rules import requests
from gastown_hooks.rules.batching import Estimate
from gastown_hooks.stores import config, events, git, mail
from gastown_hooks.stores.callers import Caller
from gastown_hooks.stores.config import RigConfig
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import targets

OVERSEER, WITNESS = "overseer", "witness"
_CLEAR, _TAIL = b',"clear":true', 1 << 14
_ENTRY = {"mr": str, "bead": str, "fence": int, "head": str, "branch": str}


@dataclass(slots=True)
class RoundResult:
    """What a round did. `landed` pairs requests with commits; `aside` holds requests that could not even be judged, and why;
    `waiting` and `closed` say why it stopped, or nothing."""

    landed: list[tuple[str, str]] = field(default_factory=list)
    sent_back: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    aside: dict[str, str] = field(default_factory=dict)
    waiting: str = ""
    closed: str = ""
    told: bool = False

    def words(self) -> str:
        """One line for a log."""
        parts = [f"landed {request} as {commit[:12]}" for request, commit in self.landed]
        parts += [f"sent back {request}" for request in self.sent_back] + [f"superseded {request}" for request in self.superseded]
        parts += [f"put off {request}" for request in self.put_off] + [f"foreign {commit[:12]}" for commit in self.foreign]
        parts += [f"put aside {request}: {why}" for request, why in self.aside.items()] + self.damaged
        parts += [f"waiting: {self.waiting}"] * bool(self.waiting) + [f"target closed: {self.closed}"] * bool(self.closed)
        return "; ".join(parts) or "nothing to do"


@dataclass(slots=True)
class Desk:
    """One rig's round. `seen` is the target's tip as it was found, `tip` the commit that the next landing stands on; `stop` is
    set when this round may land no more, `fixes_only` while the target is red, `away` why the pull requests' host cannot be asked."""

    rig: Rig
    settings: RigConfig
    caller: Caller
    now: int
    seen: str = ""
    tip: str = ""
    stop: bool = False
    fixes_only: bool = False
    away: str = ""
    result: RoundResult = field(default_factory=RoundResult)

    @property
    def target(self) -> str:
        return self.settings.target

    @property
    def target_ref(self) -> str:
        return f"refs/heads/{self.target}"

    @property
    def landed_ref(self) -> str:
        return requests.landed_ref(self.target)

    @property
    def remote(self) -> bool:
        return self.settings.url is not None

    def repo(self) -> Repo:
        return Repo(self.rig.repo)

    @property
    def has_witness(self) -> bool:
        return os.path.isdir(self.rig.witness.root)

    def tip_now(self) -> str:
        """The target's tip, in the remote where there is one. Raises RemoteAway."""
        if self.remote:
            return git.fetch(self.rig.repo, self.target)
        return self.repo().resolve(self.target_ref) or ""

    def wait(self, why: str) -> None:
        """Nothing more lands in this round, for a reason that is nobody's change."""
        self.result.waiting, self.stop = why, True

    @contextmanager
    def patience(self) -> Iterator[None]:
        """What git or a rule refuses in here stops the round: it is nobody's change."""
        try:
            yield
        except (Refused, GitFailed, Conflict) as error:
            self.wait(str(error))

    @contextmanager
    def apart(self, request_id: str) -> Iterator[None]:
        """What cannot be judged or found in here is this one request's: it is put aside, told once, and the others go on."""
        try:
            yield
        except (NotFound, Conflict, Corrupt, Refused) as error:
            self.result.aside[request_id] = why = str(error)
            self.alarm(f"{self.rig.name}: {request_id} is put aside", f"{why}\n\nIt is tried again each round; the others go on.\n"
                       f"Next: gt mq status {request_id}\n", key=ids.derived("aside", request_id, why))

    # ---- telling ------------------------------------------------------------------------------------------

    def event(self, kind: str, payload: dict[str, Any]) -> None:
        events.emit(self.rig.town, kind, self.caller.actor, {"rig": self.rig.name, **payload}, self.now)

    def mail(self, to: str, subject: str, body: str, key: str) -> None:
        """Once a key. A rig without a witness: its mail goes to the overseer."""
        home, name = self.rig.witness, f"{self.rig.name}/witness"
        if to != WITNESS or not self.has_witness:
            home, name = self.rig.town.overseer, OVERSEER
        mail.deliver(home.mail, self.caller.actor, name, subject, body, key=key, now=self.now)
        self.result.told = True

    def alarm(self, subject: str, body: str, key: str) -> None:
        """Both the person and the witness."""
        self.mail(OVERSEER, subject, body, key)
        self.mail(WITNESS, subject, body, key)

    # ---- the journal --------------------------------------------------------------------------------------

    def note(self, kind: str, entry: dict[str, Any]) -> None:
        """One line, durable on return."""
        with lock.acquire(self.rig.lock("landings")):
            clear = kind != "land" and all(one["new"] == entry["new"] for one in self.unsettled())
            told = {**entry, **({"clear": True} if clear else {}), "at": clock.stamp(self.now)}
            fsio.append(self.rig.refinery.landings, jsons.dumps_ascii({kind: told}).encode() + b"\n")

    def unsettled(self) -> list[dict[str, Any]]:
        """Intents whose outcome is not noted yet, oldest first."""
        found: dict[str, dict[str, Any]] = {}
        for kind, entry in _journal(self.rig, whole=False):
            if kind == "land":
                found[entry["new"]] = entry
            else:
                found.pop(entry["new"], None)
        return list(found.values())

    def last_settled(self) -> str | None:
        return next((entry["new"] for kind, entry in reversed(_journal(self.rig)) if kind == "settled"), None)

    # ---- how requests fared ---------------------------------------------------------------------------------

    def estimate(self) -> Estimate:
        """What the size of the next stack goes by."""
        found = fsio.read_json(self.rig.refinery.estimate)
        if found is None:
            return Estimate()
        try:
            return Estimate(max(0.0, float(found["bad"])), max(0.0, float(found["good"])))
        except (KeyError, TypeError, ValueError):
            raise Corrupt(self.rig.refinery.estimate, why="not what the refinery writes", next="remove it: it is learnt again") from None

    def learn(self, *, good: int = 0, bad: int = 0) -> None:
        """So many requests landed, or were to blame."""
        found = self.estimate().after(good=good, bad=bad)
        fsio.write_json(self.rig.refinery.estimate, {"bad": found.bad, "good": found.good})

    # ---- closed targets -----------------------------------------------------------------------------------

    def closed(self) -> dict[str, Any] | None:
        """Why nothing lands on the target."""
        return targets.closed(self.rig).get(self.target)

    def close(self, entry: dict[str, Any] | None) -> None:
        """Close the target, or open it again with None."""
        targets.close(self.rig, self.target, entry)


def open_desk(rig: Rig, now: int) -> Desk:
    """The desk of a rig's refinery."""
    settings = config.rig_config(rig)
    fsio.make_folder(rig.refinery.root)
    return Desk(rig, settings, Caller(f"{rig.name}/refinery", rig.town.root, rig.town), now)


def landed_by_us(rig: Rig) -> dict[str, str]:
    """The commits that the journal calls landings of ours, each with the tested one that it came in by: mostly itself."""
    lands = [entry for kind, entry in _journal(rig) if kind == "land"]
    inner = {one.get("commit", entry["new"]): entry["new"] for entry in lands for one in requests_of(entry)}
    return inner | {entry["new"]: entry["new"] for entry in lands}


def requests_of(intent: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests that a journaled landing is for."""
    found = intent.get("requests")
    return found if isinstance(found, list) else [intent]


def _journal(rig: Rig, *, whole: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """What the journal's lines say, the oldest first. Not `whole`: those behind the last one with which no landing was open."""
    path = rig.refinery.landings
    data, found = (fsio.read(path) or b"") if whole else _behind_clear(path), []
    for number, line in enumerate(fsio.whole_lines(data), 1):
        try:
            ((kind, entry),) = jsons.loads(line.decode()).items()
            if kind not in ("land", "settled", "aborted") or not isinstance(entry["new"], str):
                raise ValueError("neither land, settled nor aborted")
            if kind == "land" and not all(type(one[key]) is wanted for one in requests_of(entry) for key, wanted in _ENTRY.items()):
                raise ValueError("a landing without requests")
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            before = (fsio.read(path) or b"").count(b"\n") - data.count(b"\n")
            raise Corrupt(f"{path} line {before + number}", why=str(error), next="mend or remove that line") from None
        found.append((kind, entry))
    return found


def _behind_clear(path: str) -> bytes:
    length = _TAIL
    while True:
        tail = fsio.read_end(path, length)
        clear = tail.rfind(_CLEAR, 0, tail.rfind(b"\n") + 1)
        if clear >= 0:
            return tail[tail.index(b"\n", clear) + 1:]
        if len(tail) < length:
            return tail  # all of it
        length *= 4


def short(oid: str) -> str:
    return oid[:12]


def listed(names: list[str] | tuple[str, ...], limit: int = 10) -> str:
    """Untrusted names in one line."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(ids.shown(name) for name in names[:limit]) + more
