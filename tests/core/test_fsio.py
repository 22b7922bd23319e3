"""Writes: whole or not at all, durable, and honest when the disk refuses."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import ROOT, run
from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import Corrupt, StorageFailed


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def in_process(code: str, *args: str) -> tuple[int, str]:
    """Run code with fsio imported, as another process; its exit code and what it printed."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from gastown_hooks.core import fsio, errors; import os\n{code}"
    done = run([sys.executable, "-c", start, *args])
    return done.code, done.out + done.err


def test_read(tmp_path: Path) -> None:
    assert fsio.read(str(tmp_path / "none")) is None
    assert fsio.read_json(str(tmp_path / "none")) is None
    (tmp_path / "bad").write_text("{")
    with pytest.raises(Corrupt, match=r"bad is not JSON.*Next: mend it; python3 -m json.tool .*/bad shows where$"):
        fsio.read_json(str(tmp_path / "bad"))
    (tmp_path / "utf").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(Corrupt):
        fsio.read_json(str(tmp_path / "utf"))


@pytest.mark.parametrize("durable", [True, False])
def test_write_replaces_and_leaves_nothing_else(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a"
    for data in (b"one", b"two" * 100_000, b""):
        fsio.write(str(path), data, durable=durable)
        assert path.read_bytes() == data
    assert mode(path) == 0o600 and sorted(os.listdir(tmp_path)) == ["a", "home"]
    fsio.write(str(path), b"x", mode=0o755)
    assert mode(path) == 0o755


def test_write_json_comes_back(tmp_path: Path) -> None:
    value = {"a": [1, None, "é\u2028"], "b": {}}
    fsio.write_json(str(tmp_path / "a"), value)
    assert fsio.read_json(str(tmp_path / "a")) == value
    assert (tmp_path / "a").read_bytes().endswith(b"\n")


def test_a_refused_write_keeps_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    code, text = in_process("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
                            "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                            "try: fsio.write(sys.argv[1], b'x' * 100000)\nexcept errors.StorageFailed as e: print(e)", str(path))
    assert code == 0 and "no space left" in text
    assert path.read_text() == "old\n" and sorted(os.listdir(tmp_path)) == ["a", "home"]


@pytest.mark.parametrize("act", [
    lambda path: fsio.write(path, b""), lambda path: fsio.create(path, b""), lambda path: fsio.stage(path, b""),
    lambda path: fsio.append(path, b"x\n"), fsio.make_folder, fsio.touch, lambda path: fsio.link("x", path)])
def test_a_folder_that_is_a_file_is_a_storage_failure(tmp_path: Path, act: object) -> None:
    (tmp_path / "file").write_text("")
    assert callable(act)
    with pytest.raises(StorageFailed, match="cannot write"):
        act(str(tmp_path / "file/below"))


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("safe")
    (tmp_path / "a").symlink_to("victim")
    fsio.write(str(tmp_path / "a"), b"new")
    assert (tmp_path / "victim").read_text() == "safe" and not (tmp_path / "a").is_symlink()
    (tmp_path / "log").symlink_to("victim")
    with pytest.raises(StorageFailed):
        fsio.append(str(tmp_path / "log"), b"x\n")
    assert (tmp_path / "victim").read_text() == "safe"


def test_create_has_one_winner(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    starters = [subprocess.Popen([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
                                  "from gastown_hooks.core import fsio\nsys.stdin.read()\n"
                                  "print(int(fsio.create(sys.argv[1], sys.argv[2].encode() * 1000)))", path, str(number)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in range(6)]
    results = []
    for starter in starters:
        assert starter.stdin
        starter.stdin.close()
    for starter in starters:
        assert starter.stdout
        results.append(starter.stdout.read().strip())
        starter.wait()
        starter.stdout.close()
    winner = results.index("1")
    assert sorted(results) == ["0"] * 5 + ["1"]
    assert Path(path).read_bytes() == str(winner).encode() * 1000
    assert sorted(os.listdir(tmp_path)) == ["a", "home"]


def test_stage_and_swap(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    temporary = fsio.stage(str(path), b"new")
    assert path.read_text() == "old" and Path(temporary).parent == tmp_path
    fsio.swap(temporary, str(path))
    assert path.read_text() == "new"


def test_rename_of_what_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fsio.rename(str(tmp_path / "none"), str(tmp_path / "a"))


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b" ")), max_size=5), st.binary(min_size=1, max_size=30))
def test_a_torn_tail_is_cut_and_never_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], torn: bytes) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    torn = torn.replace(b"\n", b" ")
    whole = b"".join(line + b"\n" for line in lines)
    path.write_bytes(whole + torn)
    assert fsio.whole_lines(path.read_bytes()) == lines
    fsio.append(str(path), b"next\n")
    assert path.read_bytes() == whole + b"next\n"


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 200_000])
def test_a_long_torn_tail(tmp_path: Path, size: int) -> None:
    for start in (b"", b"a\n", b"a\n" * 40_000):
        path = tmp_path / "log"
        path.write_bytes(start + b"x" * size)
        fsio.append(str(path), b"next\n")
        assert path.read_bytes() == start + b"next\n"


def test_append_that_the_disk_refuses_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" * 4000 + b"\n")
    code, text = in_process("import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
                            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                            "try: fsio.append(sys.argv[1], b'b' * 500 + b'\\n')\nexcept errors.StorageFailed as e: print(e)", str(path))
    assert code == 0 and "no space left" in text
    assert path.read_bytes() == b"a" * 4000 + b"\n"


def test_readers_never_see_half_of_a_write(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0" * 300_000)
    writer = subprocess.Popen([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
                               "from gastown_hooks.core import fsio\nn = 0\n"
                               "while True: n += 1; fsio.write(sys.argv[1], b'%d' % (n % 10) * 300000, durable=False)", str(path)])
    try:
        seen: set[bytes] = set()
        deadline = time.monotonic() + 20
        while len(seen) < 8 and time.monotonic() < deadline:
            data = fsio.read(str(path))
            assert data is not None and len(data) == 300_000 and len(set(data)) == 1
            seen.add(data[:1])
        assert len(seen) == 8
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    data = path.read_bytes()
    assert len(data) == 300_000 and len(set(data)) == 1


def test_folders(tmp_path: Path) -> None:
    deep = tmp_path / "a/b"
    fsio.make_folder(str(deep))
    fsio.make_folder(str(deep))
    assert mode(deep) == 0o700


def test_parents_are_private_too(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        fsio.make_folder(str(tmp_path / "x/y/z"))
    finally:
        os.umask(old)
    assert [mode(tmp_path / part) for part in ("x", "x/y", "x/y/z")] == [0o700] * 3


def test_remove(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    fsio.remove(str(tmp_path / "a"))
    fsio.remove(str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


def test_remove_tree_follows_no_link_and_is_repeatable(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("stays")
    tree = tmp_path / "tree"
    (tree / "deep/er").mkdir(parents=True)
    (tree / "deep/er/file").write_text("x")
    (tree / "link").symlink_to(tmp_path / "outside")
    (tree / "read-only").mkdir()
    (tree / "read-only/file").write_text("x")
    (tree / "read-only/more").mkdir()
    (tree / "read-only").chmod(0o500)
    fsio.remove_tree(str(tree))
    fsio.remove_tree(str(tree))
    assert not tree.exists() and (tmp_path / "outside/file").read_text() == "stays"


def test_remove_tree_of_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("stays")
    (tmp_path / "link").symlink_to("outside")
    fsio.remove_tree(str(tmp_path / "link"))
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "outside/file").exists()


def test_remove_tree_as_an_ordinary_user(tmp_path: Path) -> None:
    """Read-only folders (a tool's cache) go too; root would not notice the difference, so root becomes nobody."""
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_text("x")
    for path in (tmp_path, tree, tree / "a", tree / "a/b", tree / "a/b/file"):
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    (tree / "a/b").chmod(0o000)
    (tree / "a").chmod(0o500)
    code, text = in_process("if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
                            "fsio.remove_tree('tree')")
    assert code == 0, text
    assert not tree.exists()


def test_remove_tree_of_what_is_not_ours_is_a_storage_failure(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        fsio.remove_tree("/proc/self/task")
    fsio.remove_tree(str(tmp_path / "none/at/all"))
    (tmp_path / "file").write_text("")
    fsio.remove_tree(str(tmp_path / "file"))
    assert not (tmp_path / "file").exists()


def test_link_copy_touch(tmp_path: Path) -> None:
    for target in ("one", "two"):
        fsio.link(target, str(tmp_path / "link"))
        assert os.readlink(tmp_path / "link") == target
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o750)
    fsio.copy(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "x" and mode(tmp_path / "b") == 0o750
    fsio.touch(str(tmp_path / "flag"))
    (tmp_path / "flag").write_text("kept")
    fsio.touch(str(tmp_path / "flag"))
    assert (tmp_path / "flag").read_text() == "kept"


def test_a_name_without_a_folder_is_staged_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert os.path.dirname(os.path.realpath(fsio.stage("file", b"x"))) == str(tmp_path)
    fsio.write("file", b"y")
    assert Path("file").read_bytes() == b"y"
