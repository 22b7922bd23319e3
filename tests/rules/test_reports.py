"""What an agent program reports makes of a turn."""

from __future__ import annotations

import pytest

from gastown_hooks.rules import reports, turns
from gastown_hooks.rules.reports import Report
from gastown_hooks.rules.turns import Facts, Record

NOW = 1_800_000_000
ENDED = Record(1, begun=1, ended=turns.EXITED, code=1)


def step(record: Record, *, work: bool = False) -> turns.Step:
    counted = turns.counted(record)
    return turns.next_step(Facts(True, True, False, work, False, counted, 8, NOW))


@pytest.mark.parametrize("status", [429, 500, 529, 0])
def test_a_server_that_gives_no_answers_is_nobodys_failure(status: int) -> None:
    record = reports.judged(ENDED, Report("k", failed=True, status=status), NOW)
    assert (record.ended, record.limited, record.until) == (turns.LIMITED, 1, NOW + 60)
    assert turns.counted(record).failures == 0
    assert step(record) == turns.Step("turn", turns.how(record), 60)


def test_a_limit_that_says_when_it_ends_is_waited_for() -> None:
    record = reports.judged(ENDED, Report("k", failed=True, status=429, resets_at=NOW + 7200), NOW)
    assert record.until == NOW + 7200 and step(record).wait == 7200


def test_a_limit_that_is_over_already_is_tried_at_once_but_not_in_a_loop() -> None:
    over = Report("k", failed=True, status=429, resets_at=NOW - 5)
    assert step(reports.judged(ENDED, over, NOW)).wait == 0
    assert step(reports.judged(Record(1, 1, turns.EXITED, 1, limited=1, until=NOW), over, NOW)).wait == 120


def test_without_an_end_the_wait_doubles_up_to_an_hour() -> None:
    waits, record = [], ENDED
    for _ in range(9):
        record = reports.judged(record, Report("k", failed=True, status=529), NOW)
        waits.append(record.until - NOW)
        record = Record(1, 1, turns.EXITED, 1, limited=record.limited, until=NOW - 1)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_judging_again_does_not_move_the_end() -> None:
    once = reports.judged(ENDED, Report("k", failed=True, status=429), NOW)
    assert reports.judged(once, Report("k", failed=True, status=429), NOW + 30).until == once.until


def test_a_runner_that_dies_while_it_waits_waits_on() -> None:
    cut = Record(1, begun=1, ended=turns.CUT, limited=1, until=NOW + 500)
    assert step(cut).wait == 500


def test_a_good_turn_forgets_the_limit() -> None:
    record = reports.judged(Record(1, 1, turns.EXITED, limited=3, until=NOW - 5), Report("k", cost=0.1), NOW)
    assert (record.limited, record.until, record.ended) == (0, 0, turns.EXITED)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_account_asks_somebody_at_once(status: int) -> None:
    record = reports.judged(ENDED, Report("k", text="Invalid API key", failed=True, status=status), NOW)
    assert step(record).act == "stall" and "Invalid API key" in step(record).why


def test_a_request_that_the_server_cannot_take_is_a_failed_turn() -> None:
    assert turns.counted(reports.judged(ENDED, Report("k", failed=True, status=400), NOW)).failures == 1


def test_a_used_up_budget_asks_somebody() -> None:
    assert step(reports.judged(ENDED, Report("k", failed=True, over_budget=True), NOW)).act == "stall"


def test_a_lost_session_is_no_verdict() -> None:
    record = reports.judged(ENDED, Report("k", failed=True, lost_session=True), NOW)
    assert record.ended == turns.CUT and step(record).act == "turn"


def test_denied_tools_count_only_where_nothing_was_done() -> None:
    record = reports.judged(Record(1, begun=1, ended=turns.EXITED), Report("k", refused=("Bash", "Write")), NOW)
    assert step(record).act == "stall" and "Bash, Write" in step(record).why
    assert step(record, work=True).act == "turn"
