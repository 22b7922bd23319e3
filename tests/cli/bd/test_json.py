"""Pain point 18: `--json` of every verb: one JSON value on standard output, nothing on standard error, the field's shapes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import builders
import pytest
import warm
from e2e import badinput

ISSUE = {"id", "title", "status", "priority", "issue_type", "created_at", "updated_at"}
LISTED = ISSUE | {"dependency_count", "dependent_count", "comment_count"}
# The command (with `--json` behind it), and what it prints: the keys that an object has at least, [keys]: an array of such.
SHAPES: list[tuple[str, Any]] = [
    ("create X --id bd-x", ISSUE), ("create Y --id bd-y --dry-run", ISSUE), ("create -f plan.md", [ISSUE]),
    ("create --graph plan.json", {"ids"}),
    ("q Quick", {"id"}), ("show bd-a", [ISSUE | {"labels", "dependencies", "dependents", "comments"}]),
    ("show bd-e", [ISSUE | {"epic_total_children", "epic_closed_children", "epic_closeable"}]), ("show bd-e.1", [ISSUE | {"parent"}]),
    ("list", [LISTED]), ("ready", [LISTED]), ("search One", [LISTED]), ("query status=open", [LISTED]), ("stale -d 0", [LISTED]),
    ("children bd-e", [LISTED | {"parent"}]), ("blocked", [ISSUE | {"blocked_by_count", "blocked_by"}]),
    ("ready --mol bd-e", {"molecule_id", "molecule_title", "total_steps", "ready_steps", "steps", "parallel_groups"}),
    ("ready --gated", {"molecules", "count"}), ("ready --explain", {"ready", "blocked", "cycles", "summary"}),
    ("count", {"count"}), ("count --by-status", {"total", "groups"}),
    ("update bd-x -p 1", [ISSUE]), ("close bd-x", [ISSUE | {"closed_at", "close_reason"}]),
    ("close bd-x --suggest-next", {"closed", "unblocked"}),
    ("close bd-x --continue", {"closed", "continue"}), ("close bd-x --claim-next", {"closed", "claimed"}), ("reopen bd-x", [ISSUE]),
    ("delete bd-x", {"deleted", "dependencies_removed", "references_updated"}),
    ("delete bd-x bd-a", {"deleted", "deleted_count", "dependencies_removed", "references_updated"}),
    ("dep add bd-a bd-c", {"status", "issue_id", "depends_on_id", "type"}), ("dep list bd-a", [ISSUE | {"dependency_type"}]),
    ("dep tree bd-a", [ISSUE | {"depth", "parent_id", "truncated"}]), ("dep cycles", []),
    ("dep remove bd-a bd-c", {"status", "issue_id", "depends_on_id"}), ("dep relate bd-a bd-b", {"status", "issue_id", "related_id"}),
    ("dep unrelate bd-a bd-b", {"status", "issue_id", "related_id"}), ("graph bd-e", {"issues", "dependencies"}),
    ("graph check", {"cycles", "missing"}), ("label propagate bd-e z", [ISSUE]),
    ("stats", {"summary", "recent_activity"}), ("epic status", [{"epic", "total_children", "closed_children", "eligible_for_close"}]),
    ("epic close-eligible", {"closed", "count"}), ("label add bd-a z", [ISSUE]), ("label list bd-a", [str]),
    ("label list-all", [{"label", "count"}]),
    ("label remove bd-a z", [ISSUE]), ("comment bd-a hello", {"id", "issue_id", "author", "text", "created_at"}),
    ("comments add bd-a hello", {"id", "issue_id", "author", "text", "created_at"}),
    ("comments bd-a", [{"id", "issue_id", "author", "text", "created_at"}]), ("defer bd-a --until +1d", [ISSUE]), ("undefer bd-a", [ISSUE]),
    ("duplicates", {"duplicate_groups", "groups"}), ("orphans", []), ("lint", {"total", "results"}),
    ("delete bd-x -f", {"deleted"}),
    ("restore bd-x", [ISSUE]), ("rename bd-x bd-z", {"renamed"}),
    ("swarm validate bd-e", {"epic_id", "ready_fronts", "max_parallelism", "estimated_sessions", "warnings", "errors", "swarmable"}),
    ("duplicate bd-z --of bd-a", ISSUE), ("supersede bd-z --with bd-a", ISSUE), ("rename-prefix web --dry-run", {"renamed"}),
    ("where", {"path", "prefix"}), ("info", {"path", "prefix", "issue_count"}), ("version", {"version", "build", "commit", "branch"}),
    ("doctor", {"ok", "findings"}), ("prime", {"text"}), ("remember text --key k", {"key", "value"}), ("recall k", {"key", "value"}),
    ("memories", {"k"}), ("forget k", {"key"}), ("history bd-a", [{"commit", "date", "author", "changes"}]),
    ("diff HEAD", {"added", "changed", "deleted"}),
    ("export -o out.jsonl", {"path", "count"}), ("import out.jsonl", {"source", "created", "skipped", "ids", "dry_run"}),
    ("sync", {"branch", "received", "sent", "pushed"}), ("hooks list", {"folder", "hooks"}), ("hooks install --dry-run", {"acts"}),
    ("activity -n 1", {"timestamp", "type", "issue_id", "symbol", "message"}), ("audit -n 1", [{"ts", "type", "actor", "payload"}]),
    ("audit record --kind llm_call --model m", {"id", "kind", "created_at", "actor"}),
    ("config list", {"issue_prefix"}), ("config show", {"issue_prefix"}), ("config validate", {"ok", "problems"}), ("external list", [])]
# Not in the table: other names of those in it, what prints no JSON of its own, and what the tests of its subject show.
ELSEWHERE = {"comments list", "dep rm", "graph show", "label rm", "new", "status", "view",
             "merge", "hooks run", "hooks uninstall", "init", "archive", "compact",
             "batch", "skills", "validate", "external refresh", "audit label", "config get", "config set", "config set-many",
             "config unset", "config explain"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    repo = builders.make_repo(tmp_path / "proj", {
        "plan.md": "## First\n\nText\n\n## Second\n", "plan.json": json.dumps({"nodes": [{"key": "k", "title": "K"}]})})
    for words in ("init -q --prefix bd", "create One --id bd-a -l x", "create Two --id bd-b --deps bd-a", "create Epic -t epic --id bd-e",
                  "create Child --parent bd-e", "create Three --id bd-c", "comment bd-a hi"):
        assert warm.run("bd", *shlex.split(words), cwd=repo).code == 0, words
    builders.git(repo, "add", "-A")
    builders.git(repo, "commit", "-q", "-m", "beads")
    return repo


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(one, shape[0]) for one in value if shape) and bool(value or not shape)
    return isinstance(value, shape) if isinstance(shape, type) else isinstance(value, dict) and value.keys() >= shape


def test_every_verb_prints_the_shape_that_its_readers_know(place: Path) -> None:
    wrong = []
    for words, shape in SHAPES:
        done = warm.run("bd", *shlex.split(words), "--json", cwd=place)
        try:
            good = fits(json.loads(done.out), shape) and not done.err and done.code == (words == "lint")
        except ValueError:
            good = False
        wrong += [] if good else [f"bd {words}: {done}"]
    assert wrong == []


def test_each_verb_is_in_the_table() -> None:
    known = {" ".join(words[1:]) for words in badinput.commands("bd")}
    shown = {name for name in known for words, _ in SHAPES if f"{words} ".startswith(f"{name} ")}
    assert known - shown - ELSEWHERE == set() == ELSEWHERE - known
