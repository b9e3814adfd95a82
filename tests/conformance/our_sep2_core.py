"""The core of our own 2030.5 client as the harness hears it, without sockets, in a time that passes as the run waits.

Behind it is a fleet that does at once what it is asked to, and is metered.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from conformance.answers import Answer
from conformance.exchanges import Exchange, RawRequest
from conformance.messages import read_message
from conformance.sep2.script import Sep2Script
from conformance.server.steps import Shown
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.event import SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import Reading, ReportRequest
from openadr_core.model.timeline import segments
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.datafiles import load_schema
from openadr_ven.application.report_offers import POWER_POINT
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch, HeldEvent
from openadr_ven.protocols.sep2 import Identity, ManagedDevice, Ratings, Sep2Session, Sep2Settings, Speech

Found = TypeVar("Found")
TICK = timedelta(seconds=0.25)
URL = "https://utility.example"
NMI = "41020000002"
NOTIFIED_AT = "https://agent.example/secret"
RATINGS = Ratings(max_w=10_000.0, charge_max_w=8_000.0, discharge_max_w=6_000.0)
STEPS_MAX = 500


@dataclass(slots=True)
class OurSep2Core:
    """It is the stage too: time goes on while the harness waits."""

    script: Sep2Script
    peer: Peer
    pin: int
    managed: Mapping[str, ManagedDevice] = field(default_factory=dict)
    now: datetime = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
    session: Sep2Session = field(init=False)
    held: dict[str, HeldEvent] = field(default_factory=dict)
    wanted: dict[str, ReportRequest] = field(default_factory=dict)
    measured_until: dict[str, datetime] = field(default_factory=dict)
    batches: int = 0
    attempts: list[Answer] = field(default_factory=list)
    shown: Shown = Shown.GOOD

    def __post_init__(self) -> None:
        settings = Sep2Settings(
            dcap="/entry",
            speech=Speech(
                url=URL, csipaus=CsipAus.V1_2, schema=load_schema("schemas/ieee2030_5/csipaus-1.2.xsd")
            ),
            identity=Identity(
                lfdi=self.peer.lfdi, sfdi=self.peer.sfdi, pin=self.pin, registers=True, category=1 << 18, pen=28547
            ),
            ratings=RATINGS,
            post_rate_s=1,
            managed=self.managed,
            nmi=NMI,
            notified_at=NOTIFIED_AT,
            enrolment_retry=timedelta(seconds=1),
        )  # fmt: skip
        self.session = Sep2Session(settings=settings, dice=random.Random(7), now=self.now)

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        until = self.now + timedelta(seconds=timeout_s)
        while (seen := found()) is None and self.now < until:
            self.now += TICK
            self._measure()
            self._go_on()
        return seen

    def watts(self, at: datetime) -> float:
        """Of net import: what rules, as dispatch would have it."""
        found = (
            (event.priority or 0, one.value)
            for held in self.held.values()
            if (event := held.as_acted_on(at)) is not None
            for one in segments(event, now=at)
            if one.signal.kind is SignalKind.NET_POWER and one.rules_at(at)
        )
        return min(found, default=(0, 0.0))[1]

    def serve(self, certificate: Shown, *, certification_suites: bool) -> None:  # noqa: ARG002 (a Stage's)
        self.shown = certificate

    def reach(self, origin: str) -> "OurSep2Core":
        assert NOTIFIED_AT.startswith(origin)
        return self

    def exchange(self, request: RawRequest) -> Exchange:
        headers = {name.lower(): value for name, value in request.headers}
        asked = Request(method=request.method, path=request.path, body=request.body, headers=headers)
        answer = self.session.notified(asked, now=self.now)
        told = Answer(status=answer.status, headers=[*answer.headers.items()], body=answer.body)
        return Exchange(at=self.now, speaker="the harness", tls="", request=request, answer=told)

    def close(self) -> None:
        """Nothing is open."""

    def _go_on(self) -> None:
        for _ in range(STEPS_MAX):
            request = self.session.next_request(now=self.now)
            if request is not None:
                self._carry(request)
            fresh = self._heed()
            wakeup = self.session.next_wakeup()
            if request is None and not fresh and (wakeup is None or wakeup > self.now):
                return
        raise AssertionError("it has no end")

    def _carry(self, asked: Request) -> None:
        if self.shown is not Shown.GOOD:
            self.attempts.append(Answer(failure="bad certificate", refused=True))
            self.session.request_failed(now=self.now, reason="a certificate of nobody")
            return
        headers = [("Host", "utility.example"), *((name.title(), value) for name, value in asked.headers.items())]
        request = RawRequest(method=asked.method, path=asked.path, headers=headers, body=asked.body)
        _, root, because = read_message(headers, asked.body)
        what = Answer(
            method=asked.method, path=asked.path, headers=headers, body=asked.body, root=root, no_root_because=because
        )
        answered = self.script.listens(request, what, 0.0)
        told = Answer(status=answered.status or None, headers=answered.headers, body=answered.body)
        self.script.exchanges.append(Exchange(at=self.now, speaker="our core", tls="", request=request, answer=told))
        if not answered.status:
            self.session.request_failed(now=self.now, reason="no answer")
            return
        back = {name.lower(): value for name, value in answered.headers}
        self.session.receive_response(
            Response(status=answered.status, headers=back, body=answered.body), now=self.now
        )  # fmt: skip

    def _heed(self) -> list[i.Indication]:
        found = self.session.indications()
        for one in found:
            match one:
                case i.EventReceived() | i.EventChanged():
                    opt = Opt(
                        event_id=one.event.id, version=one.event.version, opt_type=OptType.IN, at=self.now
                    )  # fmt: skip
                    self.held[one.event.id] = HeldEvent(event=one.event, opt=opt, received_at=self.now)
                    self.session.answer(opt)
                case i.EventCancelled():
                    before = self.held[one.event.id]
                    self.held[one.event.id] = HeldEvent(
                        event=one.event, opt=before.opt, received_at=before.received_at, stop_fraction=one.stop_fraction
                    )
                case i.ReportRequested():
                    self.wanted[one.request.id] = one.request
                    self.measured_until[one.request.id] = self.now
                case i.ReportCancelled():
                    self.wanted.pop(one.request_id, None)
        return found

    def _measure(self) -> None:
        for request in self.wanted.values():
            since, step = self.measured_until[request.id], request.granularity
            if self.now < since + step:
                continue
            self.measured_until[request.id] = since + step
            self.batches += 1
            names = (POWER_POINT,) if request.r_ids else tuple(self.managed)
            readings = tuple(
                Reading(r_id=name, starts_at=since, duration=step, value=self.watts(since)) for name in names
            )
            self.session.report(Batch(number=self.batches, request=request, readings=readings))
