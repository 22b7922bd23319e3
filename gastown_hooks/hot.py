"""The file of hot code: what the everyday commands and the roles import, read at once instead of searched for in a hundred places.

It is a cache of the sources like Python's own: a module whose source has another size or time than it had, and every module if the
file is gone or of another Python, is imported as usual. In an installation the first file of a package is asked for all of it: pip writes
all of them anew, and the installer all of the environment. The code is made smaller: no annotations, nothing that only a type checker
reads, no docstrings of functions (and with `-X no_debug_ranges` no columns). `click` is in it, with what it imports. Of the modules that
everyday commands import, hot.txt names the functions that they call; what stands in another's place reads its code when it is called
first, and with it that of the functions which the same commands call. A class that is only called, and seldom, is made when it is.

The file: a table as `marshal` writes it {version of Python: finder, "bundles": {module: place and length of its bundle}, "groups": those
of each, "libraries": {C module: file}}; the functions called seldom, each (code, defaults, defaults by name), in units of 16 bytes; the
groups, each {number: such a function}; the bundles, {module: (file, size (-1: as its package's), mtime, whether a package, what it imports,
code, place of its functions)}: those that every everyday command imports share one, and with it their strings; so do those of `click`.
Places count from the table's end.
"""

from __future__ import annotations

import ast
import collections
import importlib.util
import inspect
import marshal
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from gastown_hooks.core import fsio

_UNIT = 4096  # in the number of a function called seldom: its place in the file and its length, by 16; or less 1: its group, which one
_SMALL = 12  # parts of the syntax tree of a function that is no longer than what would stand for it
# `click` and what it imports: as they are, without docstrings (and assertions).
_OTHERS = """
    __future__ _weakrefset click click._compat click._utils click.core click.decorators click.exceptions click.formatting click.globals
    click.parser click.termui click.types click.utils collections collections.abc contextlib copy copyreg datetime enum functools importlib
    keyword operator re re._casefix re._compiler re._constants re._parser reprlib threading types typing warnings weakref
"""
OTHERS = tuple(_OTHERS.split())
# C modules that it says the files of.
_LIBRARIES = ("_datetime", "_json", "_sha256", "_sqlite3", "_typing", "fcntl", "math", "select")
# Runs before anything of ours is imported; `hot`, `start` and `table` are the file, the length of its table, and that. What a module
# imports is made before it runs, in a fifth of an import's time.
_FINDER = """
import gc, sys
from _imp import create_dynamic, exec_dynamic
from marshal import loads
from posix import pread, stat

gc.disable()
bundles, groups, libraries = table["bundles"], table["groups"], table["libraries"]

def read(place, length):
    return loads(pread(hot, length, start + place))

def entry(name):
    if name not in read_before:
        read_before.update(read(*bundles[name]))
    return read_before[name]

def exists(file):
    try:
        return stat(file)
    except OSError:
        return None

def library(name):
    spec = Hot.find_spec(name)
    if spec is not None:
        module = create_dynamic(spec)
        module.__spec__, module.__loader__ = spec, spec.loader
        exec_dynamic(module)
        known[name] = module

def make(name):
    if name in libraries:
        return library(name)
    above, _, tail = name.rpartition(".")
    if above and above not in known:
        make(above)
    spec = Hot.find_spec(name)
    if spec is None or (above and above not in known):
        return
    module = Module(name)
    names, folders = module.__dict__, spec.submodule_search_locations
    names["__spec__"], names["__file__"], names["__loader__"], names["__package__"] = spec, spec.origin, Hot, above
    if folders is not None:
        names["__path__"], names["__package__"] = folders, name
    known[name] = module
    try:
        Hot.exec_module(module)
    except BaseException:
        del known[name]
        raise
    if above:
        setattr(known[above], tail, module)

class Hot:
    def find_spec(name, path=None, target=None):
        if name in libraries:
            file = libraries[name]
            return Spec(name, Library(name, file), origin=file) if exists(file) else None
        if name not in bundles:
            return None
        file, size, time, package, *_ = entry(name)
        if size < 0:
            if getattr(known.get(name[:name.index(".")]), "__loader__", None) is not Hot:
                return None
        else:
            there = exists(file)
            if there is None or there.st_size != size or there.st_mtime_ns != time:
                return None
        spec = Spec(name, Hot, origin=file)
        spec._set_fileattr, spec._cached = True, file  # has_location, cached: or importlib makes up the name of a .pyc
        if package:
            spec.submodule_search_locations = [file[:-12]]
        return spec

    def create_module(spec):
        return None

    def exec_module(module):
        needs, code, functions = entry(module.__name__)[4:]
        for name in needs:
            if name not in known:
                make(name)
                if name not in known:
                    __import__(name)
        module._known = known
        if functions is not None:
            module._seldom = Method
            module._stub, module._method = seldom_of(module.__dict__, functions)
        exec(code, module.__dict__)

def grouped(key):
    group, number = divmod(~key, 4096)
    if group not in read_before:
        read_before[group] = read(*groups[group])
    return read_before[group][number]

def seldom_of(names, functions):
    made = {}
    def real(key):
        place, length = divmod(key, 4096)
        code, defaults, others = grouped(key) if key < 0 else read(functions + 16 * place, 16 * length)
        made[key] = one = Function(code, names, code.co_name, defaults)
        one.__kwdefaults__ = others
        owner, _, name = code.co_qualname.rpartition(".")
        there = vars(names[owner]) if owner else names
        if is_stub(there.get(name)):
            setattr(names[owner], name, one) if owner else names.update({name: one})
        return one
    def stub(key, *given, **named):
        return (made.get(key) or real(key))(*given, **named)
    def method(key):
        def stub(*given, **named):
            return (made.get(key) or real(key))(*given, **named)
        return stub
    return stub, method

def is_stub(one):
    return getattr(one, "__code__", None) in STUBS

Library = sys.modules["_frozen_importlib_external"].ExtensionFileLoader
Spec, Module, Function, known = type(sys.__spec__), type(sys), type(make), sys.modules
read_before = {}
Method = type(Hot().exec_module)
STUBS = [one.__code__ for one in (seldom_of(None, 0)[0], seldom_of(None, 0)[1](0))]
Hot.make = make
sys.meta_path.insert(0, Hot)
"""


def _read_list() -> tuple[dict[str, dict[str, int]], list[str]]:
    """hot.txt: the modules, and of each the functions that are wanted at once (0) or with others (their group), none where all are, and
    after a minus the classes that are made late; the modules of its first part."""
    text = (fsio.read(f"{os.path.dirname(os.path.abspath(__file__))}/hot.txt") or b"").decode()
    parts = [[line.partition(":") for line in part.splitlines() if line[:1] != "#"] for part in text.split("\n\n")]
    named = {f"gastown_hooks.{name}": [one.partition("=") for one in functions.split()] for part in parts for name, _, functions in part}
    found = {module: {name: int(group or 0) for name, _, group in functions} for module, functions in named.items()}
    return {"gastown_hooks": {}, **found}, ["gastown_hooks", *found][:len(parts[0]) + 1]


FUNCTIONS, TOGETHER = _read_list()
HOT = tuple(FUNCTIONS)
_PACKAGES = {name.rpartition(".")[0] for name in HOT}


class Smaller(ast.NodeTransformer):
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


def _delay(node: ast.ClassDef) -> ast.stmt:
    """What makes the class when it is called first. Who has it from the module before that makes it once, too."""
    name = node.name
    function = ast.parse(f"def {name}(*_given, **_named):\n global {name}\n if not isinstance({name}, type): pass\n"
                         f" return {name}(*_given, **_named)").body[0]
    assert isinstance(function, ast.FunctionDef) and isinstance(function.body[1], ast.If)
    function.body[1].body = [node]
    return ast.copy_location(function, node)


def _take_out(tree: ast.Module, wanted: dict[str, int], codes: dict[str, types.CodeType], groups: dict[int, dict[int, Any]]) -> bytes:
    """The functions that are not wanted at once; the tree is left with where they are. Those wanted with others are put into `groups`."""
    taken = b""
    owners: list[ast.Module | ast.ClassDef] = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for owner, at, node in [(one, at, node) for one in owners for at, node in enumerate(one.body)]:
        if not isinstance(node, ast.FunctionDef) or not _is_movable(node):
            continue
        name = f"{owner.name}.{node.name}" if isinstance(owner, ast.ClassDef) else node.name
        group = wanted.get(name, -1)
        if name in codes and group:
            made: Any = (codes[name], *_defaults(node.args))
            if group > 0:
                others = groups.setdefault(group, {})
                key = ~((group - 1) * _UNIT + len(others))
                others[len(others)] = made
            else:
                alone = marshal.dumps(made)
                alone += bytes(-len(alone) % 16)
                key = len(taken) // 16 * _UNIT + len(alone) // 16
                taken += alone
            how = "".join(f"{one.id}(" for one in node.decorator_list if isinstance(one, ast.Name))
            stub = f"_seldom(_stub, {key})" if owner is tree else f"{how}_method({key}){')' * len(node.decorator_list)}"
            owner.body[at] = ast.copy_location(ast.parse(f"{node.name} = {stub}").body[0], node)
    return taken


def _defaults(arguments: ast.arguments) -> tuple[tuple[object, ...], dict[str, object]]:
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return tuple(map(ast.literal_eval, arguments.defaults)), {one.arg: ast.literal_eval(value) for one, value in named if value}


def _codes(code: types.CodeType) -> list[tuple[str, types.CodeType]]:
    """The code of each function in it, and its qualified name."""
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    own = [(one.co_qualname, one) for one in inner if one.co_flags & inspect.CO_OPTIMIZED]  # no class's body
    return [*own, *(found for one in inner for found in _codes(one))]


def _is_movable(node: ast.FunctionDef) -> bool:
    """Whether it is more than what would stand in its place, and can be made later."""
    inner = list(ast.walk(node))
    names = {one.id if isinstance(one, ast.Name) else one.attr for one in inner if isinstance(one, (ast.Name, ast.Attribute))}
    defaults = [part for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None for part in ast.walk(one)]
    return (len(inner) > _SMALL and all(isinstance(one, (ast.Constant, ast.Tuple, ast.Load)) for one in defaults)
            and all(isinstance(one, ast.Name) and one.id in ("property", "staticmethod", "classmethod") for one in node.decorator_list)
            and not (node.name in ("__new__", "__init_subclass__", "__class_getitem__") or names & {"super", "__class__", "_getframe"}))


class Place:
    """Where the programs are written: the environment `here`, which will be called `final`."""

    def __init__(self, here: str, final: str) -> None:
        self._here, self._final = f"{here}/", f"{final}/"

    def called(self, path: str) -> str:
        """Its lasting name: hooks and settings files keep where the code is, and must still find it after the next installation."""
        return self._final + path.removeprefix(self._here) if path.startswith(self._here) else path

    def stands(self, name: str, path: str) -> tuple[str, int, int]:
        """A module's lasting file, and by which size and time it is known."""
        status, is_installed = os.stat(path), path.startswith(self._here) and "/site-packages/" in path
        return self.called(path), -1 if is_installed and "." in name else status.st_size, status.st_mtime_ns


def code(package: str, place: Place, paths: list[str]) -> tuple[bytes, int]:
    """The file's content for the package in that folder, and the length of its table. `paths`: where else than in our own places modules
    are looked for."""
    parts: dict[str, tuple[object, ...]] = {}
    places: dict[str, tuple[int, int]] = {}
    groups: dict[int, dict[int, Any]] = {}
    seldom, bundles = b"", b""
    for name in HOT:
        part, functions = _part(package, name, place, groups)
        parts[name], seldom = (*part, len(seldom)), seldom + functions
    group_places = []
    for number in range(1, max(groups, default=0) + 1):  # one without a function to make later too: numbers are kept
        functions = marshal.dumps(groups.get(number, {}))
        group_places.append((len(seldom), len(functions)))
        seldom += functions
    others = {name: there for name in OTHERS if (there := _others_part(_spec(name, [*sys.path, *paths]), place))}
    parts |= others
    for together in (TOGETHER, list(others), *([name] for name in HOT if name not in TOGETHER)):
        bundle = marshal.dumps({name: parts[name] for name in together})
        places |= dict.fromkeys(together, (len(seldom) + len(bundles), len(bundle)))
        bundles += bundle
    specs = {name: importlib.util.find_spec(name) for name in _LIBRARIES}
    libraries = {name: spec.origin for name, spec in specs.items() if spec and (spec.origin or "").endswith(".so")}
    finder = marshal.dumps(compile(_FINDER, "<hot>", "exec"))
    table = marshal.dumps({sys.version: finder, "bundles": places, "groups": group_places, "libraries": libraries})
    return table + seldom + bundles, len(table)


def _spec(name: str, places: Sequence[str]) -> ModuleSpec | None:
    """Where a module would be found; nothing is imported for that."""
    package = name.rpartition(".")[0]
    above = _spec(package, places) if package else None
    return PathFinder.find_spec(name, (above and above.submodule_search_locations) or places)


def _others_part(spec: ModuleSpec | None, place: Place) -> tuple[object, ...] | None:
    """What somebody else's module has in its bundle; None where it is no file of source code."""
    path = (spec and spec.origin) or ""
    if spec is None or not path.endswith(".py"):
        return None
    made = compile(fsio.read(path) or b"", place.called(path), "exec", dont_inherit=True, optimize=2)
    return *place.stands(spec.name, path), path.endswith("/__init__.py"), (), made, None


def _part(package: str, name: str, place: Place, groups: dict[int, dict[int, Any]]) -> tuple[tuple[object, ...], bytes]:
    """A module's part of its bundle, and the functions called seldom, but those that come with others: they are put into `groups`."""
    path = package + name.removeprefix("gastown_hooks").replace(".", "/")
    is_package = os.path.isdir(path)
    path += "/__init__.py" if is_package else ".py"
    final = place.called(path)
    tree = ast.fix_missing_locations(Smaller().visit(ast.parse(fsio.read(path) or b"", final)))
    needs = tuple(dict.fromkeys(one for part in tree.body if isinstance(part, (ast.Import, ast.ImportFrom)) for one in _needs(part)))
    tree.body = [one for part in tree.body for one in _bound(part)]
    ast.fix_missing_locations(tree)
    wanted, seldom = FUNCTIONS.get(name), b""
    if wanted:
        tree.body = [_delay(node) if isinstance(node, ast.ClassDef) and f"-{node.name}" in wanted else node for node in tree.body]
        ast.fix_missing_locations(tree)
        codes = _codes(compile(tree, final, "exec", dont_inherit=True))
        count = collections.Counter(one for one, _ in codes)
        seldom = _take_out(tree, wanted, {one: code for one, code in codes if count[one] == 1}, groups)
        ast.fix_missing_locations(tree)
    made = compile(tree, final, "exec", dont_inherit=True)
    return (*place.stands(name, path), is_package, needs, made), seldom


def _bound(node: ast.stmt) -> list[ast.stmt]:
    """An import of what is made by then, without the machinery of imports."""
    if not isinstance(node, ast.ImportFrom) or node.module not in HOT or (
            node.module in _PACKAGES and not all(f"{node.module}.{one.name}" in HOT for one in node.names)):
        return [node]  # what a package has, but for what is here, may be a module that is still to be imported
    names = [(one.asname or one.name, f"{node.module}.{one.name}", one.name) for one in node.names]
    text = "\n".join(f"{name} = _known[{module!r}]" if module in HOT else f"{name} = _known[{node.module!r}].{attribute}"
                     for name, module, attribute in names)
    return [ast.copy_location(one, node) for one in ast.parse(text).body]


def _needs(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules of HOT, and the C modules, that this imports, packages first."""
    if isinstance(node, ast.Import) or node.module in _LIBRARIES:
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        return [sys.intern(name) for name in names if name in _LIBRARIES]
    parts = (node.module or "").split(".")
    packages = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [sys.intern(name) for name in (*packages, *(f"{node.module}.{one.name}" for one in node.names)) if name in HOT]
