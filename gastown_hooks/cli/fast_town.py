"""The commands that look at a town, without click, which would take half their time: only what is plain, of the rest click decides."""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.plain import town_and_caller
from gastown_hooks.core.late import late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gastown_hooks.cli.gt import _words
    from gastown_hooks.core.paths import Town
    from gastown_hooks.stores.callers import Caller

    View = Callable[[Town, Caller, str | None, dict[str, Any]], None]
else:
    _words = late("gastown_hooks.cli.gt._words")

_RIG = (0, 1)  # how many arguments it may have
_VIEWS: dict[str, tuple[fast.Options, tuple[int, ...], View]] = {
    "status": ({}, (0,), lambda town, caller, word, given: _words.overview(town, given["as_json"])),
    "agents": ({}, (0,), lambda town, caller, word, given: _words.agents(town, given["as_json"])),
    "polecat list": ({}, _RIG, lambda town, caller, word, given: _words.workers(town, word, given["as_json"])),
    "rig list": ({}, (0,), lambda town, caller, word, given: _words.projects(town, given["as_json"])),
    "rig status": ({}, (1,), lambda town, caller, word, given: _words.project(town, word or "", given["as_json"])),
    "mq list": ({"--all": ("all", "flag")}, _RIG,
                lambda town, caller, word, given: _words.queues(town, caller, word, given["all"], given["as_json"])),
    "mq next": ({}, _RIG, lambda town, caller, word, given: _words.next_due(town, caller, word, given["as_json"])),
    "convoy list": ({"--all": ("all", "flag"), "--tree": ("tree", "flag")}, (0,),
                    lambda town, caller, word, given: _words.batches(town, caller, given["all"], None, given["tree"], given["as_json"])),
    "convoy status": ({}, _RIG, lambda town, caller, word, given: _words.batch(town, caller, word, given["as_json"])),
}
_VIEWS["convoy show"] = _VIEWS["convoy status"]


def run(words: list[str]) -> int | None:
    """The command's exit code; None: ask click."""
    size = 1 if words[0] in _VIEWS else 2
    options, counts, view = _VIEWS.get(" ".join(words[:size]), ({}, (), None))
    given = fast.parsed(words[size:], fast.JSON | options)
    if view is None or given is None or len(given[0]) not in counts:
        return None
    view(*town_and_caller(), given[0][0] if given[0] else None, given[1])
    return 0
