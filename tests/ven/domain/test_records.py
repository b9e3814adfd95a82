"""The agent's memory comes back as it was stored."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_ven.domain.records import from_record, to_record

moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
durations = st.none() | st.integers(0, 10**7).map(lambda ms: timedelta(milliseconds=ms))
intervals = st.builds(SignalInterval, duration=durations, value=st.floats(allow_nan=False))
signals = st.builds(
    Signal,
    id=st.text(),
    kind=st.sampled_from(SignalKind),
    intervals=st.lists(intervals).map(tuple),
    device_classes=st.lists(st.text()).map(tuple),
)
events = st.builds(
    DrEvent,
    id=st.text(),
    program_id=st.text(),
    market_context=st.text(),
    version=st.integers(0, 100),
    starts_at=moments,
    duration=durations,
    signals=st.lists(signals, max_size=2).map(tuple),
    created_at=moments,
    modified_at=moments,
    priority=st.none() | st.integers(0, 9),
    relief_sign=st.none() | st.sampled_from(ReliefSign),
    targets=st.lists(st.text()).map(tuple),
    cancelled_at=st.none() | moments,
)


@given(events)
def test_an_event_survives_being_stored(event: DrEvent) -> None:
    assert from_record(DrEvent, to_record(event)) == event


def test_a_field_added_since_gets_its_default(now: datetime) -> None:
    opt = Opt(event_id="e", version=1, opt_type=OptType.OUT, at=now, code="462")
    older = to_record(opt).replace(',"code":"462"', "")
    assert from_record(Opt, older).code == "200"
