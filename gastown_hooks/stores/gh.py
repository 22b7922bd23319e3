"""The gh program, called in one way: words in a list, no shell, no prompt, JSON out. Its log-in is its own, none passes through us.

Raises RemoteAway for what is nobody's change (no such program, not logged in, offline), Refused for what the host says no to.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from gastown_hooks.core.errors import Refused, RemoteAway
from gastown_hooks.core.ids import shown
from gastown_hooks.rules import pulls
from gastown_hooks.rules.pulls import Pull
from gastown_hooks.stores import callers, child

TIMEOUT = 60.0
MOST = 1000
_QUIET = {"GH_PROMPT_DISABLED": "1", "GH_PAGER": "cat", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1", "TERM": "dumb"}
_LOGGED_OUT = r"(?i)gh auth login|HTTP 401|Bad credentials|authentication token"
_AWAY = (r"(?i)error connecting|could not resolve host|dial tcp|timeout|timed out|connection (refused|reset)|network is unreachable"
         r"|TLS handshake|rate limit|HTTP (403|429|5\d\d)|unexpected EOF")


class Host:
    """The pull requests of the repository at `url`; gh runs in `folder`, which is no repository."""

    def __init__(self, url: str, folder: str) -> None:
        self._repo, self._folder = f"--repo={url}", folder

    def listed(self, state: str, *, branch: str = "") -> list[Pull]:
        """Pull requests in this state ("open" or "all"), of one branch or of all."""
        words = [f"--state={state}", f"--limit={MOST}", *([f"--head={branch}"] if branch else [])]
        found = self._asked("pr", "list", self._repo, f"--json={','.join(pulls.FIELDS)}", *words)
        return [pull for one in (found if isinstance(found, list) else [None]) if (pull := pulls.parse(one)) is not None]

    def view(self, number: int) -> tuple[Pull | None, list[str]]:
        """One pull request, and what was commented on it."""
        found = self._asked("pr", "view", str(number), self._repo, f"--json={','.join((*pulls.FIELDS, 'comments'))}")
        return pulls.parse(found), [str(one.get("body")) for one in found.get("comments") or []]

    def create(self, branch: str, target: str, title: str, body: str) -> None:
        self._run("pr", "create", self._repo, f"--head={branch}", f"--base={target}", f"--title={title}", f"--body={body}")

    def comment(self, number: int, text: str) -> None:
        self._run("pr", "comment", str(number), self._repo, f"--body={text}")

    def close(self, number: int) -> None:
        self._run("pr", "close", str(number), self._repo)

    def _asked(self, *words: str) -> Any:
        out = self._run(*words)
        try:
            return json.loads(out)
        except ValueError:  # gh ends with 0 for some failures, too
            raise RemoteAway(f"gh {' '.join(words[:2])} gave no answer", why=shown(out.strip(), 200)) from None

    def _run(self, *words: str) -> str:
        fed, out, err = child.memory("in"), child.memory("out"), child.memory("err")
        what = f"gh {' '.join(words[:2])} failed"
        try:
            code = child.run(child.there(self._folder, "gh", *words), callers.clean_environment(_QUIET), (fed, out, err), TIMEOUT)
            text, said = child.text(out), child.text(err)
        finally:
            for fd in (fed, out, err):
                os.close(fd)
        if code == 127:
            raise RemoteAway("gh is missing", next="install GitHub's gh, then: gh auth login")
        why = shown(" ".join(said.split()), 300)
        if code == 4 or re.search(_LOGGED_OUT, said):
            raise RemoteAway("gh is not logged in", why=why, next="gh auth login")
        if code is None or re.search(_AWAY, said):
            raise RemoteAway(what, why=why or f"no answer within {TIMEOUT:g} s", next="try again when the host is back")
        if code:
            raise Refused(what, why=why)
        return text
