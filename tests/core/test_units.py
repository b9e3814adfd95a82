"""Scales are powers of ten: what people write comes back to the digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import Unsupported
from openadr_core.units import SI_EXPONENT, SI_SCALE, from_scale, to_scale


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-20, 20), st.sampled_from(sorted(SI_EXPONENT)))
def test_fifteen_digits_come_back(digits: int, exponent: int, code: str) -> None:
    written = float(f"{digits}e{exponent}")
    assert to_scale(from_scale(written, code), code) == written


def test_a_scale_is_a_factor() -> None:
    assert from_scale(5.1, "k") == 5100.0
    assert to_scale(5.1, "micro") == 5_100_000.0
    assert {code: pytest.approx(10.0**exponent) for code, exponent in SI_EXPONENT.items()} == SI_SCALE
    with pytest.raises(Unsupported, match="siScaleCode 'K'"):
        from_scale(1.0, "K")
