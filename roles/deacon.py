#!/usr/bin/env python3
"""The deacon: looks after what is no single rig's: a convoy lands when its last bead is closed, and a launched one goes on by itself.

It must never: start a bead that came back (somebody judges that first), start anything in a town by hand, close a convoy with an open
or unknown bead in it, tell a subscriber twice, or ask a model.
"""

from __future__ import annotations

import sys

from gastown_hooks.role import Round, main
from gastown_hooks.work import launch

DUTY = {
    "role": "deacon",
    "scope": "town",
    "reads": [
        "every ledger of the town      convoys, what they track, what blocks that",
        "daemon/mode.json              whether anything may be started",
    ],
    "writes": [
        "the town's ledger             convoys: closed, followed, made for claims that have none",
        "<rig>/polecats/<name>/        workers for what became ready in a launched convoy, as gt sling makes them",
        "mail to a convoy's subscribers  once for each landing",
    ],
    "woken_by": {
        "patrol": "who closes a bead that a convoy tracks (the refinery, bd close, gt done --no-code); the tick every deacon_seconds",
    },
}


def patrol(one: Round) -> int:
    """Land what has landed, then start what may begin."""
    found = launch.patrol(one.town, one.caller, one.now, dry_run=one.dry_run)
    for words in [*found.done, *found.troubles]:
        one.say(words)
    return 1 if found.troubles else 0


if __name__ == "__main__":
    sys.exit(main(DUTY, {"patrol": patrol}))
