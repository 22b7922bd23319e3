"""The session events of an agent program: `session_event HOME EVENT`, with the event's JSON on standard input.

Lean on purpose: it runs at every event with `-I -S`, answers at once where there is nothing to say, and else becomes
`gastown_hooks.runtime.session`. `status` is the line below a session by hand. An agent program takes exit code 2 as "block", so a failure
of ours is always 1.
"""

from __future__ import annotations

import sys

from gastown_hooks.core import errors, fsio, jsons
from gastown_hooks.core.errors import BadInput
from gastown_hooks.core.paths import Home
from gastown_hooks.core.system import os


def main(argv: list[str]) -> int:
    """The exit code of the event's process."""
    return errors.for_agent_hook(errors.handled("gt", lambda: _run(argv)))


def _run(argv: list[str]) -> int:
    if len(argv) != 2:
        raise BadInput("an agent program's settings file starts this", why="HOME EVENT")
    home, event = Home(argv[0]), argv[1]
    lease = fsio.read_json(home.lease)
    if event == "status":
        return _status(home, lease)
    if not isinstance(lease, dict):
        if event not in ("start", "prompt") or not os.path.isdir(home.mail):
            return 0
    elif event == "stop" and lease.get("state") == "done":
        return 0
    os.execv(sys.executable, [sys.executable, "-I", "-m", "gastown_hooks.runtime.session", home.root, event])


def _status(home: Home, lease: object) -> int:
    """Say what the session cost so far, and keep it: the events that account for it are not told."""
    try:
        payload = jsons.loads(sys.stdin.read())
        session, total = str(payload["session_id"]), float(payload["cost"]["total_cost_usd"])
    except (ValueError, KeyError, TypeError):
        return 0
    if not isinstance(lease, dict):
        return 0
    print(f"{lease.get('bead')} ${total:.2f}")
    noted, before = fsio.read_json(home.session), fsio.read_json(home.spending)
    if not isinstance(noted, dict) or noted.get("session") != session:
        return 0  # before its start was told; or who was told to keep out
    first = before["first"] if isinstance(before, dict) and before.get("session") == session else total
    value = {"session": session, "first": first, "total": total}
    if value != before:
        fsio.write_json(home.spending, value, durable=False)
    return 0
