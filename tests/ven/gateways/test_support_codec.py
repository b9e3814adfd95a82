"""Grid support as frames: our vectors, round trips, and frames that must not be sent."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError, MalformedMessage, RemoteProtocolError
from openadr_core.model.grid_support import Curve, CurvePoint, GridFunction, GridSupport, Reference
from openadr_ven.gateways.codec import decode, encode
from openadr_ven.gateways.contract import (
    AbilityFrame,
    AckState,
    Frame,
    Reason,
    SupportAckFrame,
    SupportFrame,
    ability_rows,
)
from openadr_ven.gateways.support_codec import read_support, write_support
from tests.core.model.support_strategies import supports
from tests.ven.gateways.test_codec import SPECIFICATION, event_ids, moments, names, sequences, slot_lists

AT = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
VOLT_VAR = GridSupport(
    function=GridFunction.VOLT_VAR,
    curve=Curve(
        points=(CurvePoint(x=92.0, y=44.0), CurvePoint(x=98.0, y=0.0), CurvePoint(x=102.0, y=0.0)),
        reference=Reference.MAX_VAR,
        open_loop_s=5.0,
    ),
)
SUPPORT = SupportFrame(
    gateway="gw-07", event_id="voltage", event_version=1, sequence=7, issued_at=AT, start=AT,
    end=AT + timedelta(hours=1), slots=np.array([3, 9], dtype=np.uint16), function=GridFunction.VOLT_VAR,
    support=VOLT_VAR,
)  # fmt: skip
ACK = SupportAckFrame(
    gateway="gw-07", function=GridFunction.VOLT_VAR, command_id=SUPPORT.command_id, sequence=7, at=AT,
    state=AckState.STARTED, slots=SUPPORT.slots,
)  # fmt: skip
ABILITY = AbilityFrame(
    gateway="gw-07", at=AT, sequence=7, rows=ability_rows([3, 9], [1 << 23 | 1 << 6, 1 << 23], [1 << 23, 0])
)


@st.composite
def support_frames(draw: st.DrawFn) -> SupportFrame:
    support, start = draw(supports()), draw(moments)
    return SupportFrame(
        gateway=draw(names), event_id=draw(event_ids), event_version=draw(st.integers(0, 2**32 - 1)),
        sequence=draw(sequences), issued_at=draw(moments), start=start,
        end=start + draw(st.timedeltas(timedelta(0), timedelta(days=1))),
        slots=np.array(draw(slot_lists), dtype=np.uint16), function=support.function,
        support=draw(st.sampled_from((support, None))),
    )  # fmt: skip


def same(one: Frame, other: Frame) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return type(one) is type(other) and all(np.array_equal(mine, theirs) for mine, theirs in pairs)


@given(support_frames())
def test_a_frame_comes_back_as_it_went(frame: SupportFrame) -> None:
    assert same(decode(encode(frame)), frame)


@pytest.mark.parametrize("frame", [ACK, ABILITY, replace(ACK, state=AckState.REJECTED, reason=Reason.OUT_OF_RANGE)])
def test_what_gateways_say_comes_back_as_it_went(frame: Frame) -> None:
    assert same(decode(encode(frame)), frame)


@pytest.mark.parametrize("frame", [SUPPORT, ACK, ABILITY])
def test_the_specification_has_these_bytes(frame: Frame) -> None:
    said = "".join(SPECIFICATION.read_text().split())
    assert encode(frame).hex() in said


@given(support_frames(), st.data())
def test_a_changed_byte_is_refused_or_is_another_good_frame(frame: SupportFrame, data: st.DataObject) -> None:
    whole = bytearray(encode(frame))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        back = decode(bytes(whole))
    except RemoteProtocolError:
        return
    assert same(decode(encode(back)), back)


REFUSED: list[dict[str, Any]] = [
    {"end": AT - timedelta(seconds=1)},
    {"end": AT + timedelta(days=2)},
    {"slots": np.array([], dtype=np.uint16)},
    {"sequence": 0},
    {"event_id": ""},
    {"gateway": "a/b"},
    {"function": GridFunction.WATT_VAR},
]


@pytest.mark.parametrize("changes", REFUSED)
def test_a_frame_that_must_not_be_sent_is_not_encoded(changes: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        encode(replace(SUPPORT, **changes))


@pytest.mark.parametrize(
    "text",
    [
        b"[", b"{}", b"null", b"[" * 4_000, b'{"function":99,"on":true}', b'{"function":2,"on":true,"until":1}',
        b'{"function":23,"curve":{"points":[{"x":1,"y":2,"z":3}]}}',
        b'{"function":23,"curve":{"points":[{"x":true,"y":2}]}}',
        b'{"function":21,"power_var":NaN}', b'{"function":2,"on":1}',
    ],
)  # fmt: skip
def test_settings_that_cannot_be_read_are_refused(text: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_support(text)


def test_settings_are_read_as_they_were_written() -> None:
    assert read_support(write_support(VOLT_VAR)) == VOLT_VAR


def test_the_same_numbers_are_another_frame_of_another_function() -> None:
    off = replace(SUPPORT, support=None)
    assert off.command_id == SUPPORT.command_id
    assert replace(off, function=GridFunction.WATT_VAR).command_id != SUPPORT.command_id
