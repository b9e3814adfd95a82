"""Whatever devices are told of an event is valid by the standard's schema."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from openadr_core.model.event import Signal, SignalKind
from openadr_core.model.signal_table import RULES
from openadr_core.sep2.translate_events import told
from openadr_vtn.application.sep2_bridge import wish_of
from openadr_vtn.application.sep2_drafts import drafted
from tests.core.sep2.test_translate_events import LEVELS, an_event, asked
from tests.vtn.protocols.sep2.sep2_bench import SPEECHES

NUMBERS = st.floats(-1e16, 1e16) | st.integers(-20, 20).map(float)


KINDS = (
    SignalKind.NET_POWER, SignalKind.IMPORT_LIMIT, SignalKind.LEVEL, SignalKind.LOAD_CAPACITY,
    SignalKind.LOAD_PERCENT_OFFSET,
)  # fmt: skip


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    kind = draw(st.sampled_from(KINDS))
    rule = RULES[kind]
    numbers = NUMBERS.map(lambda number: float(round(number)) if rule.whole else number)
    values = draw(st.lists(numbers.map(lambda number: min(max(number, rule.least), rule.most)), min_size=1, max_size=4))
    classes = draw(st.sampled_from([(), ("Water_Heater",), ("Smart_Inverter", "Storage")]))
    return asked(kind, *values, each_s=draw(st.integers(1, 10**10)), device_classes=classes)


@given(signals(), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_told_is_valid(signal: Signal, version: int, start_after: int, answers: bool) -> None:
    event = an_event(
        signal, version=version, start_after=timedelta(seconds=start_after), response_required=answers, id="e" * 64
    )
    for wanted in told(event, LEVELS).controls:
        control = drafted(wish_of(event, wanted), 1, mrid="0" * 32, moment=1_700_000_000)
        SPEECHES[1].schema.validate(etree.fromstring(control.body))
