"""Moments and lengths of time as OpenADR 3 writes them, with its two sentinels."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from enum import Enum


class Sentinel(Enum):
    """Words for what no calendar has."""

    NOW = "0001-01-01"
    """A start at the beginning of time: do it now; on a later interval, follow the one before."""
    FOR_EVER = "P9999Y"
    """A length without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """A length that only the calendar knows."""

    months: int
    beyond: timedelta
    """What is counted in weeks and less."""


Start = datetime | Sentinel
Length = timedelta | Months | Sentinel

_BEGINNING = re.compile(r"0001-01-01(T00:00(:00(\.0+)?)?(Z|[+-]00:00)?)?")
"""Interpretation: the User Guide writes the bare date, the OpenAPI file wants a date-time; both are taken."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LENGTH = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,5})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
FOR_EVER_YEARS = 9999


def parse_start(text: str) -> Start:
    """The moment, in UTC, or ``Sentinel.NOW``; ValueError says what is wrong."""
    if _BEGINNING.fullmatch(text):
        return Sentinel.NOW
    if not _MOMENT.fullmatch(text):
        raise ValueError("is not a date and time with an offset, such as 2030-07-01T18:30:00Z")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a moment of the calendar") from None


def parse_length(text: str) -> Length:
    """The length, or ``Sentinel.FOR_EVER``; ValueError says what is wrong."""
    matched = _LENGTH.fullmatch(text)
    if matched is None:
        raise ValueError("is not an ISO 8601 duration such as PT15M")
    parts = {name: float(value) for name, value in matched.groupdict().items() if value is not None}
    if parts.get("years", 0) >= FOR_EVER_YEARS:
        return Sentinel.FOR_EVER
    months = int(12 * parts.pop("years", 0) + parts.pop("months", 0))
    beyond = timedelta(**parts)
    return Months(months=months, beyond=beyond) if months else beyond


def parse_fixed_length(text: str) -> timedelta | Sentinel:
    """The same for a length that must not depend on when it is counted from."""
    length = parse_length(text)
    if isinstance(length, Months):
        raise ValueError("counts in years or months, whose length varies: write it in days")  # noqa: TRY004  # of a text
    return length


def later(at: datetime, length: timedelta | Months) -> datetime:
    """The moment that much later, in the calendar of UTC; OverflowError after year 9999.

    Interpretation: where the month that is reached is too short for the day, it is the month's last.
    """
    if isinstance(length, timedelta):
        return at + length
    at = at.astimezone(UTC)
    years, month = divmod(at.month - 1 + length.months, 12)
    year = at.year + years
    if year > MAXYEAR:
        raise OverflowError("the calendar ends with year 9999")
    day = min(at.day, monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day) + length.beyond


def moment_text(moment: datetime) -> str:
    """RFC 3339, in UTC, with ``Z``; fractions only where there are some."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def length_text(length: timedelta) -> str:
    """ISO 8601 in seconds: ``PT300S``; every reader can do that much."""
    seconds = length.total_seconds()
    return f"PT{int(seconds)}S" if seconds.is_integer() else f"PT{seconds:f}".rstrip("0") + "S"
