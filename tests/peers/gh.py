"""A stand-in for the gh program: pull requests in a file, over a real bare repository. Strict about its words; no network.

As a program it finds its file by its own place (`<home>/.bin/gh`, `<home>/.gh.json`); as a module it is the people at the host.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

Record = dict[str, Any]
FLAGS = {"list": {"repo", "json", "state", "limit", "head"}, "view": {"repo", "json"}, "create": {"repo", "head", "base", "title", "body"},
         "comment": {"repo", "body"}, "close": {"repo"}}


class Host:
    """The host, seen by a person: `calls` lists what gh was asked; `mode` is "", "offline", "auth", "garbage", "odd", "slow" (has not
    seen yet what was pushed) or a branch that may have no pull request."""

    def __init__(self, home: Path, remote: Path) -> None:
        self.path = home / ".gh.json"
        program = home / ".bin/gh"
        program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text()}")
        program.chmod(0o755)
        self._write({"remote": str(remote), "mode": "", "calls": [], "pulls": []})

    def _write(self, state: Record) -> None:
        self.path.write_text(json.dumps(state))

    @property
    def state(self) -> Record:
        found: Record = json.loads(self.path.read_text())
        return found

    @property
    def calls(self) -> list[list[str]]:
        return list(self.state["calls"])

    def forget(self) -> None:
        self._write({**self.state, "calls": []})

    def mode(self, word: str) -> None:
        self._write({**self.state, "mode": word})

    def pull(self, number: int = 1) -> Record:
        found: Record = next(shown(self.state, one) for one in self.state["pulls"] if one["number"] == number)
        return found

    def change(self, number: int = 1, **fields: object) -> None:
        state = self.state
        next(one for one in state["pulls"] if one["number"] == number).update(fields)
        self._write(state)

    def review(self, word: str, body: str = "", *, number: int = 1, commit: str | None = None, protected: bool = True) -> None:
        """APPROVED or CHANGES_REQUESTED. Where no review is required (not `protected`) the host makes no decision of it."""
        said = {"author": {"login": "ann"}, "authorAssociation": "MEMBER", "state": word, "body": body,
                "commit": {"oid": commit or self.pull(number)["headRefOid"]}}
        self.change(number, latestReviews=[said], reviewDecision=word if protected else "")

    def merge(self, how: str = "squash", number: int = 1) -> str:
        """What the button at the host does; returns the commit."""
        state, pull = self.state, self.pull(number)
        new = landed(state["remote"], pull, how)
        self.change(number, state="MERGED", mergeCommit={"oid": new})
        return new


def git(where: str, *words: str) -> str:
    return subprocess.run(["git", "-C", where, *words], check=True, capture_output=True, text=True).stdout.strip()


def landed(remote: str, pull: Record, how: str) -> str:
    base, head = git(remote, "rev-parse", "main"), pull["headRefOid"]
    parents = ["-p", base] if how == "squash" else ["-p", base, "-p", head]
    tree = git(remote, "merge-tree", "--write-tree", base, head)
    new = git(remote, "-c", "user.name=host", "-c", "user.email=host@x", "commit-tree", tree, *parents, "-m", pull["title"])
    git(remote, "update-ref", "refs/heads/main", new, base)
    return new


def shown(state: Record, pull: Record) -> Record:
    """With what the host knows from the repository: the branch's tip, and whether the target has it."""
    found = subprocess.run(["git", "-C", state["remote"], "rev-parse", "-q", "--verify", f"refs/heads/{pull['headRefName']}"],
                           capture_output=True, text=True)
    head = found.stdout.strip() or pull["headRefOid"]
    word = pull["state"]
    if state["mode"] == "slow":
        return pull
    inside = subprocess.run(["git", "-C", state["remote"], "merge-base", "--is-ancestor", head, "main"], capture_output=True)
    if word == "OPEN":
        word = "MERGED" if inside.returncode == 0 else "CLOSED" if found.returncode else "OPEN"
    return {**pull, "headRefOid": head, "state": word}


def main(words: list[str]) -> int:
    path = Path(sys.argv[0]).parent.parent / ".gh.json"
    state = json.loads(path.read_text())
    state["calls"].append(words)
    path.write_text(json.dumps(state))
    if state["mode"] == "offline":
        print("error connecting to api.github.com\ncheck your internet connection", file=sys.stderr)
        return 1
    if state["mode"] == "auth":
        print("To get started with GitHub CLI, please run:  gh auth login", file=sys.stderr)
        return 4
    if state["mode"] == "odd":
        print('[{"number": "one"}]')
        return 0
    if state["mode"] == "garbage":
        print("GraphQL: something went wrong")
        return 0
    verb, flags = words[1], dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    numbers = [word for word in words[2:] if not word.startswith("--")]
    if words[0] != "pr" or not flags.keys() <= FLAGS[verb] or "repo" not in flags or len(numbers) != (verb in ("view", "comment", "close")):
        print(f"unknown flag in {words}", file=sys.stderr)
        return 1
    return answer(path, state, verb, flags, int(numbers[0]) if numbers else 0)


def answer(path: Path, state: Record, verb: str, flags: dict[str, str], number: int) -> int:
    pulls: list[Record] = state["pulls"]
    if verb == "create":
        branch = flags["head"]
        if state["mode"] == branch or any(
                (one["headRefName"], one["baseRefName"], shown(state, one)["state"]) == (branch, flags["base"], "OPEN") for one in pulls):
            print(f"pull request create failed: GraphQL: a pull request for {branch} is not possible", file=sys.stderr)
            return 1
        number = len(pulls) + 1
        pulls.append({"number": number, "url": f"https://host.test/o/r/pull/{number}", "state": "OPEN", "headRefName": branch,
                      "baseRefName": flags["base"],
                      "headRefOid": git(state["remote"], "rev-parse", f"refs/heads/{branch}"), "isCrossRepository": False,
                      "reviewDecision": "REVIEW_REQUIRED", "latestReviews": [], "mergeCommit": None, "comments": [],
                      "title": flags["title"], "body": flags["body"]})
        print(pulls[-1]["url"])
    elif verb == "list":
        found = [one for one in (shown(state, one) for one in pulls) if one["headRefName"] == flags.get("head", one["headRefName"])
                 and flags["state"] in ("all", one["state"].lower())]
        print(json.dumps([{key: one[key] for key in flags["json"].split(",")} for one in found]))
    else:
        pull = next(one for one in pulls if one["number"] == number)
        if verb == "view":
            print(json.dumps({key: shown(state, pull)[key] for key in flags["json"].split(",")}))
        elif verb == "comment":
            pull["comments"].append({"body": flags["body"]})
        else:
            pull["state"] = "CLOSED"
    path.write_text(json.dumps(state))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
