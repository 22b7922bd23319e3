"""The session events of an agent program: `session_event HOME EVENT`, with the event's JSON on standard input.

Lean on purpose: it runs at every event with `-I -S`, answers at once where there is nothing to say, and else becomes
`gastown_hooks.runtime.session`. An agent program takes exit code 2 as "block", so a failure of ours is always 1.
"""

from __future__ import annotations

import os
import sys

from gastown_hooks.core import errors, fsio
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Home


def main(argv: list[str]) -> int:
    """The exit code of the event's process."""
    return errors.for_agent_hook(errors.handled("gt", lambda: _run(argv)))


def _run(argv: list[str]) -> int:
    if len(argv) != 2:
        raise BadInput("an agent program's settings file starts this", why="HOME EVENT")
    home, event = Home(argv[0]), argv[1]
    lease = fsio.read_json(home.lease)
    if not isinstance(lease, dict) or (event == "stop" and lease.get("state") == "done"):
        return 0
    os.execv(sys.executable, [sys.executable, "-I", "-m", "gastown_hooks.runtime.session", home.root, event])
