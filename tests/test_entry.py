"""The generated programs: they answer as the sources do, and the file beside them is a cache that nobody has to believe in."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gastown_hooks import entry, hot
from gastown_hooks.core import data

ROOT = Path(__file__).resolve().parent.parent
PURE = sysconfig.get_paths()["purelib"]
WRITE = "import sys; sys.path.insert(0, sys.argv[1]); from gastown_hooks import entry; entry.write(*sys.argv[2:5], sys.argv[5:])"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of its own for the package, so that a test may change it, and a town."""
    shutil.copytree(ROOT / "gastown_hooks", tmp_path / "lib/gastown_hooks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    subprocess.run([sys.executable, "-I", "-S", "-X", "no_debug_ranges", "-c", WRITE, tmp_path / "lib", tmp_path / "bin", sys.executable,
                    tmp_path / "bin", tmp_path / "lib", PURE], check=True)
    subprocess.run([tmp_path / "bin/gt", "install", tmp_path / "town"], check=True, capture_output=True,
                   env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GT_WAKE": "off"})
    return tmp_path


def bd(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([place / "bin/bd", *words], cwd=place / "town", capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8"})


def searched(place: Path, *words: str, others: bool = False) -> set[str]:
    """Which of our modules a command took from elsewhere than the file; and whether it needed the whole of `os`. Or which of the others."""
    asked = f"name in {hot.OTHERS}" if others else "name.startswith('gastown_hooks')"
    told = (f"bd(); print(*(name for name, module in sys.modules.items() if {not others} and name in ('os', '_collections_abc') or "
            f"{asked} and not isinstance(module.__spec__.loader, type)), file=sys.stderr)")
    script = (place / "bin/bd").read_text(encoding="utf-8").replace("leave(bd())", told)
    found = subprocess.run([sys.executable, "-I", "-S", "-c", script, *words], cwd=place / "town", capture_output=True, text=True,
                           check=True, env={"HOME": str(place), "LC_ALL": "C.UTF-8"})
    return set(found.stderr.split())


def test_everyday_commands_come_from_the_file(place: Path) -> None:
    name = bd(place, "create", "One", "--silent").stdout.strip()
    for words in (("create", "Two"), ("ready",), ("ready",), ("update", name, "--notes", "n"), ("show", name), ("close", name)):
        assert searched(place, *words) == set(), words


def test_so_does_click(place: Path) -> None:
    assert searched(place, "config", "list", others=True) == set()
    assert bd(place, "create", "--help").stdout == bd(place, "help", "create").stdout != ""


@pytest.mark.parametrize("harm", ["gone", "empty", "other", "garbage"])
def test_without_the_file_it_is_the_same(place: Path, harm: str) -> None:
    name = bd(place, "create", "One", "--silent").stdout.strip()
    told = bd(place, "show", name).stdout
    hot = place / "bin/.hot"
    if harm == "gone":
        hot.unlink()
    else:
        data = hot.read_bytes()
        hot.write_bytes({"empty": b"", "other": data.replace(sys.version[:6].encode(), b"9.9.99", 1), "garbage": b"x" * len(data)}[harm])
    assert bd(place, "show", name).stdout == told != ""


def test_a_changed_source_is_believed(place: Path) -> None:
    assert bd(place, "create", "One").stdout.startswith("✓ Created")
    path = place / "lib/gastown_hooks/cli/fast_write.py"
    path.write_text(path.read_text(encoding="utf-8").replace("✓ Created issue", "✓ Made"), encoding="utf-8")
    assert bd(place, "create", "Two").stdout.startswith("✓ Made")


def test_an_installation_is_asked_for_by_its_first_file(place: Path) -> None:
    """pip writes every file anew; whoever edits one by hand installs again."""
    packages = place / "env/lib/python3/site-packages"
    packages.mkdir(parents=True)
    (place / "lib/gastown_hooks").rename(packages / "gastown_hooks")
    (place / "env/bin").mkdir()
    programs = place / "env/bin"
    subprocess.run([sys.executable, "-I", "-S", "-c", WRITE, packages, programs, sys.executable, programs, packages, PURE], check=True)
    (place / "bin").rename(place / "old")
    (place / "bin").symlink_to("env/bin")
    path, first = packages / "gastown_hooks/cli/fast_write.py", packages / "gastown_hooks/__init__.py"
    path.write_text(path.read_text(encoding="utf-8").replace("✓ Created issue", "✓ Made"), encoding="utf-8")
    assert bd(place, "create", "One").stdout.startswith("✓ Created")
    assert searched(place, "create", "Two") == set()
    os.utime(first)
    assert bd(place, "create", "Three").stdout.startswith("✓ Made")
    assert "gastown_hooks.core.errors" in searched(place, "create", "Four")


def test_what_hooks_keep_outlives_the_installation(place: Path) -> None:
    """Installed as env.1 and called env: a hook's stub finds the code by the name that the next installation has too."""
    (place / "env.1/bin").mkdir(parents=True)
    (place / "lib").rename(place / "env.1/lib")
    (place / "env").symlink_to("env.1")
    subprocess.run([sys.executable, "-I", "-S", "-c", WRITE, place / "env.1/lib", place / "env.1/bin", sys.executable, place / "env/bin",
                    place / "env/lib", PURE], check=True)
    subprocess.run([place / "env/bin/gt", "install", place / "other"], check=True, capture_output=True,
                   env={"PATH": os.environ["PATH"], "HOME": str(place), "GT_WAKE": "off"})
    settings = (place / "other/mayor/.claude/settings.json").read_text(encoding="utf-8")
    assert f"{place}/env/lib" in settings and "env.1" not in settings


def test_a_role_starts_as_the_programs_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place / "some role.py"
    file.write_text('"""What it is."""\nimport sys\nfrom gastown_hooks.work import land\n'
                    "print(__name__, __doc__, isinstance(land.__spec__.loader, type), sys.argv)\n", encoding="utf-8")
    monkeypatch.setattr(sys, "executable", f"{place}/bin/python")
    _, *words = data.role_start(str(file))
    assert words == ["-ISXutf8", f"{place}/bin/gt-role", str(file)]
    monkeypatch.undo()
    found = subprocess.run([sys.executable, *words, "patrol"], capture_output=True, text=True, check=True, env={"HOME": str(place)})
    assert found.stdout == f"__main__ What it is. True {[str(file), 'patrol']}\n"
    (place / "bin/gt-role").unlink()
    monkeypatch.setattr(sys, "executable", f"{place}/bin/python")
    assert data.role_start(str(file)) == [f"{place}/bin/python", "-I", str(file)]


def test_an_interpreter_with_a_space_in_its_name(place: Path) -> None:
    python = place / "my python"
    python.symlink_to(sys.executable)
    entry.write(str(place / "bin"), str(python), str(place / "bin"), [str(ROOT), PURE])
    assert bd(place, "create", "One").returncode == 0


SELDOM = """
def plain(one, two=2, *more, three=3, **named):
    return one, two, more, three, named, plain.__defaults__

class Some:
    def __init__(self, value):
        self.value = value
    def method(self, by=1):
        return [self.value + by + one for one in range(3)]
    @property
    def doubled(self):
        return self.value * 2 if self.value else 0
    @doubled.setter
    def doubled(self, value):
        self.value = value // 2 if value else 0
    @staticmethod
    def fixed(a, b=7):
        return (a + b) * 2 if a else b
    @classmethod
    def made(cls, value=5):
        return cls(value).method(by=value) if value else []

def each(count):
    for one in range(count):
        yield Some(one).method()

def along(first, second=(1, "two"), *, third=None):
    return [first, *second, third, *([] if third else [first])]

class Later:
    made = "when it is called"
    def __init__(self, value, times=2):
        self.value = value * times
    def __len__(self):
        return len(self.value)
"""
ASKED = """
from gastown_hooks.core import digest as d
some = d.Some(4)
some.doubled = 20
print(d.plain(1), d.plain(1, 5, 6, three=7, four=8), some.method(), some.method(by=2), d.Some.method(some), some.doubled, d.Some.fixed(1),
      some.fixed(1, b=2), d.Some.made(), list(d.each(2)))
from gastown_hooks.core.digest import Later, along
print(along(1), along(1, (), third=3), len(Later("ab")), len(Later("ab", times=3)), len(d.Later("c")),
      type(Later("a")) is type(d.Later("b")), type(d.Later("a")).__qualname__)
try:
    d.plain()
except TypeError as error:
    print(error)
print(sum(type(one).__name__ == "function" and one.__name__ == "stub" for one in (d.plain, d.Some.method, d.each)))
"""


def test_a_function_called_seldom_does_the_same(place: Path) -> None:
    """Its code is read when it is called first; then it stands where it would have."""
    source, listed = place / "lib/gastown_hooks/core/digest.py", place / "lib/gastown_hooks/hot.txt"
    source.write_text(source.read_text(encoding="utf-8") + SELDOM, encoding="utf-8")
    lines = [line for line in listed.read_text(encoding="utf-8").splitlines() if not line.startswith("core.digest")]
    listed.write_text("\n".join([*lines, "core.digest: -Later each=90 along=92", ""]), encoding="utf-8")
    subprocess.run([sys.executable, "-I", "-S", "-c", WRITE, place / "lib", place / "bin", sys.executable, place / "bin", place / "lib",
                    PURE], check=True)
    script = (place / "bin/bd").read_text(encoding="utf-8").replace("from gastown_hooks.front import bd, leave\nleave(bd())", "{}")
    plain, file = (subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, text=True, check=True).stdout.split("\n")
                   for text in (f"import sys\nsys.path.insert(0, {str(place / 'lib')!r})\n{ASKED}",
                                script.replace("{}", ASKED + "print(d.__spec__.loader.__name__)")))
    assert plain[:3] == file[:3] and len(plain[1]) > 20
    assert plain[3] == file[3] == "0"
    assert file[4] == "Hot"
    names = "d.plain.__name__, d.Some.method.__name__, d.Later.__name__"
    before = script.replace("{}", f"from gastown_hooks.core import digest as d\nprint({names})")
    assert subprocess.run([sys.executable, "-IS", "-c", before], capture_output=True, text=True, check=True).stdout == "stub stub stub\n"


def test_the_listed_functions_are_there() -> None:
    for module, functions in hot.FUNCTIONS.items():
        path = ROOT / module.replace(".", "/")
        tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
        found = {f"{owner.name}.{node.name}" if isinstance(owner, ast.ClassDef) else node.name
                 for owner in ast.walk(tree) for node in ast.iter_child_nodes(owner) if isinstance(node, ast.FunctionDef)}
        found |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        assert {name.lstrip("-") for name in functions} - {""} <= found, f"{module}: python bench/hot.py --write"


def test_a_module_that_is_not_in_the_file_is_imported() -> None:
    for name in hot.HOT:
        tree = ast.parse(Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8"))
        for node in [one for one in tree.body if isinstance(one, ast.ImportFrom) and hot._bound(one) != [one]]:
            if hasattr(importlib.import_module(node.module or ""), "__path__"):
                assert {f"{node.module}.{one.name}" for one in node.names} <= set(hot.HOT), name


def test_a_class_that_is_made_late_is_only_called() -> None:
    """Nobody asks whether something is one, takes an attribute of it or makes a class of it."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        finder = importlib.import_module("hot")
    finally:
        sys.path.remove(str(ROOT / "bench"))
    called = finder.only_called()
    late = {module: [name[1:] for name in names if name[:1] == "-" != name] for module, names in hot.FUNCTIONS.items()}
    assert sum(map(len, late.values())) > 5
    assert {module: left for module, names in late.items() if (left := set(names) - set(called.get(module, ())))} == {}


def test_smaller_code_does_the_same() -> None:
    """What is left out is only what nobody reads at run time: no class of the hot modules is made from its annotations."""
    for name in hot.HOT:
        path = ROOT / name.replace(".", "/")
        tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
        bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in (*node.bases, *node.decorator_list)]
        assert not {"NamedTuple", "TypedDict", "dataclass"} & {base.id for base in bases if isinstance(base, ast.Name)}, name
