"""What the VTN's news means to the agent: pure, so that it can be stored before it takes effect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from openadr_core.model.event import DrEvent
from openadr_core.model.opt import Opt
from openadr_core.model.report import ReportRequest
from openadr_ven.application.reporting import first_moment
from openadr_ven.dispatch.guard import Envelope, OnBreach, breaches
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import HeldEvent, Notice, WantedReport
from openadr_ven.domain.opt_policy import OptPolicy, decide, peak_relief_w

FOR_EVER_S = 365 * 86_400.0


@dataclass(slots=True, kw_only=True)
class Taken:
    """What is to be stored of it."""

    opts: list[Opt] = field(default_factory=list)
    events: list[HeldEvent] = field(default_factory=list)
    wanted: list[WantedReport] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    settled_batches: list[int] = field(default_factory=list)
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
                case i.ReportRequested() | i.ReportCancelled() | i.ReportDelivered() | i.ReportRefused():
                    self._take_report(indication, taken, now)
                case _:
                    self._take_standing(indication, taken, now)
        return taken

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
        return decide(policy, event, breaches=broken, now=now)

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
            case i.ReportRefused():
                taken.settled_batches.append(indication.batch)
                text = f"{indication.code} {indication.description}".strip()
                taken.notices.append(Notice(at=now, kind="report refused", text=text, alarm=True))

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
                    # R406: a new registration begins with no report requests on either side.
                    taken.unwanted.extend(self.wanted)
                    self.wanted.clear()
                notice("registered", f"as {indication.ven_id} at {indication.vtn_id}")
            case i.NotEnrolled():
                if self.upstream != "not enrolled":
                    notice("not enrolled", f"{indication.code}: the VTN's operator has not approved our certificate")
                self.upstream = "not enrolled"
            case i.RegistrationLost():
                self.upstream = "registering"
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


def _in_words(request: ReportRequest) -> str:
    what = f"{request.id}: {request.specifier_id}, "
    if request.history:
        return f"{what}history since {request.starts_at:%Y-%m-%d %H:%M:%S}"
    if request.is_one_shot:
        return f"{what}once"
    step = f"in steps of {request.granularity}" if request.granularity else "on change"
    return f"{what}every {request.report_back}, {step}"
