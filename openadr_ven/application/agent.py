"""The agent: heeds what the VTN said, runs the control round, reports what came of it.

Whatever it decides is stored before anybody is told: an answer before the VTN hears it, a command
before a gateway does. So at every moment a crash leaves either nothing of it, or all that is needed
to go on.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from openadr_core.errors import StoreError
from openadr_core.model.opt import OptType
from openadr_ven.application.accounting import Account
from openadr_ven.application.control import Control, Tick
from openadr_ven.application.heeding import Heeding, Taken
from openadr_ven.application.observation import Observation
from openadr_ven.application.offering import Looked
from openadr_ven.application.outgoing import Outgoing
from openadr_ven.application.ports import Aside, Conversation, Gateways, Journal, Ledger, Store, UnitOfWork
from openadr_ven.application.reporter import Reporter
from openadr_ven.application.supporting import Supporting
from openadr_ven.application.teller import Teller
from openadr_ven.dispatch.capability import Capability
from openadr_ven.dispatch.guard import Envelope
from openadr_ven.domain.held import HeldEvent, Notice, Round, WantedReport
from openadr_ven.domain.indications import Indication
from openadr_ven.domain.opts import spent, to_tell_again, untold
from openadr_ven.domain.outcome import DeviceCount, DeviceOutcomes
from openadr_ven.fleet.columns import Floats, Mask
from openadr_ven.gateways.acknowledgement import CommandState
from openadr_ven.gateways.contract import AbilityFrame, AckFrame, Report, SupportAckFrame, TelemetryFrame

RAMPS = frozenset({"ramp_w_per_s", "release_ramp_w_per_s", "step_max_w"})
"""Limits that every event meets on its way up and down: no news."""
UPSTREAM = "vtn"
"""The name of the one conversation; more upstreams get names of their own."""
STATE_NAMES = tuple(state.name for state in CommandState)
TRACE_S = 600
STALL_S = 5.0
"""Time beyond this between two rounds was a stall of ours: what devices did in it is not known to the second."""
ROUNDS_KEPT = timedelta(minutes=5)
"""A restart needs the last one, which is always kept; the others are for whoever looks into an incident at once."""
TIDY_EVERY = timedelta(minutes=1)
OPTS_REMEMBERED = timedelta(days=30)
"""Those that are over, to be looked at."""
EVENTS_REMEMBERED = timedelta(hours=1)
"""An event that is over stays in memory so long, for the console; the store keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    envelope: Envelope
    priced: frozenset[str] = frozenset()
    """Market contexts whose usual price of a kWh is known."""
    name: str = UPSTREAM
    fleet_sha256: str = ""
    """Of the fleet in use: what bulletins say rows are numbers of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePoint:
    """One round in the chart of the last minutes."""

    at: datetime
    asked_w: float
    allowed_w: float
    delivered_w: float


class Agent:
    """One fleet under one VTN."""

    def __init__(
        self,
        *,
        settings: AgentSettings,
        store: Store,
        gateways: Gateways,
        ledger: Ledger,
        session: Conversation,
        control: Control,
        seen: Observation,
        supporting: Supporting,
        reporter: Reporter,
        journal: Journal,
        turn: AbstractAsyncContextManager[object],
        aside: Aside,
        now: datetime,
    ) -> None:
        self._settings = settings
        self._store = store
        self._gateways = gateways
        self._teller = Teller(gateways, control.commands, seen, journal=journal, fleet_sha256=settings.fleet_sha256)
        self._ledger = ledger
        self._devices: DeviceCount | None = None
        self._session = session
        self._journal = journal
        self._turn = turn
        self._aside = aside
        self._reporter = reporter
        self._tidied_at = now
        self._heeding = Heeding(settings.envelope, settings.priced)
        self._accounts: dict[str, Account] = {}
        self._tripped: tuple[str, ...] = ()
        self._unheeded: list[Indication] = []
        self._noted: list[Notice] = []
        self._resend: Round | None = None
        self._orders_given: set[int] = set()
        """Opts that the session has, and has not told yet."""
        self._away = False
        self._reconsider = False
        """The operator's opts have changed since the events were last answered."""
        self.control = control
        self._heeding.out_of = control.opting.refusal
        self._heeding.meets = control.aim.meets
        self.seen = seen
        self.supporting = supporting
        self.capability: Capability | None = None
        """As it was last looked at."""
        self.last: Tick | None = None
        """The newest round, for whoever watches."""
        self.last_round_at: datetime | None = None
        self.trace: deque[TracePoint] = deque(maxlen=TRACE_S)

    @property
    def held(self) -> dict[str, HeldEvent]:
        """Events by id, at their latest version."""
        return self._heeding.held

    @property
    def wanted_reports(self) -> dict[str, WantedReport]:
        return self._heeding.wanted

    @property
    def upstream(self) -> str:
        """How we stand with the VTN, in one word."""
        return self._heeding.upstream

    def offer(self, found: Looked, now: datetime) -> None:
        """What the fleet could be asked for, as somebody has just looked at it."""
        self.capability = found.capability
        self._reporter.offered.add(now, found.points)

    async def start(self, *, now: datetime) -> None:
        """Take up where the store says that we were."""
        async with self._store.unit_of_work() as unit:
            held = await unit.held_events()
            wanted = await unit.wanted_reports()
            orders = await unit.opt_orders()
            away = await unit.away_since(self._settings.name) is not None
            last = await unit.last_round()
            baseline = None if last is None else await unit.baseline_of(last.event_id)
            used = await unit.used_terms()
            self.control.conditions = await unit.conditions()
            await self._reporter.restore(unit, now=now)
            before = [] if last is None else await unit.deliveries(last.event_id)
        self._heeding.held = {one.event.id: one for one in held if not _is_history(one, now)}
        self._heeding.wanted = {one.request.id: one for one in wanted}
        self._reconsider = self.control.opting.heed(orders)
        self._give_orders()
        self._stand(away=away, now=now)
        self.trace.extend(
            TracePoint(at=one.at, asked_w=one.asked_w, allowed_w=one.allowed_w, delivered_w=one.delivered_w)
            for one in before
        )
        if used is not None:
            self.control.owners.restore(used, last, now=now)
        if last is None:
            return
        self.control.restore(last, self.held.get(last.event_id), baseline, now=now)
        if self.control.engaged is not None:
            self._engage_span()
            # Whether it was sent before the crash, nobody knows; the same ids make a repeat harmless.
            self._resend = last
        elif baseline is not None and self.control.fits(baseline):
            # We were away for longer than the leases: until their end, devices gave what that baseline tells.
            total_w = float(np.frombuffer(baseline.power_w, dtype=np.float32).sum(dtype=np.float64))
            self._reporter.baseline_begins(baseline.taken_at, total_w, ends_at=last.ends_at)
        self._journal("agent restored", sequence=last.sequence, engaged=self.control.engaged is not None)

    # -- what the VTN says -------------------------------------------------------------

    async def heed(self, indications: Sequence[Indication], *, now: datetime) -> bool:
        """Decide, store, and only then let the session tell. Whether it is stored; if not, it will be with the next."""
        async with self._turn:
            return await self._heed(indications, now)

    async def _heed(self, indications: Sequence[Indication], now: datetime) -> bool:
        self._unheeded.extend(indications)
        heeding = self._heeding.copy()
        taken = heeding.take(self._unheeded, now=now)
        if self._reconsider:
            heeding.reconsider(self.control.opting.words(), taken, now=now)
        heeding.give_up(self.supporting.refusals(), taken, now=now)
        for opt in taken.opts:
            self._session.answer(opt)
        try:
            async with self._store.unit_of_work() as unit:
                settled = await self._store_taken(unit, taken, now)
                await unit.save_session(self._settings.name, self._session.record())
        except StoreError as error:
            for opt in taken.opts:
                self._session.retract(opt)
            # Heeded again with the next ones: to the session an answer given twice is one answer.
            self._journal("the store failed; what the VTN said waits", alarm=True, error=str(error))
            return False
        self._heeding = heeding
        self._reporter.settled([*settled, *taken.waiting_batches])
        self._unheeded.clear()
        self._reconsider = False
        self._orders_given.difference_update(told.number for told in taken.opts_told)
        if taken.is_forgotten:
            self._orders_given.clear()
        for notice in taken.notices:
            self._journal(notice.kind, event_id=notice.event_id, alarm=notice.alarm, text=notice.text)
        return True

    @staticmethod
    async def _store_taken(unit: UnitOfWork, taken: Taken, now: datetime) -> list[int]:
        """Numbers of the batches that are settled by it."""
        await unit.save_events(taken.events)
        for wanted in taken.wanted:
            await unit.save_wanted_report(wanted)
        settled = list(taken.settled_batches)
        for request_id in taken.unwanted:
            await unit.forget_wanted_report(request_id)
            settled += await unit.forget_batches_of(request_id)
        for number in taken.settled_batches:
            await unit.forget_batch(number)
        for told in taken.opts_told:
            await unit.opt_told(told.number, told.code, told.description, now)
        if taken.is_forgotten:
            await unit.tell_opts_again(to_tell_again(await unit.opt_orders(), now))
        for notice in taken.notices:
            await unit.add_notice(notice)
        return settled

    async def impostor(self, text: str, *, now: datetime) -> None:
        await self._notice(Notice(at=now, kind="vtn identity refused", text=text, alarm=True))

    # -- what the devices say ----------------------------------------------------------

    def hear(self, report: Report, *, now: datetime) -> None:
        """Take in what a gateway sent."""
        if isinstance(report, TelemetryFrame):
            if fault := self.seen.receive(report, now=now):
                self._journal("telemetry not taken", gateway=report.gateway, fault=fault)
        elif isinstance(report, AckFrame):
            self.seen.acknowledged(report, now=now)
            self.control.commands.heard(report)
        elif isinstance(report, SupportAckFrame | AbilityFrame):
            self.supporting.heard(report)

    # -- the round ---------------------------------------------------------------------

    async def tick(self, *, now: datetime, frozen: bool = False) -> None:
        """Once a second: plan, store, send; then report what is due. ``frozen``: begin nothing new."""
        async with self._turn:
            await self._tick(now, frozen)

    def note(self, notice: Notice) -> None:
        """Something that happened to the process; stored with the next round."""
        self._noted.append(notice)
        self._journal(notice.kind, event_id=notice.event_id, alarm=notice.alarm, text=notice.text)

    async def _tick(self, now: datetime, frozen: bool) -> None:
        if self._unheeded or self._reconsider or self._is_given_up():
            await self._heed((), now)
        if self._resend is not None:
            self._write_again(self._resend)
            await self._teller.send(self._resend, list(self.control.commands.frames(self._resend)), now)
            self._resend = None
        if liars := self.seen.newly_quarantined():
            text = f"{liars} devices told of more power than they have, and are planned without for an hour"
            self.note(Notice(at=now, kind="devices quarantined", text=text, alarm=True))
        acknowledged = self.control.commands.acknowledged()
        self.control.cut_off = self.upstream == "unreachable"
        tick = self.control.tick(self.held.values(), now=now, frozen=frozen)
        self._teller.tell_of_silence()
        metered = self.seen.unsaved()
        heard_until = self._gateways.mark()
        outgoing = self._outgoing(tick)
        try:
            async with self._store.unit_of_work() as unit:
                await unit.save_metered(metered)
                await self._keep(unit, tick, now)
                reported = await self._reporter.round(unit, self.wanted_reports, normal_w=self._normal_w(), now=now)
                orders = await unit.opt_orders()
                away = await unit.away_since(self._settings.name) is not None
        except StoreError as error:
            # What is not stored is not sent; the devices' leases see to the rest.
            self._journal("the store failed; no command is sent", alarm=True, error=str(error))
            if outgoing is not None:
                await outgoing.give_up()
            return
        self._noted.clear()
        self.seen.saved(metered)
        self.control.baseline_stored()
        self.last, self.last_round_at = tick, now
        self._reporter.setpoints.add(now, self._setpoint_w(tick))
        delivered_w = float(tick.given_w.sum()) if tick.plan else 0.0
        self.trace.append(TracePoint(at=now, asked_w=tick.asked_w, allowed_w=tick.allowed_w, delivered_w=delivered_w))
        self._reporter.stored(reported)
        self._heeding.wanted = reported.wanted
        self._gateways.settle(heard_until)
        await self._write_down(tick, outgoing, acknowledged, now)
        if tick.made is not None and outgoing is not None:
            await self._teller.send(tick.made, await outgoing.frames, now)
            if tick.plan is not None and self.control.engaged is not None:
                await self._teller.announce(tick.made, tick.plan, self.control.engaged.baseline_w)
        await self._teller.send_again(now)
        await self._teller.support(self.supporting, self.held, now)
        for batch in reported.batches:
            self._session.report(batch)
        self._reconsider = self.control.opting.heed(orders) or self._reconsider
        self._give_orders()
        self._stand(away=away, now=now)

    def _stand(self, *, away: bool, now: datetime) -> None:
        """Whether the operator wants to be registered at the VTN."""
        if away == self._away:
            return
        self._away = away
        if away:
            self._session.unregister()
        else:
            self._session.register(now=now)

    def _give_orders(self) -> None:
        """What the operator said and the VTN has not answered, each once, in order."""
        for order in untold(self.control.opting.orders):
            if order.number not in self._orders_given:
                self._orders_given.add(order.number)
                self._session.opt(order)

    def _setpoint_w(self, tick: Tick) -> float | None:
        """Net import that the devices are held to; None while they are free."""
        engaged = self.control.engaged
        if engaged is None or tick.plan is None:
            return None
        return float(engaged.baseline_w.sum()) - tick.allowed_w

    def _normal_w(self) -> Floats:
        """By row: what each takes, or would take without the event."""
        engaged = self.control.engaged
        return self.seen.state.power_w if engaged is None else engaged.baseline_w

    def _outgoing(self, tick: Tick) -> Outgoing | None:
        """What this round tells, in the making; None if it tells nothing."""
        if tick.made is None or tick.plan is None:
            return None
        return Outgoing.of(
            tick.made, tick.plan.relief_w, commands=self.control.commands, ledger=self._ledger, aside=self._aside
        )  # fmt: skip

    async def _write_down(self, tick: Tick, outgoing: Outgoing | None, acknowledged: Mask, now: datetime) -> None:
        """Into the ledger: what is about to be told, and what came of an event that is over."""
        try:
            if outgoing is not None:
                await outgoing.write_down()
            for outcomes in self._counted(tick, acknowledged, now):
                self._ledger.came_to(outcomes)
        except OSError as error:
            # The store has the round: devices get their commands, and somebody gets to know.
            self._journal("the ledger failed", alarm=True, error=str(error))

    def _write_again(self, made: Round) -> None:
        """A round that the store has: whether the ledger has it too, nobody knows after a crash."""
        engaged = self.control.engaged
        if engaged is None:
            return
        try:
            self._ledger.commanded(made, self.control.commands.relief_w(engaged.baseline_w)).keep()
        except OSError as error:
            self._journal("the ledger failed", alarm=True, error=str(error))

    def _counted(self, tick: Tick, acknowledged: Mask, now: datetime) -> Iterator[DeviceOutcomes]:
        """Count a round in, device by device; what an event came to, when the next one leads or the fleet is free."""
        engaged = tick.released if self.control.engaged is None else self.control.engaged.held
        commands = self.control.commands
        if self._devices is not None and (engaged is None or engaged.event.id != self._devices.event_id):
            yield self._devices.close(now, commands.state, STATE_NAMES)
            self._devices = None
        if engaged is None or tick.plan is None:
            return
        if self._devices is None:
            self._devices = DeviceCount(engaged.event.id, self.seen.fleet.size, now=now)
        self._devices.add(
            now, relief_w=tick.plan.relief_w, acknowledged=acknowledged, given_w=tick.given_w,
            most_s=STALL_S,
        )  # fmt: skip
        if tick.released is not None:
            yield self._devices.close(now, commands.state, STATE_NAMES)
            self._devices = None

    def _is_given_up(self) -> bool:
        """Whether no device follows an event that we had said we would."""
        held = self.held
        return any(event_id in held and held[event_id].opt.code == "200" for event_id in self.supporting.refusals())

    async def _keep(self, unit: UnitOfWork, tick: Tick, now: datetime) -> None:
        for notice in self._noted:
            await unit.add_notice(notice)
        if tick.baseline is not None:
            await unit.save_baseline(tick.baseline)
            self._engage_span()
        if tick.made is not None:
            await unit.add_round(tick.made)
        if tick.made is not None or tick.released is not None:
            await unit.save_used_terms(self.control.owners.record(now))
        self.control.conditions = await unit.conditions()
        await self._count(unit, tick, now)
        if tick.tripped != self._tripped:
            self._tripped = tick.tripped
            if tick.asked_w and not RAMPS.issuperset(tick.tripped):
                await self._note(unit, self._envelope_notice(tick, now))
        if tick.released is not None:
            self._reporter.baseline_ends(now)
            event_id = tick.released.event.id
            await self._note(
                unit, Notice(at=now, kind="fleet released", text="every device is free", event_id=event_id)
            )
        if now >= self._tidied_at + TIDY_EVERY:
            self._tidied_at = now
            await unit.forget_rounds(now - ROUNDS_KEPT)
            if given_up := await self._reporter.tidy(unit, now):
                text = f"{given_up} reports were not taken by the VTN for too long"
                await self._note(unit, Notice(at=now, kind="reports given up", text=text, alarm=True))
            await unit.forget_opts(spent(self.control.opting.orders, now - OPTS_REMEMBERED))
            self._heeding.forget(lambda held: _is_history(held, now))

    def _envelope_notice(self, tick: Tick, now: datetime) -> Notice:
        engaged = self.control.engaged
        return Notice(
            at=now,
            kind="safety envelope",
            text=f"{tick.allowed_w:.0f} W of {tick.asked_w:.0f} W allowed now: {', '.join(tick.tripped)}",
            event_id="" if engaged is None else engaged.held.event.id,
        )

    async def _count(self, unit: UnitOfWork, tick: Tick, now: datetime) -> None:
        shares = {share.event_id: share for share in tick.shares}
        for event_id in [one for one in self._accounts if one not in shares]:
            done = self._accounts.pop(event_id).close()
            await unit.add_deliveries([done] if done else [])
        for event_id, share in shares.items():
            done = self._accounts.setdefault(event_id, Account(event_id)).add(now, share)
            await unit.add_deliveries([done] if done else [])

    def _engage_span(self) -> None:
        engaged = self.control.engaged
        if engaged is not None:
            self._reporter.baseline_begins(engaged.baseline_at, float(engaged.baseline_w.sum()))

    # -- notices -----------------------------------------------------------------------

    async def _notice(self, notice: Notice) -> None:
        try:
            async with self._store.unit_of_work() as unit:
                await unit.add_notice(notice)
        except StoreError as error:
            self._journal("the store failed", alarm=True, error=str(error))
        self._journal(notice.kind, event_id=notice.event_id, alarm=notice.alarm, text=notice.text)

    async def _note(self, unit: UnitOfWork, notice: Notice) -> None:
        await unit.add_notice(notice)
        self._journal(notice.kind, event_id=notice.event_id, alarm=notice.alarm, text=notice.text)


def _is_history(held: HeldEvent, now: datetime) -> bool:
    out = held.opt.opt_type is OptType.OUT and held.event.ends_at is not None and held.event.ends_at < now
    return held.is_over(now - EVENTS_REMEMBERED) or (out and held.received_at < now - EVENTS_REMEMBERED)
