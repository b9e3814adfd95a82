"""Moments and lengths of time as OpenADR 3 writes them, with its two sentinels."""

import re
from datetime import UTC, datetime, timedelta
from enum import Enum


class Sentinel(Enum):
    """Words for what no calendar has."""

    NOW = "0001-01-01"
    """A start at the beginning of time: do it now; on a later interval, follow the one before."""
    FOR_EVER = "P9999Y"
    """A length without end."""


Start = datetime | Sentinel
Length = timedelta | Sentinel

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
    """The length, or ``Sentinel.FOR_EVER``; ValueError says what is wrong.

    Interpretation: a year or a month has no fixed length, and no signal of this project needs one,
    so only P9999Y is taken of them.
    """
    matched = _LENGTH.fullmatch(text)
    if matched is None:
        raise ValueError("is not an ISO 8601 duration such as PT15M")
    parts = {name: float(value) for name, value in matched.groupdict().items() if value is not None}
    if parts.get("years", 0) >= FOR_EVER_YEARS:
        return Sentinel.FOR_EVER
    if "years" in parts or "months" in parts:
        raise ValueError("counts in years or months, whose length varies: write it in days")
    return timedelta(**parts)


def moment_text(moment: datetime) -> str:
    """RFC 3339, in UTC, with ``Z``; fractions only where there are some."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def length_text(length: timedelta) -> str:
    """ISO 8601 in seconds: ``PT300S``; every reader can do that much."""
    seconds = length.total_seconds()
    return f"PT{int(seconds)}S" if seconds.is_integer() else f"PT{seconds:f}".rstrip("0") + "S"
