"""The git program, called in one way: no hook, no prompt, no helper that a repository's own settings could slip in.

Ref names are full (`refs/heads/x`), revisions follow `--end-of-options`, paths follow `--`. A repository's identity is what
the caller named: git's own variables, which inside a githook point elsewhere, never reach it, and it never looks for a
repository above the folder it was given.
"""

from __future__ import annotations

import os
import re

from gastown_hooks.core import fsio
from gastown_hooks.core.errors import BadInput, Conflict, GastownError, GitFailed, RemoteAway, RemoteRefused, StorageFailed
from gastown_hooks.core.ids import shown
from gastown_hooks.core.values import dataclass
from gastown_hooks.stores import child, gitdir

ZERO = "0" * 40
LOCAL_TIMEOUT = 600.0
LOOSE_OBJECTS, LOOSE_KILOBYTES = 5_000, 50_000
NETWORK_TIMEOUT = 600.0
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.fsync=all", "core.filesRefLockTimeout=300",
    "core.packedRefsTimeout=1000", "protocol.ext.allow=never", "protocol.file.allow=user", "safe.bareRepository=explicit",
    "submodule.recurse=false", "fetch.recurseSubmodules=false", "push.recurseSubmodules=no", "push.followTags=false",
    "gc.auto=0", "maintenance.auto=false", "color.ui=false", "log.showSignature=false",
    "core.useReplaceRefs=false")  # `git replace` in a worker's tree reaches all trees, never the remote: what was tested must be what lands
_CONFIG = tuple(word for setting in _SETTINGS for word in ("-c", setting))
# Of git's variables only these are the user's own business; the rest would change which repository or what is meant.
_KEPT = frozenset((
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_CURL_VERBOSE"))
_ASKING_NOBODY = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_EDITOR": ":", "GIT_SEQUENCE_EDITOR": ":",
                  "GCM_INTERACTIVE": "never", "LC_ALL": "C", "LANGUAGE": ""}
_KEPT_PREFIXES = ("GIT_SSH", "GIT_SSL_", "GIT_PROXY_", "GIT_HTTP_", "GIT_TRACE")
# Patterns as text: to compile them takes as long as a call of git, and most calls need none.
# Keys that make a fetch or push run a program: fine in the user's own configuration, not in the shared repository's.
_EXECUTING = (r"core\.(sshcommand|gitproxy|askpass)|credential\..*|remote\..*\.(uploadpack|receivepack|vcs|proxy)"
              r"|url\..*\.(insteadof|pushinsteadof)|http\..*proxy|core\.alternaterefscommand")
_FILTERS = r"filter\..*\.(clean|smudge|process)|merge\..*\.driver|diff\..*\.(command|textconv)|diff\.external|alias\..*"
_AWAY = (
    r"(?i)could not resolve|could not read from remote|unable to access|connection (refused|timed out|reset|closed)|hung up"
    r"|does not appear to be a git repository|repository .*not (found|exist)|early eof|host key verification|permission denied"
    r"|authentication failed|could not read (username|password)|terminal prompts disabled|network is unreachable|no route to host"
    r"|transport .* not allowed|unable to find remote helper|remote failure|rpc failed|operation timed out")
_FULL = r"(?i)no space left on device|disk quota exceeded|file too large|read-only file system|input/output error"
_LOCKED = r"(?:'([^'\n]+\.lock)'|lock config file (.+?)): File exists"
_MOVED_REF = r"but expected|already exists|unable to resolve reference|reference is missing"
_MOVED_REMOTE = (r"(?i)fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|incorrect old value"
                 r"|reference already exists")


@dataclass(frozen=True, slots=True)
class Result:
    """How git ended. `out` and `err` are text with undecodable bytes as surrogates (encode with surrogateescape)."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The output without its last newline."""
        return self.out.rstrip("\n")

    @property
    def lines(self) -> list[str]:
        """The output's lines: a ref's name may hold what `splitlines` takes for the end of one."""
        return self.line.split("\n") if self.line else []


def run(repo: str, *args: str, input: bytes | None = None, env: dict[str, str] | None = None, check: bool = True,
        timeout: float | None = None) -> Result:
    """`git <args>` in `repo` (the top of a work tree, a linked worktree, a bare repository, or a plain folder).

    Raises GitFailed or StorageFailed when git fails and `check` holds; RemoteAway when a remote took too long. A lock file that
    a killed git left is removed, by the facts in `gitdir`, and the command tried again.
    """
    result, cleared = _run(repo, args, input, env, timeout), set[str]()
    while result.code and (lock := re.search(_LOCKED, result.err)):
        path = os.path.join(repo, lock[1] or f"{lock[2]}.lock")
        if path in cleared or not gitdir.clear_stale(repo, [path]):
            break
        cleared.add(path)  # a transaction that was killed leaves one for each of its refs
        result = _run(repo, args, input, env, timeout)
    if result.code and check:
        raise failure(args, result)
    return result


def failure(args: tuple[str, ...], result: Result) -> GastownError:
    """The error that a failed git amounts to."""
    what, why = f"git {_words(args)} failed", _why(result.err)
    if re.search(_FULL, result.err):
        return StorageFailed(what, why=why, next="free some space, then run it again")
    lock = re.search(_LOCKED, result.err)
    if lock:
        return GitFailed(what, why=why, next="wait for the other git; if none runs, remove that lock file")
    return GitFailed(what, why=why)


def identity(actor: str, email: str) -> dict[str, str]:
    """Environment that makes `actor` the author and committer."""
    return {"GIT_AUTHOR_NAME": actor, "GIT_AUTHOR_EMAIL": email, "GIT_COMMITTER_NAME": actor, "GIT_COMMITTER_EMAIL": email}


def environment(env: dict[str, str] | None = None) -> dict[str, str]:
    """The caller's environment for a git of ours: without git's own variables, asking nobody, in plain English."""
    passed = os.environ.get("GT_PASS_ENV", "").split(":")
    found = {name: value for name, value in os.environ.items()
             if not name.startswith("GIT_") or name in _KEPT or name.startswith(_KEPT_PREFIXES) or name in passed}
    return found | _ASKING_NOBODY | (env or {})


def top(path: str) -> str | None:
    """The top of the work tree that `path` lies in; None outside of any."""
    result = _run(path, ("rev-parse", "--show-toplevel"), None, None, None, above=True)
    return result.line if result.code == 0 else None


def update_refs(repo: str, changes: list[tuple[str, str, str | None]], reason: str) -> None:
    """Move refs in one transaction: all or none, durable on return, the reflog holding `reason`.

    A change is (full ref name, new id, old id). New "" deletes. Old None does not ask; "" or zeros: the ref must not exist.
    Raises Conflict when a ref is not where it was expected.
    """
    commands = [b"start\0"] + [_change(*change) for change in changes] + [b"prepare\0", b"commit\0"]
    args = ("update-ref", "--create-reflog", "-m", " ".join(reason.split()) or "gt", "--stdin", "-z")
    result = run(repo, *args, input=b"".join(commands), check=False)
    if result.code and re.search(_MOVED_REF, result.err):
        raise Conflict("a ref moved", why=_why(result.err), next="look again, then repeat")
    if result.code:
        raise failure(("update-ref",), result)
    _sync_refs(repo, [ref for ref, _, _ in changes])


def commit(repo: str, rev: str) -> str | None:
    """The commit that the revision leads to; None where there is none, or it cannot be told."""
    found = run(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}", check=False)
    return found.line or None if found.code == 0 else None


def pack(repo: str) -> bool:
    """Pack loose objects where they are many or big; nothing is dropped. Whether that was needed.

    git's own gc counts objects, not bytes: each commit of a ledger holds the whole ledger once more.
    """
    count, _, kilobytes, _ = run(repo, "count-objects").out.split()
    if int(count) <= LOOSE_OBJECTS and int(kilobytes) <= LOOSE_KILOBYTES:
        return False
    run(repo, "repack", "-d", "-q")
    return True


def remote_tip(repo: str, ref: str, *, remote: str = "origin", timeout: float = 60.0) -> str | None:
    """The commit that the remote's full `ref` points to now; None when it has no such ref. Raises RemoteAway."""
    result = _network(repo, ("ls-remote", "--quiet", "--refs", "--", remote, ref), timeout)
    if result.code:
        raise _remote_failure("ls-remote", result)
    tips = [line.split("\t") for line in result.lines]
    return next((oid for oid, name in tips if name == ref), None)


def fetch(repo: str, target: str, *, remote: str = "origin", timeout: float = NETWORK_TIMEOUT) -> str:
    """Bring the remote's branch `target` to `refs/remotes/<remote>/<target>`; returns its commit. Raises RemoteAway."""
    tracking = f"refs/remotes/{remote}/{target}"
    result = _network(repo, ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", remote,
                             f"+refs/heads/{target}:{tracking}"), timeout)
    if result.code and "find remote ref" in result.err:
        raise GitFailed(f"{remote} has no branch {shown(target)}", why="it may be empty", next=f"push a first commit to {target}")
    if result.code:
        raise _remote_failure("fetch", result)
    _sync_refs(repo, [tracking])
    return run(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", tracking).line


def push(repo: str, oid: str, ref: str, *, remote: str = "origin", lease: str | None = None,
         timeout: float = NETWORK_TIMEOUT) -> None:
    """Push commit `oid` to the remote's full `ref`: plain, never forced, so the push is a compare-and-swap.

    `oid` "" deletes; `lease` replaces the ref only if it is still at that commit. On an error the facts decide: a remote
    that shows our commit has it. Raises RemoteAway, or RemoteRefused with reason "moved" or "policy".
    """
    leased = (f"--force-with-lease={ref}:{lease}",) if lease is not None else ()
    result = _network(repo, ("push", "--porcelain", "--no-verify", *leased, "--", remote, f"{oid}:{ref}"), timeout)
    if result.code == 0:
        return
    tip = remote_tip(repo, ref, remote=remote)
    if (tip or "") == oid or (tip and oid and _is_in(repo, oid, tip, ref, remote)):
        return
    verdict = " ".join(line for line in result.out.splitlines() if line.startswith("!"))
    if "remote failure" in verdict or not verdict:
        raise _remote_failure("push", result)
    reason = "moved" if re.search(_MOVED_REMOTE, verdict) else "policy"
    why = _why(verdict.partition("\t")[2].replace("\t", " ") + "\n" + _hook_words(result.err))
    raise RemoteRefused(f"{remote} refused the push to {ref.removeprefix('refs/heads/')}", why=why, reason=reason,
                        next="fetch and try again" if reason == "moved" else "ask who protects that branch")


def checked_url(url: str) -> str:
    """A remote's address that is no option, no command and has no password in it. Raises BadInput."""
    if not url or url.startswith("-") or not url.isprintable() or re.match(r"[a-z0-9+.-]*::", url, re.I):
        raise BadInput(f"{shown(shown_url(url))} is no remote address", why="give a path, an https or an ssh address")
    if re.match(r"(ssh://|[^/]*@)-", url) or re.match(r"ssh://[^/]*@-", url):
        raise BadInput(f"{shown(shown_url(url))} is no remote address", why="its host starts with a hyphen")
    if shown_url(url) != url:
        raise BadInput(f"{shown(shown_url(url))} holds a password", why="it would be stored in clear",
                       next="leave it out: git's credential helper asks for it once")
    return url


def shown_url(url: str) -> str:
    """The address without its password."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://[^/@:]*):[^/@]*@", r"\1:***@", url, flags=re.I)


def executing_keys(repo: str, *, checkout: bool = False) -> list[str]:
    """Settings of the repository itself, not the user's, that would make a fetch or a push run a program.

    `checkout`: also filters and drivers, which have good uses (a set-up command may install one); for doctor to list.
    """
    listed = run(repo, "config", "--show-scope", "--name-only", "-z", "--list").out.split("\0")
    own = [name for scope, name in zip(listed[::2], listed[1::2], strict=False) if scope in ("local", "worktree")]
    found = [name for name in own if re.fullmatch(_EXECUTING, name.lower()) or (checkout and re.fullmatch(_FILTERS, name.lower()))]
    return sorted(set(found))


def _network(repo: str, args: tuple[str, ...], timeout: float) -> Result:
    """Like `_run` in the shared repository (a worktree's own push address leads nowhere on purpose)."""
    place = gitdir.common_dir(repo)
    if place is not None and (planted := executing_keys(place)):
        raise GitFailed(f"{place} sets {', '.join(planted)}", why="it would run a program at each fetch and push",
                        next=f"git -C {place} config --unset-all {planted[0]}, or move it to your own git configuration")
    if place is not None and os.path.basename(place) == ".git":
        place = os.path.dirname(place)  # a relative address counts from the work tree
    return run(place or repo, *args, check=False, timeout=timeout)


def _run(repo: str, args: tuple[str, ...], input: bytes | None, env: dict[str, str] | None, timeout: float | None, *,
         above: bool = False) -> Result:
    repo = os.path.abspath(repo)
    named = not above and not os.path.lexists(f"{repo}/.git") and gitdir.is_git_dir(repo)
    place = [f"--git-dir={repo}"] if named else []
    given = environment(env)
    if not above:
        given["GIT_CEILING_DIRECTORIES"] = os.path.dirname(os.path.realpath(repo))
    fed, out, err = child.memory("in", input or b""), child.memory("out"), child.memory("err")
    try:
        code = child.run(["git", "-C", repo, *_CONFIG, *place, *args], given, (fed, out, err), timeout or LOCAL_TIMEOUT)
        if code is None:
            late = RemoteAway if args[0] in ("fetch", "push", "ls-remote", "clone") else GitFailed
            raise late(f"git {_words(args)} took more than {timeout or LOCAL_TIMEOUT:g} s", why="it was ended")
        result = Result(code, child.text(out), child.text(err))
        if code == 128 and result.err.startswith("fatal: cannot change to "):
            raise GitFailed(f"cannot enter {repo}", why=_why(result.err)) if os.path.isdir(repo) else GitFailed(f"{repo} is missing")
        return result
    except FileNotFoundError as error:
        raise GitFailed("git is missing", next="install git 2.38 or newer") from error
    finally:
        for fd in (out, err, fed):
            os.close(fd)


def _change(ref: str, new: str, old: str | None) -> bytes:
    if not ref.startswith("refs/") or any(c <= " " or c == "\x7f" for c in ref):
        raise BadInput(f"{shown(ref)} is no full ref name")
    before = "" if old is None else (old.strip("0") and old) or ZERO
    if not new.strip("0"):
        return f"delete {ref}\0{before if before != ZERO else ''}\0".encode()
    return f"update {ref}\0{new}\0{before}\0".encode()


def _sync_refs(repo: str, refs: list[str]) -> None:
    """Make the refs' folders durable: git syncs the files alone."""
    common = gitdir.common_dir(repo)
    folders = {f"{common}/{'/'.join(ref.split('/')[:depth])}" for ref in refs for depth in range(1, ref.count("/") + 1)}
    for folder in sorted(folders, reverse=True):
        if os.path.isdir(folder):
            fsio.sync_folder(folder)


def _is_in(repo: str, oid: str, tip: str, ref: str, remote: str) -> bool:
    """Whether the remote's ref has our commit under its tip (pushed by a run of ours that was killed, then built upon)."""
    if ref.startswith("refs/heads/") and _run(repo, ("cat-file", "-e", f"{tip}^{{commit}}"), None, None, None).code:
        fetch(repo, ref.removeprefix("refs/heads/"), remote=remote)
    return _run(repo, ("merge-base", "--is-ancestor", oid, tip), None, None, None).code == 0


def _remote_failure(verb: str, result: Result) -> GastownError:
    if re.search(_FULL, result.err) and "remote:" not in result.err:
        return failure((verb,), result)
    if verb == "push" and re.search(r"returned error: 403|protected branch|not allowed to push|write access", result.err, re.I):
        return RemoteRefused("the remote refused the push", why=_why(result.err), next="ask who protects that branch")
    if re.search(_AWAY, result.err + result.out):
        return RemoteAway("the remote cannot be reached", why=_why(result.err), next="try again when it is back")
    return failure((verb,), result)


def _hook_words(err: str) -> str:
    return "\n".join(line for line in err.splitlines() if line.startswith("remote:"))


def _why(text: str) -> str:
    """git's words as one short, safe line."""
    lines = [re.sub(r"^(fatal|error): ", "", line.strip()) for line in text.splitlines()]
    said = "; ".join(line for line in lines if line and not line.startswith("hint:"))
    return _plain(re.sub(r"(://[^/@:\s]*):[^/@\s]*@", r"\1:***@", said), 300) or "git gave no reason"


def _words(args: tuple[str, ...]) -> str:
    plain = [word for word in args if not word.startswith(("-c", "--git-dir"))]
    return _plain(" ".join(plain[:2]), 60)


def _plain(text: str, limit: int) -> str:
    """`shown` without its quotes."""
    safe = shown(text, limit)
    return safe if safe == text else safe[1:-1]
