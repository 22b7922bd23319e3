"""Where a rig's code comes from: a git URL, or a folder of the user's, which is read and never changed.

A folder with a remote stands for that remote. A folder without one is only read: what lands goes to the rig's own repository
and the user pulls it. A bare repository is itself a remote.
"""

from __future__ import annotations

import os
import re
import shlex
import urllib.parse

from gastown_hooks.core import ids
from gastown_hooks.core.errors import BadInput, GitFailed, Refused, RemoteAway
from gastown_hooks.core.paths import Town
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import git

SCHEMES = ("https", "http", "ssh", "git", "file", "git+ssh", "ssh+git")
PROTOCOLS = {"GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file", "GIT_OPTIONAL_LOCKS": "0"}
_SCP = re.compile(r"(?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9._][A-Za-z0-9._-]*:(?!:)[^\s]+")
_HELPER = re.compile(r"[A-Za-z0-9.+_-]*::")


@dataclass(frozen=True, slots=True)
class Source:
    """`url`: the remote, None when there is none. `folder`: the user's own checkout, if that was named."""

    url: str | None
    folder: str | None

    @property
    def place(self) -> str:
        """Where the first commits are fetched from."""
        return self.url or self.folder or ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the source holds: its branches and the one that its HEAD names."""

    branches: dict[str, str]
    head: str | None


def find(town: Town, text: str, cwd: str) -> Source:
    """The source that a person's words mean. Raises BadInput or Refused; runs nothing that the words could choose."""
    if len(text) > 2000:
        raise BadInput(f"{ids.shown(text)} is no git URL", why="it is too long")
    git.checked_url(text)
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme.lower() not in SCHEMES or not rest or rest.startswith("-"):
            raise BadInput(f"{ids.shown(text)} is no git URL", why=f"known kinds: {', '.join(SCHEMES[:5])} or a folder")
        if scheme.lower() != "file":
            return Source(text, None)
        return _of_folder(town, urllib.parse.unquote("/" + rest.partition("/")[2]), text)
    folder = os.path.join(cwd, os.path.expanduser(text))
    if os.path.lexists(folder):
        return _of_folder(town, folder, None)
    if _SCP.fullmatch(text) and "/" not in text.partition(":")[0]:
        return Source(text, None)
    raise BadInput(f"no folder {ids.shown(text)}", why="and it is no git URL either", next="gt rig add NAME URL-OR-FOLDER")


def probe(source: Source) -> Probe:
    """Ask the source for its branches. Raises RemoteAway, or Refused for a repository without commits."""
    found = git.run("/", "ls-remote", "--symref", "--", source.place, "HEAD", "refs/heads/*", env=PROTOCOLS, check=False)
    if found.code != 0:
        raise RemoteAway(f"cannot read {ids.shown(source.place, 200)}", why=_last_line(found.err),
                         next=f"git ls-remote {ids.shown(source.place, 200)}")
    head, branches = None, {}
    for line in found.lines:
        value, _, name = line.partition("\t")
        if value.startswith("ref: refs/heads/") and name == "HEAD":
            head = value.removeprefix("ref: refs/heads/")
        elif name.startswith("refs/heads/"):
            branches[name.removeprefix("refs/heads/")] = value
    if not branches:
        raise Refused(f"{ids.shown(source.place, 200)} has no commits", why="a rig needs a branch to land on", next=_first_commit(source))
    return Probe(branches, head if head in branches else None)


def target_of(found: Probe, wished: str | None) -> str:
    """The branch that work lands on. Raises Refused with the branches there are."""
    if wished is not None:
        if wished in found.branches:
            return wished
        raise Refused(f"no branch {ids.shown(wished)}", why=f"there are: {_some(found.branches)}", next="gt rig add … --branch B")
    if found.head is None:
        raise Refused("the repository's HEAD names no branch", why=f"there are: {_some(found.branches)}",
                      next="gt rig add … --branch B")
    return found.head


def _of_folder(town: Town, path: str, url: str | None) -> Source:
    path = os.path.realpath(path)
    if url is not None and not os.path.lexists(path):
        return Source(url, None)
    if not os.path.isdir(path):
        raise BadInput(f"{ids.shown(path)} is no repository", why="it is no folder" if os.path.lexists(path) else "it is not there")
    if path == town.root or path.startswith(town.root + "/"):
        raise Refused(f"{path} belongs to this town", why="a rig is made from a repository outside of it")
    known = git.run(path, "rev-parse", "--is-bare-repository", env=PROTOCOLS, check=False)
    if known.code != 0:
        raise _no_repository(path, known.err)
    if known.line == "true":
        return Source(url or path, None)
    if git.top(path) != path:
        raise Refused(f"{path} is no checkout's top folder", next=f"gt rig add NAME {git.top(path) or 'URL'}")
    return Source(_remote_of(path), path)


def _no_repository(path: str, words: str) -> Refused:
    above = git.top(path)
    if above is not None:
        return Refused(f"{path} is inside the repository {above}", why="name the repository itself", next=f"gt rig add NAME {above}")
    return Refused(f"{path} is no git repository", why=_last_line(words) if "not a git repository" not in words else "",
                   next="git -C {0} init && git -C {0} add -A && git -C {0} commit -m start".format(shlex.quote(path)))


def _remote_of(checkout: str) -> str | None:
    """The URL of the checkout's remote: origin, else its only one. A remote that is itself somebody's checkout counts as none."""
    names = git.run(checkout, "remote", env=PROTOCOLS).out.split()
    if not names:
        return None
    if "origin" not in names and len(names) > 1:
        raise Refused(f"{checkout} has several remotes", why=", ".join(names), next="gt rig add NAME with the URL of the one that is meant")
    name = "origin" if "origin" in names else names[0]
    url = git.run(checkout, "remote", "get-url", "--", name, env=PROTOCOLS, check=False).out.strip()
    if not url or url[0] == "-" or _HELPER.match(url):
        return None
    local = url.removeprefix("file://") if url.startswith("file://") else url
    place = os.path.realpath(os.path.join(checkout, local))
    if "://" not in local and os.path.isdir(place):
        bare = git.run(place, "rev-parse", "--is-bare-repository", env=PROTOCOLS, check=False).out.strip()
        return place if bare == "true" else None
    return git.checked_url(url)


def unpushed(source: Source, tip: str, target: str) -> int:
    """How many commits of the user's own branch the remote does not have; 0 where that cannot be said."""
    if source.folder is None or source.url is None:
        return 0
    try:
        found = git.run(source.folder, "rev-list", "--count", f"refs/heads/{target}", f"^{tip}", "--", env=PROTOCOLS).out.strip()
    except GitFailed:
        return 0  # the remote's tip was never fetched there: nothing to compare with
    return int(found) if found.isdigit() else 0


def _first_commit(source: Source) -> str:
    if source.folder is None:
        return "push a first commit to it"
    if source.url is None:
        return "git -C {0} add -A && git -C {0} commit -m start".format(shlex.quote(source.folder))
    return f"git -C {shlex.quote(source.folder)} push -u origin HEAD"


def _some(branches: dict[str, str]) -> str:
    names = sorted(branches)
    return ", ".join(ids.shown(name) for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return ids.shown(lines[-1], 200) if lines else ""
