"""Times as texts, against the standard library's own reading."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gastown_hooks.core import clock

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
TIMES = st.datetimes(datetime.datetime(1, 1, 3), datetime.datetime(9999, 12, 29), timezones=ZONES)


def nanoseconds(time: datetime.datetime) -> int:
    delta = time - EPOCH
    return (delta.days * 86400 + delta.seconds) * clock.SECOND + delta.microseconds * 1000


@given(TIMES)
def test_reads_every_zone(time: datetime.datetime) -> None:
    assert clock.parse(time.isoformat()) == nanoseconds(time)


@given(st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9999, 12, 30), timezones=st.just(datetime.UTC)))
def test_writes_and_reads_back(time: datetime.datetime) -> None:
    ns = nanoseconds(time)
    assert clock.parse(clock.stamp(ns)) == ns
    assert clock.stamp(ns) == time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(st.integers(0, 2**62))
def test_texts_sort_as_times(ns: int) -> None:
    assert clock.stamp(ns) <= clock.stamp(ns + 1000)


def test_nanoseconds_are_kept_when_read() -> None:
    assert clock.parse("1970-01-01T00:00:01.123456789Z") == 1_123_456_789
    assert clock.parse("1970-01-01T00:00:01.1234567891234-00:00") == 1_123_456_789
    assert clock.parse("1970-01-01 01:00:00+01:00") == 0


@pytest.mark.parametrize("text", [
    "", "Z", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.Z ", "2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z",
    "2026-01-32T03:04:05Z", "2026-02-30T03:04:05Z", "2025-02-29T03:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z",
    "2026-01-02T03:04:61Z", "2026-01-02X03:04:05Z", "2026/01/02T03:04:05Z", "2026-01-02T03-04-05Z", "2026-01-02T03:04:05+0100",
    "2026-01-02T03:04:05+25:00", "2026-01-02T03:04:05+01:60", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.1x3Z", " 026-01-02T03:04:05Z",
    "+026-01-02T03:04:05Z", "2026-01-02T03:04:05.²Z", "２０２６-01-02T03:04:05Z", "2_26-01-02T03:04:05Z",
    "2026-01-02T03:04:05+ 1:00"])
def test_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        clock.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        clock.parse(text)
    except ValueError:
        pass


def test_the_boot_clock_and_its_boot() -> None:
    first = clock.since_boot()
    assert 0 < first <= clock.since_boot()
    assert len(clock.boot_id()) == 36 and clock.boot_id() == clock.boot_id()
    assert abs(clock.now() - nanoseconds(datetime.datetime.now(datetime.UTC))) < 10 * clock.SECOND


@pytest.mark.parametrize("text", ["2026-03-04T24:00:00Z", "2026-03-04T00:60:00Z", "2026-03-04T00:00:00x000000Z",
                                  "2026-03-04T00:00:00.00000\u0663Z", "2026-03-04T00:00:0 Z", "2026-03-04 00:00:00Z0",
                                  "2026-03-04T00-00-00Z", "2026-03-04T00:00:00.12345Zx"])
def test_a_day_met_before_makes_no_bad_time_good(text: str) -> None:
    assert clock.stamp(clock.parse("2026-03-04T05:06:07.000008Z")) == "2026-03-04T05:06:07.000008Z"
    assert clock.parse("2026-03-04T05:06:07Z") == clock.parse("2026-03-04T06:06:07+01:00")
    with pytest.raises(ValueError):
        clock.parse(text)
