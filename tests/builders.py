"""Builders in verbs: real repositories and real processes for the tests."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent.parent
shared: Path | None = None  # a folder of this test process, that outlives its tests


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended."""

    code: int
    out: str
    err: str


class Run:
    """Runs `gt` or `bd` as a user would: another process, its own arguments, environment and input."""

    def __init__(self, cwd: Path | str) -> None:
        self.cwd = cwd

    def __call__(self, program: str, *args: str, cwd: Path | str | None = None, env: Mapping[str, str] | None = None,
                 input: str | None = None, timeout: float = 120) -> Finished:
        return run(command(program, *args), cwd=cwd or self.cwd, env=env, input=input, timeout=timeout)


def command(program: str, *args: str) -> list[str]:
    """The words that start `gt` or `bd` from this source tree with the running interpreter."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from gastown_hooks.front import {program}; sys.exit({program}())"
    return [sys.executable, "-c", start, *args]


def run(words: list[str], *, cwd: Path | str | None = None, env: Mapping[str, str] | None = None,
        input: str | None = None, timeout: float = 120) -> Finished:
    """Run a program to its end; `env` is added to the test's environment, None as a value is not allowed."""
    done = subprocess.run(words, cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout,
                          input=(input or "").encode(), capture_output=True)
    return Finished(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def git(where: Path | str, *args: str, input: str | None = None) -> str:
    """git's output without the last newline; a failure fails the test with git's words."""
    done = run(["git", "-C", str(where), *args], input=input)
    assert done.code == 0, f"git {' '.join(args)}: {done.err}"
    return done.out.removesuffix("\n")


def make_repo(path: Path, files: Mapping[str, str | bytes], message: str = "start") -> Path:
    """A repository at `path` with one commit of `files` on `main`."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    commit(path, files, message)
    return path


def make_bare(path: Path, source: Path | None = None) -> Path:
    """A bare repository (a remote), empty or with what `source` has."""
    if source is None:
        path.mkdir(parents=True)
        git(path, "init", "-q", "--bare", "-b", "main")
    else:
        git(source, "clone", "-q", "--bare", str(source), str(path))
    return path


def template() -> Path:
    """A folder to build once in this process what many tests take a copy of."""
    folder = tempfile.mkdtemp(prefix="template-", dir=shared)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def copied(source: Path, target: Path, changes: Mapping[str, str]) -> None:
    """Copy what is in `source`; in the copy, but for git's objects and indexes, its path and the `changes` are the copy's own."""
    run(["cp", "-a", f"{source}/.", str(target)])
    words = {old.encode(): new.encode() for old, new in {str(source): str(target), **changes}.items()}
    for name in os.listdir(source):
        for folder, folders, names in os.walk(target / name):
            folders[:] = [name for name in folders if name not in ("objects", "hooks")]
            for path in (Path(folder, name) for name in names if name != "index"):
                before = data = path.read_bytes()
                for old, new in words.items():
                    data = data.replace(old, new)
                if data != before:
                    path.write_bytes(data)


def read_sizes(patch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what this process reads from now on by `pread`."""
    sizes: list[int] = []
    real = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        sizes.append(size)
        return real(fd, size, at)

    patch.setattr(os, "pread", counted)
    return sizes


def write_files(where: Path, files: Mapping[str, str | bytes | None]) -> None:
    """Write files below `where`; None removes one."""
    for name, content in files.items():
        path = where / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def commit(repo: Path, files: Mapping[str, str | bytes | None], message: str) -> str:
    """Commit these files (None removes one); returns the commit id."""
    write_files(repo, files)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")
