"""A battery or an inverter that speaks IEEE 2030.5: our own client, over TLS, with an agent of its own for one device.

What its client tells it is what it does: it measures itself each second, and its client mirrors that.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from openadr_core.model.event import SignalKind
from openadr_core.model.grid_support import GridFunction, GridSupport
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import Reading, ReportRequest
from openadr_core.model.timeline import segments
from openadr_core.shell.clock import SystemClock
from openadr_ven.application.report_offers import AVAILABLE_POINT, CHARGE_POINT, POWER_POINT
from openadr_ven.bootstrap.sep2 import speak_sep2
from openadr_ven.bootstrap.speaking import Speaking
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch, HeldEvent
from openadr_ven.fleet.columns import Fleet
from openadr_ven.settings import Settings
from openadr_ven.transport.upstream import Upstream
from tests.core.shell.lab import Lab
from tests.pair.test_oadr3_over_tls import ENVELOPE

HALF_FULL = 0.5


@dataclass(slots=True)
class SmartDevice:
    """Its side of the line, and what it does."""

    speaking: Speaking
    usual_w: float
    """What it draws by itself."""
    answer_with: OptType = OptType.IN
    code: str = "200"
    held: dict[str, HeldEvent] = field(default_factory=dict)
    wanted: ReportRequest | None = None
    measured_at: datetime | None = None
    batches: int = 0
    heard: list[i.Indication] = field(default_factory=list)
    poke: Callable[[], None] = print

    def power_w(self, now: datetime) -> float:
        asked: dict[SignalKind, float] = {}
        for held in self.held.values():
            event = held.as_acted_on(now)
            if event is not None and held.opt is not None and held.opt.opt_type is OptType.IN:
                asked.update({one.signal.kind: one.value for one in segments(event, now=now) if one.rules_at(now)})
        if SignalKind.NET_POWER in asked:
            return asked[SignalKind.NET_POWER]
        return max(self.usual_w, -asked.get(SignalKind.EXPORT_LIMIT, float("inf")))

    def supports(self, now: datetime) -> dict[GridFunction, GridSupport]:
        """What it does for the grid by itself: of each function what was created last."""
        acted = [event for one in self.held.values() if (event := one.as_acted_on(now)) is not None]
        ruling = [
            one.signal.support
            for event in sorted(acted, key=lambda one: one.created_at)
            for one in segments(event, now=now)
            if one.rules_at(now)
        ]
        return {support.function: support for support in ruling if support is not None}

    # -- what the transport asks of an agent -------------------------------------------

    async def heed(self, indications: Sequence[i.Indication], *, now: datetime) -> bool:
        self.heard += indications
        for one in indications:
            if isinstance(one, i.ReportRequested):
                self.wanted = one.request
            elif isinstance(one, i.EventReceived | i.EventChanged):
                opt = Opt(
                    event_id=one.event.id, version=one.event.version, opt_type=self.answer_with, at=now, code=self.code
                )
                self.held[one.event.id] = HeldEvent(event=one.event, opt=opt, received_at=now)
                self.speaking.session.answer(opt)
                self.poke()
            elif isinstance(one, i.EventCancelled):
                before = self.held[one.event.id]
                self.held[one.event.id] = HeldEvent(event=one.event, opt=before.opt, received_at=before.received_at)
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        raise AssertionError(f"{now}: {text}")

    async def measure(self) -> None:
        """Once a second, what it did in the second before."""
        while True:
            await asyncio.sleep(0.1)
            now = datetime.now(UTC)
            wanted, second = self.wanted, now.replace(microsecond=0)
            if wanted is None or (self.measured_at is not None and second < self.measured_at + wanted.granularity):
                continue
            self.measured_at = second
            self.batches += 1
            values = {POWER_POINT: self.power_w(now), AVAILABLE_POINT: 0.0, CHARGE_POINT: HALF_FULL}
            readings = tuple(
                Reading(r_id=r_id, starts_at=second - wanted.granularity, duration=wanted.granularity, value=value)
                for r_id, value in values.items()
            )
            self.speaking.session.report(Batch(number=self.batches, request=wanted, readings=readings))
            self.poke()


@asynccontextmanager
async def connected(
    lab: Lab,
    url: str,
    fleet: Fleet,
    device_id: str,
    usual_w: float,
    *,
    notified_at: int = 0,
    functions: int = 0,
    **table: Any,
) -> AsyncIterator[SmartDevice]:
    """The device of this name, at the server; ``notified_at`` is a port at which it hears of changes."""
    chain = lab.chain("sep2-device", device_id)
    sep2 = {"url": url, "certificate": chain.certificate, "key": chain.key, "trust": lab.trust("sep2"), **table}
    if notified_at:
        address = f"https://localhost:{notified_at}"
        sep2["notifications"] = {"address": address, "host": "127.0.0.1", "port": notified_at}
    settings = Settings.model_validate({"sep2": sep2, "envelope": ENVELOPE, "fleet": {"file": "fleet"}})
    assert settings.sep2 is not None
    mine = fleet.take(np.flatnonzero(fleet.device_id == device_id))
    speaking = speak_sep2(
        settings, settings.sep2, fleet=mine, record=None, clock=SystemClock(), dice=random.Random(1),
        functions=lambda _rows: functions,
    )  # fmt: skip
    device = SmartDevice(speaking=speaking, usual_w=usual_w)
    upstream = Upstream(
        session=speaking.session, carrier=speaking.carrier, listener=device, now=lambda: datetime.now(UTC)
    )  # fmt: skip
    device.poke = upstream.poke
    listeners = speaking.listens(upstream, refused)
    for listener in listeners:
        await listener.start()
    tasks = [asyncio.create_task(upstream.run()), asyncio.create_task(device.measure())]
    try:
        yield device
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for listener in listeners:
            await listener.close()
        await speaking.close()


async def refused(text: str) -> None:
    raise AssertionError(text)
