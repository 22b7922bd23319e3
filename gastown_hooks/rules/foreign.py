"""References to beads of other projects: `external:PROJECT:ID`, `external:PROJECT:CAPABILITY`, `beads://HOST/ORG/REPO/ID`. Lean: hot.

What such a bead's state is here is a record too, with the reference as its id: its status is `unknown` where nobody can tell, and that
holds whoever waits for it. A capability is there when a closed bead has the label `provides:NAME`.
"""

from __future__ import annotations

from gastown_hooks.core import clock
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.ids import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gastown_hooks.core.record import Record

UNKNOWN = "unknown"
KIND = "external"  # the type of such a record: nothing to pick up
_BEADS = "beads://"
_KEPT = ("title", "status", "priority", "close_reason")


def parsed(reference: str) -> tuple[str, str]:
    """(project, bead or capability). Raises BadInput."""
    if reference.startswith(_BEADS):
        project, slash, name = reference[len(_BEADS):].rpartition("/")
        whole = bool(slash) and project.count("/") == 2 and all(project.split("/"))
    else:
        _, project, name = [*reference.split(":", 2), "", ""][:3]
        whole = "." not in project.split("/")
    if not (whole and project and name) or len(reference) > 300 or not reference.isprintable() or " " in reference:
        raise BadInput(f"{shown(reference)} names no bead of another project", why="it looks like external:PROJECT:ID or beads://HOST/ORG/REPO/ID")
    return project, name


def is_origin(url: str, project: str) -> bool:
    """Whether a remote's address is that of HOST/ORG/REPO; a host may be without its last part, `github` for `github.com`."""
    parts = url.partition("://")[2] or url.replace(":", "/", 1)
    found = [part.rpartition("@")[2] for part in parts.removesuffix("/").removesuffix(".git").lower().split("/")][-3:]
    if len(found) < 3:
        return False
    host, wanted = found[0].partition(":")[0], project.lower().split("/")
    return found[1:] == wanted[1:] and wanted[0] in (host, host.rpartition(".")[0])


def found(beads: Mapping[str, Record], name: str) -> Record | None:
    """What is to be remembered of the bead of another project that is meant; None where there is none, or it was deleted."""
    bead = beads.get(name)
    if bead is None:
        able = [one for one in beads.values() if one.get("status") != "tombstone" and _labels(one) & {f"provides:{name}", f"export:{name}"}]
        done = [one for one in able if one.get("status") == "closed" and f"provides:{name}" in _labels(one)]
        bead = next(iter(sorted(done or able, key=lambda one: str(one["id"]))), None)
        if bead is not None and not done and bead.get("status") == "closed":
            return {**_kept(bead), "status": "open"}  # closed, and not provided: it has not been shipped
    return None if bead is None or bead.get("status") == "tombstone" else _kept(bead)


def newer(one: Record, other: Record) -> Record:
    """The later of two states of a bead."""
    return max((one, other), key=lambda bead: (_updated(bead), str(bead.get("status"))))


def unknown(reference: str, why: str) -> Record:
    return {"id": reference, "title": f"({why})", "status": UNKNOWN, "issue_type": KIND, "priority": 2, "note": why}


def _kept(bead: Record) -> Record:
    return {"bead": bead["id"], "status": "open", **{key: bead[key] for key in _KEPT if key in bead}}


def _labels(bead: Record) -> set[str]:
    labels = bead.get("labels")
    return {label for label in labels if isinstance(label, str)} if isinstance(labels, list) else set()


def _updated(bead: Record) -> int:
    try:
        return clock.parse(str(bead.get("updated_at")))
    except (ValueError, IndexError):
        return 0
