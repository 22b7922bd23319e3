"""`gt hook` without click (None: click does it)."""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.plain import emit_json, say
from gastown_hooks.core import paths
from gastown_hooks.core.late import late
from gastown_hooks.stores import callers
from gastown_hooks.work import hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.core.record import Record
    from gastown_hooks.work import tracking
else:
    tracking = late("gastown_hooks.work.tracking")


def run(words: list[str]) -> int | None:
    """The exit code of `hook WORDS…`."""
    options = fast.parsed(words[1:], fast.JSON)
    if options is None or options[0]:
        return None
    caller = callers.caller()
    if caller.town is None:
        paths.town_at(caller.cwd)
    say_hook(caller, hook.hooked(caller), options[1]["as_json"])
    return 0


def say_hook(caller: callers.Caller, found: list[Record], as_json: bool) -> None:
    """What is on a hook, in words or as JSON."""
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"{caller.actor}: nothing on the hook. Ready work: bd ready")
        return
    following = tracking.convoys_of(caller.in_town(), [one["id"] for one in found])
    for one in found:
        batches = ", ".join(following[one["id"]])
        say(f"{one['id']} [P{one.get('priority', 2)}] [{one.get('status')}] {one.get('title', '')}" + (f" ({batches})" if batches else ""))
