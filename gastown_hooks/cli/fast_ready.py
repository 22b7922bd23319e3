"""`bd ready` from the index, without click (None: click does it)."""

from __future__ import annotations

from gastown_hooks.cli import fast
from gastown_hooks.cli.fast_rows import Rows
from gastown_hooks.core import clock
from gastown_hooks.core.late import late
from gastown_hooks.stores import index, unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gastown_hooks.cli import fast_wanted
    from gastown_hooks.cli.bd import _words
else:
    fast_wanted, _words = late("gastown_hooks.cli.fast_wanted"), late("gastown_hooks.cli.bd._words")


def run(words: list[str]) -> int | None:
    """The exit code of `ready WORDS…`."""
    asked = _asked(words[1:])
    if asked is None:
        return None
    wanted, limit, as_json = asked
    now = clock.now()
    rows = Rows(limit, as_json, True, lambda its, most: its.ready(now, most, wanted), lambda its: its.count_ready(now, wanted),
                index.current if wanted else unseen.for_ready)
    if rows.found is None or not (rows.found or any(its is not None and its.count_ready(now) for _, its in rows.ledgers)):
        return None  # the reason why there is none needs a look at all
    return rows.say(lambda beads: _words.say_ready(beads, True))


def _asked(words: list[str]) -> tuple[fast_wanted.Wanted, int, bool] | None:
    """The filters, how many to show (0: all), whether as JSON."""
    if not words:
        return [], fast.LIMIT, False  # asked most often: nothing to look up
    options = fast.parsed(words, fast.JSON | fast_wanted.FILTERS | {"--plain": ("plain", "flag")})
    given = None if options is None or options[0] else options[1]
    wanted, limit = (None, None) if given is None else (fast_wanted.options(given), fast_wanted.limit(given))
    return None if given is None or wanted is None or limit is None else (wanted, limit, given["as_json"])
