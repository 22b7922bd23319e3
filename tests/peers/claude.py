"""Claude Code itself, from npm, at one version, in a folder of its own outside the repository; made once and used by every run.

Nothing of it is run at installation, and it talks to nobody but the server of `ModelServer`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

VERSION = "2.1.197"
PACKAGE = f"@anthropic-ai/claude-code@{VERSION}"
KEY = "a-key-that-opens-nothing"


def program() -> str:
    """The program's path; skips the test where npm, or what it fetches from, is not there."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm")
    root = Path(os.environ.get("GASTOWN_TEST_CACHE") or f"{tempfile.gettempdir()}/gastown-tests-{os.getuid()}")
    root.mkdir(mode=0o700, exist_ok=True)
    with open(root / "claude.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = _installed(root / f"claude-{VERSION}") or _install(npm, root / f"claude-{VERSION}")
    if found is None:
        pytest.skip(f"npm cannot install {PACKAGE}")
    return found


def environment(url: str) -> dict[str, str]:
    """What the program needs to be content with a server on loopback, as any user, and to be quiet."""
    return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, "IS_SANDBOX": "1", "DISABLE_TELEMETRY": "1", "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}


def accept_dialogs(home: Path) -> None:
    """Answer what a first start in a terminal asks, as the person who owns this home did long ago."""
    (home / ".claude").mkdir(exist_ok=True)
    (home / ".claude.json").write_text(json.dumps({
        "hasCompletedOnboarding": True, "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {"/": {"hasTrustDialogAccepted": True}}}))
    (home / ".claude/settings.json").write_text(json.dumps({"permissions": {"defaultMode": "acceptEdits"}}))


def _installed(folder: Path) -> str | None:
    return next((str(path) for path in sorted(folder.glob("node_modules/@anthropic-ai/claude-code-*/claude"))), None)


def _install(npm: str, folder: Path) -> str | None:
    making = folder.with_suffix(".new")
    shutil.rmtree(making, ignore_errors=True)
    words = [npm, "install", "--prefix", str(making), "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", PACKAGE]
    try:
        done = subprocess.run(words, cwd=folder.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode or _installed(making) is None:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)
    return _installed(folder)
