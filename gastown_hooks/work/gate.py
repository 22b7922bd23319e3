"""Gates: the rig's own commands (work/trial runs them), what they said of a commit, and the record that a landing needs.

A verdict is pass, fail, timeout or infra; infra (no such command, no space, no worktree, killed from outside, other settings at its end
than at its start) is no verdict on anybody's change. A pass is kept by tree and configuration (work/passes) and not asked for again
while both stay the same. Each commit that passed, or has the tree of one that did, has its record: a git note in `refs/notes/gates`,
JSON {tree, commit, gates, config, verdict, seconds, at}, and {from, ran_at} where the gates ran on another commit of that tree.
"""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType

from gastown_hooks.core import clock
from gastown_hooks.core.errors import Refused
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig
from gastown_hooks.core.values import replace
from gastown_hooks.stores import config, events, git
from gastown_hooks.stores.repo import Repo
from gastown_hooks.work import flakes, last_red, passes, trial
from gastown_hooks.work.trial import FAIL, INFRA, PASS, TIMEOUT, Trial, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
else:
    json = late("json")

__all__ = ["FAIL", "INFRA", "NOTES", "PASS", "TIMEOUT", "Trials", "Verdict", "commands", "confirm", "confirmed", "record", "recorded",
           "run"]

NONE = "none"
NOTES = "gates"


def commands(rig: Rig) -> list[str]:
    """The rig's gate commands; empty for `"none"`. Raises Refused while nobody said what the gates are (I9)."""
    gates = config.rig_settings(rig).gates
    if gates is None:
        raise Refused(f"nothing lands in {rig.name}", why="no gates configured",
                      next=f"gt config set {rig.name}.gates 'pytest -q', or in so many words: none")
    return [] if gates == NONE else list(gates)


class Trials:
    """Gate runs under way at once, each known by a number of the caller's. Leaving the block ends what still runs."""

    def __init__(self, rig: Rig, now: int) -> None:
        self._rig, self._now = rig, now
        self._known: dict[int, Verdict] = {}
        self._trials: dict[int, tuple[trial.Job, Trial]] = {}

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.keep(())

    @property
    def running(self) -> Collection[int]:
        return self._trials.keys()

    def start(self, number: int, commit: str, *, name: str, again: bool = False) -> None:
        """Begin a run of the gates on this commit's tree, or take the pass that is known."""
        wanted, tree = commands(self._rig), Repo(self._rig.repo).tree(commit)
        if not wanted:
            self._known[number] = Verdict(PASS, "no gates, by the rig's settings", tree=tree)
        elif passes.find(self._rig, tree) is not None or recorded(self._rig, commit) is not None:
            self._known[number] = Verdict(PASS, "passed before", tree=tree)
        else:
            job = trial.Job(self._rig, commit, tree, last_red.in_order(self._rig, wanted), name, again, not self._trials,
                            passes.configuration(self._rig))
            self._trials[number] = job, Trial(trial.steps(job))

    def keep(self, wanted: Collection[int]) -> None:
        """End the runs that are not wanted any more."""
        for number in [number for number in self._trials if number not in wanted]:
            job, ended = self._trials.pop(number)
            ended.close()
            self._tell(job, "cancelled", 0.0)

    def ended(self) -> dict[int, Verdict]:
        """Wait until at least one run has ended; the verdicts of all that have."""
        found, self._known = self._known, {}
        if not found:
            trial.await_any([one for _, one in self._trials.values()])
        for number, (job, one) in list(self._trials.items()):
            if one.verdict is not None:
                verdict = replace(one.verdict, tree=job.tree)
                if job.configuration != passes.configuration(self._rig):
                    verdict = replace(verdict, result=INFRA, reason="the rig's settings were changed while the gates ran")
                found[number] = verdict
                del self._trials[number]
                self._tell(job, verdict.result, verdict.seconds)
                if verdict.green:
                    passes.keep(self._rig, job.tree, job.commit, verdict.seconds, clock.stamp(self._now))
        return found

    def _tell(self, job: trial.Job, verdict: str, seconds: float) -> None:
        events.emit(self._rig.town, "gate_run", f"{self._rig.name}/refinery",
                    {"rig": self._rig.name, "name": job.name, "commit": job.commit, "verdict": verdict, "seconds": seconds}, self._now)


def run(rig: Rig, commit: str, now: int, *, name: str = "gate", again: bool = False) -> Verdict:
    """Run the gates on this commit's tree, or take the pass that is known. `again` adds to the log of the run before."""
    with Trials(rig, now) as trials:
        trials.start(0, commit, name=name, again=again)
        verdict = trials.ended()[0]
    if verdict.green:
        record(rig, commit, verdict, now)
    return verdict


def confirmed(rig: Rig, commit: str, now: int, *, name: str = "gate") -> Verdict:
    """Like `run`, but a red result is confirmed."""
    first = run(rig, commit, now, name=name)
    return confirm(rig, commit, first, now, name=name) if first.red else first


def confirm(rig: Rig, commit: str, first: Verdict, now: int, *, name: str) -> Verdict:
    """Run once more on the tree that `first` found red; red, then green, is a flake: written down, and counted as green."""
    second = run(rig, commit, now, name=name, again=True)
    if second.green:
        flakes.note(rig, {"commit": commit, "tree": first.tree, "reason": first.reason, "name": name}, first.tests, now)
    return replace(second, flake=second.green, runs=first.runs + second.runs, seconds=first.seconds + second.seconds)


def recorded(rig: Rig, commit: str) -> dict[str, object] | None:
    """The commit's gate record, if it is a pass of exactly this tree as the rig is configured now."""
    repo = Repo(rig.repo)
    try:
        note = json.loads(repo.note(commit, NOTES) or "null")
    except ValueError:
        return None
    good = (isinstance(note, dict) and note.get("verdict") == PASS and note.get("tree") == repo.tree(commit)
            and note.get("config") == passes.configuration(rig))
    return note if good else None


def record(rig: Rig, commit: str, verdict: Verdict, now: int) -> None:
    """Note the pass on the commit, unless that is there. Where the gates ran on another commit of this tree, the note names it."""
    tree = Repo(rig.repo).tree(commit)
    if not verdict.green or verdict.tree != tree:
        raise ValueError(f"{verdict.result} of tree {verdict.tree} is no pass of {commit}")
    if recorded(rig, commit) is not None:
        return
    ran = passes.find(rig, tree)
    note = {"tree": tree, "commit": commit, "gates": commands(rig) or NONE, "config": passes.configuration(rig), "verdict": verdict.result,
            "seconds": ran["seconds"] if ran else verdict.seconds, "at": clock.stamp(now)}
    if ran and ran["commit"] != commit:
        note |= {"from": ran["commit"], "ran_at": ran["at"]}
    text = json.dumps(note, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
    who = git.identity(f"{rig.name}/refinery", config.owner_email(rig.town))
    git.run(rig.repo, "notes", f"--ref={NOTES}", "add", "--force", "--file=-", commit, input=text, env=who)
