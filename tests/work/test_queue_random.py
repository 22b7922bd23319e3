"""Random histories of a rig with a remote: whatever happens in whatever order, and wherever the refinery is killed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import builders
import pytest
import queueyard
from queueyard import Yard

from gastown_hooks.core import fsio
from gastown_hooks.rules import requests
from gastown_hooks.stores import git
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import queue

SEEDS = range(int(os.environ.get("SEEDS_FROM", "0")), int(os.environ.get("SEEDS_TO", "6")))  # more by hand
GATE = "! grep -rqs BAD --include=*.txt ."


class Killed(BaseException):
    pass


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    yard = queueyard.make(tmp_path, remote=True)
    yard.gates(GATE, gate_slots=1 + 3 * (seed % 2), landing="linear" if seed % 3 == 2 else "merge")
    history = History(yard, chance)
    for _ in range(14):
        chance.choice([history.good, history.burst, history.bad, history.clash, history.chain, history.outside, history.outside_bad,
                       history.mend, history.local_move, history.reassign, history.retry])()
        _round(yard, chance, monkeypatch)
        history.check()
    history.mend()
    for _ in range(8):
        yard.round(later=4000)
    history.check()
    assert yard.remote_tip() == yard.tip() == yard.tip("refs/gt/landed/main")
    assert yard.journal().count("land") == yard.journal().count("settled") + yard.journal().count("aborted")
    held = queue.turn_of(yard.rig, yard.now, size=1).held  # children whose parent was sent back
    assert [found["id"] for found in queue.in_order(yard.rig, yard.now) if found["id"] not in held] == []


def _round(yard: Yard, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round, every second one killed before or after one of its git calls or file writes."""
    with monkeypatch.context() as patch:
        if chance.random() < 0.5:
            _arm(patch, chance.randrange(1, 60), chance.random() < 0.5)
        try:
            yard.round(later=chance.choice([1, 40, 700]))
        except Killed:
            pass


def _arm(patch: pytest.MonkeyPatch, last: int, before: bool) -> None:
    left = [last]

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            left[0] -= 1
            if left[0] == 0 and before:
                raise Killed
            result = real(*args, **named)
            if left[0] == 0:
                raise Killed
            return result
        return call

    for owner, name in ((git, "run"), (git, "push"), (git, "update_refs"), (fsio, "append"), (fsio, "append_to"), (fsio, "write"),
                        (fsio, "swap")):
        patch.setattr(owner, name, dying(getattr(owner, name)))


class History:
    def __init__(self, yard: Yard, chance: random.Random) -> None:
        self.yard, self.chance, self.count = yard, chance, 0
        self.outsiders: list[str] = []
        self.chains: list[tuple[str, str]] = []
        self.start = yard.tip()

    def _name(self) -> str:
        self.count += 1
        return f"b{self.count}"

    def good(self) -> None:
        name = self._name()
        self.yard.submit(name, {f"{name}.txt": "fine\n"}, worker=name, priority=self.chance.randrange(5))

    def bad(self) -> None:
        name = self._name()
        self.yard.submit(name, {f"{name}.txt": "BAD\n"}, worker=name)

    def clash(self) -> None:
        base = self.yard.tip()
        for name in (self._name(), self._name()):
            self.yard.submit(name, {"src/app.py": f"{name}\n"}, worker=name, base=base)

    def burst(self) -> None:
        for _ in range(self.chance.randrange(2, 7)):
            self.chance.choice([self.good, self.good, self.bad])()

    def chain(self) -> None:
        """A child whose bead is blocked by its parent's, submitted before it."""
        child, parent = self._name(), self._name()
        self.yard.submit(child, {f"{child}.txt": "fine\n"}, worker=child, priority=0)
        self.yard.submit(parent, {f"{parent}.txt": self.chance.choice(["fine\n", "BAD\n"])}, worker=parent)
        link = {"issue_id": f"gp-{child}", "depends_on_id": f"gp-{parent}", "type": "blocks"}
        self.yard.put({**self.yard.get(f"gp-{child}"), "dependencies": [link]})
        self.chains.append((f"gp-{child}", f"gp-{parent}"))

    def outside(self) -> None:
        name = self._name()
        self.outsiders.append(self.yard.outsider({f"{name}.txt": "fine\n"}))

    def outside_bad(self) -> None:
        self.outsiders.append(self.yard.outsider({"outside.txt": "BAD\n"}))

    def mend(self) -> None:
        self.outsiders.append(self.yard.outsider({"outside.txt": f"mended {self._name()}\n"}))

    def local_move(self) -> None:
        name = self._name()
        self.outsiders.append(self.yard.commit(f"polecat/{name}/evil@1", {f"{name}.txt": "BAD\n"}))
        (Path(self.yard.rig.repo) / "refs/heads/main").write_text(self.outsiders[-1] + "\n")

    def reassign(self) -> None:
        waiting = queue.in_order(self.yard.rig, self.yard.now)
        if waiting:
            bead = self.yard.get(requests.parse(self.chance.choice(waiting)).source)
            if bead["status"] != "closed":
                self.yard.put({**bead, "claim_fence": bead["claim_fence"] + 1, "assignee": "gp/polecats/other", "status": "hooked"})

    def retry(self) -> None:
        for found in queue.requests(self.yard.rig):
            request = requests.parse(found)
            bead = self.yard.get(request.source)
            if not request.open and bead["claim_fence"] == request.fence and bead["status"] != "closed":
                queue.retry(self.yard.rig, request.id, caller=self.yard.person(), now=self.yard.now)

    def check(self) -> None:
        yard = self.yard
        landed = yard.tip("refs/gt/landed/main") if yard.has("refs/gt/landed/main") else self.start
        for commit in yard.rig_git("rev-list", "--first-parent", f"{self.start}..{landed}").splitlines():
            if commit not in self.outsiders or commit == landed:  # outsiders' tips were tested, what they pushed together was not
                listing = builders.run(["git", f"--git-dir={yard.rig.repo}", "grep", "-q", "BAD", commit, "--", "*.txt"])
                assert listing.code == 1, f"{commit} is red"
        for request in map(requests.parse, queue.requests(yard.rig, closed=True)):
            bead = yard.get(request.source)
            known = {**bead.get("metadata", {}), **request.record["metadata"]}
            work = known.get("landed_as", request.head)
            inside = builders.run(["git", f"--git-dir={yard.rig.repo}", "merge-base", "--is-ancestor", work, landed]).code == 0
            if bead["status"] == "closed":
                assert inside, f"{request.source} is closed, its work is not in the target"
                assert yard.mails().count(f"MERGED {request.source}") <= 1
            if request.state in (requests.FAILED, requests.CONFLICT, requests.SUPERSEDED):
                assert not inside or bead["claim_fence"] != request.fence
        for child, parent in self.chains:
            assert yard.get(child)["status"] != "closed" or yard.get(parent)["status"] == "closed", f"{child} landed before {parent}"
        for outsider in self.outsiders:
            holders = builders.run(["git", f"--git-dir={yard.rig.repo}", "for-each-ref", "--contains", outsider]).out
            in_remote = builders.run(["git", "-C", str(yard.remote), "merge-base", "--is-ancestor", outsider, "main"]).code == 0
            assert holders or in_remote, f"{outsider} is lost"
        assert Ledger(yard.rig.beads).problems() == []
