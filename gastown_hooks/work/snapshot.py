"""A folder's files as git objects, byte for byte: no filter, no end-of-line conversion, no attribute has a say.

Paths are relative texts (undecodable bytes as surrogates). A path part that git's trees may not hold (`.git`) is stored with
the prefix `%gt%`, and so is a part that begins with that prefix; `unescaped` takes one prefix off again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from gastown_hooks.core.errors import Conflict, Corrupt, Refused, storage
from gastown_hooks.core.ids import shown
from gastown_hooks.core.late import late
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import git

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
else:
    hashlib = late("hashlib")

FILE, PROGRAM, LINK, MODULE, FOLDER = "100644", "100755", "120000", "160000", "040000"
ESCAPE = "%gt%"
_BIG = 8 << 20
_BATCH = 32 << 20
_CHUNK = 1 << 20


class Changed(Conflict):
    """A file changed while it was being saved: somebody still writes there."""

    code = "changed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: git's mode, the id of its bytes, its size."""

    mode: str
    oid: str
    size: int = 0


Entries = dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Files:
    """What a folder holds. `special` are pipes, sockets and devices; `ignored` are (path, size); `embedded` the files inside
    the checked-out submodules, whose own entries are in `entries` with mode 160000."""

    entries: Entries
    empty: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    ignored: tuple[tuple[str, int], ...] = ()
    embedded: tuple[tuple[str, Entry], ...] = ()


def look(root: str, *, ignored: frozenset[str] = frozenset(), modules: Mapping[str, str] | None = None,
         skip: frozenset[str] = frozenset()) -> Files:
    """Hash everything below `root`. `ignored` paths (a folder's ends in /) are only listed; `modules` maps a submodule's path
    to its commit; `skip` are paths left out. Raises Refused for what cannot be read, Changed for what changes meanwhile."""
    walk = _Walk(root, ignored, dict(modules or {}), skip)
    walk.run()
    return Files(dict(sorted(walk.entries.items())), tuple(sorted(walk.empty)), tuple(sorted(walk.special)),
                 tuple(sorted(walk.ignored)), tuple(sorted(walk.embedded.items(), key=lambda item: item[0])))


class _Walk:
    def __init__(self, root: str, ignored: frozenset[str], modules: dict[str, str], skip: frozenset[str]) -> None:
        self._root, self._ignored, self._modules, self._skip = root, ignored, modules, skip
        self.entries: Entries = {}
        self.embedded: Entries = {}
        self.empty: list[str] = []
        self.special: list[str] = []
        self.ignored: list[tuple[str, int]] = []

    def run(self) -> None:
        folders = [("", self.entries, False)]
        while folders:
            folder, into, listed = folders.pop()
            found = _listing(self._root, folder)
            if not found and folder and not listed:
                self.empty.append(folder)
            for name, status in found:
                path = f"{folder}/{name}" if folder else name
                if path in self._skip:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(self._folder(path, into, listed or f"{path}/" in self._ignored))
                elif listed or (path in self._ignored and into is self.entries):
                    self.ignored.append((path, status.st_size))
                else:
                    self._file(path, status, into)

    def _folder(self, path: str, into: Entries, listed: bool) -> tuple[str, Entries, bool]:
        if path in self._modules and into is self.entries and not listed:
            self.entries[path] = Entry(MODULE, self._modules[path])
            return path, self.embedded, False
        return path, into, listed

    def _file(self, path: str, status: os.stat_result, into: Entries) -> None:
        full = os.path.join(self._root, path)
        if stat.S_ISLNK(status.st_mode):
            data = os.fsencode(os.readlink(full))
            into[path] = Entry(LINK, oid_of(data), len(data))
        elif stat.S_ISREG(status.st_mode):
            oid, size = _hash(full)
            into[path] = Entry(PROGRAM if status.st_mode & 0o100 else FILE, oid, size)
        else:
            self.special.append(path)


def _listing(root: str, folder: str) -> list[tuple[str, os.stat_result]]:
    path = os.path.join(root, folder) if folder else root
    try:
        with os.scandir(path) as found:
            return [(entry.name, entry.stat(follow_symlinks=False)) for entry in found]
    except FileNotFoundError:
        raise Changed(f"{shown(path, 200)} vanished while it was saved") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _hash(path: str) -> tuple[str, int]:
    """The blob id and size of a regular file, read in pieces."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Changed(f"{shown(path, 200)} vanished while it was saved") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    with os.fdopen(fd, "rb", buffering=0) as file:
        size = os.fstat(fd).st_size
        digest, got = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False), 0
        try:
            while piece := file.read(_CHUNK):
                digest.update(piece)
                got += len(piece)
        except OSError as error:
            raise _unreadable(path, error) from error
    if got != size:
        raise Changed(f"{shown(path, 200)} changed while it was saved")
    return digest.hexdigest(), size


def _unreadable(path: str, error: OSError) -> Refused:
    return Refused(f"cannot save {shown(path, 200)}", why=f"it cannot be read ({error.strerror}), and nothing unsaved is removed",
                   next="make it readable (chmod u+rX), then run it again")


def oid_of(data: bytes, kind: str = "blob") -> str:
    """The object id of these bytes."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest()


# ---- into the object database

def store(repo: str, root: str, entries: Iterable[tuple[str, Entry]]) -> int:
    """Write the files' bytes that the repository does not have yet and read them back; returns how many. Raises Changed."""
    wanted = {entry.oid: (path, entry) for path, entry in entries if entry.mode != MODULE}
    absent = missing(repo, wanted)
    small = [oid for oid in absent if wanted[oid][1].mode == LINK or wanted[oid][1].size <= _BIG]
    for oids in _batches(small, {oid: wanted[oid][1].size for oid in small}):
        put(repo, (_read(root, *wanted[oid]) for oid in oids))
        for _ in blobs(repo, oids):
            pass  # each is checked against its id
    for oid in sorted(set(absent) - set(small)):
        path = os.path.join(root, wanted[oid][0])
        done = git.run(repo, "hash-object", "-w", "--no-filters", "--stdin-paths", input=_quoted(path) + b"\n", check=False)
        if done.out.strip() != oid:
            raise Changed(f"{shown(path, 200)} changed while it was saved", why=done.err.strip())
    return len(absent)


def put(repo: str, contents: Iterable[bytes]) -> list[str]:
    """Write these bytes as blobs, durably and in one go; returns their ids."""
    oids, stream = [], []
    for data in contents:
        oids.append(oid_of(data))
        stream.append(b"blob\ndata %d\n" % len(data) + data + b"\n")
    if stream:
        git.run(repo, "fast-import", "--quiet", "--done", input=b"".join([*stream, b"done\n"]))
    return oids


def missing(repo: str, oids: Iterable[str]) -> list[str]:
    """Those of the ids that the repository has no object for."""
    asked = sorted(set(oids))
    if not asked:
        return []
    out = git.run(repo, "cat-file", "--batch-check=%(objectname)", input="\n".join(asked).encode() + b"\n").out
    return [line.partition(" ")[0] for line in out.splitlines() if line.endswith(" missing")]


def blobs(repo: str, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """(id, bytes) of each blob; the bytes are checked against the id. Raises Corrupt."""
    asked = list(oids)
    out = git.run(repo, "cat-file", "--batch", input="\n".join(asked).encode() + b"\n").out if asked else ""
    data, at = out.encode("utf-8", "surrogateescape"), 0
    for oid in asked:
        end = data.index(b"\n", at)
        header = data[at:end].split()
        if len(header) != 3 or header[1] != b"blob":
            raise Corrupt(f"object {oid} is missing", why=data[at:end].decode("utf-8", "replace"))
        body = data[end + 1:end + 1 + int(header[2])]
        if oid_of(body) != oid:
            raise Corrupt(f"object {oid} does not hold its own bytes")
        at = end + int(header[2]) + 2
        yield oid, body


def sized_blobs(repo: str, entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Like `blobs` for entries, asked for in portions that fit in memory."""
    sizes = {entry.oid: entry.size for entry in entries}
    for oids in _batches(list(sizes), sizes):
        yield from blobs(repo, oids)


def tree(repo: str, entries: Mapping[str, Entry]) -> str:
    """Write the tree that holds the entries; returns its id. git checks that each object is there."""
    root: dict[str, object] = {}
    levels: list[list[dict[str, object]]] = [[root]]
    for path, entry in entries.items():
        *folders, name = escaped(path).split("/")
        node = root
        for depth, folder in enumerate(folders, 1):
            child = node.setdefault(folder, {})
            if not isinstance(child, dict):
                raise Refused(f"cannot save {shown(path, 200)}", why="one of its folders is a file in the index")
            if not child:
                levels.extend([] for _ in range(depth + 1 - len(levels)))
                levels[depth].append(child)
            node = child
        if name in node:
            raise Refused(f"cannot save {shown(path, 200)}", why="it is both a file and a folder in the index")
        node[name] = entry
    done: dict[int, str] = {}
    for level in reversed(levels):
        _write_level(repo, [node for node in level if node], done)
    return done.get(id(root)) or git.run(repo, "mktree", input=b"").line


def _write_level(repo: str, nodes: list[dict[str, object]], done: dict[int, str]) -> None:
    if not nodes:
        return
    records = []
    for node in nodes:
        for name, child in node.items():
            if isinstance(child, Entry):
                kind = {MODULE: "commit", FOLDER: "tree"}.get(child.mode, "blob")
                records.append(f"{child.mode} {kind} {child.oid}\t{name}\0")
            else:
                records.append(f"{FOLDER} tree {done[id(child)]}\t{name}\0")
        records.append("\0")
    out = git.run(repo, "mktree", "--batch", "-z", input="".join(records).encode("utf-8", "surrogateescape")).out.split()
    done.update({id(node): oid for node, oid in zip(nodes, out, strict=True)})


def listed(repo: str, tree_oid: str) -> Entries:
    """What a tree in the repository holds, by unescaped path, with sizes."""
    found: Entries = {}
    for record in git.run(repo, "ls-tree", "-r", "-z", "-l", "--full-tree", tree_oid).out.split("\0"):
        if record:
            head, _, path = record.partition("\t")
            mode, _, oid, size = head.split()
            found[unescaped(path)] = Entry(mode, oid, int(size) if size != "-" else 0)
    return dict(sorted(found.items()))


def escaped(path: str) -> str:
    """The path as a tree may hold it."""
    if ESCAPE not in path and ".git" not in path.lower():
        return path
    return "/".join(ESCAPE + part if _forbidden(part) else part for part in path.split("/"))


def unescaped(path: str) -> str:
    """The path on disk of a path in a tree."""
    return "/".join(part.removeprefix(ESCAPE) for part in path.split("/")) if ESCAPE in path else path


def _forbidden(part: str) -> bool:
    return part.startswith(ESCAPE) or part.lower() == ".git"


def _read(root: str, path: str, entry: Entry) -> bytes:
    full = os.path.join(root, path)
    try:
        if entry.mode == LINK:
            data = os.fsencode(os.readlink(full))
        else:
            with open(full, "rb") as file:
                data = file.read()
    except FileNotFoundError:
        raise Changed(f"{shown(full, 200)} vanished while it was saved") from None
    except OSError as error:
        raise storage(full, error) from error
    if oid_of(data) != entry.oid:
        raise Changed(f"{shown(full, 200)} changed while it was saved")
    return data


def _batches(oids: list[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    batch: list[str] = []
    total = 0
    for oid in oids:
        if batch and total + sizes[oid] > _BATCH:
            yield batch
            batch, total = [], 0
        batch.append(oid)
        total += sizes[oid] + 64
    if batch:
        yield batch


def _quoted(path: str) -> bytes:
    """The path in git's C quoting, one line whatever it holds."""
    return b'"' + b"".join(bytes((c,)) if 32 < c < 127 and c not in b'"\\' else b"\\%03o" % c for c in os.fsencode(path)) + b'"'
