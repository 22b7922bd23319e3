"""The only reader of clocks. Wall time is for people and records; ages are measured on the boot clock."""

from __future__ import annotations

import time

SECOND = 1_000_000_000
_days: dict[str, int] = {}  # dates met, and when they began
_minutes: dict[str, int] = {}  # `T12:34:` and how far in the day it is
_seconds: dict[str, int] = {}


def now() -> int:
    """Wall time in nanoseconds since the epoch (UTC)."""
    return time.time_ns()


def awake() -> int:
    """How long the machine was awake since it booted, in nanoseconds: it stands still while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def since_boot() -> int:
    """Nanoseconds since boot, suspend included: the clock to judge ages by."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The kernel's name for this boot; another value means that every process of before is gone."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().strip().decode()


def stamp(ns: int) -> str:
    """RFC 3339 in UTC with microseconds: `2026-01-02T03:04:05.000006Z`."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // SECOND))
    return f"{whole}.{ns % SECOND // 1000:06d}Z"


def local(ns: int) -> str:
    """RFC 3339 in the zone of this machine (`TZ`), to the second: `2026-01-02T04:04:05+01:00`."""
    there = time.localtime(ns // SECOND)
    sign, minutes = "-" if there.tm_gmtoff < 0 else "+", abs(there.tm_gmtoff) // 60
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', there)}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def parse(text: str) -> int:
    """Nanoseconds of an RFC 3339 text in any zone. Raises ValueError."""
    try:  # any time of UTC whose day, minute and second were met before: the bulk of a ledger's
        known = _days[text[:10]] + _minutes[text[10:17]] + _seconds[text[17:19]]
        rest = text[19:]
        if rest == "Z":
            return known
        if len(rest) == 8 and rest[0] == "." and rest[7] == "Z" and (micro := rest[1:7]).isdecimal() and micro.isascii():
            return known + int(micro) * 1000
    except KeyError:
        pass
    date, zone = (text[:-1], "Z") if text.endswith(("Z", "z")) else (text[:-6], text[-6:])
    whole, dot, fraction = date.partition(".")
    digits = whole[:4] + whole[5:7] + whole[8:10] + whole[11:13] + whole[14:16] + whole[17:]
    if (not text.isascii() or len(whole) != 19 or len(digits) != 14 or not digits.isdigit() or whole[10] not in "Tt "
            or whole[4] + whole[7] + whole[13] + whole[16] != "--::" or (dot and not fraction.isdigit())):
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:])
    if hour > 23 or minute > 59 or second > 60:  # 60 is a leap second
        raise ValueError(f"no such time of day: {text!r}")
    day = _days[text[:10]] = _days_from_civil(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) * 86400 * SECOND
    _minutes[text[10:17]], _seconds[text[17:19]] = (hour * 60 + minute) * 60 * SECOND, second * SECOND
    return day + _minutes[text[10:17]] + _seconds[text[17:19]] - _offset(zone, text) * SECOND + int((fraction + "000000000")[:9])


def _offset(zone: str, text: str) -> int:
    if zone == "Z":
        return 0
    if zone[0] not in "+-" or zone[3] != ":" or not (zone[1:3] + zone[4:]).isdigit() or zone[1:3] > "23" or zone[4:] > "59":
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    seconds = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -seconds if zone[0] == "-" else seconds


def _days_from_civil(year: int, month: int, day: int) -> int:
    # Proleptic Gregorian day count; `datetime` would do it for 2 ms of import on every hot command.
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (1 <= month <= 12 and 1 <= day <= (31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]):
        raise ValueError(f"no such day: {year}-{month}-{day}")
    shifted = year - (month <= 2)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
