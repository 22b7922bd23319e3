"""How the town is set: the only reader of the settings files.

Settings are JSON files with the keys of TOWN_KEYS and RIG_KEYS; an unknown key is an error with its nearest known neighbour, for a
mistyped gate must not mean "no gate".
"""

from __future__ import annotations

from gastown_hooks.core import errors, fsio, ids
from gastown_hooks.core.paths import Beads, Rig, Town
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAILED_FIRST = "failed-first"


# ---- the town and its rigs ---------------------------------------------------------------------------------

class RigConfig:
    """A rig's identity, `<rig>/config.json`. `url` None: no remote, landing goes to the rig's own repository."""

    __slots__ = ("name", "prefix", "source", "target", "url")

    def __init__(self, name: str, prefix: str, target: str, url: str | None, source: str | None) -> None:
        self.name, self.prefix, self.target, self.url, self.source = name, prefix, target, url, source

    def as_json(self, created_at: str) -> dict[str, Any]:
        return {"type": "rig", "version": 1, "name": self.name, "git_url": self.url, "local_repo": self.source,
                "default_branch": self.target, "created_at": created_at, "beads": {"prefix": self.prefix}}


def rig_config(rig: Rig) -> RigConfig:
    """Raises NotFound with the known names, BadConfig for an unusable file."""
    found = fsio.read_json(rig.config)
    if found is None:
        known = ", ".join(other.name for other in rig.town.rigs()) or "none yet"
        raise errors.NotFound(f"no rig {ids.shown(rig.name)}", why=f"known rigs: {known}", next="gt rig add NAME URL")
    try:
        return RigConfig(found["name"], found["beads"]["prefix"], found["default_branch"], found["git_url"], found["local_repo"])
    except (KeyError, TypeError) as error:
        raise errors.BadConfig(f"{rig.config}: {error.args[0]}", why="the key is missing", next=f"gt rig remove {rig.name}") from None


def _town_record(town: Town) -> dict[str, Any]:
    found = fsio.read_json(town.marker)
    if not isinstance(found, dict) or not found.get("id"):
        raise errors.BadConfig(f"{town.marker}: id", why="the key is missing", next=f"gt install {town.root}")
    return found


def town_id(town: Town) -> str:
    return str(_town_record(town)["id"])


def owner_email(town: Town) -> str:
    """The address of the person who owns the town's work (seeds: GIT_AUTHOR_EMAIL)."""
    return str(_town_record(town).get("owner") or "overseer@localhost")


def mode(town: Town) -> str:
    """`by-hand` until `gt up`, then `running`."""
    found = fsio.read_json(town.mode)
    return str(found["mode"]) if isinstance(found, dict) and found.get("mode") == "running" else "by-hand"


def set_mode(town: Town, value: str) -> None:
    fsio.make_folder(os.path.dirname(town.mode))
    fsio.write_json(town.mode, {"mode": value})


# ---- settings ----------------------------------------------------------------------------------------------

TOWN_KEYS: dict[str, tuple[Any, str]] = {
    "default_agent": ("claude", "the agent program of workers where neither the rig nor the sling names one"),
    "agents": ({}, "agents.NAME = {\"command\": \"program args\", \"like\": \"claude\", \"env\": {}}: own agent programs"),
    "witness_seconds": (60, "seconds between two rounds of a rig's witness"),
    "refinery_seconds": (60, "seconds between two looks at an idle merge queue"),
    "deacon_seconds": (120, "seconds between two rounds of the deacon, who looks after convoys"),
    "fold_seconds": (60, "seconds between two folds of a ledger's journal"),
}
RIG_KEYS: dict[str, tuple[Any, str]] = {
    "gates": (None, "shell commands that must all succeed on the merged tree, or \"none\" to land without any. They find the names of the "
              "tests that failed last in the file $GT_GATE_FAILED, a line each, and for pytest: "
              "pytest --failed-first -o cache_dir=\"$GT_GATE_FAILED.pytest\""),
    "gate_slots": (1, "gates at once, each in a tree of its own: more gate runs in less time, where the machine has room for them"),
    "gate_order": ("fixed", "\"failed-first\": the gate command that failed last runs first, for commands that do not need one another; "
                   "\"fixed\": in the order given"),
    "confirm_red": (True, "run the gates once more before a red change goes back; false only for gates that never fail by chance"),
    "landing": ("merge", "\"merge\": one merge commit a landing; \"linear\": one commit a request, of which a batch's last is tested"),
    "review": ("none", "\"human\": nothing lands before a person said gt mq approve; \"pr\": before its pull request is approved"),
    "review_seconds": (30, "seconds between two looks at the pull requests"),
    "gate_timeout": (1800, "seconds after which a gate counts as hung"),
    "agent": ("", "the agent program of this rig's workers; empty: the town's"),
    "setup": ("", "shell command run once in each new tree"),
    "copy": ([], "files of the rig's folder (such as .env) copied into new trees"),
    "link": ([], "files of the rig's folder linked into new trees"),
    "max_workers": (30, "workers at once"),
    "max_turns": (8, "turns of an agent program for one claim before somebody is asked"),
    "turn_seconds": (3600, "wall-clock limit of one turn"),
    "permission_mode": ("bypassPermissions", "what a worker's Claude Code may do unasked: bypassPermissions, auto, acceptEdits …"),
    "budget_usd": (0.0, "what all turns for one bead may cost, in US dollars; 0: no limit"),
    "idle_seconds": (1800, "a turn without any output or commit for so long is ended"),
    "resend_seconds": (30, "wait before a landing that the remote refused or missed is tried again; doubles up to 32 times"),
}
LEDGER_KEYS: dict[str, tuple[Any, str]] = {
    "issue_prefix": ("bd", "what the ids of this ledger begin with; bd rename-prefix changes it"),
    "ledger": ("own-branch", "how git keeps the ledger: code-branch or own-branch; bd init decides it"),
    "external_projects": ({}, "external_projects.NAME = FOLDER: the clone in which external:NAME:ID is looked up, relative to the folder "
                          "of .beads; beads://HOST/ORG/REPO/ID in the one that came from there. In a town its own ledger has them for all"),
    "push_seconds": (0, "bd sync pushes at most once in so many seconds; what waits goes with the next one"),
}
_OPEN = ("agents", "external_projects")  # keys with names of the user's own below them
_CHOICES = {"landing": ("merge", "linear"), "review": ("none", "human", "pr"), "gate_order": ("fixed", FAILED_FIRST)}
_WANTED = {"gates": '"none" or a list of commands', "external_projects": "an object of names and folders",
           **{key: f"one of {', '.join(choices)}" for key, choices in _CHOICES.items()}}
_KINDS = {int: "a whole number above 0", float: "a number, 0 or more", bool: "true or false", str: "a text", list: "a list of texts",
          dict: "a JSON object"}
_TYPES = {"gates": (list, str, type(None)), "agents": (dict,), "budget_usd": (float, int)}


class Settings:
    """One settings file's values with the defaults filled in; attributes are the keys."""

    def __init__(self, path: str, keys: dict[str, tuple[Any, str]], values: dict[str, Any]) -> None:
        self.path, self.values = path, {key: values.get(key, default) for key, (default, _) in keys.items()}

    def __getattr__(self, key: str) -> Any:
        try:
            return self.__dict__["values"][key]
        except KeyError:
            raise AttributeError(key) from None


def town_settings(town: Town) -> Settings:
    return Settings(town.settings, TOWN_KEYS, _load(town.settings, TOWN_KEYS))


def rig_settings(rig: Rig) -> Settings:
    return Settings(rig.settings, RIG_KEYS, _load(rig.settings, RIG_KEYS))


def ledger_settings(beads: Beads) -> Settings:
    return Settings(beads.config, LEDGER_KEYS, _load(beads.config, LEDGER_KEYS))


def get(town: Town | None, place: Rig | Beads | None, key: str) -> Any:
    """The value in force for a key (dotted below `agents` and `external_projects`)."""
    path, keys = _scope(town, place)
    head, _, rest = known(key, keys, path).partition(".")
    value = Settings(path, keys, _load(path, keys)).values[head]
    return value.get(rest) if rest and isinstance(value, dict) else value


def is_set(beads: Beads, key: str) -> bool:
    """Whether a ledger's settings hold the key."""
    return key in _load(beads.config, LEDGER_KEYS)


def set(town: Town | None, place: Rig | Beads | None, key: str, value: Any, *, dry_run: bool = False) -> None:
    """Store a value; None removes the key, so that its default is in force again. The caller holds the settings' lock."""
    set_many(town, place, {key: value}, dry_run=dry_run)


def set_many(town: Town | None, place: Rig | Beads | None, changes: dict[str, Any], *, dry_run: bool = False) -> None:
    """Like `set`, all of them or none."""
    path, keys = _scope(town, place)
    values = _load(path, keys)
    for key, value in changes.items():
        values = _changed(path, keys, values, key, value)
    if not dry_run:
        fsio.make_folder(os.path.dirname(path))
        fsio.write_json(path, values)


def _changed(path: str, keys: dict[str, tuple[Any, str]], values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The settings with that one changed. Raises BadConfig."""
    head, _, rest = known(key, keys, path).partition(".")
    if head == "gates" and isinstance(value, str) and value != "none":
        value = [value]
    if rest:
        inner = {**values.get(head, {}), rest: value}
        value = {k: v for k, v in inner.items() if v is not None}
    _check(path, head, value, keys)
    return {k: v for k, v in {**values, head: value}.items() if v is not None}


def explain(rig_key: bool, key: str) -> str:
    """What a key means and its default."""
    keys = RIG_KEYS if rig_key else TOWN_KEYS
    default, meaning = keys[known(key, keys, "settings").partition(".")[0]]
    return f"{key}: {meaning} (default: {default!r})"


def known(key: str, keys: dict[str, tuple[Any, str]], path: str) -> str:
    """The key, checked. Raises BadConfig naming the nearest known one."""
    head, dot, rest = key.partition(".")
    if head in keys and (not dot or (head in _OPEN and rest)):
        return key
    raise errors.BadConfig(f"{path}: {ids.shown(key)}", why=f"unknown key; the nearest is {ids.nearest(head, list(keys))}",
                    next=f"{_program(keys)} config explain")


def _program(keys: dict[str, tuple[Any, str]]) -> str:
    return "bd" if keys is LEDGER_KEYS else "gt"


def _scope(town: Town | None, place: Rig | Beads | None) -> tuple[str, dict[str, tuple[Any, str]]]:
    """A ledger's settings, a rig's, or else the town's."""
    if isinstance(place, Beads):
        return place.config, LEDGER_KEYS
    if place is not None:
        rig_config(place)
        return place.settings, RIG_KEYS
    assert town is not None
    return town.settings, TOWN_KEYS


def _load(path: str, keys: dict[str, tuple[Any, str]]) -> dict[str, Any]:
    found = fsio.read_json(path)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise errors.BadConfig(path, why="not a JSON object")
    for key, value in found.items():
        if not key.startswith("x-"):  # x-…: other programs' own
            _check(path, known(key, keys, path), value, keys)
    return found


def _check(path: str, key: str, value: Any, keys: dict[str, tuple[Any, str]]) -> None:
    default = keys[key][0]
    wanted = _TYPES.get(key, (type(default),))
    good = isinstance(value, wanted) and (isinstance(value, bool) is isinstance(default, bool))
    if key == "gates" and good and value is not None:
        good = value == "none" or (isinstance(value, list) and value != [])
    if key in _CHOICES and good:
        good = value in _CHOICES[key]
    if key == "external_projects" and good and value is not None:
        good = all(isinstance(folder, str) and folder.strip() for folder in value.values())
    if isinstance(value, list):
        good = good and all(isinstance(x, str) and x.strip() for x in value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        good = good and (value > 0 or value == default)
    if not good and value is not None:
        want = _WANTED.get(key) or _KINDS[type(default)]
        raise errors.BadConfig(f"{path}: {key}", why=f"{ids.shown(repr(value))} is not {want}",
                               next=f"{_program(keys)} config explain {key}")
