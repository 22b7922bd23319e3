"""What listings and counts say from the index is what click says of the whole ledger, whatever the filter."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gastown_hooks import front
from gastown_hooks.core import clock, errors, record
from gastown_hooks.core.paths import Beads
from gastown_hooks.stores import known
from gastown_hooks.stores.ledger import OWN_BRANCH, Ledger

START = clock.parse("2026-01-01T00:00:00Z")
WORDS = [[], ["-p", "0"], ["-p", "P1,2"], ["-t", "bug"], ["--type=epic,task"], ["-a", "ann"], ["-a", ""], ["-u"], ["-l", "web"],
         ["-l", "web,api"], ["--label", "web", "-l", "api"], ["-n", "3"], ["-n", "0"], ["-p", "1", "-n", "2"], ["-l", "none"], ["-l", "w*"],
         ["-t", "merge-request"], ["--created-after", "2026-01-01T00:00:02Z"], ["--created-before", "2026-01-01T00:00:03Z", "-p", "1"],
         ["--created-after", "2027-01-01", "--created-before", "2026-01-01"], ["--updated-after", "x"], ["--title", "T1"], ["--overdue"],
         ["--due-before", "2026-01-05"], ["--label-any", "web,api"], ["--label-pattern", "w*"], ["--exclude-label", "api"],
         ["--parent", "gp-001"], ["--parent", "gp-none"], ["--labels", "a b"], ["--label-any", "none"], ["--exclude-type", "bug"],
         ["--exclude-type", "bug,x"], ["--no-labels"], ["--no-labels", "-l", "web"], ["--no-parent"], ["--no-parent", "--parent", "gp-001"],
         ["--deferred"], ["--pinned"], ["--no-pinned", "-n", "4"], ["--priority-min", "2"], ["--priority-min", "3", "--priority-max", "1"],
         ["--priority-max", "x"], ["--priority-max", "P1"], ["--no-assignee", "--exclude-type", "epic"]]
STATES = [["--all"], ["-s", "closed"], ["-s", "open,blocked", "-p", "1"], ["--status", "in_progress"], ["-s", "x"], ["--all", "-t", "bug"],
          ["--sort", "updated", "-n", "9"], ["--sort", "assignee", "--all", "-r"], ["--sort", "status", "--all"], ["-r"],
          ["--all", "-l", "a\x1fb"], ["--all", "-l", "none"], ["--all", "--title", "İ"], ["--sort", "x"], ["--sort", ""], ["-n", ""],
          ["--include-infra"], ["--include-infra", "--include-templates", "-n", "3"], ["--include-templates", "-s", "closed"],
          ["--sort", "title"], ["--sort", "title", "-r", "-n", "9"], ["--all", "--pinned"]]

TEXTS = ["T1", "é", "É", "ß", "%", "_", "straẞe", "x\x1fT", "gp-00", "σ", "zzz", "'", "\"", "日本", "İ", "-", "two", ""]
FACTS = ("stats", "status", "stats -a", "stats --no-activity", "stats --prefix gp", "epic status",
         "epic status --eligible-only", "label list-all",
         *(f"count {more} --by-{name}" for name in ("status", "priority", "type", "assignee", "label") for more in ("", "--all", "-l web")),
         "list --long", "list --all --desc-contains two", "list --id gp-001,gp-009", "list --id gp-none", "list --tree --parent gp-001",
         "list --long -n 3", "list --long -n 3 --sort title -r", "list --tree -n 5", "list --all --format {{.ID}} -n 2 --sort closed",
         "lint -n 2", "lint -n 2 --all -t bug", "search T --long -n 3", "stale -d 0 --long -n 2", "list --prefix gp -n 2 --no-pinned",
         "query type=bug --long -n 1", "list --long -n 2 --desc-contains two", "list --ready --long -n 2",
         "ready --gated", "ready --plain -n 2", "ready --include-deferred", "ready --include-deferred -n 3 --sort oldest", "graph check",
         "graph gp-030", "graph gp-001 --format mermaid", "graph gp-002",
         "ready --pretty -n 3", "ready --sort oldest -n 3",
         "list --include-infra --long -n 3", "list --include-gates --long", "list --include-templates --long -n 2 -s closed",
         "list --include-ephemeral -n 4", "list --label-regex ^w -n 2", "list --label-regex b* --all", "list --label-regex (",
         "list --notes-contains two", "list --has-metadata-key a --all", "list --mol-type swarm --include-infra", "list --spec none",
         "ready --label-regex p --long", "list --spec s*",
         "list --ready", "list --no-parent -p 1", "search T --long --no-labels", "stale -d 0 --long", "list --metadata-field a=b", "lint",
         "count --by-type --by-label", "dep list gp-001 gp-009", "dep list gp-002 --direction up -t blocks", "dep tree gp-050 -d 3",
         "dep tree gp-001 --direction both", "dep tree gp-003 --reverse -s open", "dep tree 001", "dep tree gp-030 --show-all-paths",
         "epic close-eligible --dry-run", "label list gp-001")
DAYS = ([], ["-d", "0"], ["--days", "400"], ["-d", "-1"], ["-d", "1", "-s", "closed", "--sort", "id"])
QUERIES = """status=open; status=tombstone; status=none; status!=closed AND NOT priority>2; type=bug OR type=epic; type=bug AND label=web;
label=none; NOT label=none AND assignee=none; assignee!=ann; assignee=''; assignee='a*'; title=t1; title!='É'; due<2026-01-04;
NOT (title=t1 OR due<2026-01-04); NOT due>=2026-01-04; created=2026-01-01; created>2026-01-01T00:00:02Z; updated<=1d; closed>2026-01-01;
id=gp-001; id=none; id!=gp-001 AND priority<=1; priority!=2; description=two; description=two OR priority=0; due=none; estimate>5;
pinned=true; parent=gp-001; started<1d; status=x; what=1; (; a; defer>9999-01-01; label=a* AND priority=0;
status=open AND (priority<=1 OR (label=web AND NOT assignee=bob))""".replace("\n", " ").split("; ")
QUERIES += [f" {word} ".join(f"id!=gp-{number:03d}" for number in range(10, 1200)) for word in ("OR", "AND")]


def any_bead(dice: random.Random, number: int) -> dict[str, Any]:
    at = clock.stamp(START + dice.randrange(5) * clock.SECOND)
    bead: dict[str, Any] = {"id": f"gp-{number:03d}", "title": f"{dice.choice('tTéÉßẞσΣİ')}{dice.randrange(9)}\x07",
                            "priority": dice.randrange(5), "created_at": at,
                            "status": dice.choice(["open"] * 5 + ["closed", "in_progress", "blocked", "tombstone", "deferred",
                                                              "pinned"]),
                            "issue_type": dice.choice(["task", "task", "bug", "epic", "merge-request", "molecule", "gate"]),
                            "updated_at": at}
    if dice.random() < 0.5:
        bead["labels"] = dice.sample(["web", "api", "a b", "webb"], dice.randrange(3))
    if dice.random() < 0.4:
        bead["assignee"] = dice.choice(["ann", "bob", ""])
    if dice.random() < 0.1:
        bead["is_template"] = True
    if dice.random() < 0.3:
        bead["description"] = dice.choice(["Two words", "STRASSE straße", "日本語 %_", "ΟΔΟΣ x", "it's \"so\"", "",
                                           "a\n## Acceptance criteria\n"])
    if dice.random() < 0.2:
        bead |= dice.choice(({"spec_id": "s1"}, {"mol_type": "swarm"}, {"notes": "Two"}, {"metadata": {"a": "b"}}, {"metadata": {"x": 1}}))
    if dice.random() < 0.2:
        bead["defer_until"] = dice.choice(["2026-01-02T00:00:00Z", "2999-01-01T00:00:00Z"])
    if dice.random() < 0.1:
        bead |= {"pinned": True, "what": {"ours": [1]}}
    if bead["status"] == "closed" and dice.random() < 0.8:
        bead["closed_at"] = clock.stamp(START + dice.randrange(9) * 3600 * clock.SECOND)
    if number and dice.random() < 0.4:
        kind = dice.choice(("blocks", "blocks", "parent-child"))
        bead["dependencies"] = [{"issue_id": bead["id"], "depends_on_id": f"gp-{dice.randrange(number):03d}", "type": kind}]
    if dice.random() < 0.3:
        bead["due_at"] = clock.stamp(START + dice.randrange(9) * 86400 * clock.SECOND)
    return record.arrange(bead)


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = errors.handled("bd", lambda: front._run("bd", words, "--json" in words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("seed", range(3))
def test_the_index_says_what_the_ledger_says(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(seed)
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", OWN_BRANCH)
    Ledger(beads).transact(lambda view: [any_bead(dice, number) for number in range(60)])
    monkeypatch.chdir(tmp_path)
    by_index = 0
    for words in [*([verb, *filters] for filters in WORDS for verb in ("ready", "list", "blocked", "search T", "count")),
                  *([verb, *state] for state in STATES for verb in ("list", "count")), *(words.split() for words in FACTS),
                  *(["stale", *days] for days in DAYS),
                  *(["search", text, "--all"] for text in TEXTS), *(["query", one] for one in QUERIES)]:
        words = [*words[0].split(), *words[1:]]
        for form in ([], ["--json"]):
            fast = front._fast("bd", [*words, *form])
            first = (fast, *capsys.readouterr())
            monkeypatch.setattr(front, "_fast", lambda name, words: None)
            asked = said([*words, *form], capsys)
            monkeypatch.setattr(known, "known", lambda ledger: None)
            plain = said([*words, *form], capsys)
            monkeypatch.undo()
            monkeypatch.chdir(tmp_path)
            assert asked == plain, words
            if fast is not None:
                by_index += 1
                assert first == plain, words
    assert by_index > 300


@pytest.mark.parametrize("fields", [
    {"id": "external:a:b"}, {"id": "beads://h/o/r/gp-1"}, {"status": "open", "updated_at": "2999-01-01T00:00:00Z"},
    {"status": "closed", "closed_at": "1500-01-01T00:00:00Z"}])
def test_what_the_index_cannot_hold_is_read_from_the_ledger(fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    beads = Beads(f"{tmp_path}/.beads")
    Ledger.create_files(beads, "gp", OWN_BRANCH)
    made = [any_bead(random.Random(number), number) for number in range(3)]
    later = {key: value.replace("2999", "9999").replace("1500", "1600") for key, value in fields.items() if key.endswith("_at")}
    Ledger(beads).transact(lambda view: [made[0] | fields | later, made[1] | fields, made[2]])
    monkeypatch.chdir(tmp_path)
    for words in ("list --all", "list --all --sort updated", "list --all --sort closed", "count --all", "show external:a:b"):
        asked = [said(words.split(), capsys)]
        monkeypatch.setattr(front, "_fast", lambda name, words: None)
        asked += [said(words.split(), capsys)]
        monkeypatch.setattr(known, "known", lambda ledger: None)
        assert asked == [said(words.split(), capsys)] * 2, words
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
