"""Names that IEEE 2030.5 and CSIP-AUS put together: mRIDs, PINs, and LFDIs of devices without a certificate."""

from enum import Enum

PEN_DIGITS = 8
MRID_HEX_DIGITS = 32
LFDI_HEX_DIGITS = 40


class PenForm(Enum):
    """How an mRID's last 32 bits say who made it.

    Interpretation: the standard says that they are the maker's Private Enterprise Number, CSIP-AUS's
    test tool reads them as its decimal digits. A setting, because both are met.
    """

    DECIMAL = "decimal"
    HEX = "hex"


def mrid_of(unique: int, *, pen: int, form: PenForm) -> str:
    """32 hex digits: 96 bits of the maker's own, then who the maker is. ValueError if either does not fit."""
    digits = f"{pen:08d}" if form is PenForm.DECIMAL else f"{pen:08X}"
    text = f"{unique:024X}{digits}"
    if unique < 0 or pen < 0 or len(text) != MRID_HEX_DIGITS:
        raise ValueError(f"{unique} and {pen} do not make an mRID")
    return text


def pen_of(mrid: str, *, form: PenForm) -> int | None:
    """Who made this mRID; None if its end is no number in this form."""
    digits = mrid[-PEN_DIGITS:]
    try:
        return int(digits, 10 if form is PenForm.DECIMAL else 16)
    except ValueError:
        return None


def managed_lfdi(unique: int, *, pen: int) -> str:
    """CSIP-AUS: the LFDI of a device that its aggregator answers for: 128 bits of its own, then the decimal PEN."""
    text = f"{unique:032X}{pen:08d}"
    if unique < 0 or pen < 0 or len(text) != LFDI_HEX_DIGITS:
        raise ValueError(f"{unique} and {pen} do not make an LFDI")
    return text


def pin_of(number: int) -> int:
    """Registration.pIN: five digits, and a sixth that is the last one of their sum."""
    if not 0 <= number <= 99_999:
        raise ValueError("a PIN has five digits before its check digit")
    return number * 10 + sum(int(digit) for digit in str(number)) % 10


def is_pin(pin: int) -> bool:
    return 0 <= pin <= 999_999 and pin_of(pin // 10) == pin
