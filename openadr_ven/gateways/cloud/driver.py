"""The driver: orders in batches as the vendor takes them, readings as often as it lets us ask."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from urllib.parse import quote

import structlog

from openadr_core.errors import DeviceError, Refused
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.cloud.api import Api
from openadr_ven.gateways.cloud.mapping import PLACEHOLDER, Call, ReadTemplate, RequestTemplate, at, calls
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import DriverTraits, Hear, Order, Outcome, Reading

READING_LASTS = 3.0
"""Rounds of readings that may fail before a device counts as silent."""
GIVES_WAY_S = 0.5
"""Readings wait so long at a time while orders use up what the vendor allows."""

log = structlog.get_logger(__name__)


class VendorCloud:
    """A driver of the edge for devices behind an HTTP API."""

    def __init__(
        self,
        api: Api,
        *,
        devices: Mapping[str, str],
        orders: Mapping[Mode, Sequence[RequestTemplate]],
        read: ReadTemplate,
        batch_max: int,
        in_flight: int,
        pace_s: float,
        read_every_s: float,
        now: Callable[[], datetime],
        open_client: AbstractAsyncContextManager[object],
    ) -> None:
        """``devices`` are the vendor's names by the fleet's; ``open_client`` is what ``api`` speaks through."""
        self.traits = DriverTraits(
            lets_go=False, pace_s=pace_s, retry_s=pace_s, reading_lasts_s=READING_LASTS * read_every_s
        )
        self._api = api
        self._devices = dict(devices)
        self._ours = {theirs: ours for ours, theirs in devices.items()}
        self._templates = dict(orders)
        self._read = read
        self._batch_max = batch_max
        self._turns = asyncio.Semaphore(in_flight)
        self._read_every_s = read_every_s
        self._now = now
        self._client = open_client

    async def run(self, hear: Hear) -> None:
        async with self._client:
            while True:
                try:
                    await self._look(hear)
                except DeviceError as failed:
                    log.warning("vendor does not tell", error=str(failed))
                await asyncio.sleep(self._read_every_s)

    async def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        for done in asyncio.as_completed([self._tell(batch) for batch in self._batches(orders)]):
            for outcome in await done:
                yield outcome

    def _batches(self, orders: Sequence[Order]) -> Iterator[list[Order]]:
        for mode in Mode:
            mine = [order for order in orders if order.mode is mode]
            yield from (mine[start : start + self._batch_max] for start in range(0, len(mine), self._batch_max))

    async def _tell(self, orders: list[Order]) -> list[Outcome]:
        """Orders of one mode. Several requests for a device follow each other, and the first that fails ends it."""
        mode = orders[0].mode
        reasons = dict.fromkeys((order.device_id for order in orders), Reason.UNSUPPORTED_MODE)
        failed: set[str] = set()
        until = None if mode is Mode.RELEASE else min(order.until for order in orders)
        for call in calls(self._templates.get(mode, ()), orders, self._devices, self._now()):
            if failed.issuperset(call.device_ids):
                continue
            found = await self._make(call, until)
            failed |= {one for one, reason in found.items() if reason is not Reason.NONE}
            reasons |= {one: reason for one, reason in found.items() if reason is not Reason.NONE or one not in failed}
        return [Outcome(order=order, reason=reasons[order.device_id]) for order in orders]

    async def _make(self, call: Call, until: datetime | None) -> dict[str, Reason]:
        """One request; what became of each of its devices."""
        template, reason, refused = call.template, Reason.NONE, set[str]()
        try:
            async with self._turns:
                answer = await self._api.ask(template.method, call.path, call.body, until=until)
            if template.refused and isinstance(listed := at(answer, template.refused), list):
                refused = {self._ours.get(str(one), "") for one in listed}
        except Refused as no:
            log.warning("vendor refused", path=call.path, error=str(no))
            reason = Reason.OUT_OF_RANGE
        except DeviceError as problem:
            log.warning("vendor not reached", path=call.path, error=str(problem))
            reason = Reason.UNREACHABLE
        return {one: Reason.OUT_OF_RANGE if one in refused else reason for one in call.device_ids}

    # -- readings ----------------------------------------------------------------------

    async def _look(self, hear: Hear) -> None:
        if self._read.each:
            entries = at(await self._ask_for(""), self._read.each)
            told = {str(at(entry, self._read.device)): entry for entry in entries} if isinstance(entries, list) else {}
            hear(list(self._readings(told)))
            return
        for theirs in self._ours:
            try:
                entry = await self._ask_for(theirs)
            except DeviceError as failed:
                log.warning("vendor does not tell", device=theirs, error=str(failed))
                continue
            hear(list(self._readings({theirs: entry})))

    async def _ask_for(self, theirs: str) -> Any:
        while True:
            if self._api.is_free():
                break
            await asyncio.sleep(GIVES_WAY_S)
        path = PLACEHOLDER.sub(quote(theirs, safe=""), self._read.path)
        async with self._turns:
            return await self._api.ask(self._read.method, path)

    def _readings(self, told: Mapping[str, Any]) -> Iterator[Reading]:
        for theirs, entry in told.items():
            ours = self._ours.get(theirs)
            if ours is not None and (found := self._read.reading(ours, entry, self._now())) is not None:
                yield found
