"""The house rules, read from the syntax tree. Each rule must also catch the bad source written beside it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gastown_hooks"
LEVELS = {"core": 0, "rules": 1, "stores": 2, "work": 3, "runtime": 4, "role": 4, "tick": 4, "githooks": 4, "session_event": 4,
          "cli": 5, "ui": 5, "front": 5, "entry": 5, "hot": 5, "roles": 5}
LAZY = {"gastown_hooks/front.py", "gastown_hooks/role.py", "gastown_hooks/cli/loader.py", "gastown_hooks/core/late.py"}
WAITING = ("gastown_hooks/core/lock.py", "gastown_hooks/stores/processes.py", "gastown_hooks/stores/git.py",
           "gastown_hooks/work/trial.py", "gastown_hooks/work/sync_pace.py", "gastown_hooks/work/demo", "gastown_hooks/work/town.py",
           "gastown_hooks/runtime/", "gastown_hooks/role.py", "gastown_hooks/tick.py", "gastown_hooks/cli/")
HOT = ("gastown_hooks/core/", "gastown_hooks/stores/ledger.py", "gastown_hooks/stores/callers.py", "gastown_hooks/stores/config.py",
       "gastown_hooks/stores/events.py")
SLOW_IMPORTS = {"pathlib", "re", "typing", "dataclasses", "subprocess", "click", "datetime", "enum", "shutil", "tempfile",
                "contextlib", "inspect", "logging", "tomlkit", "tomllib", "filelock", "pygit2", "urllib", "random", "uuid"}
OS_WRITES = {"replace", "rename", "renames", "unlink", "remove", "mkdir", "makedirs", "rmdir", "removedirs", "link", "symlink",
             "truncate", "ftruncate", "mkfifo", "mknod", "chmod", "chown", "utime"}
PATH_WRITES = {"write_text", "write_bytes", "symlink_to", "hardlink_to"}
WRITE_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}
WALL_CLOCK = {"time", "time_ns", "clock_gettime", "clock_gettime_ns", "localtime", "ctime"}
WAIT_CLOCK = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


@dataclass(frozen=True)
class Source:
    """A module of ours: its path below the repository and its syntax tree."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text, self.path)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def level(self) -> int:
        parts = self.module.split(".")
        return LEVELS.get(parts[1] if parts[0] == PACKAGE and len(parts) > 1 else parts[0], -1)


_trees: dict[tuple[str, str], ast.Module] = {}


def _parsed(text: str, path: str) -> ast.Module:
    if (text, path) not in _trees:
        _trees[text, path] = ast.parse(text, path)
    return _trees[text, path]


def sources() -> list[Source]:
    found = [*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "roles").glob("*")]
    files = sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)
    return [Source(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in files]


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, module) of each import below `tree`; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield node.lineno, "." * node.level + module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def at_run_time(tree: ast.Module) -> ast.Module:
    """The module without what only the type checker reads, and without what is imported later, in functions."""
    body = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))]
    return ast.Module(body, [])


def dotted(node: ast.AST) -> str:
    """`os.path.join` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def uses(tree: ast.AST, module: str, names: set[str]) -> Iterator[tuple[int, str]]:
    """Where `module.name` is used or imported by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names and dotted(node.value).split(".")[-1:] == [module]:
            yield node.lineno, f"{module}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == module:
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names if alias.name in names)


# ---- the rules: each yields (line, what is wrong)

Found = Iterator[tuple[int, str]]


def downward(source: Source) -> Found:
    for line, name in imports(source.tree):
        parts = name.split(".")
        if name.startswith("."):
            yield line, "relative import: write the whole name"
        if parts[0] == "roles" or (parts[0] == PACKAGE and parts[1:2] == ["roles"]):
            yield line, "a role is a program, nobody imports it"
        if parts[0] == PACKAGE and len(parts) > 1 and LEVELS.get(parts[1], -1) > source.level:
            yield line, f"imports upward: {name}"


def no_late_imports(source: Source) -> Found:
    if source.path in LAZY:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for line, name in imports(node):
                yield line, f"import of {name} inside {node.name}()"
        if isinstance(node, ast.Call) and dotted(node.func) in ("__import__", "importlib.import_module", "import_module"):
            yield node.lineno, "import by call"


def lean_hot_modules(source: Source) -> Found:
    if source.path.startswith(HOT):
        for line, name in imports(at_run_time(source.tree)):
            if name.split(".")[0] in SLOW_IMPORTS:
                yield line, f"{name} is too slow to import on every command"


def writes_in_fsio(source: Source) -> Found:
    if source.path == "gastown_hooks/core/fsio.py":
        return
    lock = source.path == "gastown_hooks/core/lock.py"
    for line, name in uses(source.tree, "os", OS_WRITES):
        if not (lock and name == "os.makedirs"):
            yield line, f"{name}: use core/fsio"
    for line, name in imports(source.tree):
        if name.split(".")[0] in ("shutil", "tempfile") and name != "shutil.which" and not _only_which(source, name):
            yield line, f"{name}: use core/fsio"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in PATH_WRITES and dotted(node.value).split(".")[-1] != "fsio":
            yield node.lineno, f".{node.attr}: use core/fsio"
        if isinstance(node, ast.Call) and any(dotted(argument) == "os.devnull" for argument in node.args):
            continue
        if isinstance(node, ast.Call) and not (lock and dotted(node.func) == "os.open") and _opens_to_write(node):
            yield node.lineno, "opened for writing: use core/fsio"


def _only_which(source: Source, name: str) -> bool:
    """`shutil` is imported for `shutil.which` alone."""
    attributes = {node.attr for node in ast.walk(source.tree)
                  if isinstance(node, ast.Attribute) and dotted(node.value) == "shutil"}
    names = {imported for _, imported in imports(source.tree) if imported.startswith("shutil.")}
    return name.split(".")[0] == "shutil" and attributes | {"which"} == {"which"} and names <= {"shutil.which"}


def _opens_to_write(call: ast.Call) -> bool:
    name = dotted(call.func)
    if name in ("open", "io.open", "os.fdopen") or (isinstance(call.func, ast.Attribute) and call.func.attr == "open"
                                                    and name not in ("os.open",)):
        at = 0 if name.endswith(".open") and name not in ("io.open",) else 1
        modes = [*call.args[at:at + 1], *(word.value for word in call.keywords if word.arg == "mode")]
        return any(isinstance(mode, ast.Constant) and isinstance(mode.value, str) and len(mode.value) <= 4
                   and set(mode.value) & set("wax+") != set() for mode in modes)
    return name == "os.open" and any(isinstance(node, ast.Attribute) and node.attr in WRITE_FLAGS for node in ast.walk(call))


def one_clock(source: Source) -> Found:
    if source.path == "gastown_hooks/core/clock.py":
        return
    for line, name in uses(source.tree, "time", WALL_CLOCK):
        yield line, f"{name}: take `now`, or use core/clock"
    if not source.path.startswith(WAITING):
        for line, name in uses(source.tree, "time", WAIT_CLOCK):
            yield line, f"{name}: waiting is not this module's job"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today") and \
                dotted(node.value).split(".")[-1] in ("datetime", "date"):
            yield node.lineno, f"{node.attr}(): take `now`, or use core/clock"


def one_environment(source: Source) -> Found:
    if source.path not in ("gastown_hooks/stores/callers.py", "gastown_hooks/stores/git.py"):
        for line, name in uses(source.tree, "os", ENVIRONMENT):
            yield line, f"{name}: use stores/callers"


def one_pygit2(source: Source) -> Found:
    if source.path != "gastown_hooks/stores/repo.py":
        for line, name in imports(source.tree):
            if name.split(".")[0] == "pygit2":
                yield line, "pygit2: use stores/repo"


def file_names(text: str) -> frozenset[str]:
    """The town's file names: what core/paths writes with a dot, but for names that belong to other programs."""
    names = {part for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
             and not set(node.value) & set(" \n") for part in node.value.split("/") if part.strip(".") and "." in part}
    return frozenset(names - {".claude", "CLAUDE.md", "CLAUDE.local.md", ".lock", ".py", ".new", ".old"})


TOWN_FILES = file_names((ROOT / PACKAGE / "core/paths.py").read_text(encoding="utf-8"))


def names_in_paths(source: Source) -> Found:
    if source.path == "gastown_hooks/core/paths.py":
        return
    documentation = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            parts = node.value.split("/")
            if not set(node.value) & set(" \n") and ".claude" not in parts and TOWN_FILES.intersection(parts):
                yield node.lineno, f"file name {node.value!r}: use core/paths"


def sizes(source: Source) -> Found:
    lines, most = source.text.count("\n"), 250 if source.path.startswith("roles/") else 400
    if lines > most:
        yield 1, f"{lines} lines, at most {most}"
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno + 1 > 60:
            yield node.lineno, f"{node.name}() has {(node.end_lineno or 0) - node.lineno + 1} lines, at most 60"


def inert_text(source: Source) -> Found:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            if dotted(node.func) in ("eval", "exec", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"):
                yield node.lineno, f"{dotted(node.func)}: text is data"
            if any(word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
                   for word in node.keywords):
                yield node.lineno, "shell=: text is data"


def nothing_swallowed(source: Source) -> Found:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "bare except"
            elif dotted(node.type) in ("Exception", "BaseException") and all(isinstance(part, ast.Pass) for part in node.body):
                yield node.lineno, "swallows every error"


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The import cycles, each once."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> None:
        if module in trail:
            found.append(trail[trail.index(module):])
        elif module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, [*trail, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


def import_graph(modules: list[Source]) -> dict[str, set[str]]:
    names = {source.module for source in modules}
    # An empty __init__ imports nothing, so `from a import b` counts for the module b, not for the folder a.
    return {source.module: {name for _, name in imports(at_run_time(source.tree)) if name in names} - {source.module}
            for source in modules}


Rule = Callable[[Source], Found]
# (rule, a place where it holds, source that it must catch)
BAD: list[tuple[Rule, str, str]] = [
    (downward, "gastown_hooks/core/x.py", "from gastown_hooks.stores import ledger"),
    (downward, "gastown_hooks/rules/x.py", "import gastown_hooks.work.sling"),
    (downward, "gastown_hooks/work/x.py", "from gastown_hooks import cli"),
    (downward, "gastown_hooks/runtime/x.py", "if TYPE_CHECKING:\n    from gastown_hooks.cli import common"),
    (downward, "gastown_hooks/stores/x.py", "from . import git"),
    (downward, "roles/witness.py", "from roles import refinery"),
    (no_late_imports, "gastown_hooks/work/x.py", "def f():\n    import json"),
    (no_late_imports, "gastown_hooks/stores/x.py", "import importlib\nimportlib.import_module('x')"),
    (lean_hot_modules, "gastown_hooks/core/x.py", "import re"),
    (lean_hot_modules, "gastown_hooks/stores/ledger.py", "from dataclasses import dataclass"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "open('x', 'w')"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "open('x', mode='ab')"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "path.open('w')"),
    (writes_in_fsio, "gastown_hooks/core/lock.py", "open('x', 'r+')"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "import os\nos.open(p, os.O_RDWR | os.O_CREAT)"),
    (writes_in_fsio, "gastown_hooks/core/lock.py", "import os\nos.unlink('x')"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "from os import rename"),
    (writes_in_fsio, "roles/dog.py", "import shutil\nshutil.rmtree('x')"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "import tempfile"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "path.write_text('x')"),
    (one_clock, "gastown_hooks/work/x.py", "import time\ntime.time()"),
    (one_clock, "gastown_hooks/work/x.py", "from time import time_ns"),
    (one_clock, "gastown_hooks/rules/x.py", "import time\ntime.monotonic()"),
    (one_clock, "gastown_hooks/work/x.py", "import datetime\ndatetime.datetime.now()"),
    (one_environment, "gastown_hooks/work/x.py", "import os\nos.environ['X']"),
    (one_environment, "roles/mayor.py", "from os import getenv"),
    (one_pygit2, "gastown_hooks/stores/git.py", "import pygit2"),
    (one_pygit2, "gastown_hooks/work/x.py", "from pygit2 import Repository"),
    (names_in_paths, "gastown_hooks/work/x.py", "x = f'{home}/lease.json'"),
    (names_in_paths, "gastown_hooks/work/x.py", "x = '.repo.git'"),
    (sizes, "gastown_hooks/work/x.py", "x = 1\n" * 401),
    (sizes, "roles/dog.py", "x = 1\n" * 251),
    (sizes, "gastown_hooks/work/x.py", "def f():\n" + "    x = 1\n" * 60),
    (inert_text, "gastown_hooks/work/x.py", "import subprocess\nsubprocess.run('ls', shell=True)"),
    (inert_text, "gastown_hooks/work/x.py", "import os\nos.system('ls')"),
    (inert_text, "gastown_hooks/work/x.py", "eval('1')"),
    (nothing_swallowed, "gastown_hooks/work/x.py", "try:\n    f()\nexcept:\n    raise"),
    (nothing_swallowed, "gastown_hooks/work/x.py", "try:\n    f()\nexcept Exception:\n    pass"),
]
GOOD: list[tuple[Rule, str, str]] = [
    (downward, "gastown_hooks/work/x.py", "from gastown_hooks.core import fsio\nfrom gastown_hooks.work import lease"),
    (no_late_imports, "gastown_hooks/front.py", "def f():\n    import json"),
    (lean_hot_modules, "gastown_hooks/core/x.py", "if TYPE_CHECKING:\n    from typing import Any"),
    (writes_in_fsio, "gastown_hooks/work/x.py", "import shutil\nfrom gastown_hooks.core import fsio\nfsio.rename(a, b)\n"
                                                "open(p, 'rb')\nos.open(p, os.O_RDONLY)\nshutil.which('x')"),
    (one_clock, "gastown_hooks/core/lock.py", "import time\ntime.monotonic()"),
    (names_in_paths, "gastown_hooks/work/x.py", "'''lease.json'''\nraise E('no lease.json here')\nx = home.lease"),
    (sizes, "gastown_hooks/work/x.py", "x = 1\n" * 400),
]
# (rule, module): why it may. Keep this short.
EXCEPTIONS: dict[tuple[Rule, str], str] = {
    (one_clock, "gastown_hooks/stores/gitdir.py"): "outlasts the moment in which git's own lock files are too young to judge",
    (writes_in_fsio, "gastown_hooks/cli/gt/demo.py"): "its place is a temporary folder",
    (inert_text, "gastown_hooks/core/values.py"): "the names of fields, as the class that is made wrote them",
}
RULES = list(dict.fromkeys(rule for rule, _, _ in BAD))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_house_keeps(rule: Rule) -> None:
    wrong = [f"{source.path}:{line}: {what}" for source in sources() if (rule, source.path) not in EXCEPTIONS
             for line, what in rule(source)]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("rule, path", EXCEPTIONS)
def test_an_exception_is_still_needed(rule: Rule, path: str) -> None:
    assert any(list(rule(source)) for source in sources() if source.path == path)


def test_no_import_cycles() -> None:
    assert not cycles(import_graph(sources()))


def test_every_module_has_a_level() -> None:
    assert not [source.path for source in sources() if source.level < 0 and source.path != "gastown_hooks/__init__.py"]


@pytest.mark.parametrize("rule, path, text", BAD)
def test_a_rule_catches(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize("rule, path, text", GOOD)
def test_a_rule_allows(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(Source(path, text)))


def test_a_cycle_is_caught() -> None:
    bad = [Source("gastown_hooks/work/a.py", "from gastown_hooks.work import b"),
           Source("gastown_hooks/work/b.py", "from gastown_hooks.work.a import f")]
    assert cycles(import_graph(bad)) == [["gastown_hooks.work.a", "gastown_hooks.work.b"]]


def test_the_towns_file_names_are_known() -> None:
    assert {"lease.json", ".repo.git", "issues.jsonl", "town.json", ".events.jsonl", "heartbeat.json"} <= TOWN_FILES
