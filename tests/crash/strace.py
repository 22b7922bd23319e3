"""An independent count of a scenario's mutating file calls: `strace -f`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from crash import engine

CALLS = ("openat,open,creat,write,pwrite64,writev,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,"
         "rmdir,ftruncate,truncate,fsync,fdatasync,chmod,fchmod,fchmodat,utimensat,copy_file_range,sendfile,fallocate")
BY_DESCRIPTOR = ("write", "pwrite64", "writev", "ftruncate", "fsync", "fdatasync", "fchmod", "fallocate", "sendfile", "copy_file_range")


def works() -> bool:
    strace = shutil.which("strace")
    return bool(strace) and subprocess.run([str(strace), "-f", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def both(bench: engine.Bench, scenario: engine.Scenario) -> tuple[int, int]:
    """(the shim's count, strace's) of two runs of a prepared scenario of command lines."""
    bench.fresh()
    ours = bench.run(scenario, engine.COUNT, 0).calls
    bench.fresh()
    commands: list[engine.Command] = scenario.act(bench.root)  # type: ignore[call-arg, assignment]
    trace, theirs = f"{bench.folder}/trace", 0
    for command in commands:
        words = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", trace, *engine.spelled(command.argv)]
        subprocess.run(words, cwd=command.cwd or bench.root, env=bench.environment(armed=False) | command.env, capture_output=True)
        with open(trace, encoding="utf-8", errors="replace") as file:
            theirs += sum(counts(line, bench.root) for line in file)
    return ours, theirs


def counts(line: str, root: str) -> bool:
    """Whether a line of the trace is a mutating call below the root. A relative path is below it: all the acts work there."""
    match = re.match(r"\d+ +(\w+)\((.*)", line)
    if not match:
        return False  # the second half of an interrupted call, a signal, an exit
    name, rest = match.groups()
    if name in BY_DESCRIPTOR:
        files = re.findall(r"^\d+<([^>]*)>", rest) if name != "copy_file_range" else re.findall(r"\d+<([^>]*)>", rest)[1:2]
        return any(_below(path, root) for path in files)
    if name in ("open", "openat") and not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", rest):
        return False
    folders, paths = re.findall(r"<(/[^>]*)>, \"", rest), re.findall(r'"((?:[^"\\]|\\.)*)"', rest)
    if not paths:
        return False
    appears = paths[-1] if name.startswith(("rename", "link", "symlink")) else paths[0]
    return _below(os.path.normpath(os.path.join(folders[-1] if folders else root, appears)), root)


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")
