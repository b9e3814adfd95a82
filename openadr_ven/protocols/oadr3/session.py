"""The conversation of an OpenADR 3 VEN: what is asked next, and what an answer means.

Order of business: a token; our ven; the programs; the events, page by page; then states and reports as they
come up, and the events again at every poll. One exchange at a time. Whatever fails is tried again with a growing
pause, for ever. A notification is a hint to poll now, and nothing more (security T18).
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus

from openadr_core.errors import LocalProtocolError, MalformedMessage, RemoteProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.opt import Opt, OptType
from openadr_core.oadr2.http_rules import retry_after_s
from openadr_core.oadr3.json_text import list_items
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    EventReceived,
    Indication,
    NotEnrolled,
    OptTold,
    RegistrationLost,
    VtnReachable,
    VtnUnreachable,
)
from openadr_ven.domain.opts import OptOrder
from openadr_ven.domain.records import to_record
from openadr_ven.protocols.backoff import STUMBLES_MAX, Backoff
from openadr_ven.protocols.oadr3.answers import TOKEN_LEFT, is_json, said_by, token_in, token_url_in
from openadr_ven.protocols.oadr3.asking import Asking, Oadr3Settings
from openadr_ven.protocols.oadr3.enrolling import Enrolling
from openadr_ven.protocols.oadr3.events import (
    as_3_1,
    gone,
    has_news_for_targets,
    missing,
    programs_by_id,
    take_events,
)
from openadr_ven.protocols.oadr3.exchanges import BUSY, PASSED_OVER, Exchange
from openadr_ven.protocols.oadr3.grants import GrantReading
from openadr_ven.protocols.oadr3.hearing import BrokerPlace, Hearing
from openadr_ven.protocols.oadr3.lists import Pass
from openadr_ven.protocols.oadr3.memory import KnownEvent, Memory, State
from openadr_ven.protocols.oadr3.notices import OURS, answer_to, is_hint, kind_of
from openadr_ven.protocols.oadr3.report_talk import ReportTalk
from openadr_ven.protocols.oadr3.reports import ReportBook
from openadr_ven.protocols.oadr3.states import StateTalk

HINTS_HEEDED_EVERY = timedelta(seconds=1)
"""Whoever may give hints must not make us flood the VTN with requests."""
NO_SCHEDULES = "OpenADR 3 has no schedules: the VTN is told event by event"


class Oadr3Session:
    """A VEN's side of one OpenADR 3 conversation; implements ``protocols.session.Session``."""

    def __init__(
        self, *, settings: Oadr3Settings, dice: random.Random, now: datetime, memory: Memory | None = None
    ) -> None:
        self._settings = settings
        self._dice = dice
        self._memory = memory or Memory()
        self._due_at = self._poll_at = self._try_at = self._hints_from = now
        self._backoff = Backoff(settings.poll_interval.total_seconds(), dice)
        self._under_way: Exchange | None = None
        self._ask = Asking(settings)
        self._token_until = now
        self._ven = Enrolling(
            vtn=settings.url, ven_name=settings.ven_name, resources=settings.resources, ven_id=self._memory.ven_id
        )
        self._programs = Pass("/programs")
        self._events = Pass("/events")
        self._grants = GrantReading()
        self._documents: Mapping[str, str] = {}
        """Programs by id."""
        self._reading: Exchange | None = None
        self._lost: deque[str] = deque()
        self._book = ReportBook(settings.bids)
        self._reports = ReportTalk(self._book, ven_name=settings.ven_name, resource=settings.resource)
        self._states = StateTalk()
        self._hearing = Hearing(webhook=settings.webhook, uses_broker=settings.uses_broker, now=now)
        self._hinted = False
        """Something may have changed since the lists were begun."""
        self._lists_fail = False
        self._leaving = False
        self._retried = False
        self._stumbles: Counter[Exchange] = Counter()
        """How often in a row the VTN has failed over what is asked."""
        self._indications: deque[Indication] = deque()
        for known in self._memory.known:
            self._book.know(known)
            if known.event is not None and known.opt is None:
                self._indicate(EventReceived(event=known.event, delay_fraction=known.delay_fraction))

    @property
    def memory(self) -> Memory:
        return self._memory

    def record(self) -> str:
        return to_record(self._memory)

    # -- what the agent tells ----------------------------------------------------------

    def answer(self, opt: Opt) -> None:
        known = self._memory.known_event(opt.event_id)
        if known is None or known.version != opt.version:
            return
        self._memory = self._memory.with_known(replace(known, opt=opt))
        is_out = opt.opt_type is OptType.OUT
        before = self._memory.state_of(opt.event_id)
        if (before is None and not is_out) or (before is not None and before.opted_out == is_out):
            return  # who takes part says so by what it does
        self._memory = self._memory.with_state(
            State(event_id=opt.event_id, opted_out=is_out, report_id=before.report_id if before else "")
        )

    def retract(self, opt: Opt) -> None:
        known = self._memory.known_event(opt.event_id)
        if known is not None and known.opt == opt:
            self._memory = self._memory.with_known(replace(known, opt=None))

    def report(self, batch: Batch) -> None:
        self._indications.extend(self._book.add(batch, self._memory))

    def opt(self, order: OptOrder) -> None:
        self._indicate(OptTold(number=order.number, opt_id=order.opt_id, code="200", description=NO_SCHEDULES))

    def unregister(self) -> None:
        self._leaving = True

    def register(self, *, now: datetime) -> None:
        self._leaving = False
        self._ven.begin_anew()
        self._try_at = self._poll_at = now

    def hint(self, *, now: datetime, is_of_us: bool = True) -> None:
        """Somebody says that something has changed, maybe our ven or its resources: look soon."""
        self._hinted = True
        self._grants.is_due |= is_of_us
        self._poll_at = min(self._poll_at, max(now, self._hints_from))

    @property
    def broker(self) -> tuple[BrokerPlace, str] | None:
        """Where to listen, and the bearer token that may let us in; None: nowhere, or not known yet."""
        place = self._hearing.broker
        return None if place is None else (place, self._ask.token)

    def notified(self, request: Request, *, now: datetime) -> Response:
        """The answer to whoever speaks to our webhook: a good notification is a hint, and nothing more (T18)."""
        webhook = self._settings.webhook
        if webhook is None:
            return Response(status=HTTPStatus.NOT_FOUND)
        answer = answer_to(request, webhook, self._hearing.secret, now)
        if request.method == "POST" and answer.status == HTTPStatus.OK and is_hint(request.body):
            self.hint(now=now, is_of_us=kind_of(request.body) in OURS)
        return answer

    # -- the verbs of the shell --------------------------------------------------------

    def indications(self) -> list[Indication]:
        found = list(self._indications)
        self._indications.clear()
        return found

    def next_wakeup(self) -> datetime | None:
        if self._under_way is not None or (self._leaving and not self._memory.ven_id):
            return None
        if self._next_exchange(self._due_at) is not None:
            return self._due_at
        moments = [self._poll_at if self._ven.is_known else self._try_at]
        if (report_at := self._book.next_due_at(self._memory)) is not None:
            moments.append(report_at)
        if self._ven.is_known and (hearing_at := self._hearing.next_at) is not None:
            moments.append(hearing_at)
        return max(min(moments), self._due_at)

    def next_request(self, *, now: datetime) -> Request | None:
        if self._under_way is not None or now < self._due_at:
            return None
        exchange = self._next_exchange(now)
        if exchange is None:
            return None
        self._under_way = exchange
        return self._request(exchange)

    def receive_request(self, request: Request, peer: Peer, *, now: datetime) -> Response:
        """Nobody speaks to us in this protocol but by notifications, which are another listener's."""
        del request, peer, now
        return Response(status=HTTPStatus.FORBIDDEN)

    def request_failed(self, *, now: datetime, reason: str) -> None:
        exchange, self._under_way = self._under_way, None
        self._reports.is_unsure |= exchange is Exchange.REPORT
        self._states.is_unsure |= exchange is Exchange.TELL_STATE
        self._break_off()
        self._pause(now, reason)

    def receive_response(self, response: Response, *, now: datetime) -> None:
        exchange, self._under_way = self._under_way, None
        if exchange is None:
            raise LocalProtocolError("an answer to no request")
        try:
            self._understand(exchange, response, now)
        except RemoteProtocolError as error:
            self._break_off()
            self._pause(now, f"the VTN's answer cannot be read: {error}")

    # -- what is said next -------------------------------------------------------------

    def _next_exchange(self, now: datetime) -> Exchange | None:
        wants_token = bool(self._settings.client_id) and now >= self._token_until - TOKEN_LEFT
        if self._leaving and not self._memory.ven_id:
            return None
        has_state = self._states.untold(self._memory) is not None
        has_report = self._reports.chosen(self._memory, now) is not None
        # The first that applies.
        business = (
            (None, not self._ven.is_known and now < self._try_at),
            (Exchange.TOKEN if self._ask.token_url else Exchange.DISCOVER, wants_token),
            (Exchange.LEAVE, self._leaving),
            (Exchange.ENROL, not self._ven.is_known),
            (self._reading, self._reading is not None),
            (Exchange.CHECK_EVENT, bool(self._lost)),
            # While lists cannot be read, what is to be told is told between one attempt and the next.
            (Exchange.PROGRAMS, now >= self._poll_at and not (self._lists_fail and (has_state or has_report))),
            (Exchange.FIND_STATE, self._states.is_unsure and has_state),
            (Exchange.TELL_STATE, has_state),
            (Exchange.FIND_REPORT, self._reports.is_unsure and has_report),
            (Exchange.REPORT, has_report),
            (Exchange.ENROL, self._ven.lacks_resources),
            (Exchange.HEAR, self._hearing.is_due(now)),
        )
        return next((exchange for exchange, applies in business if applies), None)

    def _request(self, exchange: Exchange) -> Request:
        made: Mapping[Exchange, Callable[[], Request]] = {
            Exchange.DISCOVER: self._ask.discover,
            Exchange.TOKEN: self._ask.a_token,
            Exchange.ENROL: lambda: self._ven.request(self._ask),
            Exchange.PROGRAMS: lambda: self._page_request(exchange, self._programs),
            Exchange.GRANTS: lambda: self._ask.page(self._grants.pages),
            Exchange.EVENTS: lambda: self._page_request(exchange, self._events),
            Exchange.CHECK_EVENT: lambda: self._ask.event(self._lost[0]),
            Exchange.TELL_STATE: lambda: self._states.tell(self._memory, self._ask),
            Exchange.FIND_STATE: lambda: self._states.find(self._memory, self._ask),
            Exchange.FIND_REPORT: lambda: self._reports.find(self._ask),
            Exchange.REPORT: lambda: self._reports.tell(self._ask),
            Exchange.HEAR: lambda: self._hearing.request(self._ask, self._memory.ven_id),
            Exchange.LEAVE: lambda: self._ask.leave(self._memory.ven_id),
        }
        return made[exchange]()

    def _page_request(self, exchange: Exchange, pages: Pass) -> Request:
        if self._reading is not exchange:
            pages.begin()
            self._reading, self._hinted = exchange, False
        return self._ask.page(pages)

    # -- what an answer means ----------------------------------------------------------

    def _understand(self, exchange: Exchange, response: Response, now: datetime) -> None:
        if exchange in {Exchange.DISCOVER, Exchange.TOKEN}:
            self._authorised(exchange, response, now)
            return
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._unauthorised(response, now)
            return
        if response.status in BUSY or (response.status >= 500 and not self._goes_on_without(exchange, response)):
            self._break_off()
            self._pause(now, said_by(response), at_least_s=retry_after_s(response))
            return
        self._retried = False
        self._stumbles[exchange] = 0
        handlers: Mapping[Exchange, Callable[[Response, datetime], None]] = {
            Exchange.ENROL: self._enrolling,
            Exchange.PROGRAMS: self._page_of_programs,
            Exchange.GRANTS: self._page_of_grants,
            Exchange.EVENTS: self._page_of_events,
            Exchange.CHECK_EVENT: self._checked_event,
            Exchange.TELL_STATE: self._told_state,
            Exchange.FIND_STATE: self._looked_for_state,
            Exchange.FIND_REPORT: self._looked_for_report,
            Exchange.REPORT: self._reported,
            Exchange.HEAR: self._arranged,
            Exchange.LEAVE: self._left,
        }
        handlers[exchange](response, now)

    def _goes_on_without(self, exchange: Exchange, response: Response) -> bool:
        """Whether the VTN will never take this, so that it must not keep us from everything else for ever."""
        self._stumbles[exchange] += 1
        if exchange not in PASSED_OVER:
            return False
        once_too_often = self._stumbles[exchange] >= STUMBLES_MAX
        return once_too_often or response.status == HTTPStatus.NOT_IMPLEMENTED

    def _authorised(self, exchange: Exchange, response: Response, now: datetime) -> None:
        if exchange is Exchange.DISCOVER:
            self._ask.token_url = token_url_in(response, base=self._settings.base, url=self._settings.url)
            return
        if response.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            self._not_enrolled(response, now)
            return
        if response.status != HTTPStatus.OK:
            self._pause(now, said_by(response), at_least_s=retry_after_s(response))
            return
        self._ask.token, self._token_until = token_in(response, now)

    def _unauthorised(self, response: Response, now: datetime) -> None:
        """R6.2: the token is dropped and another asked for, once; then it is something else that is wrong."""
        self._reading = None
        self._ask.token, self._token_until = "", now
        if self._retried or not self._settings.client_id:
            self._not_enrolled(response, now)
        self._retried = not self._retried

    def _not_enrolled(self, response: Response, now: datetime) -> None:
        self._ven.begin_anew()
        self._try_at = now + self._settings.enrolment_retry * self._backoff.jitter()
        self._indicate(NotEnrolled(code=str(response.status), description=said_by(response)))

    def _enrolling(self, response: Response, now: datetime) -> None:
        del now
        self._indications.extend(self._ven.receive(response, self._ask))
        self._memory = replace(self._memory, ven_id=self._ven.ven_id)
        self._went_well()

    def _page_of_programs(self, response: Response, now: datetime) -> None:
        del now
        if self._page(self._programs, response):
            self._documents = programs_by_id(self._programs.found, is_of_3_0_1=self._settings.is_of_3_0_1)
            self._grants.is_fresh = False
            self._read_next(Exchange.GRANTS if self._grants.is_due and self._has_grants else Exchange.EVENTS)

    @property
    def _has_grants(self) -> bool:
        """3.0.1 knows of none."""
        return bool(self._memory.ven_id) and not self._settings.is_of_3_0_1

    def _read_next(self, exchange: Exchange) -> None:
        self._reading = exchange
        self._grants.begin() if exchange is Exchange.GRANTS else self._events.begin()

    def _page_of_grants(self, response: Response, now: datetime) -> None:
        del now
        if self._grants.receive(response, self._memory.ven_id):
            self._read_next(Exchange.EVENTS)

    def _page_of_events(self, response: Response, now: datetime) -> None:
        if not self._page(self._events, response):
            return
        if self._has_grants and not self._grants.is_fresh and has_news_for_targets(self._memory, self._events.found):
            self._read_next(Exchange.GRANTS)
            return
        self._reading, self._lists_fail = None, False
        before = {known.id: known.modified for known in self._memory.known}
        listed = as_3_1(self._events.found) if self._settings.is_of_3_0_1 else self._events.found
        self._memory, found = take_events(
            self._memory, listed, self._documents, enrolled=self._settings.enrolled, now=now,
            dice=self._dice, grants=self._grants.grants, regranted=self._grants.has_changed,
        )  # fmt: skip
        self._grants.has_changed = False
        self._memory, expired = self._book.expire(self._memory, now)
        self._indications.extend([*found, *expired])
        for known in self._memory.known:
            if before.get(known.id) != known.modified:
                self._reports.drop(known.id)
                heed = self._book.heed if known.event is not None else self._forget_reports
                self._indications.extend(heed(known))
        lost = missing(self._memory, self._events.found)
        if self._events.pages > 1:
            # R7.10: what moved from one page to another between two reads was on neither.
            self._lost = deque(lost)
        else:
            for event_id in lost:
                self._gone(event_id, now)
        self._hints_from = now + HINTS_HEEDED_EVERY
        pause = self._settings.poll_interval * (1 + self._dice.uniform(0.0, self._settings.poll_jitter))
        self._poll_at = self._hints_from if self._hinted else now + pause
        self._went_well()

    def _checked_event(self, response: Response, now: datetime) -> None:
        event_id = self._lost.popleft()
        if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            self._gone(event_id, now)

    def _gone(self, event_id: str, now: datetime) -> None:
        self._memory, found = gone(self._memory, event_id, now=now, dice=self._dice)
        self._indications.extend(found)
        self._indications.extend(self._book.forget(event_id))
        self._reports.drop(event_id)

    def _forget_reports(self, known: KnownEvent) -> list[Indication]:
        """It was called off in its place, or has become something that we cannot follow."""
        return self._book.forget(known.id)

    def _told_state(self, response: Response, now: datetime) -> None:
        del now
        self._memory, said = self._states.told(self._memory, response)
        self._indications.extend(said)

    def _looked_for_state(self, response: Response, now: datetime) -> None:
        del now
        self._memory = self._states.found(self._memory, self._listed(response))

    def _looked_for_report(self, response: Response, now: datetime) -> None:
        del now
        self._memory, said = self._reports.found(self._memory, self._listed(response))
        self._indications.extend(said)

    def _reported(self, response: Response, now: datetime) -> None:
        del now
        self._memory, said = self._reports.told(self._memory, response)
        self._indications.extend(said)
        self._went_well()

    def _arranged(self, response: Response, now: datetime) -> None:
        self._indications.extend(self._hearing.receive(response, self._ask, now))

    def _left(self, response: Response, now: datetime) -> None:
        del response
        for known in self._memory.known:
            self._gone(known.id, now)
        self._memory = replace(self._memory, ven_id="")
        self._ven.ven_id = ""
        self._indicate(RegistrationLost(reason="we left", stays_away=True))

    def _page(self, pages: Pass, response: Response) -> bool:
        """Whether the list is complete."""
        if response.status == HTTPStatus.NOT_MODIFIED:
            return pages.unchanged()
        if response.status != HTTPStatus.OK or not is_json(response):
            raise MalformedMessage(said_by(response))
        return pages.took(response.body, response.headers.get("etag", ""))

    def _listed(self, response: Response) -> list[str]:
        if response.status != HTTPStatus.OK or not is_json(response):
            raise MalformedMessage(said_by(response))
        return list_items(response.body)

    # -- how it goes -------------------------------------------------------------------

    def _went_well(self) -> None:
        if failures := self._backoff.went_well():
            self._indicate(VtnReachable(failures=failures))

    def _break_off(self) -> None:
        """Lists are read from their beginning next time: what has gone from half of one has not gone (R7.10)."""
        self._lists_fail |= self._reading is not None
        self._reading = None

    def _pause(self, now: datetime, reason: str, *, at_least_s: float = 0.0) -> None:
        self._due_at = now + timedelta(seconds=self._backoff.went_wrong(at_least_s=at_least_s))
        self._indicate(VtnUnreachable(failures=self._backoff.failures, reason=reason, retry_at=self._due_at))

    def _indicate(self, indication: Indication) -> None:
        self._indications.append(indication)
