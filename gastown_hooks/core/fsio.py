"""The only place that writes, renames, makes or removes files. Each function says what a crash leaves.

Whole files: a temporary file in the same folder, fsync, rename, fsync of the folder; so a reader sees the old text or the
new one. Lines: one `write` under the caller's lock, the length checked, a torn tail of a dead writer cut first
(the kernel may tear any write at a page boundary). Folders 0700, files 0600.
"""

from __future__ import annotations

import errno

from gastown_hooks.core import errors, jsons
from gastown_hooks.core.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def read(path: str) -> bytes | None:
    """The file's bytes; None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def read_end(path: str, length: int) -> bytes:
    """The last bytes of the file, at most so many; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            return os.pread(file.fileno(), length, max(0, os.fstat(file.fileno()).st_size - length))
    except FileNotFoundError:
        return b""


def read_json(path: str) -> Any:
    """The file's JSON value; None where there is no file. Raises Corrupt."""
    data = read(path)
    if data is None:
        return None
    try:
        return jsons.loads(data.decode())
    except ValueError as error:
        raise errors.Corrupt(f"{path} is not JSON", why=str(error), next=f"mend it; python3 -m json.tool {path} shows where") from None


def write(path: str, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the file as a whole. `durable=False` for what may lose its last value in a power cut (heartbeats)."""
    temporary = _temporary(path)
    try:
        _write_new(temporary, data, mode, durable)
        os.rename(temporary, path)
        if durable:
            sync_folder(os.path.dirname(path))
    except OSError as error:
        _forget(temporary)
        raise errors.storage(path, error) from error


def write_json(path: str, value: Any, *, durable: bool = True) -> None:
    write(path, jsons.pretty(value).encode() + b"\n", durable=durable)


def create(path: str, data: bytes, *, mode: int = 0o600) -> bool:
    """Make the file if it is not there yet; False when somebody was first. Readers never see half of it."""
    temporary = _temporary(path)
    try:
        _write_new(temporary, data, mode, True)
        os.link(temporary, path, follow_symlinks=False)
        sync_folder(os.path.dirname(path))
        return True
    except FileExistsError:
        return False
    except OSError as error:
        raise errors.storage(path, error) from error
    finally:
        _forget(temporary)


def stage(path: str, data: bytes, *, mode: int = 0o600) -> str:
    """A durable temporary file beside `path`, for `swap` later. The caller discards it if it does not swap."""
    temporary = _temporary(path)
    try:
        _write_new(temporary, data, mode, True)
    except OSError as error:
        _forget(temporary)
        raise errors.storage(path, error) from error
    return temporary


def swap(temporary: str, path: str) -> None:
    """Rename a staged file into its place, durably."""
    rename(temporary, path)


def rename(source: str, target: str) -> None:
    """Rename, durably. Raises FileNotFoundError when the source is gone (somebody claimed it first)."""
    try:
        os.rename(source, target)
        sync_folder(os.path.dirname(target))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise errors.storage(target, error) from error


def append(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Append whole lines, durably. The caller holds the file's lock.

    Raises StorageFailed with the old content whole, or Indeterminate when fsync failed after the write.
    """
    fd = open_log(path, mode)
    try:
        append_to(fd, path, data)
        sync(fd, path)
    finally:
        os.close(fd)


def open_log(path: str, mode: int = 0o600) -> int:
    """A descriptor for `append_to`."""
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS, mode)
    except OSError as error:
        raise errors.storage(path, error) from error


def append_to(fd: int, path: str, data: bytes) -> None:
    """Heal the tail, write once, check the length, take it back on error. No fsync: see `sync`."""
    try:
        size = _heal(fd)
        written = os.write(fd, data)
        if written == len(data):
            return
        os.ftruncate(fd, size)
        raise OSError(errno.ENOSPC, "the disk took only part of the line")
    except OSError as error:
        try:
            os.ftruncate(fd, size)
        except (OSError, UnboundLocalError):
            pass  # the next writer cuts the torn tail; nothing was acknowledged
        raise errors.storage(path, error) from error


def sync(fd: int, path: str) -> None:
    """fsync; a failure leaves the outcome open and is never retried (the kernel drops the pages it failed on)."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise errors.Indeterminate(f"cannot make {path} durable", why=error.strerror or str(error),
                            next="read it back before you repeat the command") from error


def whole_lines(data: bytes) -> list[bytes]:
    """The lines up to the last newline: a tail without one was never acknowledged."""
    return data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]


def make_folder(path: str) -> None:
    """Make the folder and its parents, each 0700; no error when it is there."""
    try:
        if not os.path.isdir(path):
            if (parent := os.path.dirname(path)) not in ("", path):
                make_folder(parent)
            os.mkdir(path, 0o700)
    except OSError as error:
        if not (isinstance(error, FileExistsError) and os.path.isdir(path)):
            raise errors.storage(path, error) from error


def remove(path: str) -> None:
    """Remove a file or a link; no error when it is gone."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise errors.storage(path, error) from error


def thin_out(folder: str, limit: int) -> None:
    """At `limit` files the older half goes."""
    names = os.listdir(folder)
    if len(names) >= limit:
        ages = {path: when for name in names if (when := _modified(path := f"{folder}/{name}")) is not None}
        for path in sorted(ages, key=ages.__getitem__)[:-limit // 2]:
            remove(path)


def remove_tree(path: str) -> None:
    """Remove a folder with all it holds; links are removed, never followed. No error when it is gone."""
    folder, name = os.path.split(path)
    try:
        parent = os.open(folder or ".", _FOLDER)
    except FileNotFoundError:
        return
    except OSError as error:
        raise errors.storage(path, error) from error
    try:
        _remove_entry(name, parent)
    except OSError as error:
        raise errors.storage(path, error) from error
    finally:
        os.close(parent)


def link(target: str, path: str) -> None:
    """A symbolic link at `path`, replacing what was there."""
    temporary = _temporary(path)
    try:
        os.symlink(target, temporary)
        os.rename(temporary, path)
    except OSError as error:
        _forget(temporary)
        raise errors.storage(path, error) from error


def copy(source: str, target: str, *, mode: int | None = None) -> None:
    """A whole-file copy with the source's mode."""
    with open(source, "rb") as file:
        write(target, file.read(), mode=os.fstat(file.fileno()).st_mode & 0o777 if mode is None else mode)


def touch(path: str) -> None:
    """An empty flag file; there or made."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o600))
    except OSError as error:
        raise errors.storage(path, error) from error


def sync_folder(path: str) -> None:
    """Make the folder's entries durable."""
    fd = os.open(path or ".", _FOLDER)
    try:
        os.fsync(fd)
    except OSError as error:
        raise errors.Indeterminate(f"cannot make {path} durable", why=error.strerror or str(error)) from error
    finally:
        os.close(fd)


def _modified(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return None  # gone since it was listed


def _remove_entry(name: str, parent: int) -> None:
    """Every step is relative to an open folder: a link put in a folder's place while we work is not followed either."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if mode & 0o170000 != 0o040000:
            return os.unlink(name, dir_fd=parent)
        if mode & 0o700 != 0o700:
            os.chmod(name, 0o700, dir_fd=parent)  # a tool's read-only cache
        fd = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        for below in os.listdir(fd):
            _remove_entry(below, fd)
    finally:
        os.close(fd)
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        pass


def _temporary(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"


def _write_new(path: str, data: bytes, mode: int, durable: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # a leftover of this name is never read; the dogs sweep it by age


def _heal(fd: int) -> int:
    """Cut an unterminated last line (a killed writer's); returns the size after it."""
    size = os.fstat(fd).st_size
    if size == 0 or os.pread(fd, 1, size - 1) == b"\n":
        return size
    end = size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            os.ftruncate(fd, start + newline + 1)
            return start + newline + 1
        end = start
    os.ftruncate(fd, 0)
    return 0
