"""Events that no calendar holds are refused by name (R33), and every event that passes can be laid out in time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError, OpenAdrError, RemoteProtocolError
from openadr_core.model.event import SignalInterval
from openadr_core.model.timeline import segments
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.codes import code_of
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.translate import event_from_wire

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEN_THOUSAND_YEARS = timedelta(days=3_650_000)


def make(lengths: list[timedelta], total: timedelta, start: datetime = NOW, **period: timedelta) -> m.Event:
    intervals = tuple(m.Interval(duration=length, uid=str(index), value=1.0) for index, length in enumerate(lengths))
    return m.Event(
        descriptor=m.EventDescriptor(
            event_id="e",
            modification_number=0,
            market_context="http://program.example",
            created_date_time=NOW,
            event_status="far",
        ),
        active_period=m.ActivePeriod(dtstart=start, duration=total, **period),
        signals=(m.Signal(intervals=intervals, signal_name="SIMPLE", signal_type="level", signal_id="s"),),
        target=m.Target(),
        response_required=True,
    )


@pytest.mark.openadr20b("R33", "N14")
@pytest.mark.parametrize(
    "event",
    [
        make([TEN_THOUSAND_YEARS], TEN_THOUSAND_YEARS),
        make([TEN_THOUSAND_YEARS] * 2_500, HOUR),
        make([m.ZERO], m.ZERO, start=datetime(9999, 12, 31, tzinfo=UTC), start_after=100 * HOUR),
        make([HOUR], HOUR, recovery=TEN_THOUSAND_YEARS),
        make([HOUR], HOUR, notification=TEN_THOUSAND_YEARS),
        make([HOUR], HOUR, ramp_up=TEN_THOUSAND_YEARS),
        make([HOUR], HOUR, ramp_up=-TEN_THOUSAND_YEARS),
        make([2 * HOUR], 2 * HOUR, start_after=-HOUR),
        make([2 * HOUR, -HOUR], HOUR),
        make([HOUR, -HOUR], m.ZERO),
        make([-HOUR], -HOUR),
    ],
)
def test_an_impossible_period_is_invalid_data(event: m.Event) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        event_from_wire(event, relief_sign=None, now=NOW)
    assert code_of(refused.value) == "454"


@pytest.mark.openadr20b("R47", "V4")
def test_an_interval_of_no_length_is_for_ever_only_in_an_open_ended_event() -> None:
    bounded = event_from_wire(make([m.ZERO, HOUR], HOUR), relief_sign=None, now=NOW)
    assert bounded.signals[0].intervals[0] == SignalInterval(duration=m.ZERO, value=1.0)
    assert segments(bounded)[-1].ends_at == NOW + HOUR
    unbounded = event_from_wire(make([m.ZERO], m.ZERO), relief_sign=None, now=NOW)
    assert unbounded.signals[0].intervals[0].duration is None


any_length = st.timedeltas().map(lambda length: timedelta(days=length.days, seconds=length.seconds))
some_length = st.sampled_from([m.ZERO, HOUR, -HOUR, 2 * HOUR, TEN_THOUSAND_YEARS])


@given(
    lengths=st.lists(some_length | any_length, min_size=1, max_size=4),
    total=st.none() | some_length | any_length,
    start=st.datetimes(timezones=st.just(UTC)) | st.just(NOW),
    period=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("start_after", "notification", "ramp_up", "recovery"), some_length | any_length)
    ),
)
def test_what_passes_can_be_laid_out_in_time(
    lengths: list[timedelta], total: timedelta | None, start: datetime, period: dict[str, timedelta]
) -> None:
    whole = lengths[0] if total is None else total
    wire = make(lengths if total is not None else lengths[:1], whole, start, **period)
    try:
        event = event_from_wire(wire, relief_sign=None, now=NOW)
    except OpenAdrError:
        return
    placed = segments(event, delay=event.start_after)
    assert all(segment.ends_at is None or segment.ends_at >= segment.starts_at for segment in placed)
    event.status_at(NOW)
    event.kept_until()


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_carry_is_never_sent(character: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode(m.Poll(ven_id=f"v{character}"))


@pytest.mark.parametrize("character", ["\t", "\n", "\x7f", "\x85", "\u2028", "\ue000", "\ufffd", "\U0010ffff"])
def test_what_xml_can_carry_is_sent_although_it_cannot_be_printed(character: str) -> None:
    assert character.encode() in encode(m.Poll(ven_id=character))
