"""The conversation of a 2030.5 client (CSIP aggregator): what is asked next, and what an answer means.

Order of business: the walk from DeviceCapability to our programs; the programs with their controls; then Responses
as they come due, and both walks again as often as the server says (pollRate). One exchange at a time. Whatever
fails is tried again with a growing pause, for ever; what is known of controls is followed meanwhile, and the
defaults after it.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from openadr_core.errors import LocalProtocolError, MalformedMessage, RemoteProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.opt import Opt
from openadr_core.oadr2.http_rules import retry_after_s
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    EventReceived,
    Indication,
    NotEnrolled,
    OptTold,
    Registered,
    RegistrationLost,
    VtnReachable,
    VtnRefused,
    VtnUnreachable,
)
from openadr_ven.domain.opts import OptOrder
from openadr_ven.domain.records import to_record
from openadr_ven.protocols.backoff import Backoff
from openadr_ven.protocols.sep2.answering import next_moment, owed, post_reply, replies_of
from openadr_ven.protocols.sep2.calls import REDIRECTS, REDIRECTS_MAX, Call, Refusal, Script
from openadr_ven.protocols.sep2.discovery import (
    CATEGORY_BASE,
    NotOurs,
    Place,
    Programs,
    find_place,
    lfdi_of,
    read_programs,
    read_time,
)
from openadr_ven.protocols.sep2.memory import KnownControl, Memory, Reply
from openadr_ven.protocols.sep2.presence import Presence
from openadr_ven.protocols.sep2.settings import Sep2Settings
from openadr_ven.protocols.sep2.subscribing import Subscribing
from openadr_ven.protocols.sep2.taking import Device, awaited, take_programs, understood
from openadr_ven.protocols.sep2.telling import event_id_of, schedules, spans_of, tell

HINTS_HEEDED_EVERY = timedelta(seconds=1)
"""Whoever may give hints must not make us flood the server with requests."""
REPLIES_SETTLED_AT_ONCE = 50
"""The memory of thousands of devices is not written anew for each of them."""
REPLIES_SETTLED_IN = 20
"""Nor for each fifty of ten thousand."""
ABILITIES_AWAITED_FOR = timedelta(seconds=1)
"""When we have just begun, devices have not told yet what they can."""
OFFSET_NOISE_S = 2
"""Time comes in whole seconds, by a line that takes its own: so far two clocks that agree may seem apart."""
NO_SCHEDULES = "IEEE 2030.5 has no schedules: the server is told control by control"
FAR = datetime.max.replace(tzinfo=UTC)
BUSY = {HTTPStatus.TOO_MANY_REQUESTS}
OVERLOADED = BUSY | {HTTPStatus.SERVICE_UNAVAILABLE}
FAILING = frozenset(range(HTTPStatus.INTERNAL_SERVER_ERROR, 600)) - {HTTPStatus.NOT_IMPLEMENTED}
"""A function set that is not there is a refusal: asking again would change nothing."""


class Purpose(Enum):
    """What the script under way is for."""

    PLACE = auto()
    TIME = auto()
    PROGRAMS = auto()
    REPLY = auto()
    PRESENCE = auto()
    """How we are, and what our meter saw."""
    SUBSCRIBE = auto()


class Sep2Session:
    """A client's side of one 2030.5 conversation; implements ``protocols.session.Session``."""

    def __init__(
        self, *, settings: Sep2Settings, dice: random.Random, now: datetime, memory: Memory | None = None
    ) -> None:
        self._settings = settings
        self._dice = dice
        self._memory = memory or Memory()
        self._backoff = Backoff(settings.longest_pause_s, dice)
        self._due_at = self._place_at = self._programs_at = self._look_at = self._hints_from = now
        self._place: Place | None = None
        self._script: Script[Any] | None = None
        self._purpose = Purpose.PLACE
        self._call: Call | None = None
        self._at = ""
        """Where the call under way has been sent on to; empty: nowhere."""
        self._redirects = 0
        self._is_under_way = False
        self._seen_at = now
        """When we were last asked for a request."""
        self._time_is_fresh = False
        self._away = False
        self._presence = Presence(settings)
        self._subscribing = Subscribing(settings.notified_at)
        self._hinted = False
        """Something may have changed since the walk under way was begun."""
        self._indications: deque[Indication] = deque()
        self._answers: dict[str, Opt] = {}
        """The agent's, by event, until they are in the memory: thousands come at a time."""
        self._sent = 0
        """Replies that the server has, and that are in the memory still."""
        self._recorded: tuple[Memory, str] | None = None
        for told in self._memory.told:
            if told.opt is None and told.event.cancelled_at is None:
                self._indicate(EventReceived(event=told.event, delay_fraction=0.0))

    @property
    def memory(self) -> Memory:
        self._fold()
        return self._memory

    def record(self) -> str:
        self._fold()
        if self._recorded is None or self._recorded[0] is not self._memory:
            self._recorded = self._memory, to_record(self._memory)
        return self._recorded[1]

    # -- what the agent tells ----------------------------------------------------------

    def answer(self, opt: Opt) -> None:
        self._answers[opt.event_id] = opt
        self._look_at = min(self._look_at, opt.at)

    def retract(self, opt: Opt) -> None:
        self._fold()
        told = self._memory.told_of(opt.event_id)
        if told is not None and told.opt == opt:
            self._memory = self._memory.with_told(replace(told, opt=None))

    def report(self, batch: Batch) -> None:
        self._presence.report(batch)

    def opt(self, order: OptOrder) -> None:
        self._indicate(OptTold(number=order.number, opt_id=order.opt_id, code="200", description=NO_SCHEDULES))

    def unregister(self) -> None:
        """Stay away. Interpretation: the EndDevice stays, for it is the utility's; controls are let go of."""
        self._away = True
        self._abandon()
        self._memory, said = tell(
            replace(self._memory, known=(), defaults=()),
            own=self._own,
            targets_of=self._settings.targets_of,
            now=self._seen_at,
        )
        self._indications.extend(said)
        self._indicate(RegistrationLost(reason="we left", stays_away=True))

    def register(self, *, now: datetime) -> None:
        self._away = False
        self._place = None
        self._due_at = self._place_at = now

    def notified(self, request: Request, *, now: datetime) -> Response:
        """The answer to whoever speaks at our address: a good notification is a hint, and nothing more."""
        speech = self._settings.speech
        path = urlsplit(self._settings.notified_at).path
        answer, changed = self._subscribing.heard(request, path, speech, now)
        if changed:
            self._hinted = True
            hinted_at = max(now, self._hints_from)
            self._programs_at = min(self._programs_at, hinted_at)
            if self._place is not None and changed in self._place.watchable:
                self._place_at = min(self._place_at, hinted_at)
        return answer

    # -- the verbs of the shell --------------------------------------------------------

    def indications(self) -> list[Indication]:
        found = list(self._indications)
        self._indications.clear()
        return found

    def next_wakeup(self) -> datetime | None:
        if self._is_under_way or self._away:
            return None
        moments = [self._place_at, self._programs_at if self._place is not None else FAR]
        has_replies = self._sent < len(self._memory.replies)
        if self._place is not None and (has_replies or self._presence.has_business):
            moments.append(self._due_at)
        if self._place is not None and (subscribe_at := self._subscribing.next_at(self._due_at)) is not None:
            moments.append(subscribe_at)
        return min(max(min(moments), self._due_at), self._look_at)

    def next_request(self, *, now: datetime) -> Request | None:
        if self._is_under_way or self._away:
            return None
        self._seen_at = now
        if now >= self._look_at and self._look(now):
            return None  # what is owed from now on is stored before it is said
        if now < self._due_at:
            return None
        if self._script is None and not self._begin(now):
            return None
        if self._call is None:
            raise LocalProtocolError("a script that asks for nothing")
        self._is_under_way = True
        return self._settings.speech.request(self._call, self._at)

    def receive_request(self, request: Request, peer: Peer, *, now: datetime) -> Response:
        """Nobody speaks to us by itself but by notifications, which are another listener's."""
        del request, peer, now
        return Response(status=HTTPStatus.FORBIDDEN)

    def request_failed(self, *, now: datetime, reason: str) -> None:
        self._is_under_way = False
        self._abandon()
        self._pause(now, reason)

    def receive_response(self, response: Response, *, now: datetime) -> None:
        if not self._is_under_way or self._call is None:
            raise LocalProtocolError("an answer to no request")
        self._is_under_way = False
        is_done_without = self._call.is_optional and response.status not in OVERLOADED
        if response.status in BUSY or (response.status in FAILING and not is_done_without):
            self._abandon()
            self._pause(now, f"HTTP {response.status}", at_least_s=retry_after_s(response))
            return
        try:
            self._understand(self._call, response, now)
        except RemoteProtocolError as error:
            self._fall_back(now, f"the server's answer to {self._call.href} cannot be read: {error}")

    # -- what is said next -------------------------------------------------------------

    def _begin(self, now: datetime) -> bool:
        """Whether there is something to do."""
        script = self._next_script(now)
        if script is None:
            return False
        self._script, self._redirects, self._at = script, 0, ""
        self._advance(lambda: next(script), now)
        return self._script is not None

    def _next_script(self, now: datetime) -> Script[Any] | None:
        moment = int(now.timestamp())
        if self._place is None or now >= self._place_at:
            if now < self._place_at:
                return None
            self._purpose = Purpose.PLACE
            return find_place(self._settings.dcap, self._settings.identity, moment, self._settings.managed)
        if now >= self._programs_at:
            if not self._time_is_fresh:
                self._purpose = Purpose.TIME
                return read_time(self._place, moment)
            self._purpose, self._hinted = Purpose.PROGRAMS, False
            return read_programs(self._place, understood(self._memory))
        if self._sent < len(self._memory.replies):
            self._purpose = Purpose.REPLY
            return post_reply(self._memory.replies[self._sent])
        self._purpose = Purpose.PRESENCE
        script = self._presence.next_script(self._memory, self._place, moment + self._memory.offset_s, now)
        self._indications.extend(self._presence.indications())
        if script is None:
            self._purpose = Purpose.SUBSCRIBE
            script = self._subscribing.next_script(self._place.devices[0], now)
        return script

    def _look(self, now: datetime) -> bool:
        """Say what has come due by the time, or by the agent's answers; whether anything has."""
        self._fold()
        moment, before = self._moment(now), self._memory
        found = schedules(before)
        told = {one.event.id: one for one in before.told}
        known_now: list[KnownControl] = []
        replies: list[Reply] = []
        next_at: list[int] = []
        for known in before.known:
            spans = spans_of(known, found[known.device])
            ruling = [mode for mode in known.modes if mode.signals and (known.mrid, mode.name) in found[known.device]]
            ids = [event_id_of(known, mode, own=self._own) for mode in ruling]
            # Of what the agent was not told yet it has decided nothing.
            opts = [told[event_id].opt if event_id in told else None for event_id in ids]
            fresh = owed(known, spans, opts, now=moment)
            kept, wanted = replies_of(known, fresh, now=moment) if fresh else (known, ())
            known_now.append(kept)
            replies += wanted
            if (later := next_moment(kept, spans, moment)) is not None:
                next_at.append(later)
        if known_now != list(before.known) or replies:
            self._memory = replace(before, known=tuple(known_now), replies=(*before.replies, *replies))
        self._memory, said = tell(self._memory, own=self._own, targets_of=self._settings.targets_of, now=now)
        self._indications.extend(said)
        offset = timedelta(seconds=self._memory.offset_s)
        self._look_at = datetime.fromtimestamp(min(next_at), UTC) - offset if next_at else FAR
        return self._memory != before or bool(said)

    def _fold(self) -> None:
        """The agent's answers into the memory."""
        if not self._answers:
            return
        answers, self._answers = self._answers, {}
        told = tuple(
            replace(one, opt=opt)
            if (opt := answers.get(one.event.id)) is not None and opt.version == one.event.version
            else one
            for one in self._memory.told
        )
        self._memory = replace(self._memory, told=told)

    # -- what an answer means ----------------------------------------------------------

    def _understand(self, call: Call, response: Response, now: datetime) -> None:
        script = self._script
        if script is None:
            raise LocalProtocolError("an answer to nothing")
        if response.status in REDIRECTS:
            self._redirects += 1
            if self._redirects > REDIRECTS_MAX:
                raise MalformedMessage("it sends us from one address to the next")
            base = self._at or self._settings.speech.path_of(call.href)
            self._at = self._settings.speech.path_of(response.headers.get("location", ""), base)
            return
        self._at = ""
        if call.is_optional:
            self._advance(lambda: script.send(self._settings.speech.read_if_good(call, response)), now)
        elif response.status == HTTPStatus.NOT_FOUND and call.may_lack:
            self._advance(lambda: script.send(None), now)
        elif response.status >= HTTPStatus.BAD_REQUEST:
            refusal = self._settings.speech.refusal(call, response)
            self._advance(lambda: script.throw(refusal), now)
        elif call.kind is not None:
            found = self._settings.speech.read(call, response)
            self._advance(lambda: script.send(found), now)
        else:
            self._advance(lambda: script.send(response.headers.get("location", "")), now)

    def _advance(self, step: Callable[[], Call], now: datetime) -> None:
        """Let the script go on to its next call, or to its end."""
        try:
            self._call = step()
        except StopIteration as end:
            self._script = self._call = None
            self._finished(end.value, now)
        except NotOurs as error:
            self._not_enrolled(error, now)
        except Refusal as refusal:
            self._refused(refusal, now)

    def _finished(self, value: Any, now: datetime) -> None:
        handlers: Mapping[Purpose, Callable[[Any, datetime], None]] = {
            Purpose.PLACE: self._found_place,
            Purpose.TIME: self._took_time,
            Purpose.PROGRAMS: self._took_programs,
            Purpose.REPLY: self._replied,
            Purpose.PRESENCE: self._told_presence,
            Purpose.SUBSCRIBE: lambda _, at: self._subscribing.finished(at),
        }
        handlers[self._purpose](value, now)
        if self._purpose in {Purpose.PLACE, Purpose.TIME}:
            return  # only the half of a poll: what comes next may fail every time
        if failures := self._backoff.went_well():
            self._indicate(VtnReachable(failures=failures))

    def _found_place(self, place: Place, now: datetime) -> None:
        is_new = self._place is None
        self._place = place
        self._place_at = now + self._pace(place.poll_rate_s)
        self._programs_at = now
        self._took_time(place.time_offset_s, now)
        own_href = place.devices[0].href or ""
        is_known = self._memory.own_href == own_href
        if is_new:
            self._presence.begin_anew()
            self._indicate(
                Registered(
                    ven_id=self._own, vtn_id=self._settings.speech.url, registration_id=own_href, renewed=is_known
                )
            )
        if not is_known:
            # A new registration: the agent has forgotten what readings were wanted.
            self._memory = replace(self._memory, own_href=own_href, mirror_href="", mirror_rate_s=0, devices_rate_s=0)
        if place.refusal is not None:
            what, code = "EndDevices that we answer for", str(place.refusal.status)
            self._indicate(VtnRefused(what=what, code=code, description=str(place.refusal)))
        self._presence.found(place, self._memory)

    def _took_time(self, offset_s: int | None, now: datetime) -> None:
        del now
        self._time_is_fresh = True
        wanted = offset_s or 0
        if abs(wanted) <= OFFSET_NOISE_S:
            wanted = 0
        if abs(wanted - self._memory.offset_s) > OFFSET_NOISE_S:
            self._memory = replace(self._memory, offset_s=wanted)

    def _took_programs(self, programs: Programs, now: datetime) -> None:
        if self._place is None:
            raise LocalProtocolError("programs of nobody")
        devices = [
            Device(
                lfdi=lfdi,
                ratings=self._settings.ratings_of(lfdi),
                category=int(one.device_category or "0", CATEGORY_BASE),
                load_classes=self._settings.load_classes_of(lfdi),
                functions=self._settings.functions(lfdi),
                programs=programs.by_device.get(lfdi, ()),
            )
            for one in self._place.devices
            if self._settings.is_ours(lfdi := lfdi_of(one, self._settings.identity))
        ]
        self._memory = take_programs(self._memory, devices, now=self._moment(now), dice=self._dice)
        self._subscribing.want((*self._place.watchable, *programs.watchable))
        self._hints_from = now + HINTS_HEEDED_EVERY
        self._programs_at = self._hints_from if self._hinted else now + self._pace(programs.poll_rate_s)
        self._presence.describe(self._memory)
        if awaited(devices):
            self._programs_at = min(self._programs_at, now + ABILITIES_AWAITED_FOR)
        self._hinted = False
        self._time_is_fresh = False
        self._look(now)

    def _replied(self, _location: Any, now: datetime) -> None:
        """It has been said. Interpretation: who dies meanwhile may say the last few again, which changes nothing."""
        del now
        self._sent += 1
        waiting = len(self._memory.replies)
        if self._sent == waiting or self._sent >= max(REPLIES_SETTLED_AT_ONCE, waiting // REPLIES_SETTLED_IN):
            self._memory = replace(self._memory, replies=self._memory.replies[self._sent :])
            self._sent = 0

    def _told_presence(self, value: Any, now: datetime) -> None:
        self._memory = self._presence.finished(value, self._memory, now)
        self._indications.extend(self._presence.indications())

    def _refused(self, refusal: Refusal, now: datetime) -> None:
        if self._purpose is Purpose.PRESENCE:
            self._abandon()
            self._memory = self._presence.refused(refusal, self._memory)
            self._indications.extend(self._presence.indications())
            return
        if self._purpose is Purpose.SUBSCRIBE:
            self._abandon()
            self._indicate(self._subscribing.refused(refusal, now))
            return
        if self._purpose is not Purpose.REPLY:
            self._fall_back(now, str(refusal))
            return
        self._abandon()
        reply = self._memory.replies[self._sent]
        what = f"response {reply.status} to {reply.subject}"
        self._indicate(VtnRefused(what=what, code=str(refusal.status), description=str(refusal)))
        self._replied(None, now)

    def _not_enrolled(self, error: NotOurs, now: datetime) -> None:
        self._abandon()
        self._place = None
        self._place_at = now + self._settings.enrolment_retry * self._backoff.jitter()
        self._indicate(NotEnrolled(code=error.code, description=str(error), advice=str(error)))

    # -- how it goes -------------------------------------------------------------------

    @property
    def _own(self) -> str:
        return self._settings.identity.lfdi

    def _moment(self, now: datetime) -> int:
        """By the server's clock."""
        return int(now.timestamp()) + self._memory.offset_s

    def _pace(self, rate_s: int) -> timedelta:
        return timedelta(seconds=rate_s) * (1 + self._dice.uniform(0.0, self._settings.poll_jitter))

    def _fall_back(self, now: datetime, reason: str) -> None:
        """Begin again from DeviceCapability: addresses may have changed."""
        self._abandon()
        self._place_at = now
        self._pause(now, reason)

    def _abandon(self) -> None:
        if self._script is not None:
            self._script.close()
        self._script = self._call = None
        self._at = ""

    def _pause(self, now: datetime, reason: str, *, at_least_s: float = 0.0) -> None:
        self._due_at = now + timedelta(seconds=self._backoff.went_wrong(at_least_s=at_least_s))
        self._indicate(VtnUnreachable(failures=self._backoff.failures, reason=reason, retry_at=self._due_at))

    def _indicate(self, indication: Indication) -> None:
        self._indications.append(indication)
