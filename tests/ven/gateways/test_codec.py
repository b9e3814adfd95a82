"""The gateway contract's frames: our vectors, round trips, and bytes that are no frame."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError, MalformedMessage, RemoteProtocolError, Unsupported
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.codec import decode, encode, encode_all
from openadr_ven.gateways.contract import (
    AckFrame,
    AckState,
    Channel,
    CommandFrame,
    Frame,
    GatewayState,
    Reason,
    StatusFrame,
    TelemetryFlag,
    TelemetryFrame,
    command_id_of,
    command_rows,
    parse_topic,
    telemetry_rows,
    topic_of,
)
from openadr_ven.gateways.packing import PREFIX, SEQUENCE_MAX

AT = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
COMMAND = CommandFrame(
    gateway="gw-07",
    event_id="heat-wave",
    event_version=2,
    sequence=41,
    issued_at=AT,
    start=AT + timedelta(seconds=1),
    end=AT + timedelta(seconds=31),
    ramp_s=2.5,
    rows=command_rows([3, 9], [Mode.SETPOINT, Mode.SHED], [-4800.0, 0.0]),
)
ACK = AckFrame(
    gateway="gw-07",
    command_id=COMMAND.command_id,
    sequence=41,
    at=AT,
    state=AckState.STARTED,
    slots=np.array([3, 9], dtype=np.uint16),
)
TELEMETRY = TelemetryFrame(
    gateway="gw-07",
    telemetry_sequence=1234,
    measured_at=AT,
    command_sequence=41,
    rows=telemetry_rows([3], [-4790.5], [0.625], [float("nan")], [TelemetryFlag.ONLINE | TelemetryFlag.HELD]),
)
STATUS = StatusFrame(gateway="gw-07", at=AT, state=GatewayState.ONLINE, slot_count=300, command_sequence=41)

VECTORS: list[tuple[Frame, str]] = [
    (
        COMMAND,
        (
            "4445524701010905290000000000000081cc2f290a0a564aee761ba07c3fc50f00bad982aa56060040fce882aa560600c0bfb284aa560600"
            "02000000000020400200000000000000686561742d7761766567772d303703000100000096c50900020000000000"
        ),
    ),
    (
        ACK,
        "4445524701020005290000000000000081cc2f290a0a564aee761ba07c3fc50f00bad982aa5606000200020067772d30370802",
    ),
    (
        TELEMETRY,
        (
            "4445524701030005d20400000000000000bad982aa56060029000000000000000100000067772d3037"
            "03000a0000b495c50000203f0000c07f"
        ),
    ),
    (STATUS, "444552470104000500bad982aa56060029000000000000002c0100000167772d3037"),
]
SPECIFICATION = Path(__file__).parents[3] / "docs" / "gateway-contract.md"

moments = st.timedeltas(timedelta(0), timedelta(days=36_500)).map(datetime(1990, 1, 1, tzinfo=UTC).__add__)
names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
event_ids = st.text(min_size=1, max_size=63)
sequences = st.integers(1, SEQUENCE_MAX)
slot_lists = st.lists(st.integers(0, 65_535), min_size=1, max_size=40, unique=True).map(sorted)
watts = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def commands(draw: st.DrawFn) -> CommandFrame:
    slots = draw(slot_lists)
    start = draw(moments)
    return CommandFrame(
        gateway=draw(names),
        event_id=draw(event_ids),
        event_version=draw(st.integers(0, 2**32 - 1)),
        sequence=draw(sequences),
        issued_at=draw(moments),
        start=start,
        end=start + draw(st.timedeltas(timedelta(0), timedelta(days=1))),
        ramp_s=draw(st.floats(0, 3600, width=32)),
        rows=command_rows(
            slots,
            draw(st.lists(st.sampled_from(Mode), min_size=len(slots), max_size=len(slots))),
            draw(st.lists(watts, min_size=len(slots), max_size=len(slots))),
        ),
    )


@st.composite
def acks(draw: st.DrawFn) -> AckFrame:
    state = draw(st.sampled_from(AckState))
    return AckFrame(
        gateway=draw(names),
        command_id=draw(st.binary(min_size=16, max_size=16)),
        sequence=draw(sequences),
        at=draw(moments),
        state=state,
        slots=np.array(draw(slot_lists), dtype=np.uint16),
        reason=draw(st.sampled_from(list(Reason)[1:])) if state is AckState.REJECTED else Reason.NONE,
    )


@st.composite
def telemetry(draw: st.DrawFn) -> TelemetryFrame:
    slots = draw(slot_lists)
    size = len(slots)
    shares = st.one_of(st.floats(0, 1, width=32), st.just(float("nan")))
    return TelemetryFrame(
        gateway=draw(names),
        telemetry_sequence=draw(sequences),
        measured_at=draw(moments),
        command_sequence=draw(st.integers(0, SEQUENCE_MAX)),
        rows=telemetry_rows(
            slots,
            draw(st.lists(watts, min_size=size, max_size=size)),
            draw(st.lists(shares, min_size=size, max_size=size)),
            draw(st.lists(st.floats(width=32), min_size=size, max_size=size)),
            draw(st.lists(st.integers(0, 15), min_size=size, max_size=size)),
        ),
    )


statuses = st.builds(
    StatusFrame,
    gateway=names,
    at=moments,
    state=st.sampled_from(GatewayState),
    slot_count=st.integers(0, 65_536),
    command_sequence=st.integers(0, SEQUENCE_MAX),
)
frames = st.one_of(commands(), acks(), telemetry(), statuses)


def same(one: Any, other: Any) -> bool:
    """Field by field; arrays by their bytes, so that NaN equals itself."""
    return type(one) is type(other) and all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        if isinstance(getattr(one, name), np.ndarray)
        else getattr(one, name) == getattr(other, name)
        for name in one.__slots__
    )


@pytest.mark.parametrize(("frame", "bytes_hex"), VECTORS, ids=[type(frame).__name__ for frame, _ in VECTORS])
def test_the_bytes_of_version_1_never_change(frame: Frame, bytes_hex: str) -> None:
    assert encode(frame).hex() == bytes_hex
    assert same(decode(bytes.fromhex(bytes_hex)), frame)
    printed = "".join(SPECIFICATION.read_text().split())
    assert bytes_hex in printed, "docs/gateway-contract.md prints the same vectors"


@given(frames)
def test_a_frame_comes_back_as_it_went(frame: Frame) -> None:
    data = encode(frame)
    back = decode(data)
    assert same(back, frame)
    assert encode(back) == data


@given(frames, st.data())
def test_a_frame_that_is_cut_or_longer_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for broken in (whole[:cut], whole + b"\0"):
        with pytest.raises(RemoteProtocolError):
            decode(broken)


@given(frames, st.data())
def test_a_changed_byte_is_refused_or_is_another_good_frame(frame: Frame, data: st.DataObject) -> None:
    whole = bytearray(encode(frame))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        back = decode(bytes(whole))
    except RemoteProtocolError:
        return
    assert same(decode(encode(back)), back)


@given(st.binary(max_size=300), st.sampled_from(Channel))
def test_noise_is_refused(noise: bytes, kind: Channel) -> None:
    for data in (noise, PREFIX.pack(b"DERG", 1, kind, 0, 5) + noise):
        with pytest.raises(RemoteProtocolError):
            decode(data)


@given(commands(), st.integers(0, 15))
def test_a_changed_key_field_of_a_command_breaks_its_id(frame: CommandFrame, byte: int) -> None:
    """Sequence, version, event and gateway are covered by the digest: a bit error cannot make another command."""
    data = bytearray(encode(frame))
    for at in (8 + byte % 8, 56 + byte % 4):  # sequence, event version
        changed = data.copy()
        changed[at] ^= 1
        with pytest.raises(MalformedMessage):
            decode(bytes(changed))


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("end before start", {"end": AT}),
    ("a lease of days", {"end": AT + timedelta(days=2)}),
    ("no rows", {"rows": command_rows([], [], [])}),
    ("a slot twice", {"rows": command_rows([3, 3], [1, 1], [0.0, 0.0])}),
    ("unknown mode", {"rows": command_rows([3], [4], [0.0])}),
    ("not a number", {"rows": command_rows([3], [1], [float("nan")])}),
    ("infinite", {"rows": command_rows([3], [1], [float("inf")])}),
    ("sequence 0", {"sequence": 0}),
    ("negative sequence", {"sequence": -1}),
    ("no event", {"event_id": ""}),
    ("event id too long", {"event_id": "e" * 256}),
    ("gateway that is no topic level", {"gateway": "a/b"}),
    ("negative ramp", {"ramp_s": -1.0}),
    ("ramp that is no number", {"ramp_s": float("nan")}),
]


@pytest.mark.parametrize("changes", [changes for _, changes in REFUSED], ids=[name for name, _ in REFUSED])
def test_a_command_that_must_not_be_sent_is_not_encoded(changes: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        encode(replace(COMMAND, **changes))


def test_many_frames_are_encoded_as_each_would_be() -> None:
    slots = ([3], [0, 1, 2], [7, 9], list(range(500)))
    frames: list[Frame] = [
        replace(COMMAND, gateway=f"gw-{place}", rows=command_rows(some, [1] * len(some), np.arange(len(some)) / 7.0))
        for place, some in enumerate(slots)
    ]
    frames.append(STATUS)
    assert list(encode_all(frames)) == [encode(frame) for frame in frames]
    assert list(encode_all([])) == []


@pytest.mark.parametrize("changes", [changes for _, changes in REFUSED], ids=[name for name, _ in REFUSED])
def test_one_command_among_many_that_must_not_be_sent_is_refused(changes: dict[str, Any]) -> None:
    sound = replace(COMMAND, gateway="gw-2")
    found = encode_all([sound, replace(COMMAND, **changes), sound])
    assert next(found) == encode(sound)
    with pytest.raises(LocalProtocolError):
        next(found)


def test_reports_that_must_not_be_sent_are_not_encoded() -> None:
    wrong: list[Frame] = [
        replace(ACK, slots=np.array([], dtype=np.uint16)),
        replace(ACK, reason=Reason.EXPIRED),
        replace(ACK, state=AckState.REJECTED),
        replace(TELEMETRY, rows=telemetry_rows([1], [float("nan")], [0.5], [20.0], [0])),
        replace(TELEMETRY, rows=telemetry_rows([1], [1.0], [1.5], [20.0], [0])),
        replace(STATUS, slot_count=65_537),
    ]
    for frame in wrong:
        with pytest.raises(LocalProtocolError):
            encode(frame)


def test_other_versions_are_told_apart_from_noise() -> None:
    data = bytearray(encode(STATUS))
    data[4] = 2
    with pytest.raises(Unsupported):
        decode(bytes(data))


def test_the_command_id_is_one_per_event_version_sequence_and_gateway() -> None:
    keys = [("e", 1, 1, "g"), ("f", 1, 1, "g"), ("e", 2, 1, "g"), ("e", 1, 2, "g"), ("e", 1, 1, "h"), ("eg", 1, 1, "")]
    assert len({command_id_of(*key) for key in keys}) == len(keys)
    assert len(COMMAND.command_id) == 16


def test_rows_are_sorted_by_slot() -> None:
    rows = command_rows([9, 3], [1, 2], [7.0, 8.0])
    assert rows.tolist() == [(3, 2, 0, 8.0), (9, 1, 0, 7.0)]


@given(names, names, st.sampled_from(Channel))
def test_a_topic_comes_back_as_it_went(fleet: str, gateway: str, channel: Channel) -> None:
    assert parse_topic(topic_of(fleet, gateway, channel)) == (fleet, gateway, channel)


@pytest.mark.parametrize(
    "topic",
    ["", "der/v1/f/g", "der/v1/f/g/ack/x", "der/v2/f/g/ack", "x/der/v1/f/g/ack", "der/v1/f/+/ack", "der/v1//g/ack",
     "der/v1/f/g/ACK", "der/v1/f/g.h/ack"],
)  # fmt: skip
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_topic(topic)
