"""Shards that carry: no command lost, no row of any ledger twice, whoever dies between which two steps."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_core.errors import Unreachable
from openadr_ven.adapters.command_ledger import OF_A_SHARD, CommandLedger, ask
from openadr_ven.adapters.shards.carrier import Carrier
from openadr_ven.adapters.shards.floor import ShardFloor
from openadr_ven.adapters.shards.hands import SILENT_S, Hands, Reply
from openadr_ven.adapters.shards.watch import ShardWatch
from openadr_ven.dispatch.bulletin import Bulletin
from openadr_ven.domain.held import Round
from openadr_ven.fleet.columns import Floats, Mode
from openadr_ven.fleet.parcels import MESSAGE_BYTES, dealt, parcels_of
from openadr_ven.fleet.wire import Said, bundle, decode, encode, pieces_of
from openadr_ven.gateways.codec import encode as encode_frame
from openadr_ven.gateways.contract import (
    AckFrame,
    AckState,
    CommandFrame,
    GatewayState,
    Report,
    StatusFrame,
    SupportFrame,
    command_rows,
)
from tests.ven.application.world import a_fleet

FLEET = a_fleet(120)
PARCELS = parcels_of(FLEET, 25)
SHA = "f" * 64
NOW = datetime(2026, 7, 1, 18, tzinfo=UTC)


class Killed(BaseException):
    """SIGKILL: nothing is caught, nothing is said."""


@dataclass
class Broker:
    """Where all frames of one parcel end up, whoever hands them over."""

    taken: list[bytes] = field(default_factory=list)
    reports: "asyncio.Queue[Report]" = field(default_factory=asyncio.Queue)
    is_up: bool = True
    marked: int = 0
    settled: int = 0
    readers: int = 0

    @property
    def connected(self) -> bool:
        return bool(self.readers)

    async def announce(self, bulletins: Iterable[Bulletin]) -> None: ...

    async def hand_over(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        if not self.is_up:
            raise Unreachable("down")
        self.taken += [encode_frame(one) for one in frames]

    async def receive(self) -> AsyncGenerator[Report, None]:
        self.readers += 1
        try:
            while True:
                report = await self.reports.get()
                self.marked += 1
                yield report
        finally:
            self.readers -= 1

    def mark(self) -> int:
        return self.marked

    def settle(self, mark: int) -> None:
        self.settled = max(self.settled, mark)


@dataclass
class Wire:
    """A ``Line`` to carriers in this process."""

    carriers: dict[int, Carrier]
    before: Callable[[str], None] = lambda _: None
    alive: Callable[[int, bytes], None] | None = None
    heard: Callable[[int, bytes, Reply], None] | None = None

    async def request(self, parcel: int, data: bytes) -> bytes | None:
        if parcel not in self.carriers:
            return None
        try:
            answer = await self.carriers[parcel].carry(data)
            self.before("answer")
        except Killed:
            del self.carriers[parcel]
            return None
        return answer

    async def listen(self, alive: Callable[[int, bytes], None], heard: Callable[[int, bytes, Reply], None]) -> None:
        self.alive, self.heard = alive, heard

    async def close(self) -> None: ...


class Dying(CommandLedger):
    """A ledger whose process may be killed before any of its steps."""

    def __init__(self, folder: Path, before: Callable[[str], None]) -> None:
        super().__init__(folder, FLEET, fleet_sha256=SHA)
        self._before = before

    def carried(self, parcel: int, frames: Sequence[CommandFrame], relief_w: Any) -> None:
        self._before("write")
        super().carried(parcel, frames, relief_w)
        self._before("send")

    def sent(self, parcel: int, frames: Sequence[CommandFrame], at: datetime) -> None:
        self._before("note")
        super().sent(parcel, frames, at)


class Deployment:
    """An agent, two shards that die when told, and the brokers behind them."""

    def __init__(self, folder: Path, before: Callable[[str], None] = lambda _: None) -> None:
        self.folder, self.before = folder, before
        self.brokers = [Broker() for _ in PARCELS]
        self.clock = [0.0]
        self.wire = Wire({}, before)
        self.restart_shards()
        self.restart_agent()

    def restart_shards(self) -> None:
        for number in (1, 2):
            ledger = Dying(self.folder / OF_A_SHARD.format(number=number), self.before)
            for place in dealt(len(PARCELS), number, 2):
                self.wire.carriers[place] = Carrier(
                    PARCELS[place], self.brokers[place], ledger, fleet_sha256=SHA, now=lambda: NOW
                )

    def restart_agent(self) -> None:
        parcels = [(one, broker) for one, broker in zip(PARCELS, self.brokers, strict=True)]
        self.hands = Hands(
            FLEET, parcels, self.wire, CommandLedger(self.folder, FLEET, fleet_sha256=SHA), Broker(),
            fleet_sha256=SHA, monotonic=lambda: self.clock[0],
        )  # fmt: skip

    async def send(self, sequence: int) -> None:
        made, frames, relief_w = a_round(sequence)
        self.hands.commanded(made, relief_w).keep()
        await self.hands.send(frames)

    def rows(self, table: str, columns: str) -> Counter[tuple[Any, ...]]:
        return Counter(ask(self.folder, f"SELECT {columns} FROM {table}")[1])  # noqa: S608  # our own words


def a_round(sequence: int) -> tuple[Round, list[CommandFrame], Floats]:
    """Every third device is told something, another third each time."""
    rows = np.arange(FLEET.size) % 3 == sequence % 3
    frames = [
        CommandFrame(
            gateway=name, event_id="event-1", event_version=0, sequence=sequence, issued_at=NOW, start=NOW,
            end=NOW + timedelta(minutes=1), ramp_s=0.0,
            rows=command_rows(FLEET.slot[mine], np.full(mine.sum(), Mode.SETPOINT), 10.0 * FLEET.slot[mine]),
        )
        for code, name in enumerate(FLEET.gateway_names)
        if (mine := rows & (FLEET.gateway == code)).any()
    ]  # fmt: skip
    made = Round(
        sequence=sequence, event_id="event-1", event_version=0, made_at=NOW, ends_at=NOW + timedelta(minutes=1),
        ramp_s=0.0, asked_w=1.0, allowed_w=1.0, mode=b"", setpoint_w=b"", sent=np.packbits(rows).tobytes(), guard="",
        trim="",
    )  # fmt: skip
    return made, frames, np.arange(FLEET.size, dtype=np.float64)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_whoever_is_killed_no_command_is_lost_and_no_row_is_there_twice(seed: int) -> None:
    """Shards die before and after writing, sending, noting and answering; agent and shards come back at any time."""
    dice = random.Random(seed)

    def dies(_: str) -> None:
        if dice.random() < 0.15:
            raise Killed

    async def play(folder: Path) -> None:
        deployment = Deployment(folder, dies)
        sequences = range(1, 4)
        for sequence in sequences:
            await deployment.send(sequence)
            if dice.random() < 0.5:
                deployment.restart_shards()
            if dice.random() < 0.5:
                deployment.restart_agent()
                await deployment.send(sequence)  # what an agent does who does not know whether it was sent
        for sequence in sequences:
            for frame in a_round(sequence)[1]:
                place = next(one.number for one in PARCELS if frame.gateway in one.gateways)
                assert encode_frame(frame) in deployment.brokers[place].taken, "no command lost"
        rows = deployment.rows("commands", "row, sequence, relief_w")
        assert set(rows.values()) == {1}, "no row twice"
        assert len(rows) == sum(int(np.unpackbits(np.frombuffer(a_round(one)[0].sent, np.uint8)).sum())
                                for one in sequences)  # fmt: skip
        assert all(relief_w == row for row, _, relief_w in rows)
        sent = deployment.rows("sent", "gateway, sequence")
        assert set(sent.values()) <= {1}

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


async def test_shards_write_and_send_what_they_carry(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    await deployment.send(1)
    for number in (1, 2):
        mine = [PARCELS[place] for place in dealt(len(PARCELS), number, 2) if PARCELS[place].rows]
        assert len(list((tmp_path / f"shard-{number}" / "commands").iterdir())) == len(mine) > 0
    assert not list((tmp_path / "commands").iterdir()), "the agent has sent nothing itself"
    elsewhere = (tmp_path / "shard-2").rename(tmp_path / "elsewhere")
    assert len(ask(tmp_path, "SELECT * FROM commands")[1]) < 40
    assert len(ask(tmp_path, "SELECT * FROM commands", others=[elsewhere])[1]) == 40
    elsewhere.rename(tmp_path / "shard-2")
    names, found = ask(tmp_path, "SELECT sum(devices) AS devices FROM sent")
    assert (names, found) == (["devices"], [(40,)])


async def test_a_round_that_was_written_whole_before_there_were_shards_counts_once(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    made, frames, relief_w = a_round(1)
    whole = Round(**{
        **{name: getattr(made, name) for name in Round.__dataclass_fields__},
        "mode": np.full(FLEET.size, Mode.SETPOINT, dtype=np.uint8).tobytes(),
        "setpoint_w": np.zeros(FLEET.size, dtype=np.float32).tobytes(),
    })  # fmt: skip
    CommandLedger(tmp_path, FLEET, fleet_sha256=SHA).commanded(whole, relief_w).keep()
    await deployment.send(1)
    assert set(deployment.rows("commands", "row, sequence").values()) == {1}
    assert sum(one.rows.size for one in frames) == 40


async def test_what_no_broker_takes_is_said(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    deployment.brokers[0].is_up = False
    with pytest.raises(Unreachable):
        await deployment.send(1)
    assert deployment.brokers[1].taken, "the others have theirs"
    deployment.brokers[0].is_up = True
    await deployment.send(1)
    assert deployment.brokers[0].taken


@pytest.mark.parametrize("wrong", ["fleet", "parcel", "stranger", "relief", "two rounds", "garbage", "no frame"])
async def test_what_is_not_a_shards_to_carry_is_refused(wrong: str, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    mine, other = PARCELS[0], PARCELS[1]
    frames = [one for one in a_round(1)[1] if one.gateway in (other if wrong == "stranger" else mine).gateways]
    if wrong == "two rounds":
        frames += [one for one in a_round(2)[1] if one.gateway in mine.gateways]
    pieces = [b"nothing"] if wrong == "no frame" else [encode_frame(one) for one in frames]
    rows = sum(one.rows.size for one in frames)
    about = {
        "id": 7, "fleet": "0" if wrong == "fleet" else SHA, "parcel": 1 if wrong == "parcel" else 0,
    }  # fmt: skip
    data = bundle(about, pieces, relief_w=np.zeros(rows + (wrong == "relief"), dtype=np.float32))
    answer = decode(await deployment.wire.carriers[0].carry(b"x" if wrong == "garbage" else data)).values
    assert "refused" in answer
    assert "sent" not in answer
    assert not deployment.brokers[0].taken
    assert not deployment.rows("commands", "row")


def a_status(gateway: str) -> StatusFrame:
    return StatusFrame(gateway=gateway, at=NOW, state=GatewayState.ONLINE, slot_count=1, command_sequence=0)


def an_ack(gateway: str) -> AckFrame:
    return AckFrame(
        gateway=gateway, command_id=b"c" * 16, sequence=1, at=NOW, state=AckState.STARTED,
        slots=np.array([0, 1], dtype=np.uint16),
    )  # fmt: skip


async def test_a_report_stays_with_the_broker_until_the_agent_has_stored_it(tmp_path: Path) -> None:
    """And what comes twice is in the ledger once."""
    deployment = Deployment(tmp_path)
    broker, carrier = deployment.brokers[0], deployment.wire.carriers[0]
    receiving = deployment.hands.receive()
    first = asyncio.ensure_future(anext(receiving))
    async with asyncio.timeout(5):
        while deployment.wire.heard is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    answers: dict[bytes, bytes] = {}

    async def tell(data: bytes) -> bytes | None:
        assert deployment.wire.heard is not None
        deployment.wire.heard(0, data, lambda answer: answers.__setitem__(data, answer))
        async with asyncio.timeout(5):
            while data not in answers:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return answers[data]

    hearing = asyncio.create_task(carrier.hear(tell))
    name = PARCELS[0].gateways[0]
    for _ in range(2):
        broker.reports.put_nowait(an_ack(name))
    assert isinstance(await first, AckFrame)
    await anext(receiving)
    assert broker.settled == 0
    deployment.hands.settle(deployment.hands.mark())
    async with asyncio.timeout(5):
        while broker.settled < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    hearing.cancel()
    await receiving.aclose()
    told = deployment.rows("acknowledgements", "row, sequence, state")
    assert set(told.values()) == {1}
    assert len(told) == 2


async def test_the_agent_stands_in_for_who_is_silent_and_makes_room_again(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    hands, brokers = deployment.hands, deployment.brokers
    receiving = hands.receive()
    first = asyncio.ensure_future(anext(receiving))
    name = PARCELS[0].gateways[0]
    brokers[0].reports.put_nowait(a_status(name))

    def say(number: int) -> None:
        assert deployment.wire.alive is not None
        deployment.wire.alive(
            number, encode(Said(values={"fleet": SHA, "number": 1, "of": 2, "since": NOW.timestamp()}))
        )

    async with asyncio.timeout(10):
        while deployment.wire.alive is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        deployment.clock[0] = 0.9 * SILENT_S
        for number in range(1, len(PARCELS)):
            say(number)
        deployment.clock[0] = 1.1 * SILENT_S
        assert (await first).gateway == name
        assert [one.readers for one in brokers] == [1, *[0] * (len(PARCELS) - 1)]
        assert not hands.is_alive(0)
        say(0)
        while brokers[0].readers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert hands.is_alive(0)
    await receiving.aclose()
    watch = ShardWatch(ShardFloor(FLEET, lambda _: [], fleet_sha256=SHA, cell_rows=50), hands, lambda: NOW)
    assert [(one.kind, one.alarm, one.text) for one in watch.news()] == [
        ("shard silent", True, "nobody, parcels 0: silent: the agent does its part"),
        ("shard back", False, "shard 1 of 2, parcels 0: does its part again"),
    ]
    assert list(watch.news()) == []
    (stand,) = watch.stands()
    assert (stand.number, stand.of, stand.is_alive, stand.rows) == (1, 2, True, FLEET.size)
    assert stand.since == NOW


async def test_what_was_carried_is_seen(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    await deployment.send(5)
    (stand,) = deployment.hands.stands()
    assert (stand.number, stand.sequence, stand.lag_s) == (None, 5, 0.0)


def test_who_is_not_believed_is_an_alarm(tmp_path: Path) -> None:
    floor = ShardFloor(FLEET, lambda _: [], fleet_sha256=SHA, cell_rows=50)
    floor.bar(1, "settle: not finite")
    watch = ShardWatch(floor, Deployment(tmp_path).hands, lambda: NOW)
    (notice,) = watch.news()
    assert (notice.kind, notice.alarm) == ("shard not believed", True)
    assert "cell 1" in notice.text


@pytest.mark.parametrize("wrong", ["another's gateway", "another's parcel", "another fleet", "a command", "garbage"])
async def test_a_shard_speaks_for_its_own_gateways_alone(wrong: str, tmp_path: Path) -> None:
    """T07, T09: whoever speaks on the subject of a parcel is heard about that parcel, and of reports."""
    deployment = Deployment(tmp_path)
    receiving = deployment.hands.receive()
    first = asyncio.ensure_future(anext(receiving))
    async with asyncio.timeout(5):
        while deployment.wire.heard is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    mine, other = PARCELS[0].gateways[0], PARCELS[1].gateways[0]
    piece = encode_frame(a_status(other if wrong == "another's gateway" else mine))
    if wrong == "a command":
        piece = encode_frame(a_round(3)[1][0])
    about = {"id": 1, "parcel": 1 if wrong == "another's parcel" else 0, "fleet": "0" if "fleet" in wrong else SHA}
    answers: list[bytes] = []
    deployment.wire.heard(0, b"x" if wrong == "garbage" else bundle(about, [piece]), answers.append)
    deployment.wire.heard(
        0, bundle({"id": 2, "parcel": 0, "fleet": SHA}, [encode_frame(a_status(mine))]), answers.append
    )  # fmt: skip
    assert (await first).gateway == mine
    deployment.hands.settle(deployment.hands.mark())
    assert [decode(one).values["id"] for one in answers] == [2]
    await receiving.aclose()


def test_parcels_are_whole_gateways_and_fit_a_message() -> None:
    assert [name for one in PARCELS for name in one.gateways] == list(FLEET.gateway_names)
    assert sum(one.rows for one in PARCELS) == FLEET.size
    assert len(PARCELS) > 2
    (one,) = parcels_of(FLEET, 10**9)
    assert one.rows == FLEET.size
    assert MESSAGE_BYTES < 1 << 20
    assert [list(dealt(5, number, 2)) for number in (1, 2)] == [[0, 1], [2, 3, 4]]


@given(pieces=st.lists(st.binary(max_size=40), max_size=5))
def test_a_bundle_is_what_was_put_in(pieces: list[bytes]) -> None:
    assert pieces_of(decode(bundle({}, pieces))) == pieces
