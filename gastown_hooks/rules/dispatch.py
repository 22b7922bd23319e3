"""Who of several has proven most in what a bead needs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from gastown_hooks.core.values import dataclass
from gastown_hooks.rules import track
from gastown_hooks.rules.track import Job


@dataclass(frozen=True, slots=True)
class Choice:
    """The one, or "" where nobody has proven anything; and why."""

    name: str
    why: str


def best(found: Sequence[Job], skills: Collection[str], name_of: Callable[[Job], str], free: Callable[[str], bool],
         what: str) -> Choice:
    """The free one with the best record in any of these skills (none: in whatever). Whose next try would rather fail is not chosen."""
    parts: dict[str, list[Job]] = {}
    for job in found:
        if name_of(job) and (not skills or set(skills) & set(job.skills)):
            parts.setdefault(name_of(job), []).append(job)
    order = sorted(parts, key=lambda name: (-track.standing(parts[name]), -len(parts[name]), name))
    kind = "/".join(sorted(skills)) or "all"
    told = {name: f"{name} did {sum(job.clean for job in parts[name])} of {len(parts[name])} {kind} tasks at the first try"
            for name in order}
    good = [name for name in order if track.standing(parts[name]) > 0.5]
    chosen = next((name for name in good if free(name)), "")
    if not chosen:
        worse = next((name for name in order if name not in good and free(name)), "")
        reason = f"{told[good[0]]}, but is not free" if good else told[worse] if worse else f"nobody has finished {kind} tasks"
        return Choice("", f"no {what} is preferred: {reason}")
    busy = [f"{name} is not free" for name in good[:good.index(chosen)]]
    nearest = next((told[name] for name in good[good.index(chosen) + 1:] if free(name)), "")
    return Choice(chosen, "; ".join([f"{what} {told[chosen]}", *busy[:1], *([f"next: {nearest}"] if nearest else [])]))
