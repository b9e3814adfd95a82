"""The adapter over real brokers: sessions that outlive the agent, reports that are settled late, strangers' frames."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import numpy as np
import pytest
import structlog

from openadr_core.errors import Unreachable
from openadr_core.limits import BROKER_RETRY_MAX_S
from openadr_core.pki import issue, make_authority
from openadr_core.shell.keyfiles import certificate_profile, write_issued, write_public
from openadr_core.shell.tls import Chain, client_context
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.broker import command_line, free_port, running_broker
from openadr_ven.gateways.codec import decode, encode
from openadr_ven.gateways.contract import (
    AckFrame,
    AckState,
    Channel,
    CommandFrame,
    GatewayState,
    Report,
    StatusFrame,
    TelemetryFrame,
    command_rows,
    parse_topic,
    telemetry_rows,
    topic_of,
)
from openadr_ven.gateways.mqtt import BrokerAddress, Connection, MqttGateways, retry_pause_s
from tests.mosquitto import MOSQUITTO, answers, running_mosquitto

AT = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
FLEET = "town"
WAIT_S = 10.0


@pytest.fixture(
    params=[
        "nats-server",
        pytest.param(
            "mosquitto", marks=pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
        ),
    ]
)
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[int]:
    nats = request.param == "nats-server"
    async with running_broker(tmp_path, ack_wait_s=1) if nats else running_mosquitto(tmp_path) as port:
        yield port


def address(port: int, client_id: str = "ven") -> BrokerAddress:
    return BrokerAddress(host="127.0.0.1", port=port, fleet=FLEET, client_id=client_id)


def command(sequence: int, gateway: str = "gw-1") -> CommandFrame:
    return CommandFrame(
        gateway=gateway,
        event_id="e",
        event_version=0,
        sequence=sequence,
        issued_at=AT,
        start=AT,
        end=AT + timedelta(seconds=30),
        ramp_s=0.0,
        rows=command_rows([0, 1], Mode.SETPOINT, [-1000.0, -2000.0]),
    )


def telemetry(sequence: int, gateway: str = "gw-1") -> TelemetryFrame:
    return TelemetryFrame(
        gateway=gateway,
        telemetry_sequence=sequence,
        measured_at=AT + timedelta(seconds=sequence),
        command_sequence=0,
        rows=telemetry_rows([0], [float(sequence)], [0.5], [np.nan], [2]),
    )


async def publish(connection: Connection, *frames: TelemetryFrame) -> None:
    for frame in frames:
        await connection.publish(topic_of(FLEET, frame.gateway, Channel.TELEMETRY), encode(frame), 1)


async def take(reports: AsyncIterator[Report], count: int) -> list[Report]:
    async with asyncio.timeout(WAIT_S):
        return [await anext(reports) for _ in range(count)]


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            outcome = holds()
            if await outcome if asyncio.iscoroutine(outcome) else outcome:
                return
            await asyncio.sleep(0.02)


async def first_report(
    gateways: MqttGateways, connection: Connection, stack: AsyncExitStack
) -> AsyncGenerator[Report, None]:
    """Reports of an agent that is known to be subscribed, since it has heard telemetry 0."""
    reports = gateways.receive()
    await stack.enter_async_context(aclosing(reports))
    waiting = asyncio.ensure_future(anext(reports))
    await eventually(lambda: gateways.connected)
    await publish(connection, telemetry(0))
    assert sequences([await asyncio.wait_for(waiting, WAIT_S)]) == [0]
    return reports


def sequences(reports: list[Report]) -> list[int]:
    return [report.telemetry_sequence for report in reports if isinstance(report, TelemetryFrame)]


async def test_a_command_goes_out_and_its_acknowledgement_comes_back(port: int) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
        await gateway.subscribe(topic_of(FLEET, "gw-1", Channel.COMMAND), 1)
        agent = MqttGateways(address(port), rng=random.Random(1))
        reports = await first_report(agent, gateway, stack)

        await agent.send([command(7)])
        message = await asyncio.wait_for(anext(gateway.messages), WAIT_S)
        received = decode(bytes(message.payload))
        assert isinstance(received, CommandFrame)
        assert received.command_id == command(7).command_id

        started = AckFrame(
            gateway="gw-1",
            command_id=received.command_id,
            sequence=7,
            at=AT,
            state=AckState.STARTED,
            slots=received.rows["slot"],
        )
        await gateway.publish(topic_of(FLEET, "gw-1", Channel.ACK), encode(started), 1)
        (report,) = await take(reports, 1)
        assert isinstance(report, AckFrame)
        assert (report.command_id, report.state, report.slots.tolist()) == (started.command_id, started.state, [0, 1])


async def test_a_round_of_many_frames_reaches_every_gateway_once(port: int) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Connection(address(port, "all")))
        await gateway.subscribe(topic_of(FLEET, "+", Channel.COMMAND), 1)
        agent = MqttGateways(address(port), rng=random.Random(1))
        await first_report(agent, gateway, stack)
        names = [f"gw-{number}" for number in range(320)]
        await agent.send([command(7, name) for name in names])
        heard = [parse_topic((await asyncio.wait_for(anext(gateway.messages), WAIT_S)).topic.value) for _ in names]
        assert sorted(name for _, name, _ in heard) == sorted(names)


async def test_a_broker_that_goes_in_the_middle_of_a_round_is_said_at_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with running_broker(tmp_path) as port:
            gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
            agent = MqttGateways(address(port), rng=random.Random(1))
            await first_report(agent, gateway, stack)
            sending = asyncio.create_task(agent.send([command(7, f"gw-{number}") for number in range(20_000)]))
            await asyncio.sleep(0.1)
        with pytest.raises(Unreachable, match="of 20000 frames"):
            await asyncio.wait_for(sending, WAIT_S)


async def test_what_is_sent_while_the_agent_is_away_waits_for_it(port: int) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
        async with AsyncExitStack() as agents_life:
            await first_report(MqttGateways(address(port), rng=random.Random(1)), gateway, agents_life)
        await publish(gateway, *map(telemetry, range(1, 30)))
        reports = MqttGateways(address(port), rng=random.Random(2)).receive()
        await stack.enter_async_context(aclosing(reports))
        heard: list[int] = []
        async with asyncio.timeout(WAIT_S):
            while not set(heard) >= set(range(30)):
                heard += sequences([await anext(reports)])
        # Report 0 was with the agent when it left, so it comes again; some may have gone to the closing connection.
        first_time = list(dict.fromkeys(heard))
        assert sorted(first_time) == list(range(30))


async def test_a_killed_agent_loses_no_report_that_it_had_not_settled(port: int) -> None:
    """SIGKILL: the broker finds out by itself, and sends again what was delivered and not settled."""
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
        victim = await asyncio.create_subprocess_exec(
            sys.executable, __file__, str(port), stdout=asyncio.subprocess.PIPE
        )
        assert victim.stdout
        assert await asyncio.wait_for(victim.stdout.readline(), WAIT_S) == b"connected\n"
        await publish(gateway, *map(telemetry, range(10)))
        heard = [int(await asyncio.wait_for(victim.stdout.readline(), WAIT_S)) for _ in range(10)]
        assert heard == list(range(10))
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        await publish(gateway, *map(telemetry, range(10, 15)))

        reports = MqttGateways(address(port), rng=random.Random(1)).receive()
        await stack.enter_async_context(aclosing(reports))
        again: set[int] = set()
        async with asyncio.timeout(WAIT_S):
            while not again >= set(range(5, 15)):
                again |= set(sequences([await anext(reports)]))
        assert not again & set(range(5)), "what the victim had settled is not sent again"


BROKER_THOUGHT_S = 1.0
"""What is settled in the moment in which a connection ends may be sent again, as QoS 1 is."""


async def test_an_agent_keeps_at_the_broker_what_it_has_not_reported_yet(port: int) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
        async with AsyncExitStack() as agents_life:
            agent = MqttGateways(address(port), rng=random.Random(1), settle_by_caller=True)
            reports = await first_report(agent, gateway, agents_life)
            await publish(gateway, *map(telemetry, range(1, 9)))
            await take(reports, 4)
            mark = agent.mark()
            await take(reports, 4)
            # What came in while the first part was stored is not safe yet.
            agent.settle(mark)
            await asyncio.sleep(BROKER_THOUGHT_S)
        reports = MqttGateways(address(port), rng=random.Random(2)).receive()
        await stack.enter_async_context(aclosing(reports))
        again: set[int] = set()
        async with asyncio.timeout(WAIT_S):
            while not again >= {5, 6, 7, 8}:
                again |= set(sequences([await anext(reports)]))
        assert not again & set(range(5))


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Of a broker that asks for certificates, and of one client that it lets in."""

    root: Path
    broker: Chain
    client: Chain


def keys(folder: Path) -> Keys:
    now = datetime.now(UTC)
    root = make_authority("lab", certificate_profile("openadr-ecc-root"), now)
    authority = make_authority("lab CA", certificate_profile("openadr-ecc-ca"), now, root)
    write_public(folder / "root.pem", root.certificate_pem)
    broker = issue(certificate_profile("openadr-ecc-vtn"), "broker", authority, now, dns_names=["localhost"])
    client = issue(certificate_profile("openadr-ecc-ven"), "ven", authority, now)
    return Keys(
        root=folder / "root.pem",
        broker=write_issued(folder, "broker", broker),
        client=write_issued(folder, "ven", client),
    )


def secured_nats(lab: Keys, folder: Path, port: int) -> list[str]:
    """How to start it."""
    line = command_line(folder / "data", port)
    configuration = Path(line[-1])
    files = {"cert_file": lab.broker.certificate, "key_file": lab.broker.key, "ca_file": lab.root}
    tls = "".join(f'{name}: "{path}", ' for name, path in files.items())
    configuration.write_text(configuration.read_text().replace("mqtt {", f"mqtt {{\n  tls {{ {tls} verify: true }}"))
    return line


@asynccontextmanager
async def nats_with(lab: Keys, folder: Path) -> AsyncIterator[int]:
    port = free_port()
    child = await asyncio.create_subprocess_exec(*secured_nats(lab, folder, port), stderr=asyncio.subprocess.DEVNULL)
    try:
        await eventually(lambda: answers(port))
        yield port
    finally:
        child.terminate()
        await child.wait()


@pytest.mark.parametrize(
    "kind",
    [
        "nats-server",
        pytest.param(
            "mosquitto", marks=pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
        ),
    ],
)
async def test_gateways_and_agents_can_meet_over_mutual_tls(tmp_path: Path, kind: str) -> None:
    lab = keys(tmp_path)
    nats = kind == "nats-server"
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(
            nats_with(lab, tmp_path) if nats else running_mosquitto(tmp_path, chain=lab.broker, clients=lab.root)
        )
        secured = replace(address(port, "gw-1"), host="localhost", tls=client_context("oadr3", lab.client, [lab.root]))
        gateway = await stack.enter_async_context(Connection(secured))
        await gateway.subscribe(topic_of(FLEET, "gw-1", Channel.COMMAND), 1)
        agent = MqttGateways(replace(secured, client_id="ven"), rng=random.Random(1))
        await first_report(agent, gateway, stack)
        await agent.send([command(7)])
        message = await asyncio.wait_for(anext(gateway.messages), WAIT_S)
        assert decode(bytes(message.payload)).gateway == "gw-1"
        stranger = client_context("oadr3", None, [lab.root])
        with pytest.raises(aiomqtt.MqttError):
            await Connection(replace(secured, client_id="x", tls=stranger, timeout_s=2.0)).__aenter__()


async def test_a_gateway_speaks_for_itself_only_and_nonsense_is_dropped(port: int) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
        reports = await first_report(MqttGateways(address(port), rng=random.Random(1)), gateway, stack)
        topic = topic_of(FLEET, "gw-1", Channel.TELEMETRY)
        for payload in (
            b"",
            b"DERG",
            encode(telemetry(1, gateway="gw-2")),
            encode(command(1)),
            encode(StatusFrame(gateway="gw-1", at=AT, state=GatewayState.ONLINE, slot_count=1, command_sequence=0)),
        ):
            await gateway.publish(topic, payload, 1)
        await publish(gateway, telemetry(2))
        assert sequences(await take(reports, 1)) == [2]


async def test_sending_without_a_broker_says_so_at_once() -> None:
    agent = MqttGateways(address(free_port()), rng=random.Random(1))
    with pytest.raises(Unreachable, match="not connected"):
        await agent.send([command(1)])


async def test_the_agent_comes_back_when_the_broker_does(tmp_path: Path) -> None:
    port = free_port()
    agent = MqttGateways(address(port), rng=random.Random(1))
    async with AsyncExitStack() as stack:
        async with running_broker(tmp_path, port):
            gateway = await stack.enter_async_context(Connection(address(port, "gw-1")))
            reports = await first_report(agent, gateway, stack)
            waiting = asyncio.ensure_future(anext(reports))
        await eventually(lambda: not agent.connected)
        with pytest.raises(Unreachable):
            await agent.send([command(1)])
        async with running_broker(tmp_path, port), Connection(address(port, "gw-2")) as other:
            await eventually(lambda: agent.connected)
            await publish(other, telemetry(5, gateway="gw-2"))
            assert sequences([await asyncio.wait_for(waiting, WAIT_S)]) == [5]


async def test_a_cancellation_that_comes_with_the_answer_is_not_lost() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(Connection(address(free_port()))._wait_for(answer, 1.0))
    await asyncio.sleep(0)
    answer.set_result(None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_pauses_grow_to_a_limit_and_never_agree() -> None:
    rng = random.Random(1)
    pauses = [retry_pause_s(failures, rng) for failures in range(1, 2_000)]
    assert 0.9 <= pauses[0] <= 1.1
    assert all(pause <= BROKER_RETRY_MAX_S * 1.1 for pause in pauses)
    assert len(set(pauses)) == len(pauses)


async def victim(port: int) -> None:
    """An agent that settles once, after five reports, and prints what it hears until it is killed."""
    agent = MqttGateways(address(port), rng=random.Random(1), settle_by_caller=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    announced = asyncio.ensure_future(eventually(lambda: agent.connected))
    announced.add_done_callback(lambda _: sys.stdout.write("connected\n"))
    heard = 0
    async for report in agent.receive():
        sys.stdout.write(f"{sequences([report])[0]}\n")
        heard += 1
        if heard == 5:
            agent.settle(agent.mark())


if __name__ == "__main__":
    asyncio.run(victim(int(sys.argv[1])))
