"""Numbers of meters, with the check digits that the market operator publishes."""

import pytest

from openadr_vtn.domain.sep2.nmi import check_digit, is_nmi

PUBLISHED = {
    "2001985732": 8, "2001985733": 6, "3075621875": 8, "3075621876": 6, "4316854005": 9, "4316854006": 7,
    "6305888444": 6, "6350888444": 2, "7001888333": 8, "7102000001": 7, "NAAAMYS582": 6, "NBBBX11110": 0,
    "NBBBX11111": 8, "NCCC519495": 5, "NGGG000055": 4, "QAAAVZZZZZ": 3, "QCDWW00010": 2, "SMVEW00085": 8,
}  # fmt: skip


@pytest.mark.parametrize("nmi", PUBLISHED)
def test_the_check_digit(nmi: str) -> None:
    assert check_digit(nmi) == PUBLISHED[nmi]
    assert is_nmi(nmi)
    assert is_nmi(f"{nmi}{PUBLISHED[nmi]}")
    assert not is_nmi(f"{nmi}{(PUBLISHED[nmi] + 1) % 10}")


@pytest.mark.parametrize("text", ["", "200198573", "200198573O", "200198573286", "2001985732\n", "2001985732x"])
@pytest.mark.ieee2030_5("F14")
def test_what_is_none(text: str) -> None:
    assert not is_nmi(text)
