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
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.translate import event_from_wire
from openadr_core.shell.aside import aside
from openadr_core.shell.datafiles import load_schema
from openadr_ven.adapters.command_ledger import CommandLedger
from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.store import SqlStore, engine_of
from openadr_ven.application.commands import Commands
from openadr_ven.application.outgoing import Outgoing
from openadr_ven.application.owners import Owners
from openadr_ven.dispatch.baseline import WINDOW_S, meter_before
from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.capability import CapabilityModel
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.cell import Cells, Sight
from openadr_ven.dispatch.clear import clear, price_range, relief_at
from openadr_ven.dispatch.cutting import cells_of, levels_within
from openadr_ven.dispatch.guard import CAUTIOUS, GuardState, admit
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Plan, plan_over
from openadr_ven.domain.held import Baseline, Round
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, Floats, Mode, chunks
from openadr_ven.fleet.headroom import headroom, reachable
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.physics import evening_state
from openadr_ven.fleet.population import populate
from openadr_ven.gateways.broker import HOST, running_broker
from openadr_ven.gateways.codec import encode_all
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
KEPT = "store, ledger, frames"
"""Beside each other, until all three are done. Stored is all that the first round of an event stores."""
JETSTREAM, MOSQUITTO_QOS1 = "hand over, JetStream", "hand over, Mosquitto"
READY = ("receive", "translate", "guard", "round and command", "tell", KEPT, JETSTREAM)
"""What an event costs when the book is open, one after the other."""
CAPABILITY = "capability"
APART = (
    "clear, no tree", "clear, tree", "store", "command ledger", "frames", "encode", MOSQUITTO_QOS1,
    f"{JETSTREAM}, all", f"{MOSQUITTO_QOS1}, all", "headroom", CAPABILITY,
)  # fmt: skip
"""Parts of these, and others."""
COLD = ("baseline", "network", "book, tree")
"""Before that, if it is not; an agent's first round of an event has to."""
BARE = "bare pass"
PLOT_COLUMNS = 60
Broker = Callable[[Path], AbstractAsyncContextManager[int]]
BROKERS: dict[str, Broker] = {JETSTREAM: running_broker}
if MOSQUITTO is not None:
    BROKERS[MOSQUITTO_QOS1] = running_mosquitto
Made = TypeVar("Made")


class Stages:
    """Seconds by stage: the median of a few calls."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.found: dict[str, float] = {}

    def timed(self, name: str, call: Callable[[], Made]) -> Made:
        """What it made the last time; at no time are there two of them."""
        seconds: list[float] = []
        for _ in range(self.repeats):
            made = None
            begun = time.perf_counter()
            made = call()
            seconds.append(time.perf_counter() - begun)
        self.found[name] = statistics.median(seconds)
        assert made is not None
        return made

    async def awaited(self, name: str, call: Callable[[int], Awaitable[Made]]) -> Made:
        """Likewise; it is told how many times it was called before."""
        seconds: list[float] = []
        for number in range(self.repeats):
            begun = time.perf_counter()
            made = await call(number)
            seconds.append(time.perf_counter() - begun)
        self.found[name] = statistics.median(seconds)
        return made


def measure(size: int) -> dict[str, float]:
    """Seconds by stage, and the peak of memory in GB."""
    fleet = populate(size, rng=np.random.default_rng(7))
    fleet = replace(fleet, transformer_limit_w=TIGHT * fleet.transformer_limit_w)
    state = evening_state(fleet, now_s=NOW.timestamp(), outdoor_c=OUTLOOK.outdoor_c, rng=np.random.default_rng(1))
    stages = Stages(3 if size > 500_000 else 7)
    target_w = _cleared(stages, fleet, state)
    _heard(stages, target_w)
    _looked(stages, fleet, state)
    plan = _planned(stages, fleet, state, target_w)
    asyncio.run(_told(stages, fleet, state.power_w, plan))
    return stages.found | {
        "gateways": float(len(fleet.gateway_names)),
        "devices told": float((plan.mode != Mode.RELEASE).sum()),
        "error": abs(plan.planned_w / target_w - 1.0),
        "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def _heard(stages: Stages, target_w: float) -> None:
    """The event, until it is allowed."""
    schema, message = load_schema(), EVENT.read_bytes()
    envelope = replace(CAUTIOUS, event_max_w=10**12, step_max_w=10**12)
    heard = stages.timed("receive", lambda: decode(message, schema))
    assert isinstance(heard, m.DistributeEvent)
    stages.timed(
        "translate", lambda: [event_from_wire(one, relief_sign=ReliefSign.POSITIVE, now=NOW) for one in heard.events]
    )
    stages.timed("guard", lambda: admit(envelope, GuardState(), round(target_w), NOW.timestamp()))


def _looked(stages: Stages, fleet: Fleet, state: FleetState) -> None:
    """What depends on telemetry alone."""
    _metered(stages, state)
    stages.timed("headroom", lambda: headroom(fleet, state, state.power_w, OUTLOOK))
    model, usable = CapabilityModel(fleet), reachable(state, OUTLOOK.now_s)
    stages.timed(CAPABILITY, lambda: model.now(state, usable, now_s=OUTLOOK.now_s))


def _metered(stages: Stages, state: FleetState) -> None:
    at_s = NOW.timestamp() - np.arange(WINDOW_S)
    samples = np.repeat(state.power_w.astype(np.float32)[None], at_s.size, axis=0)
    stages.timed("baseline", lambda: meter_before(at_s, samples, NOW.timestamp()))


def _cleared(stages: Stages, fleet: Fleet, state: FleetState) -> float:
    """The price alone, of one book of the whole fleet; the target that all stages have, in watts."""

    def clearing(name: str, levels: tuple[Level, ...], target_w: float | None) -> tuple[float, Floats]:
        book = offer_book(fleet, state, state.power_w, outlook=OUTLOOK, levels=levels)
        curve = book.curve(*price_range(book.giving.offers))
        target_w = SHARE * book.most_w if target_w is None else target_w
        if levels:
            stages.timed(BARE, lambda: _bare_pass(book))
        stages.timed(name, lambda: relief_at(book.offers, clear(book.offers, target_w, curve=curve)))
        return target_w, book.offers.cap

    levels = stages.timed("network", lambda: network(fleet, state.power_w))
    target_w, held = clearing("clear, tree", levels, None)
    _, free = clearing("clear, no tree", (), target_w)
    stages.found["binding"] = float((held < free).sum())
    return target_w


def _planned(stages: Stages, fleet: Fleet, state: FleetState, target_w: float) -> Plan:
    """A round over the fleet's cells: their books are made, and then, as they are, a plan."""
    levels = network(fleet, state.power_w)
    sights = _sights(fleet, state, levels, cells_of(fleet))

    def opened() -> Cells:
        cells = Cells(fleet)
        cells.open(sights)
        return cells

    def planned() -> Plan:
        market = Market(cells.open(sights), len(sights), quota_w=fleet.vendor_limit_w)
        return plan_over(market, fleet, state.power_w, target_w, direction=Direction.RELIEF)

    cells = stages.timed("book, tree", opened)
    planned()
    return stages.timed("round and command", planned)


async def _told(stages: Stages, fleet: Fleet, baseline_w: Floats, plan: Plan) -> None:
    """From a plan to what the broker has acknowledged, as the agent does it (``Control``, ``Agent``)."""
    commands, owners = Commands(fleet), Owners(fleet, now=NOW)
    baseline = Baseline(event_id="", taken_at=NOW, power_w=baseline_w.astype(np.float32).tobytes())
    made = stages.timed("tell", lambda: _round(commands, plan))
    frames = stages.timed("frames", lambda: list(commands.frames(made)))
    stages.timed("encode", lambda: sum(map(len, encode_all(frames))))
    with tempfile.TemporaryDirectory() as folder:
        ledger = CommandLedger(Path(folder), fleet, fleet_sha256="drawn")
        engine = engine_of(f"sqlite:///{folder}/ven.db")
        await migrate(engine)
        store = SqlStore(engine)

        async def stored(sequence: int) -> None:
            one = replace(baseline, event_id=f"event-{sequence}")
            async with store.unit_of_work() as unit:
                await unit.save_baseline(one)
                await unit.add_round(replace(made, sequence=sequence))
                await unit.save_used_terms(owners.record(NOW))

        async def kept(number: int) -> None:
            one = replace(made, sequence=number + 1)
            outgoing = Outgoing.of(one, plan.relief_w, commands=commands, ledger=ledger, aside=aside)
            await stored(one.sequence)
            await outgoing.write_down()
            await outgoing.frames

        await stages.awaited(KEPT, kept)
        await stages.awaited("store", lambda number: stored(stages.repeats + number + 1))
        stages.timed("command ledger", lambda: ledger.commanded(made, plan.relief_w))
        await store.close()
    for broker, running in BROKERS.items():
        await _handed_over(stages, broker, frames, running)
    every = _round(Commands(fleet), replace(plan, mode=np.full_like(plan.mode, Mode.SETPOINT)))
    frames = list(commands.frames(every))
    for broker, running in BROKERS.items():
        await _handed_over(stages, f"{broker}, all", frames, running)


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


def _round(commands: Commands, plan: Plan) -> Round:
    """As ``Control`` has it."""
    ends_at = NOW + timedelta(seconds=30)
    rows = commands.due(plan.mode, plan.setpoint_w, renew_before=NOW)
    commands.tell(rows, plan.mode, plan.setpoint_w, sequence=1, now=NOW, ends_at=ends_at, relief_w=plan.relief_w)
    return Round(
        sequence=1, event_id="event-1", event_version=0, made_at=NOW, ends_at=ends_at, ramp_s=0.0, asked_w=1.0,
        allowed_w=1.0, mode=commands.mode.tobytes(), setpoint_w=commands.setpoint_w.tobytes(),
        sent=np.packbits(rows).tobytes(), guard="{}", trim="{}",
    )  # fmt: skip


async def _handed_over(stages: Stages, name: str, frames: list[CommandFrame], running: Broker) -> None:
    """Until a broker has acknowledged every frame, by QoS 1: encoded too, as the agent does it."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as port:
            address = BrokerAddress(host=HOST, port=port, fleet="fleet", client_id="ven", timeout_s=60.0)
            gateways = MqttGateways(address, rng=random.Random(1))
            connected = asyncio.create_task(anext(gateways.receive()))
            while True:
                if gateways.connected:
                    break
                await asyncio.sleep(0.01)
            await stages.awaited(name, lambda _: gateways.send(frames))
            connected.cancel()


def report(sizes: tuple[int, ...], figures: list[dict[str, float]]) -> str:
    largest = figures[-1]
    stages = [name for name in (*READY, *COLD, *APART) if name in largest]
    rows = [[name, *(_seconds(one[name]) for one in figures), _slope(sizes, figures, name), _passes(largest, name)]
            for name in (BARE, *stages)]  # fmt: skip
    ready = [sum(one[name] for name in READY) for one in figures]
    cold = [total + sum(one[name] for name in COLD) for total, one in zip(ready, figures, strict=True)]
    for name, values in (("ready: all of it", ready), ("cold: with its book", cold)):
        rows.append([name, *map(_seconds, values), _fit(sizes, values), f"{values[-1] / largest[BARE]:.0f}"])
    rows.append(["memory, GB", *(f"{one['memory_gb']:.2f}" for one in figures), "", ""])
    table = Table(
        title="An event through a fleet, seconds",
        header=("stage", *(f"{size:,}" for size in sizes), "slope", "× pass"),
        rows=rows,
        notes=(
            "ready: the book is open (telemetry has not changed): the lines down to JetStream's hand-over, one after",
            "the other. The round is stored, its page of the ledger written and its frames made beside each other",
            "(what each takes alone stands below), and then all frames, one for each gateway, are acknowledged by the",
            "broker (nats-server keeps them by JetStream; or Mosquitto, by its own line; both by pipelined QoS 1);",
            "'all' is a setpoint for every device. cold: the baseline, network and book are made first.",
            "Slope: of log time over log devices, from 10⁴ on.",
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
