"""Changing settings: the words of a command line become a checked value, under the settings' lock."""

from __future__ import annotations

import json
from typing import Any

from gastown_hooks.core import ids, lock
from gastown_hooks.core.errors import BadInput, NotFound, Refused
from gastown_hooks.core.paths import Beads, Rig, Town
from gastown_hooks.stores import config, events

_AGENT_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def scope(town: Town, path: str) -> tuple[Rig | None, str]:
    """(rig, key) of `key` or `<rig>.key`. Raises NotFound for a rig that is not there."""
    head, dot, rest = path.partition(".")
    if not dot or head in config.TOWN_KEYS:
        return None, path
    return town.rig(ids.name(head, "rig")), rest


def value_of(key: str, words: list[str]) -> Any:
    """The value that the words mean for the key's type: a number, a text, or a list with one entry a word (or one JSON list)."""
    head = key.partition(".")[0]
    default, _ = {**config.TOWN_KEYS, **config.RIG_KEYS, **config.LEDGER_KEYS}.get(head, ("", ""))
    program = "bd" if head in config.LEDGER_KEYS else "gt"
    if head == "external_projects" and head != key:
        default = ""
    if head == "gates" and words == ["none"]:
        return "none"
    if head == "gates" or isinstance(default, list):
        return _list(key, words)
    if len(words) != 1:
        raise BadInput(f"{key} takes one value", next=f"{program} config explain {ids.shown(key)}")
    if isinstance(default, bool):
        if words[0] not in ("true", "false"):
            raise BadInput(f"{key} is true or false", why=f"not {ids.shown(words[0])}", next=f"gt config explain {key}")
        return words[0] == "true"
    if isinstance(default, float):
        return _amount(key, words[0])
    if isinstance(default, int):
        if not (words[0].isascii() and words[0].isdecimal()):
            raise BadInput(f"{key} is a number", why=f"not {ids.shown(words[0])}", next=f"{program} config explain {key}")
        return int(words[0][:18])
    return _json(key, words[0]) if isinstance(default, dict) else words[0]


def change(town: Town, path: str, value: Any, *, actor: str, dry_run: bool, now: int) -> list[str]:
    """Set a key (None: back to its default); returns the act. Raises BadConfig naming the key and its nearest known neighbour."""
    rig, key = scope(town, path)
    act = f"set {path} to {json.dumps(value, ensure_ascii=False)}" if value is not None else f"set {path} back to its default"
    with lock.acquire(rig.lock("settings") if rig else town.lock("settings")):
        config.set(town, rig, key, value, dry_run=dry_run)
    if not dry_run:
        events.emit(town, "config", actor, {"acts": [act]}, now)
    return [act]


def change_ledger(beads: Beads, changes: dict[str, Any], *, dry_run: bool) -> list[str]:
    """Set keys of a ledger (None: back to its default), all or none; returns the acts. Raises Refused for what other verbs change."""
    for key in changes:
        own = {"issue_prefix": "bd rename-prefix NEW", "ledger": "bd init, in a clone without it"}.get(key)
        if own is not None:
            raise Refused(f"{key} is not changed here", why="more than a setting hangs on it", next=own)
    with lock.acquire(beads.ledger_lock):
        config.set_many(None, beads, changes, dry_run=dry_run)
    return [f"set {key} to {json.dumps(value, ensure_ascii=False)}" if value is not None else f"set {key} back to its default"
            for key, value in changes.items()]


def set_agent(town: Town, name: str, command: str, like: str, *, actor: str, dry_run: bool, now: int) -> list[str]:
    """Add an agent program or override a built-in one."""
    if not name or len(name) > 64 or not _AGENT_NAME.issuperset(name) or not name[0].isalnum():
        raise BadInput(f"{ids.shown(name)} is no agent name", why="use letters, digits, -, _ or ., a letter or digit first, at most 64")
    entry = {"command": command, **({"like": like} if like else {})}
    return change(town, f"agents.{name}", entry, actor=actor, dry_run=dry_run, now=now)


def remove_agent(town: Town, name: str, built_in: bool, *, actor: str, dry_run: bool, now: int) -> list[str]:
    """Remove an own agent program, or the override of a built-in one. Raises Refused for a built-in itself."""
    own = config.town_settings(town).agents
    if name not in own:
        if built_in:
            raise Refused(f"{name} is built in", why="only own agent programs are removed",
                          next=f"gt config agent set {name} COMMAND overrides it")
        raise NotFound(f"no agent program {ids.shown(name)}", next="gt config agent list")
    if config.town_settings(town).default_agent == name and not built_in:
        raise Refused(f"{name} is the default agent", next="gt config default-agent OTHER")
    return change(town, f"agents.{name}", None, actor=actor, dry_run=dry_run, now=now)


def _list(key: str, words: list[str]) -> list[str]:
    if len(words) == 1 and words[0].lstrip().startswith("["):
        found = _json(key, words[0])
        return found if isinstance(found, list) else words
    return words


def _amount(key: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise BadInput(f"{key} is an amount", why=f"not {ids.shown(word)}", next=f"gt config explain {key}")
    return value


def _json(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"{key} takes JSON", why=str(error), next=f"gt config explain {ids.shown(key)}") from None
