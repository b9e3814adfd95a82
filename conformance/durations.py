"""ISO 8601 durations as 2.0b writes them, read without our own decoder."""

import math
import re

_DURATION = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def seconds_of(text: str) -> float:
    """The duration in seconds; not a number, which equals nothing, if the text is none.

    OpenADR 2.0b R1: no decimal fractions. Interpretation: the schema lets a bare ``P`` or ``PT`` through, and
    widespread peers write it, so it is zero.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found:
        return math.nan
    total = sum(int(found[unit] or 0) * seconds for unit, seconds in _SECONDS.items())
    return -total if found["sign"] == "-" else total
