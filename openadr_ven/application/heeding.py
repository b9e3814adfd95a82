"""What the VTN's news means to the agent: pure, so that it can be stored before it takes effect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from openadr_core.model.event import Alert, DrEvent
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.report import ReportRequest
from openadr_ven.application.opting import BY_SCHEDULE
from openadr_ven.application.reporting import first_moment
from openadr_ven.dispatch.guard import Envelope, OnBreach, breaches
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import HeldEvent, Notice, WantedReport
from openadr_ven.domain.opt_policy import Meets, OptPolicy, decide, peak_relief_w

FOR_EVER_S = 365 * 86_400.0


@dataclass(slots=True, kw_only=True)
class Taken:
    """What is to be stored of it."""

    opts: list[Opt] = field(default_factory=list)
    events: list[HeldEvent] = field(default_factory=list)
    wanted: list[WantedReport] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    settled_batches: list[int] = field(default_factory=list)
    waiting_batches: list[int] = field(default_factory=list)
    """Which the conversation holds until their report is due."""
    opts_told: list[i.OptTold] = field(default_factory=list)
    is_forgotten: bool = False
    """The VTN has registered us anew, and knows nothing of our opts."""
    notices: list[Notice] = field(default_factory=list)


@dataclass(slots=True)
class Heeding:
    """The agent's view of its events and report requests."""

    envelope: Envelope
    priced: frozenset[str] = frozenset()
    """Market contexts whose usual price is known."""
    held: dict[str, HeldEvent] = field(default_factory=dict)
    wanted: dict[str, WantedReport] = field(default_factory=dict)
    upstream: str = "starting"
    out_of: Callable[[DrEvent, datetime], str] = lambda _event, _at: ""
    """Why the whole fleet is out of the rest of an event by the operator's schedules; empty if it is not."""
    meets: Meets = lambda _event, _signal: True
    """Whether any device of the fleet is meant."""

    def copy(self) -> Self:
        """To be changed, and to take this one's place once the change is stored."""
        return replace(self, held=dict(self.held), wanted=dict(self.wanted))

    def forget(self, is_history: Callable[[HeldEvent], bool]) -> None:
        self.held = {event_id: one for event_id, one in self.held.items() if not is_history(one)}

    def take(self, indications: Sequence[i.Indication], *, now: datetime) -> Taken:
        taken = Taken()
        for indication in indications:
            match indication:
                case (
                    i.EventReceived() | i.EventChanged() | i.EventCancelled() | i.EventRefused() | i.EventContradicted()
                ):
                    self._take_event(indication, taken, now)
                case (
                    i.ReportRequested() | i.ReportCancelled() | i.ReportDelivered() | i.ReportRefused()
                    | i.ReportWaits() | i.ReportNotOffered()
                ):  # fmt: skip
                    self._take_report(indication, taken, now)
                case i.OptTold():
                    self._take_told(indication, taken, now)
                case _:
                    self._take_standing(indication, taken, now)
        return taken

    def reconsider(self, said: Sequence[Qualification], taken: Taken, *, now: datetime) -> None:
        """The operator's opts have changed: answer anew what they put in another light (2.0b R17).

        ``said`` are the newest words for the whole fleet, by event.
        """
        whole = {one.event_id: one for one in said}
        for held in list(self.held.values()):
            if held.is_over(now) or held.event.cancelled_at is not None:
                continue
            opt = self._opt_now(held, whole.get(held.event.id), now)
            if (opt.opt_type, opt.reason) == (held.opt.opt_type, held.opt.reason):
                continue
            self._hold(replace(held, opt=opt), taken)
            taken.opts.append(opt)
            text = f"{opt.opt_type.value} {opt.reason}".rstrip()
            taken.notices.append(Notice(at=now, kind="event answered anew", text=text, event_id=held.event.id))

    def give_up(self, refusals: Mapping[str, tuple[str, str]], taken: Taken, *, now: datetime) -> None:
        """No device follows these, though we had said that we would: by id, the code and the reason."""
        for event_id, (code, reason) in refusals.items():
            held = self.held.get(event_id)
            if held is None or held.opt.code != "200" or held.is_over(now):
                continue
            opt = replace(held.opt, opt_type=OptType.OUT, code=code, reason=reason, at=now)
            self._hold(replace(held, opt=opt), taken)
            taken.opts.append(opt)
            taken.notices.append(Notice(at=now, kind="event not followed", text=reason, event_id=event_id, alarm=True))

    # -- events ------------------------------------------------------------------------

    def _take_event(self, indication: i.Indication, taken: Taken, now: datetime) -> None:
        match indication:
            case i.EventReceived() | i.EventChanged():
                event = indication.event
                opt = self._decide(event, now)
                before = self.held.get(event.id)
                self._hold(
                    HeldEvent(
                        event=event,
                        opt=opt,
                        received_at=now if before is None else before.received_at,
                        delay_fraction=indication.delay_fraction,
                    ),
                    taken,
                )
                taken.opts.append(opt)
                kind = "event received" if before is None else "event changed"
                text = f"version {event.version}: {opt.opt_type.value} {opt.reason}".rstrip()
                taken.notices.append(Notice(at=now, kind=kind, text=text, event_id=event.id))
                known = () if before is None else before.event.alerts
                taken.notices += [_alert(one, event.id, now) for one in event.alerts if one not in known]
            case i.EventCancelled():
                held = self.held.get(indication.event.id)
                if held is not None:
                    self._hold(replace(held, event=indication.event, stop_fraction=indication.stop_fraction), taken)
                text = "no longer listed by the VTN" if indication.implied else "by the VTN"
                taken.notices.append(Notice(at=now, kind="event cancelled", text=text, event_id=indication.event.id))
            case i.EventRefused():
                text = f"version {indication.version}: {indication.code} {indication.reason}"
                taken.notices.append(Notice(at=now, kind="event refused", text=text, event_id=indication.event_id))
            case i.EventContradicted():
                text = f"version {indication.version} came again with another content; the first one stands"
                taken.notices.append(
                    Notice(at=now, kind="event contradicted", text=text, event_id=indication.event_id, alarm=True)
                )

    def _decide(self, event: DrEvent, now: datetime) -> Opt:
        duration_s = FOR_EVER_S if event.duration is None else event.duration.total_seconds()
        broken = breaches(
            self.envelope,
            peak_w=round(peak_relief_w(event)),
            notice_s=max(0.0, (event.starts_at - now).total_seconds()),
            starts_s=max(event.starts_at, now).timestamp(),
            duration_s=duration_s,
        )
        policy = OptPolicy(refuse_breaches=self.envelope.on_breach is OnBreach.REFUSE, priced=self.priced)
        opt = decide(policy, event, breaches=broken, now=now, meets=self.meets)
        if opt.opt_type is OptType.IN and (refusal := self.out_of(event, now)):
            return replace(opt, opt_type=OptType.OUT, reason=refusal)
        return opt

    def _opt_now(self, held: HeldEvent, said: Qualification | None, now: datetime) -> Opt:
        """What was said to the event itself; else out by schedule, or in again where that alone kept us out."""
        if held.opt.code != "200":
            return held.opt  # we cannot take part, whatever is said
        if said is not None:
            return replace(held.opt, opt_type=said.opt_type, reason=said.reason, code="200", at=now)
        refusal = self.out_of(held.event, now)
        if refusal and held.opt.opt_type is OptType.IN:
            return replace(held.opt, opt_type=OptType.OUT, reason=refusal, at=now)
        if not refusal and held.opt.reason.startswith(BY_SCHEDULE):
            return replace(held.opt, opt_type=OptType.IN, reason="", at=now)
        return held.opt

    def _hold(self, held: HeldEvent, taken: Taken) -> None:
        self.held[held.event.id] = held
        taken.events.append(held)

    # -- reports -----------------------------------------------------------------------

    def _take_report(self, indication: i.Indication, taken: Taken, now: datetime) -> None:
        match indication:
            case i.ReportRequested():
                request = indication.request
                self._want(WantedReport(request=request, reported_until=first_moment(request, now)), taken)
                taken.notices.append(Notice(at=now, kind="report requested", text=_in_words(request)))
            case i.ReportCancelled():
                wanted = self.wanted.pop(indication.request_id, None)
                if wanted is not None and indication.to_follow:
                    self._want(replace(wanted, last_one=True), taken)
                else:
                    taken.unwanted.append(indication.request_id)
            case i.ReportDelivered():
                taken.settled_batches.append(indication.batch)
            case i.ReportWaits():
                taken.waiting_batches.append(indication.batch)
            case i.ReportRefused():
                taken.settled_batches.append(indication.batch)
                text = f"{indication.code} {indication.description}".strip()
                taken.notices.append(Notice(at=now, kind="report refused", text=text, alarm=True))
            case i.ReportNotOffered():
                text = f"{indication.what}: {indication.reason}"
                taken.notices.append(Notice(at=now, kind="report not offered", text=text, event_id=indication.event_id))

    def _take_told(self, told: i.OptTold, taken: Taken, now: datetime) -> None:
        taken.opts_told.append(told)
        if not told.code.startswith("2"):
            text = f"{told.opt_id}: {told.code} {told.description}".strip()
            taken.notices.append(Notice(at=now, kind="opt refused", text=text, alarm=True))

    def _want(self, wanted: WantedReport, taken: Taken) -> None:
        self.wanted[wanted.request.id] = wanted
        taken.wanted.append(wanted)

    # -- where we stand ----------------------------------------------------------------

    def _take_standing(self, indication: i.Indication, taken: Taken, now: datetime) -> None:
        def notice(kind: str, text: str, *, alarm: bool = False) -> None:
            taken.notices.append(Notice(at=now, kind=kind, text=text, alarm=alarm))

        match indication:
            case i.Registered():
                self.upstream = "registered"
                if not indication.renewed:
                    # R406: a new registration begins with no report requests on either side, nor with opts.
                    taken.unwanted.extend(self.wanted)
                    self.wanted.clear()
                    taken.is_forgotten = True
                notice("registered", f"as {indication.ven_id} at {indication.vtn_id}")
            case i.NotEnrolled():
                if self.upstream != "not enrolled":
                    why = indication.advice or "the VTN's operator has not approved our certificate"
                    notice("not enrolled", f"{indication.code}: {why}")
                self.upstream = "not enrolled"
            case i.RegistrationLost():
                self.upstream = "left" if indication.stays_away else "registering"
                notice("registration lost", indication.reason)
            case i.VtnUnreachable():
                if indication.failures == 1:
                    notice("VTN unreachable", indication.reason)
                self.upstream = "unreachable"
            case i.VtnReachable():
                self.upstream = "reachable"
                notice("VTN reachable", f"after {indication.failures} failures")
            case i.StrangerRefused():
                text = f"{indication.fingerprint} ({indication.subject}) spoke as our VTN, and is not"
                notice("vtn identity refused", text, alarm=True)
            case i.VtnRefused():
                notice("VTN refused", f"{indication.what}: {indication.code} {indication.description}".strip())


def _alert(alert: Alert, event_id: str, now: datetime) -> Notice:
    """OpenADR 3.1 User Guide 8.2: an alert is for people, and they must see it."""
    until = "" if alert.ends_at is None else f" to {alert.ends_at:%Y-%m-%d %H:%M}"
    text = f"{alert.kind}: {alert.text} ({alert.starts_at:%Y-%m-%d %H:%M}{until} UTC)"
    return Notice(at=now, kind="alert", text=text, event_id=event_id, alarm=True)


def _in_words(request: ReportRequest) -> str:
    what = f"{request.id}: {request.specifier_id}, "
    if request.history:
        return f"{what}history since {request.starts_at:%Y-%m-%d %H:%M:%S}"
    if request.is_one_shot:
        return f"{what}once"
    step = f"in steps of {request.granularity}" if request.granularity else "on change"
    return f"{what}every {request.report_back}, {step}"
