"""A VTN that says what a test tells it to: the codec is real, the mind is the test's."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from openadr_core.exchange import Request, Response
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.signals import KILOWATTS
from openadr_core.shell.datafiles import load_schema
from openadr_ven.protocols.oadr2 import Oadr2Session

M = TypeVar("M")
VTN_ID = "VTN_Main"
VEN_ID = "ven-7"
CONTEXT = "http://example.org/programs/relief"
OK = m.EiResponse(response_code="200")

Answer = m.Message | Response | None
"""None: no answer comes."""


def read(body: bytes) -> m.Message:
    return decode(body, load_schema())


class ScriptedVtn:
    """Answers as a good VTN would, unless ``script`` has something for the message's type."""

    def __init__(self) -> None:
        self.heard: list[m.Message] = []
        self.queue: deque[m.Message] = deque()
        """What polls are answered with, one after another."""
        self.events: tuple[m.Event, ...] = ()
        self.report_requests: tuple[m.ReportRequest, ...] = ()
        self.script: dict[type, Callable[[], Answer]] = {}

    def answer(self, request: Request) -> Response | None:
        message = read(request.body)
        self.heard.append(message)
        scripted = self.script.get(type(message))
        given = scripted() if scripted is not None else self._answer(message)
        if given is None or isinstance(given, Response):
            return given
        return Response(status=200, body=encode(given))

    def said(self, kind: type[M]) -> list[M]:
        """What the VEN has said of this kind."""
        return [message for message in self.heard if isinstance(message, kind)]

    def _answer(self, message: m.Message) -> m.Message:  # noqa: PLR0911  # a table of answers
        match message:
            case m.CreatePartyRegistration():
                return m.CreatedPartyRegistration(
                    response=OK,
                    vtn_id=VTN_ID,
                    registration_id=message.registration_id or "reg-1",
                    ven_id=VEN_ID,
                    profiles=(m.Profile(profile_name="2.0b", transport_names=("simpleHttp",)),),
                    requested_poll_freq=timedelta(seconds=2),
                )
            case m.RegisterReport():
                return m.RegisteredReport(response=OK, ven_id=VEN_ID, report_requests=self.report_requests)
            case m.RequestEvent():
                return distribute(*self.events)
            case m.UpdateReport():
                return m.UpdatedReport(response=OK, ven_id=VEN_ID)
            case m.Poll() if self.queue:
                told = self.queue.popleft()
                if isinstance(told, m.CreateReport):
                    # R306: metadata ends what was asked for, so it is asked for again whenever metadata comes.
                    wanted = [one for one in told.report_requests if one.specifier.report_specifier_id != "METADATA"]
                    self.report_requests = (*self.report_requests, *wanted)
                return told
            case m.CancelPartyRegistration():
                return m.CanceledPartyRegistration(response=OK, ven_id=VEN_ID)
        return m.Response(response=OK, ven_id=VEN_ID)


def talk(session: Oadr2Session, vtn: ScriptedVtn, *, now: datetime, most: int = 50) -> datetime:
    """Exchange until the session has nothing to say for now."""
    for _ in range(most):
        request = session.next_request(now=now)
        if request is None:
            return now
        answer = vtn.answer(request)
        if answer is None:
            session.request_failed(now=now, reason="nothing came")
        else:
            session.receive_response(answer, now=now)
    raise AssertionError("the session never falls silent")


def distribute(*events: m.Event, request_id: str = "d1", vtn_id: str = VTN_ID) -> m.DistributeEvent:
    return m.DistributeEvent(request_id=request_id, vtn_id=vtn_id, events=events, response=OK)


def an_event(
    event_id: str = "event-1",
    *,
    version: int = 0,
    status: str = "active",
    value: float = 5000.0,
    starts_at: datetime = datetime(2026, 7, 15, 18, 30, tzinfo=UTC),
    minutes: int = 2,
    context: str = CONTEXT,
    target: m.Target | None = None,
    response_required: bool = True,
    start_after: timedelta | None = None,
    signal_name: str = "LOAD_DISPATCH",
) -> m.Event:
    duration = timedelta(minutes=minutes)
    return m.Event(
        descriptor=m.EventDescriptor(
            event_id=event_id,
            modification_number=version,
            market_context=context,
            created_date_time=starts_at,
            event_status=status,
            priority=0,
        ),
        active_period=m.ActivePeriod(
            dtstart=starts_at, duration=duration, notification=timedelta(0), start_after=start_after
        ),
        signals=(
            m.Signal(
                intervals=(m.Interval(duration=duration, uid="0", value=value),),
                signal_name=signal_name,
                signal_type="delta",
                signal_id="s1",
                item_base=KILOWATTS,
            ),
        ),
        target=target or m.Target(ven_ids=(VEN_ID,)),
        response_required=response_required,
    )


def a_report_request(
    request_id: str = "rr-1", *, now: datetime, r_ids: tuple[str, ...] = ("power",)
) -> m.ReportRequest:
    return m.ReportRequest(
        report_request_id=request_id,
        specifier=m.ReportSpecifier(
            report_specifier_id="fleet_usage",
            granularity=timedelta(seconds=1),
            report_back_duration=timedelta(seconds=5),
            payloads=tuple(m.SpecifierPayload(r_id=r_id, reading_type="x-notApplicable") for r_id in r_ids),
            dtstart=now,
            duration=timedelta(0),
        ),
    )
