"""The part of an agent program's settings that starts our session events, in the form that Claude Code takes."""

from __future__ import annotations

import os
import shlex
import sys

from gastown_hooks.core.paths import Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WORKER = {"SessionStart": "start", "UserPromptSubmit": "prompt", "Stop": "stop", "SessionEnd": "end"}
RESIDENT = {"SessionStart": "start", "UserPromptSubmit": "prompt"}  # who has no lease: the mayor, a crew member
_CODE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Nothing is left to tidy up: the interpreter's own end would be a sixth of the time.
_BOOT = ("import gc, os, sys; gc.disable(); sys.path.insert(0, sys.argv[1]); from gastown_hooks.session_event import main; "
         "code = main(sys.argv[2:]); sys.stdout.flush(); os._exit(code)")


def hooks(home: Home, events: dict[str, str]) -> dict[str, Any]:
    """The settings' `hooks`: the program's events to the words of ours."""
    return {event: [{"hooks": [{"type": "command", "command": command(home, word), "timeout": 60}]}] for event, word in events.items()}


def command(home: Home, word: str) -> str:
    """The shell line that runs one session event of the home."""
    return shlex.join([sys.executable, "-I", "-S", "-c", _BOOT, _CODE, home.root, word])
