"""What the agent needs of the world: a store, and gateways to devices."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeVar

from openadr_core.model.opt import Opt
from openadr_core.model.report import Reading, ReportRequest, StatusReading
from openadr_ven.dispatch.bulletin import Bulletin
from openadr_ven.domain.held import (
    Baseline,
    Batch,
    Condition,
    Delivery,
    FleetInUse,
    HeldEvent,
    HistoryStep,
    Metered,
    Notice,
    Round,
    StatusSample,
    UsedTerms,
    WantedReport,
)
from openadr_ven.domain.opts import OptOrder
from openadr_ven.domain.outcome import DeviceOutcomes
from openadr_ven.fleet.columns import Floats
from openadr_ven.gateways.contract import CommandFrame, Report, SupportFrame

Made = TypeVar("Made")


class UnitOfWork(Protocol):
    """One transaction over the agent's memory."""

    async def session_record(self, name: str) -> str | None: ...
    async def save_session(self, name: str, record: str) -> None: ...

    async def held_events(self) -> list[HeldEvent]:
        """Every event at its latest version, oldest first."""

    async def save_events(self, events: Sequence[HeldEvent]) -> None:
        """Keep these versions, in the order they came; earlier ones stay, as what was said to them does."""

    async def opts(self, event_id: str) -> list[Opt]:
        """Every answer that was given about an event, oldest first."""

    async def save_baseline(self, baseline: Baseline) -> None: ...
    async def baseline_of(self, event_id: str) -> Baseline | None: ...

    async def add_round(self, made: Round) -> None: ...
    async def last_round(self) -> Round | None: ...
    async def forget_rounds(self, before: datetime) -> None:
        """Drop rounds made before; never the last one, whose sequence must go on growing."""

    async def save_metered(self, metered: Sequence[Metered]) -> None: ...
    async def metered(self, since: datetime) -> list[Metered]: ...
    async def forget_metered(self, before: datetime) -> None: ...

    async def wanted_reports(self) -> list[WantedReport]: ...
    async def save_wanted_report(self, wanted: WantedReport) -> None: ...
    async def forget_wanted_report(self, request_id: str) -> None: ...
    async def add_batch(
        self,
        request: ReportRequest,
        *,
        readings: Sequence[Reading],
        statuses: Sequence[StatusReading],
        last: bool,
        made_at: datetime,
    ) -> Batch:
        """Its number is higher than any before it, those that are forgotten among them."""

    async def unsent_batches(self, *, after: int, limit: int) -> list[Batch]:
        """Those with a higher number, the lowest first."""

    async def forget_batch(self, number: int) -> None: ...
    async def forget_batches_of(self, request_id: str) -> list[int]:
        """Which they were."""

    async def forget_batches(self, before: datetime) -> int:
        """Drop those made before; how many."""

    async def save_history(self, steps: Sequence[HistoryStep]) -> None:
        """Steps in a row, oldest first, in place of what was kept of that time."""

    async def history(self, since: datetime, until: datetime) -> list[HistoryStep]:
        """Steps that start in ``[since, until)``, in order of time."""

    async def newest_history(self) -> HistoryStep | None: ...
    async def forget_history(self, before: datetime) -> None: ...

    async def add_status_sample(self, sample: StatusSample) -> None: ...
    async def status_samples(self, since: datetime) -> list[StatusSample]:
        """In order of time."""

    async def forget_status_samples(self, before: datetime) -> None: ...

    async def away_since(self, name: str) -> datetime | None:
        """Since when the operator wants no registration at this upstream; None: it wants one."""

    async def set_away(self, name: str, since: datetime | None) -> None: ...

    async def opt_orders(self) -> list[OptOrder]:
        """What the fleet's operator said of its availability, in order."""

    async def add_opt_order(self, order: OptOrder) -> OptOrder:
        """The order with the number that it gets here: behind all others."""

    async def opt_told(self, number: int, code: str, description: str, now: datetime) -> None:
        """The VTN's answer to one."""

    async def tell_opts_again(self, numbers: Sequence[int]) -> None:
        """These are to be told anew."""

    async def forget_opts(self, numbers: Sequence[int]) -> None: ...

    async def add_deliveries(self, deliveries: Sequence[Delivery]) -> None: ...
    async def deliveries(self, event_id: str) -> list[Delivery]: ...

    async def add_notice(self, notice: Notice) -> None: ...
    async def notices(self, *, limit: int, event_id: str | None = None) -> list[Notice]:
        """The newest first."""

    async def used_terms(self) -> UsedTerms | None: ...
    async def save_used_terms(self, used: UsedTerms) -> None: ...

    async def conditions(self) -> dict[Condition, datetime]:
        """Those that hold, and since when."""

    async def set_condition(self, condition: Condition, since: datetime | None) -> None:
        """It holds since then; None: no longer."""

    async def claim_nonce(self, key: str, until: datetime) -> bool:
        """Whether nobody has claimed it before, in any process; claimed until then (2.0b R514)."""

    async def forget_nonces(self, before: datetime) -> None:
        """Give up those that were claimed until before then."""

    async def fleet_in_use(self) -> FleetInUse | None: ...
    async def save_fleet(self, fleet: FleetInUse) -> None: ...


class Store(Protocol):
    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Committed when the block ends, rolled back when it raises."""


class Gateways(Protocol):
    """The devices, behind the gateway contract."""

    async def send(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        """Hand over; a DeviceError says that some could not be, and repeating is safe."""

    async def announce(self, bulletins: Iterable[Bulletin]) -> None:
        """Tell feeders a price, in place of what they were told before; a DeviceError says that not all could be."""

    def receive(self) -> AsyncIterator[Report]:
        """What gateways say, as it comes; what a broker kept for us while we were away comes first."""

    def mark(self) -> int:
        """How much was received so far."""

    def settle(self, mark: int) -> None:
        """What was received up to that mark is stored: the broker may forget it."""


class Aside(Protocol):
    """Another processor."""

    def __call__(self, work: Callable[[], Made], /) -> Awaitable[Made]:
        """Begin this now, beside everything else; whoever awaits it has what it made."""


class Page(Protocol):
    """Something written for the ledger that is no part of it yet."""

    def keep(self) -> None:
        """It is now."""

    def drop(self) -> None:
        """It will not be."""


class Ledger(Protocol):
    """What every device was told and what came of it, for whoever asks later; only ever added to."""

    def commanded(self, made: Round, relief_w: Floats) -> Page:
        """A round, to be kept once it is stored and before it is sent; may be called in any thread."""

    def came_to(self, outcomes: DeviceOutcomes) -> None:
        """When an event's devices are let go."""


class Conversation(Protocol):
    """The agent's end of a protocol core: what it tells, and what must be stored with its decisions."""

    def answer(self, opt: Opt) -> None:
        """The agent's decision about an event that was indicated: stored before it is told."""

    def retract(self, opt: Opt) -> None:
        """The decision could not be stored: it must not be told, until it is given again."""

    def report(self, batch: Batch) -> None:
        """A report to deliver. Until ``ReportDelivered`` or ``ReportRefused`` names it, the agent keeps it."""

    def opt(self, order: OptOrder) -> None:
        """Something to tell the VTN, after all that was given before, until ``OptTold`` names it.

        After a new registration (``Registered``) the core has forgotten them: it is given what is to be told again.
        """

    def unregister(self) -> None:
        """End the registration with the next exchange, and stay away."""

    def register(self, *, now: datetime) -> None:
        """Stay away no more."""

    def record(self) -> str:
        """What the core must remember over a restart."""


class Journal(Protocol):
    """A log record: a fixed text, and values beside it."""

    def __call__(self, text: str, /, *, event_id: str = "", alarm: bool = False, **facts: object) -> None: ...
