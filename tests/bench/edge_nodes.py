"""``make bench-edge``: from the operator's POST to the acknowledgement of each of 100,000 homes, over MQTT and TLS.

The whole way, each part a process of its own, all on this machine: operator → VTN ══ OpenADR 2.0b, mutual TLS ══ VEN →
broker → edge nodes → homes, and back. An edge node is a gateway of ours (``openadr-ven gateway run``, devices with
topics of their own) and a Mosquitto, to which each of its homes has a session over TLS. A process may open so many
files (``ulimit -Hn``), hence several nodes.

    python -m tests.bench.edge_nodes [--homes 100000] [--per-node 16700] [--folder DIR]
"""

import asyncio
import json
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import psutil  # type: ignore[import-untyped]

from demo.lab import FLEET, MARKET_CONTEXT, VEN_NAME, Lab, Ports
from openadr_ven.adapters.fleet_files import write_fleet
from openadr_ven.fleet.columns import Fleet, Floats
from openadr_ven.gateways.broker import HOST
from openadr_ven.gateways.codec import decode
from openadr_ven.gateways.contract import AckFrame, AckState, Channel, TelemetryFrame, topic_of
from openadr_ven.gateways.mqtt_packets import Publication
from openadr_ven.gateways.pipe import Pipe
from openadr_vtn.cli.operator_api import OperatorApi
from tests.bench.lab import Lab as Authorities
from tests.bench.tables import Table, machine
from tests.mosquitto import running_mosquitto
from tests.ven.fleet.synthetic import fleet_of

BATTERIES_ONLY = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
PROGRAM = "Edge"
PROMISE_S = 10.0
BASELINE_S = 5.0
MANY_W = str(10**12)
VTN_SETTINGS = {"OPENADR_VTN_PARTIES__POLL_INTERVAL_S": "1"}
VEN_SETTINGS = {
    "OPENADR_VEN_VTN__POLL_INTERVAL_S": "1",
    "OPENADR_VEN_AGENT__BASELINE_S": str(BASELINE_S),
    "OPENADR_VEN_AGENT__LEASE_S": "600",
    "OPENADR_VEN_AGENT__RENEW_S": "300",
    "OPENADR_VEN_ENVELOPE__EVENT_MAX_W": MANY_W,
    "OPENADR_VEN_ENVELOPE__RAMP_W_PER_S": MANY_W,
    "OPENADR_VEN_ENVELOPE__RELEASE_RAMP_W_PER_S": MANY_W,
    "OPENADR_VEN_ENVELOPE__STEP_MAX_W": MANY_W,
    "OPENADR_VEN_ENVELOPE__NOTICE_MIN_S": "0",
    "OPENADR_VEN_ENVELOPE__REVERSALS_PER_HOUR": "60",
    "OPENADR_VEN_ENVELOPE__REVERSAL_DEADBAND_W": MANY_W,
    "OPENADR_VEN_ENVELOPE__SOC_FLOOR": "0.2",
}
GATEWAY = """\
gateway = "{name}"
fleet = "{fleet}"
fleet_name = "{fleet_name}"
record = "{name}.npz"
broker = {{ port = {broker} }}
[topics]
host = "localhost"
port = {port}
trust = "{trust}"
echo_wait_s = 60
reading_lasts_s = 86400
"""
HOME = """\
[topics.devices."{device}"]
power_w = {{ topic = "home/{number}/power" }}
soc = {{ topic = "home/{number}/soc" }}
[topics.devices."{device}".orders]
SETPOINT = [{{ topic = "home/{number}/set", payload = "{{setpoint_w}}", echo = {echo} }}]
RELEASE = [{{ topic = "home/{number}/set", payload = "0", echo = {{ topic = "home/{number}/power", value = "0" }} }}]
"""
ECHO = '{{ topic = "home/{number}/power", value = "{{setpoint_w}}" }}'
HEARD_LATER_S = 2.0
SHOWN_EVERY_S = 5.0
ANSWERS_S = 120.0
NODE = ("node", "mosquitto")
MANY = 10_000
"""Fewer say nothing of what one costs."""
MILLIONS, BUDGET_S = 9_000_000, 8.0
"""Of the promised ten seconds, what is left for the edge."""


@dataclass(slots=True, kw_only=True)
class Edge:
    """What was found; times in seconds after the operator's POST."""

    homes: int
    nodes: int
    connecting_s: float = 0.0
    operator_s: float = 0.0
    told_s: Floats = field(default_factory=lambda: np.zeros(0))
    """By home, NaN for never; so is the next."""
    acknowledged_s: Floats = field(default_factory=lambda: np.zeros(0))
    ven_s: Floats = field(default_factory=lambda: np.zeros(0))
    """When the VEN's broker had the edge's word for each home that it has one for."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)


def measure(homes: int, per_node: int, folder: Path, *, wait_s: float, say: bool = True) -> Edge:
    """All of it in ``folder``, which is made anew."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for the processes too that are started
    shutil.rmtree(folder, ignore_errors=True)
    lab = Lab(folder=folder, ports=Ports.free(), vtn_settings=VTN_SETTINGS, ven_settings=VEN_SETTINGS)
    try:
        return asyncio.run(_measure(lab, Edge(homes=homes, nodes=-(-homes // per_node)), wait_s, say))
    finally:
        lab.processes.stop_all()


async def _measure(lab: Lab, edge: Edge, wait_s: float, say: bool) -> Edge:
    fleet, fleet_file = _fleet(edge), lab.folder / "fleet.parquet"
    write_fleet(fleet, fleet_file)
    authorities = Authorities(lab.folder)
    lab.make_vtn()
    lab.start_vtn()
    lab.start_broker()
    async with AsyncExitStack() as stack:
        brokers = [
            await stack.enter_async_context(running_mosquitto(lab.folder, chain=authorities.vtn()))
            for _ in range(edge.nodes)
        ]
        begun = time.monotonic()
        _start_nodes(lab, fleet, fleet_file, brokers, authorities.trust())
        await _until(lab, "homes are connected", lambda: _ready(lab, edge), edge.homes, wait_s=wait_s, say=say)
        edge.connecting_s = time.monotonic() - begun
        lab.make_ven(fleet_file)
        lab.start_ven()
        operator = OperatorApi(lab.vtn / "operator.toml")
        _enrol(lab, operator)
        await _heard(lab, edge, wait_s, say)
        await asyncio.sleep(BASELINE_S + HEARD_LATER_S)
        posted_s = await _told(lab, operator, edge, say)
        edge.memory_mib = _by_kind({name: one.memory_info().rss / 2**20 for name, one in _processes(lab)})
        for name in [one for kind in ("homes", "node") for one in lab.processes.running if one.startswith(kind)]:
            lab.processes.stop(name)
    times_s = np.concatenate([np.load(lab.folder / f"homes-{node}.npy") for node in range(edge.nodes)])
    edge.told_s, edge.acknowledged_s = (times_s - posted_s).T
    return edge


def _fleet(edge: Edge) -> Fleet:
    """A battery for each home, told through its node."""
    fleet = fleet_of(edge.homes, mix=BATTERIES_ONLY)
    number = np.array([int(one.rpartition("-")[2]) for one in fleet.device_id.tolist()])
    return replace(
        fleet,
        gateway=(number % edge.nodes).astype(np.uint32),
        slot=(number // edge.nodes).astype(np.uint16),
        gateway_names=tuple(f"node-{node}" for node in range(edge.nodes)),
        transformer_limit_w=np.full_like(fleet.transformer_limit_w, np.inf),
        feeder_limit_w=np.full_like(fleet.feeder_limit_w, np.inf),
    )


def _start_nodes(lab: Lab, fleet: Fleet, fleet_file: Path, brokers: list[int], trust: Path) -> None:
    """Gateways first: what a home says when it comes in is how they know it."""
    homes = [fleet.device_id[fleet.gateway == node].tolist() for node in range(len(brokers))]
    for node, port in enumerate(brokers):
        name, first = f"node-{node}", sum(map(len, homes[:node]))
        text = GATEWAY.format(
            name=name, fleet=fleet_file, fleet_name=FLEET, broker=lab.ports.broker, port=port, trust=trust
        )
        for number, device in enumerate(homes[node], first):
            text += HOME.format(device=device, number=number, echo=ECHO.format(number=number))
        settings = lab.folder / f"{name}.toml"
        settings.write_text(text)
        lab.processes.start(name, "openadr_ven", "gateway", "run", "--config", settings)
    for node in range(len(brokers)):
        log = lab.processes.logs / f"node-{node}.log"
        listens = partial(_says, log, "devices' broker connected")
        lab.processes.wait_until(f"node-{node} to listen", listens, wait_s=120)
    for node, port in enumerate(brokers):
        lab.processes.start(
            f"homes-{node}", "tests.bench.edge_homes", "--port", str(port), "--trust", trust,
            "--first", str(sum(map(len, homes[:node]))), "--count", str(len(homes[node])),
            "--out", lab.folder / f"homes-{node}.npy",
        )  # fmt: skip


def _says(log: Path, text: str) -> bool:
    return text in log.read_text()


def _ready(lab: Lab, edge: Edge) -> int:
    found = 0
    for node in range(edge.nodes):
        said = [json.loads(line) for line in lab.processes.tail(f"homes-{node}").splitlines() if line.startswith("{")]
        assert not any("lost" in one for one in said), said[-1]
        found += max((one["ready"] for one in said), default=0)
    return found


def _enrol(lab: Lab, operator: OperatorApi) -> None:
    def party() -> dict[str, Any]:
        return next((one for one in operator.admin("parties") if one["name"] == VEN_NAME), {})

    lab.processes.wait_until("the VEN to knock", lambda: bool(party()), wait_s=60)
    operator.command(f"parties/{VEN_NAME}/approve", {})
    lab.operator_command("program", "create", PROGRAM, "--relief-sign", "POSITIVE", "--market-context", MARKET_CONTEXT)
    lab.processes.wait_until("the VEN to register", lambda: bool(party().get("registered_at")), wait_s=60)


async def _heard(lab: Lab, edge: Edge, wait_s: float, say: bool) -> None:
    """Until the nodes' telemetry speaks of every home: the VEN asks nothing of whom it has not heard."""
    speaking: dict[str, int] = {}

    def take(said: Publication) -> None:
        frame = decode(said.payload)
        if isinstance(frame, TelemetryFrame):
            speaking[frame.gateway] = int(frame.rows.size)

    pipe = await Pipe.opened(HOST, lab.ports.broker, client_id="listening", on_message=take)
    await pipe.subscribe([topic_of(FLEET, "+", Channel.TELEMETRY)], qos=0)
    await _until(lab, "homes are heard", lambda: sum(speaking.values()), edge.homes, wait_s=wait_s, say=say)
    pipe.close()


async def _told(lab: Lab, operator: OperatorApi, edge: Edge, say: bool) -> float:
    """Post the event, and watch what the nodes tell the VEN; when it was posted."""
    (program,) = (one["id"] for one in operator.list("programs") if one["programName"] == PROGRAM)
    wanted = {
        "objectType": "EVENT", "programID": program,
        "intervalPeriod": {"start": datetime.now(UTC).isoformat(), "duration": "PT30M"},
        "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [3]}]}],
    }  # fmt: skip
    heard: dict[tuple[str, int], float] = {}

    def take(said: Publication) -> None:
        ack = decode(said.payload)
        if isinstance(ack, AckFrame) and ack.state is AckState.STARTED:
            for slot in ack.slots.tolist():
                heard.setdefault((ack.gateway, slot), time.time())

    pipe = await Pipe.opened(HOST, lab.ports.broker, client_id="watching", on_message=take)
    await pipe.subscribe([topic_of(FLEET, "+", Channel.ACK)], qos=0)
    before_s = _cpu_s(lab)
    posted_s = time.time()
    await asyncio.to_thread(operator.write, "POST", "events", json.dumps(wanted).encode())
    edge.operator_s = time.time() - posted_s
    await _until(lab, "homes have acknowledged", lambda: len(heard), edge.homes, wait_s=ANSWERS_S, say=say)
    pipe.close()
    edge.cpu_s = _by_kind({name: spent - before_s[name] for name, spent in _cpu_s(lab).items()})
    edge.ven_s = np.array(list(heard.values())) - posted_s
    return posted_s


async def _until(lab: Lab, what: str, count: Callable[[], int], whole: int, *, wait_s: float, say: bool) -> None:
    """Until all are there, or it has lasted too long: what is missing then is among the figures."""
    give_up, shown_at = time.monotonic() + wait_s, time.monotonic()
    while (there := count()) < whole and time.monotonic() < give_up:
        lab.processes.check()
        if say and time.monotonic() - shown_at > SHOWN_EVERY_S:
            shown_at = time.monotonic()
            click.echo(f"{there:,} of {whole:,} {what} …", err=True)
        await asyncio.sleep(0.25)


def _processes(lab: Lab) -> Iterator[tuple[str, psutil.Process]]:
    """Ours, and the brokers, by name."""
    for name, child in lab.processes.running.items():
        yield name, psutil.Process(child.pid)
    for number, child in enumerate(psutil.Process().children()):
        if child.name() == "mosquitto":
            yield f"mosquitto-{number}", child


def _cpu_s(lab: Lab) -> dict[str, float]:
    return {name: sum(one.cpu_times()[:2]) for name, one in _processes(lab)}


def _by_kind(figures: dict[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, figure in figures.items():
        kind = name.rstrip("-0123456789")
        found[kind] = found.get(kind, 0.0) + figure
    return found


def report(edge: Edge) -> Table:
    rows = []
    for name, times_s in (
        ("the home is told", edge.told_s),
        ("its broker has the home's answer", edge.acknowledged_s),
        ("the VEN's broker has the node's word", edge.ven_s),
    ):
        known = np.sort(times_s[~np.isnan(times_s)])
        p50, p99, last = (known[min(round(share * known.size), known.size - 1)] for share in (0.5, 0.99, 1.0))
        rows.append(
            [name, f"{known.size:,}", *(f"{one:.1f}" for one in (p50, p99, last)), f"{(known < PROMISE_S).sum():,}"]
        )
    notes = [
        f"The operator's answer took {edge.operator_s:.2f} s; the VEN polls each second.",
        f"To come in took all homes {edge.connecting_s:.0f} s.",
        "CPU, s, from the POST to the last: " + ", ".join(f"{name} {one:.1f}" for name, one in edge.cpu_s.items()),
        "Memory, MiB: " + ", ".join(f"{name} {one:,.0f}" for name, one in edge.memory_mib.items()),
    ]
    node = sum(edge.cpu_s.get(name, 0.0) for name in NODE)
    memory = sum(edge.memory_mib.get(name, 0.0) for name in NODE)
    each_ms, each_kib = 1e3 * node / edge.homes, 1024 * memory / edge.homes
    cores = MILLIONS * each_ms / 1e3 / BUDGET_S
    if edge.homes >= MANY:
        notes += [
            f"An edge node (gateway and broker) takes {each_ms:.2f} ms of CPU for a home that is told and answers, and",
            f"{each_kib:.0f} KiB for one that is connected; derived: nine million homes in {BUDGET_S:.0f} s want",
            f"{cores:,.0f} cores and {MILLIONS * each_kib / 2**20:,.0f} GiB.",
        ]
    return Table(
        title=f"From the POST to {edge.homes:,} homes with MQTT sessions over TLS, at {edge.nodes} edge nodes",
        header=("seconds until", "homes", "p50", "p99", "last", f"under {PROMISE_S:.0f} s"),
        rows=rows,
        notes=notes,
    )


@click.command(help=__doc__)
@click.option("--homes", type=click.IntRange(1, 1_000_000), default=100_000, show_default=True, help="Sessions in all.")
@click.option("--per-node", type=click.IntRange(1, 60_000), default=16_700, show_default=True, help="Sessions a node.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, resolve_path=True),
    default=Path("edge-run"),
    show_default=True,
    help="Made anew; logs are there.",
)
@click.option("--wait-s", type=float, default=900.0, show_default=True, help="How long to wait for all to come in.")
def main(homes: int, per_node: int, folder: Path, wait_s: float) -> None:
    click.echo(f"{machine()}\n\n{report(measure(homes, per_node, folder, wait_s=wait_s)).text()}")


if __name__ == "__main__":
    main()
