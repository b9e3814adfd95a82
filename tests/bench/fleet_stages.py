"""``make bench-fleet``: an event's way through fleets of 10³ to 9·10⁶ devices, stage by stage.

Each size runs in a process of its own, so that its memory is its own. A stage's figure is the median of a
few calls, in seconds on the clock; "× pass" is how many bare passes of NumPy over the same devices it
takes (``clip(h·(λ − c), 0, u).sum()``, in cache-sized chunks: what the memory's bandwidth allows).

    python -m tests.bench.fleet_stages [SIZE …]      # 1000 10000 … 9000000 without any
"""

import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.translate import event_from_wire
from openadr_core.shell.datafiles import load_schema
from openadr_ven.adapters.command_ledger import CommandLedger
from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.store import SqlStore, engine_of
from openadr_ven.application.commands import Commands
from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.cell import Cells, Sight
from openadr_ven.dispatch.clear import clear, price_range, relief_at
from openadr_ven.dispatch.cutting import levels_within
from openadr_ven.dispatch.guard import CAUTIOUS, GuardState, admit
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Plan, plan_over
from openadr_ven.domain.held import Round
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, Mode, chunks
from openadr_ven.fleet.headroom import headroom, reachable
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.physics import evening_state
from openadr_ven.fleet.population import populate
from openadr_ven.gateways.broker import HOST, running_broker
from openadr_ven.gateways.codec import encode
from openadr_ven.gateways.contract import CommandFrame
from openadr_ven.gateways.mqtt import BrokerAddress, MqttGateways
from tests.bench.tables import Table, machine
from tests.mosquitto import MOSQUITTO, running_mosquitto

SIZES = (1_000, 10_000, 100_000, 1_000_000, 9_000_000)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
OUTLOOK = Outlook(now_s=NOW.timestamp(), horizon_s=3_600.0, soc_floor=0.2)
SHARE = 0.6
"""Of what the fleet has."""
TIGHT = 0.5
"""Transformers are rated this share of what statistics give them, so that many bind."""
EVENT = Path(__file__).resolve().parents[1] / "vectors" / "oadr2" / "distribute_event.xml"
JETSTREAM, MOSQUITTO_QOS1 = "hand over, JetStream", "hand over, Mosquitto"
JETSTREAM_ALL, MOSQUITTO_ALL = f"{JETSTREAM}, all", f"{MOSQUITTO_QOS1}, all"
"""A setpoint for every device, not only for those that the event tells something new."""
READY = (
    "receive", "translate", "guard", "clear, no tree", "clear, tree", "round and command", "frames and encode",
    "persist", "command ledger", JETSTREAM,
)  # fmt: skip
"""What an event costs when the book is open."""
COLD = ("headroom", "network", "book, tree")
BARE = "bare pass"
PLOT_COLUMNS = 60
Broker = Callable[[Path], AbstractAsyncContextManager[int]]


def measure(size: int) -> dict[str, float]:
    """Seconds by stage, and the peak of memory in GB."""
    fleet = populate(size, rng=np.random.default_rng(7))
    fleet = replace(fleet, transformer_limit_w=TIGHT * fleet.transformer_limit_w)
    state = evening_state(fleet, now_s=NOW.timestamp(), outdoor_c=OUTLOOK.outdoor_c, rng=np.random.default_rng(1))
    repeats = 3 if size > 500_000 else 7
    found: dict[str, float] = {}

    def timed(name: str, call: Callable[[], object]) -> None:
        seconds = []
        for _ in range(repeats):
            begun = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begun)
        found[name] = statistics.median(seconds)

    baseline_w = state.power_w
    levels = network(fleet, baseline_w)
    free = offer_book(fleet, state, baseline_w, outlook=OUTLOOK)
    book = offer_book(fleet, state, baseline_w, outlook=OUTLOOK, levels=levels)
    cells = Cells(fleet)
    sights = _sights(fleet, state, levels, cells.parts)

    def planned(cells: Cells, target_w: float | None = None) -> Plan:
        """A round over the fleet's cells, by what their books are made of."""
        market = Market(cells.open(sights), len(sights), quota_w=fleet.vendor_limit_w)
        target_w = SHARE * market.most_w if target_w is None else target_w
        return plan_over(market, fleet, baseline_w, target_w, direction=Direction.RELIEF)

    plan = planned(cells)
    target_w = SHARE * plan.available_w
    schema, message = load_schema(), EVENT.read_bytes()
    envelope = replace(CAUTIOUS, event_max_w=10**12, step_max_w=10**12)
    timed(BARE, lambda: _bare_pass(book))
    heard = decode(message, schema)
    assert isinstance(heard, m.DistributeEvent)
    timed("receive", lambda: decode(message, schema))
    timed("translate", lambda: [event_from_wire(one, relief_sign=ReliefSign.POSITIVE, now=NOW) for one in heard.events])
    timed("headroom", lambda: headroom(fleet, state, baseline_w, OUTLOOK))
    timed("network", lambda: network(fleet, baseline_w))
    timed("book, tree", lambda: Cells(fleet).open(sights))
    timed("guard", lambda: admit(envelope, GuardState(), round(target_w), NOW.timestamp()))
    timed(
        "clear, no tree",
        lambda: relief_at(
            free.offers, clear(free.offers, target_w, curve=free.curve(*price_range(free.giving.offers)))
        ),
    )
    timed(
        "clear, tree",
        lambda: relief_at(
            book.offers, clear(book.offers, target_w, curve=book.curve(*price_range(book.giving.offers)))
        ),
    )
    timed("round and command", lambda: planned(cells, target_w))
    commands = Commands(fleet)
    made = _round(commands, plan.mode, plan.setpoint_w)
    timed("frames and encode", lambda: sum(len(encode(frame)) for frame in commands.frames(made)))
    with tempfile.TemporaryDirectory() as folder:
        ledger = CommandLedger(Path(folder), fleet, fleet_sha256="drawn")
        timed("command ledger", lambda: ledger.commanded(made, plan.relief_w))
    found["persist"] = asyncio.run(_persisted(made, repeats))
    whole = _round(Commands(fleet), np.full_like(plan.mode, Mode.SETPOINT), plan.setpoint_w)
    found |= asyncio.run(_hand_overs(list(commands.frames(made)), list(commands.frames(whole)), repeats))
    found |= {
        "gateways": float(len(fleet.gateway_names)),
        "binding": float((book.offers.cap < free.offers.cap).sum()),
        "devices told": float((plan.mode != Mode.RELEASE).sum()),
        "error": abs(plan.planned_w / target_w - 1.0),
        "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    return found


def _sights(fleet: Fleet, state: FleetState, levels: tuple[Level, ...], parts: Sequence[slice]) -> list[Sight]:
    """What the agent sees of each cell when an event begins."""
    columns = {
        "soc": state.soc, "temperature_c": state.temperature_c, "plugged": state.plugged, "baseline_w": state.power_w,
        "reached": reachable(state, OUTLOOK.now_s), "withheld": np.zeros(fleet.size, dtype=np.bool_),
        "burden": np.zeros(fleet.size),
    }  # fmt: skip
    return [
        Sight(
            outlook=OUTLOOK, direction=Direction.RELIEF, policy="endurance", quota_w=fleet.vendor_limit_w,
            columns={name: column[part] for name, column in columns.items()}, levels=levels_within(levels, part),
        )
        for part in parts
    ]  # fmt: skip


def _bare_pass(book: Book) -> float:
    offers, total_w = book.offers, 0.0
    for rows in chunks(offers.cost.size):
        relief_w = offers.slope[rows] * (-1.0 - offers.cost[rows])
        total_w += float(np.clip(relief_w, 0.0, offers.upper_w[rows], out=relief_w).sum())
    return total_w


def _round(commands: Commands, mode: np.ndarray, setpoint_w: np.ndarray) -> Round:
    told = mode != Mode.RELEASE
    commands.tell(
        told, mode, setpoint_w, sequence=1, now=NOW, ends_at=NOW + timedelta(seconds=30), relief_w=np.zeros(told.size)
    )
    return Round(
        sequence=1, event_id="event-1", event_version=0, made_at=NOW, ends_at=NOW + timedelta(seconds=30), ramp_s=0.0,
        asked_w=1.0, allowed_w=1.0, mode=commands.mode.tobytes(), setpoint_w=commands.setpoint_w.tobytes(),
        sent=np.packbits(told).tobytes(), guard="{}", trim="{}",
    )  # fmt: skip


async def _persisted(made: Round, repeats: int) -> float:
    """Seconds until a round is on disk: one transaction of SQLite, synchronous."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        engine = engine_of(f"sqlite:///{folder}/ven.db")
        await migrate(engine)
        store = SqlStore(engine)
        for number in range(repeats):
            begun = time.perf_counter()
            async with store.unit_of_work() as unit:
                await unit.add_round(replace(made, sequence=number + 1))
            seconds.append(time.perf_counter() - begun)
        await store.close()
    return statistics.median(seconds)


async def _hand_overs(some: list[CommandFrame], every: list[CommandFrame], repeats: int) -> dict[str, float]:
    found = {
        JETSTREAM: await _handed_over(some, repeats, running_broker),
        JETSTREAM_ALL: await _handed_over(every, repeats, running_broker),
    }
    if MOSQUITTO is not None:
        found[MOSQUITTO_QOS1] = await _handed_over(some, repeats, running_mosquitto)
        found[MOSQUITTO_ALL] = await _handed_over(every, repeats, running_mosquitto)
    return found


async def _handed_over(frames: list[CommandFrame], repeats: int, running: Broker) -> float:
    """Seconds until a broker has acknowledged every frame, by QoS 1: encoded too, as the agent does it."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as port:
            address = BrokerAddress(host=HOST, port=port, fleet="fleet", client_id="ven", timeout_s=60.0)
            gateways = MqttGateways(address, rng=random.Random(1))
            connected = asyncio.create_task(anext(gateways.receive()))
            while True:
                if gateways.connected:
                    break
                await asyncio.sleep(0.01)
            for _ in range(repeats):
                begun = time.perf_counter()
                await gateways.send(frames)
                seconds.append(time.perf_counter() - begun)
            connected.cancel()
    return statistics.median(seconds)


def report(sizes: tuple[int, ...], figures: list[dict[str, float]]) -> str:
    largest = figures[-1]
    stages = [name for name in (*READY, MOSQUITTO_QOS1, JETSTREAM_ALL, MOSQUITTO_ALL, *COLD) if name in largest]
    rows = [[name, *(_seconds(one[name]) for one in figures), _slope(sizes, figures, name), _passes(largest, name)]
            for name in (BARE, *stages)]  # fmt: skip
    # The clearing of "round and command" is the one with the tree: it is not counted twice.
    # Frames are encoded as they are handed over.
    apart = ("clear, no tree", "clear, tree", "frames and encode")
    ready = [sum(one[name] for name in READY if name not in apart) for one in figures]
    cold = [
        total + sum(one[name] for name in ("network", "book, tree")) for total, one in zip(ready, figures, strict=True)
    ]
    for name, values in (("ready: all of it", ready), ("cold: with its book", cold)):
        rows.append([name, *map(_seconds, values), _fit(sizes, values), f"{values[-1] / largest[BARE]:.0f}"])
    rows.append(["memory, GB", *(f"{one['memory_gb']:.2f}" for one in figures), "", ""])
    table = Table(
        title="An event through a fleet, seconds",
        header=("stage", *(f"{size:,}" for size in sizes), "slope", "× pass"),
        rows=rows,
        notes=(
            "ready: the book is open (telemetry has not changed), the event comes in, is planned, stored, and all its",
            "frames, one for each gateway, are acknowledged by the broker (nats-server keeps them by JetStream;",
            "Mosquitto instead takes the time of its own line; both by pipelined MQTT QoS 1);",
            "cold: headroom, network and book are made first. Slope: of log time over log devices, from 10⁴ on.",
            f"Of the largest fleet {largest['binding']:,.0f} devices are held by their transformers,",
            f"{largest['devices told']:,.0f} are told something, and the target is met to {largest['error']:.1e}.",
            f"Handed to the broker for {largest['gateways']:,.0f} gateways; delivered to homes is a figure of its own.",
        ),
    )
    return f"{machine()}\n\n{table.text()}\n\n{_plot(sizes, cold)}"


def _plot(sizes: tuple[int, ...], seconds: list[float]) -> str:
    """Growth in text: a bar for each size, both scales logarithmic."""
    low, high = np.log10(min(seconds)), np.log10(max(seconds))
    lines = ["cold, logarithmic:"]
    for size, value in zip(sizes, seconds, strict=True):
        bar = 1 + round((PLOT_COLUMNS - 1) * (np.log10(value) - low) / max(high - low, 1e-9))
        lines.append(f"{size:>12,} {'█' * bar} {_seconds(value)} s")
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 0.1 else f"{value:.2f}"


def _passes(largest: dict[str, float], name: str) -> str:
    return f"{largest[name] / largest[BARE]:.1f}"


def _slope(sizes: tuple[int, ...], figures: list[dict[str, float]], name: str) -> str:
    return _fit(sizes, [one[name] for one in figures])


def _fit(sizes: tuple[int, ...], values: list[float]) -> str:
    large = [(size, value) for size, value in zip(sizes, values, strict=True) if size >= 10_000]
    if len(large) < 2:
        return ""
    devices, seconds = np.log(np.array(large, dtype=np.float64)).T
    return f"{np.polyfit(devices, seconds, 1)[0]:.2f}"


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(int(arguments[1]))))  # noqa: T201
        return
    sizes = tuple(map(int, arguments)) or SIZES
    figures = []
    for size in sizes:
        print(f"{size:,} devices …", file=sys.stderr, flush=True)  # noqa: T201
        command = [sys.executable, "-m", "tests.bench.fleet_stages", "--one", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
        figures.append(json.loads(done.stdout.splitlines()[-1]))
    print(report(sizes, figures))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
