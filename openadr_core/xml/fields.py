"""Typed fields: texts of a validated tree into values, and values into texts.

The schema has already said that a number is a number; what it cannot say (that ``P`` is a
duration of nothing, that ``5W`` has lost its P) is settled here.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from openadr_core.characters import is_carried
from openadr_core.errors import LocalProtocolError, SchemaViolation
from openadr_core.xml.parse import Element

_DURATION = re.compile(
    r"(?P<sign>[+-])?P?(?:(?P<w>\d{1,12})W|(?:(?P<y>\d{1,12})Y)?(?:(?P<mo>\d{1,12})M)?(?:(?P<d>\d{1,12})D)?"
    r"(?:T?(?:(?P<h>\d{1,12})H)?(?:(?P<m>\d{1,12})M)?(?:(?P<s>\d{1,12})S)?))"
)
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d*))?Z?")
_DAYS_MAX = 36_525_00
"""Ten thousand years: past it a timedelta overflows."""

_TEXT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def text_of(element: Element) -> str:
    """The element's text; an empty element is an empty text."""
    return element.text or ""


def token_of(element: Element) -> str:
    """The text of an ``xs:token`` (an enumeration): white space collapsed, as the schema compared it."""
    return " ".join((element.text or "").split())


def boolean_of(element: Element) -> bool:
    """``true``, ``false``, ``1`` or ``0``: all four are legal XSD."""
    return token_of(element) in {"true", "1"}


def float_of(element: Element) -> float:
    return float(token_of(element).replace("INF", "inf"))


def integer_of(element: Element) -> int:
    """An ``xs:unsignedInt``: ``-0`` is one, and so are ten thousand zeros, at which ``int`` would give up."""
    return int(token_of(element).lstrip("+-0") or "0")


def date_time_of(element: Element) -> datetime:
    """An aware UTC time.

    Interpretation: the schema's pattern lets the ``Z`` be missing; 2.0b R1 says all times are
    UTC, so a time without it is read as UTC.
    """
    found = _DATE_TIME.fullmatch(token_of(element))
    if not found:
        raise SchemaViolation("a date-time is UTC and of four-digit years", clause="R1")
    fraction = int((found[2] or "0")[:6].ljust(6, "0"))
    try:
        return datetime.fromisoformat(found[1]).replace(microsecond=fraction, tzinfo=UTC)
    except ValueError:
        raise SchemaViolation("a date-time that no calendar has", clause="R1") from None


def duration_of(element: Element) -> timedelta:
    """An ISO 8601 duration.

    Interpretation: the schema also accepts ``P`` and ``PT`` (which openleadr writes for nothing,
    and we read as zero) and ``5W`` without its P. A year is 365 days and a month 30: no rule
    gives the date they would have to be counted from.
    """
    return _duration(token_of(element))


# A message repeats a few lengths a hundred times.
@lru_cache(maxsize=512)
def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if not found:
        raise SchemaViolation("not a duration", clause="R1")
    part = {name: int(digits) for name, digits in found.groupdict("0").items() if name != "sign"}
    days = part["w"] * 7 + part["y"] * 365 + part["mo"] * 30 + part["d"]
    seconds = part["h"] * 3600 + part["m"] * 60 + part["s"]
    if days > _DAYS_MAX or seconds > _DAYS_MAX * 86400:
        raise SchemaViolation("a duration over ten thousand years", clause="R1")
    length = timedelta(days=days, seconds=seconds)
    return -length if found["sign"] == "-" else length


def escape(text: str) -> str:
    """Text as element content.

    Raises :class:`LocalProtocolError` for characters that XML cannot carry in any spelling: a
    message with one would be refused by every reader, so it must not be sent.
    """
    if not is_carried(text):
        raise LocalProtocolError("a text has a character that XML cannot carry")
    return text.translate(_TEXT_ESCAPES)


def boolean_text(value: bool) -> str:
    return "true" if value else "false"


def float_text(value: float) -> str:
    """XSD spells the special values ``NaN`` and ``INF``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(float(value))


def date_time_text(moment: datetime) -> str:
    """OpenADR 2.0b R1: UTC with ``Z``, never an offset."""
    if moment.tzinfo is None:
        raise LocalProtocolError("a time without a zone has no place on the wire", clause="R1")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def duration_text(length: timedelta) -> str:
    """OpenADR 2.0b R1: ISO 8601 without decimals; nothing is ``PT0S``."""
    if length.microseconds:
        raise LocalProtocolError("2.0b durations have whole seconds", clause="R1")
    sign = "-" if length < timedelta(0) else ""
    length = abs(length)
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{length.days}D" if length.days else ""
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    if not days and not clock:
        return "PT0S"
    return f"{sign}P{days}{'T' + clock if clock else ''}"
