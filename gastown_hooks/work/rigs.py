"""The rigs of a town: listing them and looking at one. Adding is in rig_add, removing in rig_remove."""

from __future__ import annotations

from gastown_hooks.core.errors import Corrupt, GastownError
from gastown_hooks.core.late import late
from gastown_hooks.core.paths import Rig, Town
from gastown_hooks.core.system import os
from gastown_hooks.core.values import asdict, dataclass
from gastown_hooks.rules import claims, convoys, requests
from gastown_hooks.stores import config, index, known
from gastown_hooks.stores.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gastown_hooks.stores import repo

    Record = dict[str, Any]
else:
    repo = late("gastown_hooks.stores.repo")


@dataclass(frozen=True, slots=True)
class Summary:
    """One rig in a line. `problem` says why the rest is empty."""

    name: str
    prefix: str = ""
    target: str = ""
    url: str | None = None
    source: str | None = None
    gates: list[str] | str | None = None
    workers: int = 0
    crew: int = 0
    queued: int = 0
    open_beads: int = 0
    problem: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def listing(town: Town) -> list[Summary]:
    """Every rig, by name; a damaged one is told with its problem, a half-made one too."""
    found = [_told(rig) for rig in town.rigs()]
    return sorted(found + [Summary(rig.name, problem="begun and not finished: run its gt rig add again") for rig in half_made(town)],
                  key=lambda summary: summary.name)


def half_made(town: Town) -> list[Rig]:
    """Rigs whose add was begun and not finished."""
    rigs = [town.rig(name) for name in sorted(os.listdir(town.root)) if not name.startswith(".")]
    return [rig for rig in rigs if os.path.exists(rig.adding) and not rig.exists()]


def summary(rig: Rig) -> Summary:
    """Raises NotFound, BadConfig, Corrupt."""
    made, ledger = config.rig_config(rig), Ledger(rig.beads)
    return Summary(rig.name, made.prefix, made.target, made.url, made.source, config.rig_settings(rig).gates,
                   len(folders(rig.polecats)), len(folders(rig.crew_root)), *_counts(ledger))


def _counts(ledger: Ledger) -> tuple[int, int]:
    """How many merge requests, and how many other beads, are open."""
    its = known.known(ledger)
    if its is not None:
        town = [("scope", True, (index.TOWN,)), ("status", False, ("closed", "tombstone")), ("kind", False, (requests.TYPE,))]
        return (its.index.count_listed(known.OPEN_REQUESTS),
                its.index.count_listed([("scope", True, (index.SHOWN,))]) + its.index.count_listed(town))
    there = [r for r in ledger.all().values() if r.get("status") not in ("closed", "tombstone")]
    return len(requests.among(there)), sum(r.get("issue_type") != requests.TYPE for r in there)


def status(rig: Rig) -> dict[str, Any]:
    """The rig in detail: what `gt rig status` shows."""
    found = summary(rig)
    refs = repo.Repo(rig.repo)
    return {**found.as_json(), "repository": rig.repo, "tip": refs.resolve(f"refs/heads/{found.target}"),
            "landed": refs.resolve(requests.landed_ref(found.target)),
            "roles": [role for role, home in (("witness", rig.witness), ("refinery", rig.refinery), ("mayor", rig.mayor))
                      if os.path.isdir(home.root)],
            "polecats": folders(rig.polecats), "crew_names": folders(rig.crew_root),
            "hooks": hook_lines(rig), "queue": request_lines(known.those(Ledger(rig.beads), known.OPEN_REQUESTS))}


def hook_lines(rig: Rig) -> list[dict[str, object]]:
    """Each worker with its bead and the open convoys that follow it."""
    following = convoys.following(known.those(Ledger(rig.town.beads), known.OPEN_CONVOYS).values())
    held = claims.by_worker(rig.name, known.claims(Ledger(rig.beads)))
    return [{"worker": name, "bead": bead["id"], "convoys": following.get(bead["id"], [])} for name, bead in sorted(held.items())]


def request_lines(records: Mapping[str, Record]) -> list[dict[str, object]]:
    """The unsettled merge requests as lists show them; a damaged one says so in its reason."""
    lines: list[dict[str, object]] = []
    for found in requests.among(records.values()):
        try:
            request = requests.parse(found)
            lines.append({"id": request.id, "bead": request.source, "worker": request.worker, "state": request.state,
                          "reason": request.reason})
        except Corrupt as error:
            lines.append({"id": found["id"], "bead": "", "worker": "", "state": requests.FAILED, "reason": str(error)})
    return lines


def folders(path: str) -> list[str]:
    """The names of the folders below `path`; none where it is absent."""
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)) if os.path.isdir(path) else []


def has_role(rig: Rig, role: str) -> bool:
    """Whether the rig was made with this role."""
    return os.path.isdir({"witness": rig.witness, "refinery": rig.refinery, "mayor": rig.mayor}[role].root)


def _told(rig: Rig) -> Summary:
    try:
        return summary(rig)
    except GastownError as error:
        return Summary(rig.name, problem=str(error))
