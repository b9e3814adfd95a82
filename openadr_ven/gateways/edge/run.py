"""A gateway as a process: its edge on MQTT on one side, its devices' driver on the other, its record on disk."""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import structlog

from openadr_core.errors import ConfigError
from openadr_ven.gateways.contract import CommandFrame, GatewayState, Reason, Report, StatusFrame, SupportFrame
from openadr_ven.gateways.edge.core import Edge
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, Adjusts, Driver, Order, Outcome, Reading

TICK_S = 1.0
GATHER_S = 0.01
"""What devices say and what becomes of orders is looked at together, not once for each of 10,000 devices …"""
GATHER_DEVICE_S = 2e-5
"""… and so much longer for each device that there is: the record is written as a whole."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Link(Protocol):
    """The way to the VEN; ``link.GatewayLink`` is it over MQTT."""

    def post(self, report: Report) -> None: ...
    async def run(self) -> None: ...


class RunningEdge:
    """What goes on between a link and a driver."""

    def __init__(self, edge: Edge, driver: Driver, *, record: Path, now: Callable[[], datetime]) -> None:
        """``record`` is a file that need not be there yet; ConfigError if it is there and is none of ours."""
        self._edge = edge
        self._driver = driver
        self._record = record
        self._now = now
        self._wake = asyncio.Event()
        self._link: Link | None = None
        self._outcomes: list[Outcome] = []
        self._adjusted: list[Adjusted] = []
        self._gather_s = GATHER_S + GATHER_DEVICE_S * edge.fleet.size
        if record.exists():
            try:
                with np.load(record, allow_pickle=False) as kept:
                    edge.restore({name: kept[name] for name in kept.files})
            except (OSError, ValueError, KeyError) as problem:
                raise ConfigError(f"record: {record} cannot be read: {problem}") from None

    def command(self, frame: CommandFrame) -> Sequence[Report]:
        """For the link: a frame has come in."""
        reports = self._edge.command(frame, self._now())
        self._keep()  # before it is acknowledged: the same sequence must not count as new after a restart
        self._wake.set()
        return reports

    def support(self, frame: SupportFrame) -> Sequence[Report]:
        """Likewise, for grid support."""
        reports = self._edge.support.receive(frame, self._now())
        self._keep()
        self._wake.set()
        return reports

    def status(self, state: GatewayState) -> StatusFrame:
        return self._edge.status(state, self._now())

    async def run(self, link: Link) -> None:
        """Until cancelled, or until the driver fails."""
        self._link = link
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            tasks.create_task(self._driver.run(self._hear))
            tasks.create_task(self._live())
            while True:
                orders, adjustments = self._edge.due(self._now()), self._edge.support.due(self._now())
                if orders or adjustments:
                    self._keep()
                if orders:
                    tasks.create_task(self._carry_out(orders))
                if adjustments:
                    tasks.create_task(self._adjust(adjustments))
                self._wake.clear()
                await self._wake.wait()
                await asyncio.sleep(GATHER_S)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._post(self._edge.tick(self._now()))
            self._wake.set()

    def _hear(self, readings: Sequence[Reading]) -> None:
        self._edge.hear(readings)
        self._wake.set()

    async def _carry_out(self, orders: Sequence[Order]) -> None:
        waiting = {order.device_id: order for order in orders}
        try:
            async for outcome in self._driver.tell(orders):
                if waiting.pop(outcome.order.device_id, None) is not None:
                    self._settle(outcome)
        except Exception:
            # One order that a driver cannot digest must not stop the others for ever.
            log.exception("driver failed to tell", devices=len(waiting))
        for order in waiting.values():
            self._settle(Outcome(order=order, reason=Reason.UNREACHABLE))

    async def _adjust(self, adjustments: Sequence[Adjustment]) -> None:
        waiting = {(one.device_id, one.function): one for one in adjustments}
        try:
            if isinstance(self._driver, Adjusts):
                async for outcome in self._driver.adjust(adjustments):
                    one = outcome.adjustment
                    if waiting.pop((one.device_id, one.function), None) is not None:
                        self._gather(self._adjusted, outcome)
        except Exception:
            log.exception("driver failed to adjust", functions=len(waiting))
        for one in waiting.values():
            self._gather(self._adjusted, Adjusted(adjustment=one, reason=Reason.UNREACHABLE))

    def _settle(self, outcome: Outcome) -> None:
        if outcome.opted_out or outcome.reason is not Reason.NONE:
            reason = "OPTED_OUT" if outcome.opted_out else outcome.reason.name
            log.warning("order refused", device=outcome.order.device_id, reason=reason)
        self._gather(self._outcomes, outcome)

    def _gather(self, gathered: list[T], outcome: T) -> None:
        """With all that come in the next moment: thousands of devices answer at once."""
        if not self._outcomes and not self._adjusted:
            asyncio.get_running_loop().call_later(self._gather_s, self._settled)
        gathered.append(outcome)

    def _settled(self) -> None:
        outcomes, adjusted, now = list(self._outcomes), list(self._adjusted), self._now()
        self._outcomes.clear()
        self._adjusted.clear()
        for one in adjusted:
            if one.reason is not Reason.NONE:
                told = one.adjustment
                log.warning(
                    "grid support refused", device=told.device_id, function=told.function.name, reason=one.reason.name
                )
        self._post([*self._edge.settled(outcomes, now), *self._edge.support.settled(adjusted, now)])
        self._keep()
        self._wake.set()

    def _post(self, reports: Iterable[Report]) -> None:
        for report in reports:
            if self._link is not None:
                self._link.post(report)

    def _keep(self) -> None:
        """Whole or not at all."""
        draft = self._record.with_suffix(f".{os.getpid()}.npz")
        with draft.open("wb") as file:
            np.savez(file, allow_pickle=False, **self._edge.record())
        draft.replace(self._record)
