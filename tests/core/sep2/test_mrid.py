"""Names put together: vectors of the specification, and what holds for all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.sep2.mrid import PenForm, is_pin, managed_lfdi, mrid_of, pen_of, pin_of

PEN = 28547


def test_the_maker_is_said_in_decimal_digits_or_in_hex() -> None:
    assert mrid_of(1, pen=PEN, form=PenForm.DECIMAL).endswith("00028547")
    assert mrid_of(1, pen=PEN, form=PenForm.HEX).endswith("00006F83")


@given(unique=st.integers(0, 2**96 - 1), pen=st.integers(0, 99_999_999), form=st.sampled_from(PenForm))
@pytest.mark.ieee2030_5("D1")
def test_every_mrid_has_32_digits_and_names_its_maker(unique: int, pen: int, form: PenForm) -> None:
    mrid = mrid_of(unique, pen=pen, form=form)
    assert len(mrid) == 32
    assert mrid == mrid.upper()
    assert pen_of(mrid, form=form) == pen
    assert int(mrid[:24], 16) == unique


def test_what_does_not_fit_is_refused() -> None:
    for unique, pen in ((2**96, PEN), (1, 100_000_000), (-1, PEN), (1, -1)):
        with pytest.raises(ValueError, match="do not make"):
            mrid_of(unique, pen=pen, form=PenForm.DECIMAL)
    assert pen_of("F" * 32, form=PenForm.DECIMAL) is None


@pytest.mark.ieee2030_5("T9")
def test_a_managed_device_is_known_by_its_aggregators_number() -> None:
    assert managed_lfdi(2**127, pen=PEN) == "8" + "0" * 31 + "00028547"
    with pytest.raises(ValueError, match="do not make"):
        managed_lfdi(2**128, pen=PEN)


@pytest.mark.ieee2030_5("T8")
def test_a_pin_ends_with_a_check_digit() -> None:
    assert pin_of(11111) == 111115
    assert is_pin(111115)
    assert not is_pin(111116)
    assert not is_pin(-1)
    with pytest.raises(ValueError, match="five digits"):
        pin_of(100_000)
