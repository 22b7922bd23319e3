"""The hermetic surroundings of every test, and the count of skips that the run must answer for."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))  # tests import `builders` as a plain module

import builders  # noqa: E402
import warm  # noqa: E402

# The tests' folders are in memory where the machine has room for them: what they lost to a power cut nobody would miss.
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and os.access("/dev/shm", os.W_OK):
    _memory = os.statvfs("/dev/shm")
    if _memory.f_bavail * _memory.f_frsize > 4 << 30:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = "/dev/shm"

# How long a loaded machine takes is no property of ours.
hypothesis.settings.register_profile("ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")

# A run in a shell's background ignores Ctrl-C, and so would every process that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Called by a relative path, it would have another spelling than the same interpreter in the commands that the tests start.
sys.executable = os.path.abspath(sys.executable)

CLEARED = ("GIT_", "GT_", "BD_", "BEADS_", "CLAUDE", "XDG_", "PYTHON")
KEPT = ("PYTHONDONTWRITEBYTECODE",)
# The account's crontab is never touched: whoever looks for the program finds this one, whose table is a file of the test's.
CRONTAB = """#!/bin/sh
table=$(dirname "$0")/../.crontab
case $1 in
  -l) [ -e "$table" ] || { echo "no crontab for tester" >&2; exit 1; }; cat "$table" ;;
  -) cat >"$table" ;;
  -r) rm -f "$table" ;;
esac
"""
_COLLECTS = gc.get_threshold()
_opened: list[str] = []
_allowed: list[str] = []


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and isinstance(args[0], str) and args[0].endswith("mayor/town.json"):
        path = os.path.abspath(args[0])
        if _allowed and not path.startswith((f"{_allowed[-1]}/", f"{builders.shared}/")):
            _opened.append(path)


sys.addaudithook(_watch)


@pytest.fixture
def surroundings() -> Iterator[pytest.MonkeyPatch]:
    """A patch of its own: a test that undoes its `monkeypatch` must not fall back to the account's HOME."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(autouse=True)
def hermetic(tmp_path: Path, surroundings: pytest.MonkeyPatch) -> Iterator[None]:
    """A home, a git configuration and an environment of the test's own; no town outside; no process left behind."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(CLEARED) and name not in KEPT:
            surroundings.delenv(name)
    (home / ".bin").mkdir()
    (home / ".bin/crontab").write_text(CRONTAB)
    (home / ".bin/crontab").chmod(0o755)
    git_config = home / ".gitconfig"
    git_config.write_text("[user]\n\tname = Test Owner\n\temail = owner@example.test\n[init]\n\tdefaultBranch = main\n"
                          "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[protocol \"file\"]\n\tallow = always\n")
    for name, value in {
        "HOME": str(home), "PATH": f"{home}/.bin:{os.environ.get('PATH', os.defpath)}",
        "XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"), "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_GLOBAL": str(git_config), "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0", "GT_WAKE": "off", "TZ": "UTC", "LC_ALL": "C.UTF-8",
    }.items():
        surroundings.setenv(name, value)
    for name in ("TMUX", "TMUX_PANE", "EDITOR", "VISUAL"):
        surroundings.delenv(name, raising=False)
    surroundings.chdir(tmp_path)
    _opened.clear()
    _allowed.append(str(tmp_path))
    yield
    _allowed.pop()
    gc.set_threshold(*_COLLECTS)  # a role's own process is short-lived, this one is not
    left = _ended(f"HOME={home}".encode())
    assert not left, f"processes outlived their test: {left}"
    assert not _opened, f"a town outside the test's folder was opened: {_opened}"


def _ended(mark: bytes, grace: float = 10.0) -> list[str]:
    """Wait until no process has `mark` in its environment; the ones that stay are killed and named."""
    deadline = time.monotonic() + grace
    while left := _marked(mark):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    names = [f"{pid}: {_words(pid)}" for pid in left]
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return names


def _marked(mark: bytes) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                continue  # gone, a zombie, or somebody else's
    return found


def _words(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return "?"


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests of this process leave for each other what takes long to build; they may open the towns in it."""
    builders.shared = tmp_path_factory.mktemp("shared")
    return builders.shared


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder that is not in memory, for what depends on how long a disk takes."""
    with tempfile.TemporaryDirectory(prefix="gt-test-") as folder:
        yield Path(folder)


@pytest.fixture
def run_cli(tmp_path: Path) -> builders.Run:
    """`run_cli("gt", "status", cwd=…, env=…, input=…)`: the program as a process of its own."""
    return warm.Run(tmp_path)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit on `main`."""
    return builders.make_repo(tmp_path / "project", {"README.md": "hello\n"})


# ---- skips

def listed_skips(text: str) -> dict[str, str]:
    """tests/skips.txt: `node id: reason` a line, `#` comments. The id may be a whole test or a parametrised one."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pairs = (line.partition(": ") for line in lines)
    return {node: reason for node, _, reason in pairs if reason}


def unlisted(skipped: list[str], listed: dict[str, str]) -> list[str]:
    return sorted({node for node in skipped if node not in listed and node.partition("[")[0] not in listed})


def _unlisted_now(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return []
    nodes = [report.nodeid for report in reporter.stats.get("skipped", [])]
    return unlisted(nodes, listed_skips((HERE / "skips.txt").read_text(encoding="utf-8")))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _unlisted_now(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for node in _unlisted_now(config):
        terminalreporter.line(f"skipped without a reason in tests/skips.txt (this fails the run): {node}", red=True)
    counts = {word: len(terminalreporter.stats.get(word, [])) for word in ("passed", "failed", "error", "skipped")}
    counts["failed"] += counts.pop("error")
    terminalreporter.line(", ".join(f"{word} {count}" for word, count in counts.items()))
