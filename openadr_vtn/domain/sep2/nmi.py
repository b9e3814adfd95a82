"""Australia's National Metering Identifier: ten characters, and perhaps a check digit (AEMO's algorithm)."""

import re

_NMI = re.compile(r"[0-9A-HJ-NP-Z]{10}[0-9]?", re.ASCII)
"""The letters I and O are not used."""
LENGTH = 10


def is_nmi(text: str) -> bool:
    return bool(_NMI.fullmatch(text)) and (len(text) == LENGTH or int(text[-1]) == check_digit(text[:LENGTH]))


def check_digit(nmi: str) -> int:
    """Every second character from the right counts double; then the digits of all are summed up."""
    total = 0
    for place, character in enumerate(reversed(nmi)):
        number = ord(character) * (2 if place % 2 == 0 else 1)
        total += sum(int(digit) for digit in str(number))
    return -total % 10
