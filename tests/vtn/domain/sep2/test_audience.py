"""Whom of IEEE 2030.5 an event is for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent
from openadr_core.model.target import TargetKind
from openadr_vtn.domain.sep2.audience import PRIMACY_FIRST, PRIMACY_LAST, Audience, audience_of, primacy_of
from tests.core.model.model_strategies import events


@pytest.mark.parametrize(("priority", "primacy"), [(0, 65), (1, 66), (126, 191), (2**31, 191), (None, 191)])
def test_a_priority_is_a_primacy_of_the_users_own(priority: int | None, primacy: int) -> None:
    assert primacy_of(priority) == primacy


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_what_goes_before_still_does(one: int, other: int) -> None:
    assert (primacy_of(one) <= primacy_of(other)) or one > other
    assert PRIMACY_FIRST <= primacy_of(one) <= PRIMACY_LAST


@given(events(), st.booleans())
def test_an_audience_is_read_as_it_was_written(event: DrEvent, in_all: bool) -> None:
    audience = audience_of(event, in_all=in_all)
    assert Audience.of_text(audience.text) == audience
    assert all(target.kind is not TargetKind.DEVICE_CLASS for target in audience.targets)
