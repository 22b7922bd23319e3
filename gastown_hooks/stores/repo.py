"""Reads of objects and refs in process, through libgit2: no child, no hook, no filter. Writing is `stores/git`'s, but for a commit object.

Names of commits are full hexadecimal ids. What is not there is None; what cannot be read is an error, never "not there".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gastown_hooks.core import fsio
from gastown_hooks.core.digest import sha256
from gastown_hooks.core.errors import GitFailed
from gastown_hooks.core.ids import shown
from gastown_hooks.core.late import late
from gastown_hooks.stores import gitdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pygit2 import _pygit2 as pygit2
else:
    # When a repository is first opened: many commands open none. Of the package (ssl, tarfile, enum …: four times as long) nothing is used.
    pygit2 = late("pygit2._pygit2", alone=True)

_TOPOLOGICAL: Any = 1  # libgit2's GIT_SORT_TOPOLOGICAL


class Repo:
    """An opened repository: the path of a bare one, a work tree or a linked worktree. Short-lived: open it for a question."""

    def __init__(self, path: str) -> None:
        self.path = path
        with _reading(path):
            self._repo = pygit2.Repository(pygit2.init_file_backend(path, 0))

    def resolve(self, rev: str) -> str | None:
        """The object that a full ref name, an id or a revision names, tags peeled; None when there is none."""
        try:
            found = self._repo.revparse_single(rev)
            return str(found.peel(None).id if isinstance(found, pygit2.Tag) else found.id)
        except (KeyError, ValueError):
            return None
        except (pygit2.GitError, OSError) as error:
            raise _unreadable(self.path, error) from error

    def kind(self, oid: str) -> str | None:
        """"commit", "tree", "blob" or "tag" (not peeled); None when there is no such object."""
        try:
            found = self._repo.git_object_lookup_prefix(oid)
            return None if found is None else found.type_str
        except ValueError:
            return None
        except (pygit2.GitError, OSError) as error:
            raise _unreadable(self.path, error) from error

    def tree(self, commit: str) -> str:
        """The id of the commit's tree."""
        return str(self._commit(commit).tree_id)

    def parents(self, commit: str) -> list[str]:
        return [str(oid) for oid in self._commit(commit).parent_ids]

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` has `ancestor` in its history, or is it. Both must be there."""
        self._commit(ancestor), self._commit(descendant)
        with _reading(self.path):
            return ancestor == descendant or self._repo.descendant_of(descendant, ancestor)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor; None for unrelated histories."""
        with _reading(self.path):
            found = self._repo.merge_base(one, other)
        return None if found is None else str(found)

    def refs(self, prefix: str) -> dict[str, str]:
        """Full ref name to object id (not peeled), for `prefix` itself and all below it, sorted. Symbolic refs are left out."""
        exact, below, found = prefix.rstrip("/"), prefix.rstrip("/") + "/", {}
        with _reading(self.path):
            every = self._repo.references_iterator_init()
            while (ref := self._repo.references_iterator_next(every)) is not None:
                if (ref.name == exact or ref.name.startswith(below)) and isinstance(ref.raw_target, pygit2.Oid):
                    found[ref.name] = str(ref.raw_target)
        return dict(sorted(found.items()))

    def note(self, commit: str, kind: str) -> str | None:
        """The text of the commit's note in `refs/notes/<kind>`; None when it has none that is text."""
        try:
            return str(self._repo.lookup_note(commit, f"refs/notes/{kind}").message)
        except (KeyError, ValueError):
            return None
        except (pygit2.GitError, OSError) as error:
            raise _unreadable(self.path, error) from error

    def commits(self, tip: str, *without: str) -> list[str]:
        """What is reachable from `tip` but from none of `without`, parents after children."""
        with _reading(self.path):
            walk = self._repo.walk(tip, _TOPOLOGICAL)
            for commit in without:
                walk.hide(commit)
            return [str(commit.id) for commit in walk]

    def write_commit(self, tree: str, parents: list[str], message: str, who: tuple[str, str], when: int) -> str:
        """Write a commit object, durably, and return its id: what `git commit-tree` would make of it. It moves no ref.

        `who`: name and address of author and committer, `when`: their seconds since the epoch. Raises GitFailed.
        """
        name, address = ("".join(char for char in word if char.isprintable() and char not in "<>").strip() for word in who)
        try:
            signature = pygit2.Signature(name, address, when, 0, "utf-8")
            oid = str(self._repo.create_commit(None, signature, signature, message, tree, parents))
        except (pygit2.GitError, OSError, KeyError, ValueError) as error:
            raise GitFailed(f"cannot write a commit to {self.path}", why=shown(str(error), 200)) from error
        self._sync(oid)
        return oid

    def _sync(self, oid: str) -> None:
        """libgit2 does not, as we use it; an object of a pack is durable already."""
        objects = f"{gitdir.common_dir(self.path)}/objects"
        path = f"{objects}/{oid[:2]}/{oid[2:]}"
        if not os.path.exists(path):
            return
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fsio.sync(fd, path)
        finally:
            os.close(fd)
        for folder in (f"{objects}/{oid[:2]}", objects):
            fsio.sync_folder(folder)

    def contains_patch(self, commit: str, base: str, tip: str) -> bool:
        """Whether the work `base..commit` was applied in `base..tip` as other commits: each by itself, or all as one.

        Patches are compared byte by byte, white space included, line numbers left out. What a newer commit took back is not
        contained. Work that changes nothing never is: it would prove anything.
        """
        start = self.merge_base(commit, base) or base
        whole = self._patch(start, commit)
        if whole is None:
            return False
        wanted = {patch for one in self.commits(commit, start) if (patch := self._own_patch(one)) is not None}
        newer = set[str | None]()
        for one in self.commits(tip, start):
            patch = self._own_patch(one)
            if (patch == whole or patch in wanted) and not self._is_taken_back(one, newer):
                wanted.discard(str(patch))
                if patch == whole or not wanted:
                    return True
            newer.add(patch)
        return False

    def _is_taken_back(self, commit: str, patches: set[str | None]) -> bool:
        """Whether one of these patches is the reverse of the commit's own."""
        parents = self.parents(commit)
        return bool(parents) and self._patch(commit, parents[0]) in patches

    def _own_patch(self, commit: str) -> str | None:
        """The patch that a commit makes to its first parent; a merge's too (a squash by another name)."""
        parents = self.parents(commit)
        return self._patch(parents[0] if parents else None, commit)

    def _patch(self, old: str | None, new: str) -> str | None:
        """A hash of the difference, without line numbers; None for no difference."""
        with _reading(self.path):
            tree = self._tree(new)
            diff = tree.diff_to_tree(swap=True) if old is None else self._tree(old).diff_to_tree(tree)
            digest, some = sha256(), False
            for patch in diff:
                if patch is None:
                    continue
                some = True
                delta = patch.delta
                if delta.is_binary:
                    digest.update(f"{delta.old_file.id} {delta.new_file.id}\n".encode())
                lines = patch.data.split(b"\n")
                digest.update(b"\n".join(line for line in lines if not line.startswith((b"@@ ", b"index "))) + b"\0")
            return digest.hexdigest() if some else None

    def _tree(self, treeish: str) -> pygit2.Tree:
        found = self._object(treeish).peel(pygit2.Tree)
        assert isinstance(found, pygit2.Tree)
        return found

    def _object(self, oid: str) -> pygit2.Object:
        found = self._repo.git_object_lookup_prefix(oid)
        if found is None:
            raise KeyError(oid)
        return found

    def _commit(self, oid: str) -> pygit2.Commit:
        try:
            found = self._object(oid)
        except (KeyError, ValueError) as error:
            raise GitFailed(f"{self.path} has no commit {shown(oid)}") from error
        except (pygit2.GitError, OSError) as error:
            raise _unreadable(self.path, error) from error
        if not isinstance(found, pygit2.Commit):
            raise GitFailed(f"{shown(oid)} in {self.path} is no commit", why=f"it is a {found.type_str}")
        return found


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (pygit2.GitError, OSError, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> GitFailed:
    return GitFailed(f"cannot read {path}", why=shown(str(error), 200), next=f"git -C {path} fsck")
