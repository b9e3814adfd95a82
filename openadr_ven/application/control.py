"""The control round: from what the events ask to what each device is told, once a second.

Asked → corrected (trim) → admitted (guard) → shared over the fleet (plan) → a Round, which the
caller stores before it sends a frame of it. ``Control`` holds what goes on from round to round, and
all of that is in the Round as well: after a crash ``restore`` continues it.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from openadr_core.model.availability import OptRules
from openadr_core.model.event import DrEvent
from openadr_core.model.timeline import Segment
from openadr_core.oadr2.market_context import of_program
from openadr_ven.application.accounting import Share
from openadr_ven.application.asking import Ask, asks_at, profile_w
from openadr_ven.application.books import Books, Engaged, Floor
from openadr_ven.application.commands import Commands, lease_end
from openadr_ven.application.limiting import Cap, binding, caps_at, within
from openadr_ven.application.observation import Observation
from openadr_ven.application.opting import Opting
from openadr_ven.application.owners import Bound, Owners
from openadr_ven.application.parts import merged, parts_of, plan_parts, shares_of
from openadr_ven.application.ramping import Ramps, released_by
from openadr_ven.application.site_bounds import levels_of, of_whole_sites, with_sites_bound
from openadr_ven.application.turns import Turns, plan_turns
from openadr_ven.application.wanting import PRICE_POLICY, Wants
from openadr_ven.dispatch.cohorts import SLOT_S
from openadr_ven.dispatch.guard import CREDIT_MAX_MS, Envelope, GuardState, admit, after_absence, beside_leases
from openadr_ven.dispatch.plan import Plan, direction_of
from openadr_ven.dispatch.policy import DEFAULT_POLICY
from openadr_ven.dispatch.trim import Trim, failing, given_w, next_trim
from openadr_ven.domain.alerting import conditions_at
from openadr_ven.domain.held import Baseline, Condition, HeldEvent, Round
from openadr_ven.domain.opt_policy import LIMITS, PRICES
from openadr_ven.domain.records import from_record, to_record
from openadr_ven.fleet.aiming import Aim
from openadr_ven.fleet.columns import Direction, Floats, Mask, Mode
from openadr_ven.fleet.model import HOT_DAY_C, Outlook
from openadr_ven.fleet.terms import Term

TICK_S = 1.0
RELEASE_SPARE = timedelta(seconds=10)
"""After the end of an event its commands may last as long as the release ramp takes, and a little."""
WARM_UP = timedelta(seconds=5)
"""A restarted agent waits so long for every gateway before it changes what the devices hold."""
OPEN_ENDED_HORIZON_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    envelope: Envelope
    lease: timedelta
    renew: timedelta
    levels: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By market context: share of the headroom for SIMPLE levels 0 to 3."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """By market context: the name of the policy that shares its events over the fleet."""
    reference: Mapping[str, float] = field(default_factory=dict)
    """By market context: what a kWh costs owners without an event."""
    act_on_tests: bool = False
    fleet_name: str = "fleet"
    """What all of it together is called, by opts and in reports."""
    fleet_names: Sequence[str] = ()
    """Other names for all of it: groups and parties that it belongs to."""
    fleet_groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names that a utility has for some of it: by the fleet's own names for these devices."""
    opt_rules: OptRules = field(default_factory=OptRules)
    tells_prices: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tick:
    """What one round came to."""

    made: Round | None
    """To be stored, then sent; None if nobody needs to be told anything."""
    baseline: Baseline | None
    """To be stored with it: taken in this round."""
    asked_w: float
    allowed_w: float
    plan: Plan | None
    given_w: Floats
    acknowledged_w: float
    """What the commands ask for that gateways had confirmed when this round began."""
    tripped: tuple[str, ...]
    shares: tuple[Share, ...] = ()
    """Of each event in it."""
    bound: Mapping[Term, int] = field(default_factory=dict)
    """Devices that each binding term of their owners keeps out."""
    released: HeldEvent | None = None
    """The event that the fleet has just been let go from."""


class Control:
    def __init__(
        self, *, settings: ControlSettings, seen: Observation, commands: Commands, floor: Floor, now: datetime
    ) -> None:
        self._settings = settings
        self._seen = seen
        self._floor = floor
        self._started_at = now
        self.commands = commands
        self.owners = Owners(seen.fleet, now=now)
        self.aim = Aim(
            seen.fleet, fleet_name=settings.fleet_name, names=settings.fleet_names, groups=settings.fleet_groups
        )
        self.opting = Opting(seen.fleet, fleet_name=settings.fleet_name, rules=settings.opt_rules)
        self.conditions: Mapping[Condition, datetime] = {}
        """What the fleet's operator says of the world, told before each round."""
        self.cut_off = False
        """Whether the VTN is out of reach, told before each round."""
        self._caps: tuple[Cap, ...] = ()
        self._world: frozenset[Condition] = frozenset()
        self.engaged: Engaged | None = None
        self.sequence = 0
        self.guard = GuardState()
        self.trim = Trim()
        self._ramps = Ramps()
        self._kept_baseline: Baseline | None = None
        self._unstored: Baseline | None = None
        """Taken, and offered with each round until it is stored."""
        self._ticked_at = now
        self._wants = Wants(settings.levels, settings.reference)
        self._following: frozenset[str] = frozenset()
        """Events that were asked for in the last round."""
        # Before the first plan nothing is known of what there is: the correction of a former life stands.
        self._available_w = np.inf

    def restore(self, made: Round, held: HeldEvent | None, baseline: Baseline | None, *, now: datetime) -> None:
        """Go on from the last round, as if we had not been away."""
        self.sequence = made.sequence
        if len(made.mode) != self._seen.fleet.size:
            # Another fleet than the one that this round was for: its devices let go by themselves.
            return
        self.guard = after_absence(from_record(GuardState, made.guard), now.timestamp())
        if baseline is not None and not self.fits(baseline):
            baseline = None
        self._kept_baseline = baseline
        self.trim = from_record(Trim, made.trim)
        self.commands.restore(made, now=now)
        if now >= made.ends_at:
            # Every lease is over: the fleet is back at its defaults, and starts from there.
            self.guard = replace(self.guard, allowed_w=0)
            self.trim = Trim()
        elif held is not None and baseline is not None and bool((self.commands.mode != Mode.RELEASE).any()):
            self._ramps.resumed_w = float(self.guard.allowed_w)
            self.engaged = self._engagement(held, _power_w(baseline), baseline.taken_at)
            self.engaged = replace(self.engaged, turns=self._turns_of(held, baseline))
            self.commands.expose(self.commands.relief_w(self.engaged.baseline_w), made.ends_at)

    def fits(self, baseline: Baseline) -> bool:
        """Whether it is of this fleet, and not of one that had another size."""
        return _power_w(baseline).size == self._seen.fleet.size

    def baseline_stored(self) -> None:
        """What the last round offered is safe."""
        self._unstored = None

    def tick(self, held: Collection[HeldEvent], *, now: datetime, frozen: bool = False) -> Tick:
        """One round. While ``frozen`` (the time is in doubt), no event begins; the one under way goes on and ends."""
        self.sequence = max(self.sequence, int(self._seen.sequence.max(initial=0)))
        self.commands.seen(self._seen.held, self._seen.sequence)
        self.commands.time_out(now, self._seen.judged(now))
        asks = asks_at(
            held,
            now,
            act_on_tests=self._settings.act_on_tests,
            rows_of=self.aim.rows,
            priced=lambda context: of_program(self._settings.reference, context) is not None,
        )
        if not self._warm(now):
            return self._idle()
        self._world = conditions_at(self.conditions, held, now)
        asks += self._bounds(held, now)
        if frozen:
            asks = tuple(ask for ask in asks if ask.held.event.id in self._following)
        self._following = frozenset(ask.held.event.id for ask in asks)
        self._unstored = self._engage(asks[0] if asks else None, now) or self._unstored
        if self.engaged is None:
            self.owners.rest(now)
            self.guard = admit(self._settings.envelope, self.guard, 0, now.timestamp()).state
            return self._idle()
        return self._round(asks, self.engaged, now)

    # -- bounds ------------------------------------------------------------------------

    def _bounds(self, held: Collection[HeldEvent], now: datetime) -> tuple[Ask, ...]:
        """What bounds the fleet now, and of that what devices must be told something for."""
        self._caps = caps_at(
            held,
            now,
            rows_of=self.aim.rows,
            act_on_tests=self._settings.act_on_tests,
            void_before=self.conditions.get(Condition.OUTAGE),
            cut_off=self.cut_off,
        )
        if not self._caps or not self._seen.has_measured_before(now):
            return ()
        engaged = self.engaged
        # What devices would draw by themselves: what they draw, and what they were told to leave.
        usual_w = self._seen.meter_before(now)
        if engaged is not None:
            usual_w = usual_w + self.commands.relief_w(engaged.baseline_w)
        return binding(
            self._caps,
            now,
            usual_w=lambda cap: _sum_w(usual_w, cap.rows),
            engaged_by=None if engaged is None else engaged.held.event.id,
        )

    # -- engagement --------------------------------------------------------------------

    def _warm(self, now: datetime) -> bool:
        """Without telemetry every device looks dead, and to plan then would let all of them go."""
        heard = bool(np.isfinite(self._seen.state.heard_at_s).all())
        return heard or now >= self._started_at + WARM_UP

    def _engage(self, ask: Ask | None, now: datetime) -> Baseline | None:
        if ask is None or (self.engaged is not None and self.engaged.held.event.id == ask.held.event.id):
            if ask is not None and self.engaged is not None:
                self.engaged = replace(self.engaged, held=ask.held)
            return None
        if self.engaged is not None:
            # Interpretation: events that follow each other without a pause share the baseline of the first;
            # what the devices take now is no baseline any more.
            baseline_w, taken_at = self.engaged.baseline_w, self.engaged.baseline_at
        elif (kept := self._kept_for(ask)) is not None:
            # We were away for longer than our leases; what the devices took meanwhile says nothing.
            baseline_w, taken_at = _power_w(kept), kept.taken_at
        else:
            taken_at = min(ask.since, now)
            if not self._seen.has_measured_before(taken_at):
                # Telemetry began after the event did: nothing is commanded yet, so what is measured now will do.
                taken_at = now
                if not self._seen.has_measured_before(taken_at):
                    return None
            # To the precision that is stored, and told: who goes on with it after a restart goes on with the same.
            baseline_w = self._seen.meter_before(taken_at).astype(np.float32).astype(np.float64)
        engaged = self._engagement(ask.held, baseline_w, taken_at)
        if (kept := self._kept_for(ask)) is not None:
            turns = self._turns_of(ask.held, kept)
        else:
            turns = self._plan_turns(ask, engaged, now)
        self.engaged = replace(engaged, turns=turns)
        return Baseline(
            event_id=ask.held.event.id,
            taken_at=taken_at,
            power_w=baseline_w.astype(np.float32).tobytes(),
            begins_s=b"" if turns is None else turns.begins_s.tobytes(),
            ends_s=b"" if turns is None else turns.ends_s.tobytes(),
        )

    def _kept_for(self, ask: Ask) -> Baseline | None:
        """The baseline of before a restart; a bound, which comes and goes within its event, has a new one each time."""
        kept, is_bound = self._kept_baseline, ask.segment.signal.kind in LIMITS
        return None if kept is None or is_bound or kept.event_id != ask.held.event.id else kept

    def _plan_turns(self, ask: Ask, engaged: Engaged, now: datetime) -> Turns | None:
        if ask.segment.signal.kind in LIMITS:
            return None
        outlook = self._outlook((ask,), now)
        bound = self._bound((ask.held.event,), now)
        books = self._books(engaged, outlook, bound)
        watts_of = partial(self._wants.watts, baseline_w=books.usual_w(ask), market_of=books.markets(ask))

        def asked(one: Segment) -> float:
            return books.believed(lambda: watts_of(replace(ask, segment=one)))

        return plan_turns(
            self._seen.fleet,
            books.book(ask.rows, Direction.RELIEF),
            np.maximum(profile_w(ask, slot_s=SLOT_S, asked=asked), 0.0),
            starts_at=ask.held.event.starts_at + ask.held.delay,
            uniform=engaged.uniform,
            outdoor_c=outlook.outdoor_c,
        )

    def _turns_of(self, held: HeldEvent, baseline: Baseline) -> Turns | None:
        """The turns that were planned when the event began."""
        begins_s, ends_s = (np.frombuffer(one, dtype=np.float32) for one in (baseline.begins_s, baseline.ends_s))
        if begins_s.size != self._seen.fleet.size:
            return None
        starts_at = held.event.starts_at + held.delay
        return Turns.of(self._seen.fleet, starts_at, begins_s, ends_s, outdoor_c=HOT_DAY_C)

    def _engagement(self, held: HeldEvent, baseline_w: Floats, taken_at: datetime) -> Engaged:
        digest = hashlib.sha256(held.event.id.encode()).digest()
        return Engaged(
            held=held,
            baseline_w=baseline_w,
            baseline_at=taken_at,
            levels=levels_of(self._seen.fleet, baseline_w, feeder_max_w=self._settings.envelope.feeder_max_w),
            uniform=int.from_bytes(digest[:6], "big") / 2**48,
        )

    # -- the round ---------------------------------------------------------------------

    def _round(self, asks: tuple[Ask, ...], engaged: Engaged, now: datetime) -> Tick:
        fleet, state, now_s = self._seen.fleet, self._seen.state, now.timestamp()
        relief_w = self.commands.relief_w(engaged.baseline_w)
        given = given_w(self.trim, fleet, state, baseline_w=engaged.baseline_w, relief_w=relief_w, now_s=now_s)
        acknowledged_w = np.where(self.commands.acknowledged(), relief_w, 0.0)
        bound = self._bound(tuple(ask.held.event for ask in asks) or (engaged.held.event,), now)
        at_sites = of_whole_sites(self._caps, fleet)
        engaged = with_sites_bound(engaged, at_sites, fleet, feeder_max_w=self._settings.envelope.feeder_max_w)
        books = self._books(engaged, self._outlook(asks, now), bound)
        orders = [ask for ask in asks if ask.segment.signal.kind not in LIMITS]
        wants = books.believed(lambda: self._wants.of(orders, baseline_of=books.usual_w, market_of=books.markets))
        wants = within(asks, wants, self._caps, usual_w=books.usual_w, at_nodes=at_sites)
        wants = self._ramps.limited(asks, wants, now)
        leads = direction_of(next((watts for watts in wants if watts), 0.0))
        # What pulls the other way than the first in precedence gets nothing; it is short of all it wants.
        wanted_w = leads * sum(max(leads * watts, 0.0) for watts in wants)
        sent_w = float(relief_w[~self.commands.unsent()].sum())
        if not self.commands.unsent().any():
            # What never reached a device teaches nothing about devices.
            self._correct(wanted_w, relief_w, given, now_s)
        way = direction_of(wanted_w or self.guard.allowed_w)
        corrected_w = wanted_w + way * self.trim.correction_w if wanted_w else 0.0
        # What is short is short of the event, not of what had to be asked so that others make good for it.
        short_of_w = min(wanted_w, corrected_w, key=abs)
        verdict = admit(
            self._settings.envelope if asks else released_by(self._settings.envelope, engaged.held.event),
            self.guard, round(corrected_w), now_s,
            known_since_s=min((ask.held.received_at.timestamp() for ask in asks), default=None),
        )  # fmt: skip
        self.guard = verdict.state
        # Whoever is out of reach may go on under its lease: the envelope, and every node above, has it to carry too.
        leased_w = self._leased_w(way, books, now)
        target_w = beside_leases(self._settings.envelope, verdict.allowed_w, float(leased_w.sum()))
        parts = parts_of(asks)
        plan_all = partial(
            plan_parts, parts, wants, due_w=corrected_w, asked_w=short_of_w,
            under_command=self.commands.mode != Mode.RELEASE,
            plan=books.planner(way, mode=self.commands.mode, leased_w=leased_w, now=now),
        )  # fmt: skip
        plans = plan_all(target_w=target_w)
        # Leases hold where a renewal has not reached the broker yet, so what is given counts as well as what is sent.
        reach_w = max(way * sent_w, way * float(given.sum())) + self._ramp_w(now)
        if way * merged(plans).planned_w > max(reach_w, 0.0):
            # Devices that were out of reach are back: they too return by the ramp, which the guard, who has
            # admitted their part long ago, cannot see.
            plans = plan_all(target_w=way * reach_w)
        plan = merged(plans)
        self._available_w = plan.available_w
        self.owners.count(self.commands.mode != Mode.RELEASE, event_id=engaged.held.event.id, now=now)
        made = self._tell(engaged.held, plan, wanted_w, now)
        is_over = not asks and verdict.allowed_w == 0 and self.commands.all_free()
        if is_over:
            self.engaged, self.trim = None, Trim()
        return Tick(
            made=made,
            baseline=self._unstored,
            asked_w=wanted_w,
            allowed_w=float(verdict.allowed_w),
            plan=plan,
            given_w=given,
            acknowledged_w=float(acknowledged_w.sum()),
            tripped=verdict.tripped if target_w == verdict.allowed_w else (*verdict.tripped, "event_max_w"),
            shares=shares_of(
                parts, plans, [ask.held.event.id for ask in asks] or [engaged.held.event.id], wants,
                allowed_w=float(verdict.allowed_w), acknowledged_w=acknowledged_w, delivered_w=given,
            ),
            bound=bound.devices,
            released=engaged.held if is_over else None,
        )  # fmt: skip

    def _bound(self, events: Sequence[DrEvent], now: datetime) -> Bound:
        """What owners' terms, and what the fleet's operator said to its utility, forbid in these events now.

        Interpretation: what is out of one of several events at a time stays out of all: what it gives
        could not be kept from that one.
        """
        bound = self.owners.bound(self._world, event_id=events[0].id, now=now)
        masks = [out for event in events if (out := self.opting.out(event, now)) is not None]
        out = np.logical_or.reduce(masks) if masks else np.zeros(0, dtype=np.bool_)
        if not out.any():
            return bound
        devices = {**bound.devices, Term.OPTED_OUT: int(np.count_nonzero(out))}
        return Bound(withheld=bound.withheld | out, devices=devices)

    def _books(self, engaged: Engaged, outlook: Outlook, bound: Bound) -> Books:
        event = engaged.held.event
        by_price = all(signal.kind in PRICES for signal in event.signals)
        agreed = of_program(self._settings.policies, event.market_context)
        return Books(
            fleet=self._seen.fleet,
            state=self._seen.state,
            engaged=engaged,
            outlook=outlook,
            policy=agreed or (PRICE_POLICY if by_price else DEFAULT_POLICY),
            reached=self._seen.reached(outlook.now_s) & ~self._left_out(outlook.now_s),
            withheld=bound.withheld,
            burden=self.owners.burden(),
            floor=self._floor,
            tells_prices=self._settings.tells_prices,
        )

    def _leased_w(self, way: Direction, books: Books, now: datetime) -> Floats:
        """What devices may be giving that cannot be told anything now."""
        usable = books.reached & ~books.withheld
        return np.asarray(np.maximum(way * self.commands.leased_w(now, usable=usable), 0.0))

    def _left_out(self, now_s: float) -> Mask:
        """Devices that are connected and cannot be relied on."""
        return np.asarray(failing(self.trim, self._seen.fleet) | self._seen.quarantined(now_s))

    def _ramp_w(self, now: datetime) -> float:
        """How far relief may rise in the time since the last round."""
        passed_s = (now - self._ticked_at).total_seconds()
        self._ticked_at = now
        return self._settings.envelope.ramp_w_per_s * min(max(passed_s, TICK_S), CREDIT_MAX_MS / 1000)

    def _correct(self, wanted_w: float, relief_w: Floats, given: Floats, now_s: float) -> None:
        way = direction_of(wanted_w)
        steady_w = way * self.guard.allowed_w - self.trim.correction_w if wanted_w else 0.0
        heard = self._seen.state.measured_at_s[np.isfinite(self._seen.state.measured_at_s)]
        self.trim = next_trim(
            self.trim,
            self._seen.fleet,
            target_w=steady_w,
            relief_w=way * relief_w,
            given=way * given,
            available_w=self._available_w,
            delay_s=max(0.0, now_s - float(np.median(heard))) if heard.size else TICK_S,
            tick_s=TICK_S,
            now_s=now_s,
        )

    def _tell(self, held: HeldEvent, plan: Plan, wanted_w: float, now: datetime) -> Round | None:
        settings, commands = self._settings, self.commands
        renew_before = now + settings.lease - settings.renew
        busy = self._seen.patience.busy()
        rows = commands.due(plan.mode, plan.setpoint_w, renew_before=renew_before, busy=busy)
        if not rows.any():
            return None
        self.sequence += 1
        ends_at = lease_end(now, lease=settings.lease, lets_go_at=self._lets_go_at(held, now))
        commands.tell(
            rows, plan.mode, plan.setpoint_w,
            sequence=self.sequence, now=now, ends_at=ends_at, relief_w=plan.relief_w,
        )  # fmt: skip
        return Round(
            sequence=self.sequence,
            event_id=held.event.id,
            event_version=held.event.version,
            made_at=now,
            ends_at=ends_at,
            ramp_s=0.0,
            asked_w=wanted_w,
            allowed_w=float(self.guard.allowed_w),
            mode=commands.mode.tobytes(),
            setpoint_w=commands.setpoint_w.tobytes(),
            sent=np.packbits(rows).tobytes(),
            guard=to_record(self.guard),
            trim=to_record(self.trim),
        )

    def _lets_go_at(self, held: HeldEvent, now: datetime) -> datetime | None:
        """When the last device of this event must be free, even if we are gone: the release ramp is waited for."""
        if held.stops_at is None:
            return None
        stop = max(held.stops_at, now)
        envelope = released_by(self._settings.envelope, held.event)
        ramp = timedelta(seconds=abs(self.guard.allowed_w) / envelope.release_ramp_w_per_s)
        return stop + ramp + RELEASE_SPARE

    def _outlook(self, asks: tuple[Ask, ...], now: datetime) -> Outlook:
        left_s = 0.0  # while the fleet is let go: the shortest horizon that there is
        for ask in asks:
            stops_at = ask.held.stops_at
            mine_s = OPEN_ENDED_HORIZON_S if stops_at is None else (stops_at - now).total_seconds()
            left_s = max(left_s, mine_s)
        return Outlook(now_s=now.timestamp(), horizon_s=left_s, soc_floor=self._settings.envelope.soc_floor)

    def _idle(self) -> Tick:
        return Tick(
            made=None, baseline=None, asked_w=0.0, allowed_w=float(self.guard.allowed_w), plan=None,
            given_w=np.zeros(self._seen.fleet.size), acknowledged_w=0.0, tripped=(),
        )  # fmt: skip


def _sum_w(power_w: Floats, rows: Mask | None) -> float:
    return float((power_w if rows is None else power_w[rows]).sum())


def _power_w(baseline: Baseline) -> Floats:
    return np.frombuffer(baseline.power_w, dtype=np.float32).astype(np.float64)
