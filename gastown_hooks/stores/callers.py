"""Who calls, and what the environment says: its only reader, but for git's own variables.

Identity: `BEADS_ACTOR`, `BD_ACTOR` / `GT_ROLE` first, then the working directory (a person in a crew tree), else `overseer`. An environment
variable is a claim, not a proof.
"""

from __future__ import annotations

from gastown_hooks.core import errors, fsio, ids, system
from gastown_hooks.core.paths import Town, find_town
from gastown_hooks.core.system import os

PASSED = ("PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "SSH_AUTH_SOCK", "PYTHONDONTWRITEBYTECODE",
          "GT_PASS_ENV", "GT_WAKE", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "NO_COLOR", "VIRTUAL_ENV", "IS_SANDBOX")
PASSED_PREFIXES = ("LC_", "XDG_")


class Writer:
    """A worker's claim, which every ledger write of its own must still hold (I8)."""

    __slots__ = ("actor", "bead", "fence")

    def __init__(self, actor: str, bead: str, fence: int) -> None:
        self.actor, self.bead, self.fence = actor, bead, fence


class Caller:
    """Who runs this command, from where, and for which claim."""

    __slots__ = ("actor", "bead", "cwd", "fence", "name", "rig", "role", "token", "town")

    def __init__(self, actor: str, cwd: str, town: Town | None = None, *, bead: str | None = None,
                 fence: int | None = None, token: str | None = None) -> None:
        self.actor, self.cwd, self.town = ids.actor(actor), cwd, town
        self.bead, self.fence, self.token = bead, fence, token
        self.role, self.rig, self.name = _role_of(actor)

    def writer(self) -> Writer | None:
        """The claim to check at each write; None for everybody who is not a worker."""
        if self.role != "polecat":
            return None
        return Writer(self.actor, self.bead or "", self.fence or 0)

    def in_town(self) -> Town:
        if self.town is None:
            raise errors.NotATown(f"{self.cwd} is not in a town", why="no mayor/town.json at or above it",
                           next="cd into your town, or make one: gt install ~/gt")
        return self.town


def caller(cwd: str | None = None) -> Caller:
    """The caller, from the environment, else the working directory. Raises BadInput for an impossible identity."""
    folder = os.path.abspath(cwd or _here())
    town = _town(folder)
    actor = named_actor() or _actor_at(folder, town)
    role, rig, name = _role_of(actor)
    bead, fence, token = (system.variable(name) for name in ("GT_BEAD", "GT_FENCE", "GT_TOKEN"))
    if fence is not None and not fence.isdecimal():
        raise errors.BadInput(f"GT_FENCE={ids.shown(fence)} is no fence", why="a whole number is expected")
    if role == "polecat" and fence is None and town and rig and name:
        home = town.rig(rig).polecat(name)
        if _inside(folder, home.root):  # by hand, in the worker's own tree: the tree is its claim
            lease = fsio.read_json(home.lease)
            bead, fence = (lease.get("bead"), str(lease.get("fence", 0))) if isinstance(lease, dict) else (None, "0")
    return Caller(actor, folder, town, bead=bead, fence=int(fence) if fence else None, token=token)


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise errors.NotFound("the folder that you are in is gone", why="somebody removed it", next="cd to one that is there") from None


def variable(name: str, default: str = "") -> str:
    """One environment variable."""
    found = system.variable(name)
    return default if found is None else found


def named_actor() -> str:
    """Who the environment says is calling; "" where it says nothing. The first variable is its ecosystem's own, and goes first there."""
    return variable("BEADS_ACTOR") or variable("BD_ACTOR")


def act_as(actor: str) -> None:
    """From now on this process, and what it starts, acts as that identity. Raises BadInput."""
    os.environ["BD_ACTOR"] = ids.actor(actor)
    os.environ.pop("BEADS_ACTOR", None)


def wake_mode() -> str:
    """How wakes are carried out: `spawn` (detached), `inline` (in the foreground) or `off`."""
    mode = variable("GT_WAKE", "spawn")
    if mode not in ("spawn", "inline", "off"):
        raise errors.BadInput(f"GT_WAKE={ids.shown(mode)}", why="known: spawn, inline, off")
    return mode


def clean_environment(extra: dict[str, str]) -> dict[str, str]:
    """What roles, gates and workers inherit: an allow-list, so that nobody gets another's token, GIT_DIR or session.

    GT_PASS_ENV names further variables to pass on, colon-separated.
    """
    names = {*PASSED, *variable("GT_PASS_ENV").split(":")}
    kept = {k: v for k, v in os.environ.items() if k in names or k.startswith(PASSED_PREFIXES)}
    return {**kept, **extra}


def persons_environment(extra: dict[str, str]) -> dict[str, str]:
    """All that the caller has but its identity, and `extra`: for a program that a person goes on with in the same terminal."""
    return {**{name: value for name, value in os.environ.items() if name != "BEADS_ACTOR"}, **extra}


def _town(folder: str) -> Town | None:
    override = variable("GT_TOWN_ROOT") or variable("GT_ROOT")
    if not override:
        return find_town(folder)
    town = Town(os.path.abspath(override))
    if not os.path.exists(town.marker):
        raise errors.NotATown(f"{ids.shown(override)} is not a town", why="GT_ROOT names it, but it has no mayor/town.json",
                       next="unset GT_ROOT GT_TOWN_ROOT")
    return town


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _actor_at(folder: str, town: Town | None) -> str:
    if town and _inside(folder, town.root):
        parts = folder[len(town.root) + 1:].split("/")
        if len(parts) >= 3 and parts[1] in ("polecats", "crew") and town.rig(parts[0]).exists():
            return "/".join(parts[:3])
        if parts[0] in ("mayor", "deacon"):
            return parts[0]
        if len(parts) >= 2 and parts[1] in ("witness", "refinery") and town.rig(parts[0]).exists():
            return "/".join(parts[:2])
    return "overseer"


def _role_of(actor: str) -> tuple[str, str | None, str | None]:
    """(role, rig, name) of an identity of the seeds' BD_ACTOR table."""
    parts = actor.split("/")
    if len(parts) == 3 and parts[1] in ("polecats", "crew"):
        return ("polecat" if parts[1] == "polecats" else "crew"), parts[0], parts[2]
    if len(parts) == 2 and parts[1] in ("witness", "refinery"):
        return parts[1], parts[0], None
    return actor, None, None
