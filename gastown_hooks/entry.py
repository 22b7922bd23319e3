"""The programs `gt` and `bd` of an installation, and the one that starts its roles' files.

They start the interpreter by its absolute path and without `site`, which halves a start. Beside them lies a file with the code of the
modules that the everyday commands and the roles use, made smaller: no annotations, nothing that only a type checker reads, no
docstrings of functions (and with `-X no_debug_ranges` no columns). One read instead of thirty searches. It is a cache of the sources
like Python's own: a module whose source has another size or time than it had, and every module if the file is gone or of another
Python, is imported as usual.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import os
import shlex
import sys

from gastown_hooks.core import data, fsio

_END = "from gastown_hooks.front import {0}, leave\nleave({0}())\n"
_ENDS = {"gt": _END.format("gt"), "bd": _END.format("bd"),
         data.ROLE: "del sys.argv[0]\nexec(compile(open(sys.argv[0], 'rb').read(), sys.argv[0], 'exec'))\n"}
_HOT = """
    front role core core.clock core.data core.digest core.errors core.fsio core.ids core.jsons core.late core.lock core.mapping
    core.paths core.record core.sharing core.system core.values rules rules.agent_states rules.batching rules.claims rules.convoys
    rules.failed_tests rules.fields rules.foreign rules.graph rules.lint rules.liveness rules.merge3 rules.merge_files rules.message
    rules.names rules.order rules.pulls rules.ready rules.reports rules.requests rules.states rules.steps rules.tree_policy rules.turn
    rules.turns stores stores.archive stores.beats stores.callers stores.changes stores.child stores.config stores.event_hooks
    stores.events stores.external stores.gh stores.git stores.gitdir stores.index stores.indexing stores.known stores.ledger
    stores.lines stores.mail stores.maildir stores.pairs stores.processes stores.repo stores.routes stores.sqlite stores.stubs
    stores.touched stores.unseen stores.worktrees work work.addresses work.advance work.beads work.beadwrite work.containment
    work.convoy work.costs work.desk work.done work.flakes work.foreign work.furnish work.gate work.hook work.land work.last_red
    work.launch work.lease work.linear work.passes work.proof work.pulls work.queue work.reds work.refuse work.rescue work.retire
    work.rework work.rigs work.salvage work.settle work.sling work.snapshot work.stack work.stashes work.status work.strays
    work.submit work.take work.targets work.tracking work.trial work.turns work.verbs work.wake work.workers work.worktree_state
    work.world runtime runtime.agents runtime.claude cli cli.bd cli.bd._facts cli.bd._near cli.bd._values cli.bd._words cli.common
    cli.fast cli.fast_facts cli.fast_hook cli.fast_list cli.fast_merge cli.fast_ready cli.fast_rows cli.fast_show cli.fast_town
    cli.fast_wanted cli.fast_write cli.gt cli.gt._words cli.lean_click cli.loader cli.plain
"""
HOT = ("gastown_hooks", *(f"gastown_hooks.{name}" for name in _HOT.split()))
_LIBRARIES = ("_json", "_sqlite3", "fcntl")
_START = """import gc, marshal, posix, sys
gc.disable()
sys.path[:0] = {folders!a}
try:
    hot = posix.open({hot!a}, posix.O_RDONLY | posix.O_CLOEXEC)
    version, finder, modules, libraries = marshal.loads(posix.read(hot, {size}))
    if version == sys.version:
        exec(marshal.loads(finder), {{"hot": hot, "modules": modules, "libraries": libraries}})
except (OSError, EOFError, ValueError, TypeError):
    pass
"""
# Runs before anything of ours is imported. `libraries`: name -> file of a C module; `modules`: name -> (file, size, mtime, whether a
# package, what it imports, place and length of its code). What a module imports is made before it runs, in a fifth of an import's time.
_FINDER = """
import sys
from marshal import loads
from posix import pread, stat

def exists(file):
    try:
        return stat(file)
    except OSError:
        return None

def make(name):
    spec = Hot.find_spec(name)
    if spec is None:
        return
    module = Module(name)
    module.__spec__, module.__file__, module.__loader__ = spec, spec.origin, Hot
    module.__package__ = spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    known[name] = module
    try:
        Hot.exec_module(module)
    except BaseException:
        del known[name]
        raise
    package, _, tail = name.rpartition(".")
    setattr(known[package], tail, module)

class Hot:
    def find_spec(name, path=None, target=None):
        if name in libraries:
            file = libraries[name]
            return Spec(name, Library(name, file), origin=file) if exists(file) else None
        if name not in modules:
            return None
        file, size, time, package, *_ = modules[name]
        there = exists(file)
        if there is None or there.st_size != size or there.st_mtime_ns != time:
            return None
        spec = Spec(name, Hot, origin=file, is_package=package)
        spec.has_location, spec.cached = True, file  # or importlib makes up the name of a .pyc
        if package:
            spec.submodule_search_locations = [file[:-12]]
        return spec

    def create_module(spec):
        return None

    def exec_module(module):
        needs, place, length = modules[module.__name__][4:]
        for name in needs:
            if name not in known:
                make(name)
        exec(loads(pread(hot, length, place)), module.__dict__)

Library = sys.modules["_frozen_importlib_external"].ExtensionFileLoader
Spec, Module, known = type(sys.__spec__), type(sys), sys.modules
sys.meta_path.insert(0, Hot)
"""


class _Smaller(ast.NodeTransformer):
    """What a module needs when it runs."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        arguments = node.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if one is not None:
                one.annotation = None
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.copy_location(ast.Pass(), node)]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if not node.decorator_list:
            return self.generic_visit(node)
        fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]  # of core/values: that they are annotated counts, not how
        for one in fields:
            one.annotation = ast.copy_location(ast.Constant(0), one.annotation)
        node.body = [one if one in fields else self.visit(one) for one in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.Assign([node.target], node.value) if node.value else ast.Pass(), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module == "__future__" else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if _is_checking(node.test) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        return node.orelse if _is_checking(node.test) else node


def _is_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def hot_code(package: str, final: str) -> tuple[bytes, int]:
    """The file's content for the package in that folder, which will be called `final`, and the length of its table."""
    found = [(name, *_code(package, name, final)) for name in HOT]
    specs = {name: importlib.util.find_spec(name) for name in _LIBRARIES}
    libraries = {name: spec.origin for name, spec in specs.items() if spec and (spec.origin or "").endswith(".so")}

    def table(place: int) -> bytes:
        modules = {}
        for name, status, path, is_package, needs, code in found:
            modules[name] = (path, status.st_size, status.st_mtime_ns, is_package, needs, place, len(code))
            place += len(code)
        return marshal.dumps((sys.version, marshal.dumps(compile(_FINDER, "<hot>", "exec")), modules, libraries))

    size = len(table(1 << 20))  # numbers below 2 to the 31 are of one length
    return table(size) + b"".join(code for *_, code in found), size


def _code(package: str, name: str, final: str) -> tuple[os.stat_result, str, bool, tuple[str, ...], bytes]:
    tail = name.removeprefix("gastown_hooks").replace(".", "/")
    is_package = os.path.isdir(package + tail)
    tail += "/__init__.py" if is_package else ".py"
    path, called = package + tail, final + tail
    status = os.stat(path)
    tree = ast.fix_missing_locations(_Smaller().visit(ast.parse(fsio.read(path) or b"", called)))
    needs = tuple(dict.fromkeys(one for part in tree.body if isinstance(part, ast.ImportFrom) for one in _needs(part)))
    return status, called, is_package, needs, marshal.dumps(compile(tree, called, "exec", dont_inherit=True))


def _needs(node: ast.ImportFrom) -> list[str]:
    """The modules of HOT that this imports, packages first."""
    parts = (node.module or "").split(".")
    packages = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [sys.intern(name) for name in (*packages, *(f"{node.module}.{one.name}" for one in node.names)) if name in HOT]


def write(folder: str, python: str, final: str, paths: list[str]) -> None:
    """Write the programs into `folder`, which will be called `final`."""
    package, here = os.path.dirname(os.path.abspath(__file__)), os.path.dirname(folder)
    # By its lasting name: hooks and settings files keep where the code is, and must still find it after the next installation.
    lasting = os.path.dirname(final) + package.removeprefix(here) if package.startswith(f"{here}/") else package
    code, size = hot_code(package, lasting)
    fsio.write(f"{folder}/.hot", code, mode=0o644)
    plain = len(python) < 100 and not set(python) & set(" \t\n")
    head = f"#!{python} -IS\n" if plain else f"#!/bin/sh\n''':'\nexec {shlex.quote(python)} -IS \"$0\" \"$@\"\n'''\n"
    for name, end in _ENDS.items():
        text = head + _START.format(folders=paths, hot=f"{final}/.hot", size=size) + end
        fsio.write(f"{folder}/{name}", text.encode(), mode=0o755)
