"""Giving a bead to whoever has proven that they can do it: a worker's name, an agent program, and why; then a plain sling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import dispatch, track
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import Ledger
from gastown_hooks.work import sling
from gastown_hooks.work import track as work
from gastown_hooks.work.beadwrite import existing


@dataclass(frozen=True, slots=True)
class Chosen:
    """`name` and `agent` None: nobody is preferred, the sling takes its own."""

    name: str | None
    agent: str | None
    skills: list[str]
    why: list[str]


def choose(town: Town, bead_id: str, rig: Rig, skills: Sequence[str],
           is_able: Callable[[str], bool] | None) -> Chosen:
    """By the history of the whole town for the agent program (which must be able; None: it is not asked for), of the rig's workers for the
    name. Without skills those of the bead count. Raises NotFound."""
    ledger = Ledger(rig.beads)
    bead = existing(ledger, bead_id)
    wanted = list(skills) or list(track.skills(bead))
    jobs = work.jobs([Ledger(one.beads) for one in town.rigs()], town)
    own, taken = f"{rig.name}/polecats/", list[set[str]]()

    def is_free(name: str) -> bool:
        if not taken:
            taken.append(sling.names_in_use(rig, known.at_work(known.beads(ledger))))
        return name not in taken[0]

    worker = dispatch.best(jobs, wanted, lambda job: job.actor.removeprefix(own) if job.actor.startswith(own) else "",
                           is_free, "worker")
    why = [worker.why]
    program = dispatch.Choice("", "")
    if is_able is not None:
        program = dispatch.best(jobs, wanted, lambda job: job.agent, is_able, "agent program")
        why.append(program.why)
    return Chosen(worker.name or None, program.name or None, wanted, why)
