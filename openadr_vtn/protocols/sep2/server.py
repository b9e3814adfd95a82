"""The server: who asks for what, and whether it may.

Whoever has no right to know of something is told that it is not there (404). Answers are kept as
bytes for as long as they hold (:mod:`.kept`).
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from openadr_core.errors import CertificateRejected
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.party import Party, PartyState
from openadr_core.sep2.base import Error, List, SubscribableList
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_vtn.application.directory import Directory, Standing
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.application.sep2_hearing import hear_reading_of
from openadr_vtn.application.sep2_ports import Turns
from openadr_vtn.domain.sep2.registry import EndDevice
from openadr_vtn.domain.sep2.subscribing import Subscription
from openadr_vtn.protocols.sep2.http_rules import (
    MEDIA_TYPE,
    HttpRefusal,
    Query,
    Reply,
    as_response,
    check_accept,
    not_allowed,
    query_of,
)
from openadr_vtn.protocols.sep2.kept import Kept, KeptAnswers
from openadr_vtn.protocols.sep2.resources import (
    capability,
    devices,
    mirrors,
    programs,
    responses,
    subscriptions,
    usage_points,
)
from openadr_vtn.protocols.sep2.scene import Scene, Sep2Desk, Speech

Handler = Callable[..., Awaitable[Reply]]
Methods = Mapping[str, Handler]


@dataclass(frozen=True, slots=True)
class Route:
    pattern: re.Pattern[str]
    methods: Methods


def _route(template: str, methods: Methods) -> Route:
    """``#`` is a number in an address."""
    return Route(re.compile(template.replace("#", r"([1-9][0-9]{0,8})")), methods)


def _document_routes() -> list[Route]:
    found = []
    for path in devices.DOCUMENTS:

        async def get(scene: Scene, number: str, path: str = path) -> Reply:
            return await devices.document(scene, number, path)

        async def put(scene: Scene, number: str, path: str = path) -> Reply:
            return await devices.put_document(scene, number, path)

        found.append(_route(f"/edev/#/{path}", {"GET": get, "PUT": put}))
    return found


ROUTES = [
    _route("/dcap", {"GET": capability.capability}),
    _route("/tm", {"GET": capability.time}),
    _route("/sdev", {"GET": capability.self_device}),
    _route("/edev", {"GET": devices.devices, "POST": devices.register}),
    _route("/edev/#", {"GET": devices.device, "PUT": devices.change_device, "DELETE": devices.deregister}),
    _route("/edev/#/rg", {"GET": devices.registration}),
    _route("/edev/#/fsa", {"GET": devices.assignments}),
    _route("/edev/#/fsa/#", {"GET": devices.assignment}),
    _route("/edev/#/fsa/#/derp", {"GET": programs.der_programs}),
    _route("/edev/#/fsa/#/dr", {"GET": programs.dr_programs}),
    _route("/edev/#/der", {"GET": devices.ders}),
    _route("/edev/#/der/#", {"GET": devices.der}),
    _route("/edev/#/lel", {"GET": devices.log_events, "POST": devices.add_log_event}),
    _route("/edev/#/lel/#", {"GET": devices.log_event}),
    _route("/edev/#/sub", {"GET": subscriptions.subscriptions, "POST": subscriptions.subscribe}),
    _route(
        "/edev/#/sub/#",
        {
            "GET": subscriptions.subscription,
            "PUT": subscriptions.change_subscription,
            "DELETE": subscriptions.unsubscribe,
        },
    ),
    _route("/edev/#/lsl", {"GET": devices.sheddable, "POST": devices.add_sheddable}),
    _route("/edev/#/lsl/#", {"GET": devices.one_sheddable}),
    *_document_routes(),
    _route("/derp/#", {"GET": programs.der_program}),
    _route("/derp/#/derc", {"GET": programs.der_controls}),
    _route("/derp/#/derc/#", {"GET": programs.der_control}),
    _route("/derp/#/actderc", {"GET": programs.active_der_controls}),
    _route("/derp/#/dderc", {"GET": programs.default_control}),
    _route("/derp/#/dc", {"GET": programs.curves}),
    _route("/derp/#/dc/#", {"GET": programs.curve}),
    _route("/dr/#", {"GET": programs.dr_program}),
    _route("/dr/#/edc", {"GET": programs.end_device_controls}),
    _route("/dr/#/edc/#", {"GET": programs.end_device_control}),
    _route("/dr/#/actedc", {"GET": programs.active_end_device_controls}),
    _route("/rsps/#/rsp", {"POST": responses.answer}),
    _route("/upt", {"GET": usage_points.usage_points}),
    _route("/upt/#", {"GET": usage_points.usage_point}),
    _route("/upt/#/mr", {"GET": usage_points.meter_readings}),
    _route("/upt/#/mr/#", {"GET": usage_points.meter_reading}),
    _route("/upt/#/mr/#/rt", {"GET": usage_points.reading_type}),
    _route("/upt/#/mr/#/rs", {"GET": usage_points.reading_sets}),
    _route("/upt/#/mr/#/rs/#", {"GET": usage_points.reading_set}),
    _route("/upt/#/mr/#/rs/#/r", {"GET": usage_points.readings}),
    _route("/upt/#/mr/#/rs/#/r/#", {"GET": usage_points.reading}),
    _route("/mup", {"GET": mirrors.mirrors, "POST": mirrors.save_mirror}),
    _route(
        "/mup/#",
        {
            "GET": mirrors.mirror,
            "POST": mirrors.add_readings,
            "PUT": mirrors.replace_mirror,
            "DELETE": mirrors.remove_mirror,
        },
    ),
]


VERSIONS = "/.well-known/csipaus"
READING = frozenset({"GET", "HEAD"})
OPEN = frozenset({capability.capability, capability.time})
"""For the holder of any certificate of a chain that is trusted (1.7)."""
SHARED = frozenset({
    capability.time, programs.der_program, programs.der_controls, programs.der_control, programs.active_der_controls,
    programs.default_control, programs.curves, programs.curve, programs.dr_program, programs.end_device_controls,
    programs.end_device_control, programs.active_end_device_controls,
})  # fmt: skip
"""What is the same for all who may read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    request: Request
    peer: Peer
    speech: Speech
    handler: Handler
    numbers: tuple[str, ...]
    query: str
    now: int

    @property
    def is_read(self) -> bool:
        return self.request.method in READING


@dataclass(frozen=True, slots=True)
class _Noted:
    """Events of which the ledger knows that a party was told, as long as nothing else is owed to it."""

    standing: Standing
    """It is read anew when something is."""
    event_ids: frozenset[str]


class Sep2Server:
    def __init__(self, *, store: Store, directory: Directory, desk: Sep2Desk, turns: Turns | None = None) -> None:
        """``turns`` lets what many ask for at once be made once; without it each makes its own."""
        self._store = store
        self._directory = directory
        self._desk = desk
        self._kept = KeptAnswers(store)
        self._turns = turns or (lambda _key: nullcontext())
        self._noted: dict[str, _Noted] = {}
        """By party."""

    async def receive_request(self, request: Request, peer: Peer, now: datetime) -> Response:
        """The answer, as the certificate's party may read it; to HEAD it is GET's, whose body is left to the shell."""
        moment = self._desk.lab.moment(now)
        path, _, query = request.path.partition("?")
        try:
            if path == VERSIONS:
                return await self._versions(request, peer, now)
            if request.method in READING:
                check_accept(request.headers.get("accept", ""))
            speech, local = self._speech_of(path)
            again = self._again(request, peer, moment)
            if again is not None:
                await self._note_seen(peer, again.told, now)
                return as_response(Reply(), again.body)
            handler, numbers = _handler(request.method, local)
            asked = _Asked(
                request=request, peer=peer, speech=speech, handler=handler, numbers=numbers, query=query, now=moment
            )
            standing = await self._standing(peer, now, is_open=handler in OPEN)
            if asked.is_read and handler in SHARED:
                return await self._shared(asked, standing)
            return await self._answered(asked, standing)
        except HttpRefusal as refusal:
            return _refused(refusal)

    def speech(self, prefix: str) -> Speech:
        return next(one for one in self._desk.speeches if one.prefix == prefix)

    async def represent(
        self, view: UnitOfWork, one: Subscription, *, party: Party, holder: EndDevice, now: datetime,
        csipaus: CsipAus | None,
    ) -> bytes | None:  # fmt: skip
        """What its subscriber would get of what it subscribed to; empty if it wants none, None if there is nothing."""
        changes, moment = self._store.changes(), self._desk.lab.moment(now)
        speech, asked = self.speech(one.prefix), f"{one.prefix}{one.resource}?l={one.limit}"
        kept = self._kept.find(party.id, holder.lfdi, asked, moment) if csipaus is speech.csipaus else None
        if kept is not None and one.limit:
            return kept.body
        own = csipaus is speech.csipaus
        peer = Peer(certificate_sha256="", lfdi=holder.lfdi, sfdi=holder.sfdi, fingerprint_20b="")
        scene = Scene(
            uow=view, desk=self._desk, speech=speech, party=party, peer=peer, now=moment, query=Query(limit=one.limit),
            rates=await self._rates(view), look=_look, programs=self._kept.programs(party.id),
            groups=self._kept.tree,
        )  # fmt: skip
        kept = await self._of_others(scene, asked, changes) if own and one.limit else None
        if kept is not None:
            return kept.body
        try:
            reply = await _look(scene, one.resource)
        except HttpRefusal:
            return None
        body = encode(reply.message, csipaus=csipaus)
        if own and self._store.changes() == changes:
            self._keep(scene, asked, reply, body)
        return body if one.limit or isinstance(reply.message, List | SubscribableList) else b""

    async def _of_others(self, scene: Scene, asked: str, changes: int) -> Kept | None:
        """What is kept for members of a group, if the party turns out to have one."""
        if scene.programs is not None or not self._kept.has_shared(asked, scene.now):
            return None
        await scene.its_programs()
        if self._store.changes() != changes:
            return None
        self._keep_places(scene)
        return self._kept.find(scene.party.id, scene.peer.lfdi, asked, scene.now)

    async def _rates(self, uow: UnitOfWork) -> Mapping[str, int]:
        if self._kept.rates is not None:
            return self._kept.rates
        changes, rates = self._store.changes(), await uow.registry.rates()
        if self._store.changes() == changes:
            self._kept.rates = rates
        return rates

    def _keep_places(self, scene: Scene) -> None:
        if scene.programs is not None:
            self._kept.keep_programs(scene.party.id, scene.programs)
        if scene.groups is not None:
            self._kept.tree = scene.groups

    def _keep(self, scene: Scene, asked: str, reply: Reply, body: bytes) -> None:
        party_id = scene.party.id
        self._keep_places(scene)
        if reply.holds is not None:
            revision = self._store.revision_of_groups(reply.holds.groups)
            kept = Kept(reply.holds, body, reply.told, revision, scene.now)
            self._kept.keep(party_id, scene.peer.lfdi, asked, kept)

    async def _versions(self, request: Request, peer: Peer, now: datetime) -> Response:
        if request.method not in READING:
            raise not_allowed({"GET"})
        await self._standing(peer, now, is_open=True)
        headers = {"content-type": "application/json"}
        return Response(status=200, body=capability.versions(self._desk), headers=headers)

    async def _shared(self, asked: _Asked, standing: Standing) -> Response:
        """What many may ask for at once: one of them makes it, the others find it made.

        A thousand who make the same list at once take all that reads the store, and most of them are sent away.
        """
        path = asked.request.path
        async with self._turns(path):
            if not self._kept.has_shared(path, asked.now):
                return await self._answered(asked, standing)
        kept = self._kept.find(standing.party.id, asked.peer.lfdi, path, asked.now)
        if kept is None:
            return await self._answered(asked, standing)
        await self._note_told(standing, kept.told, asked.now)
        return as_response(Reply(), kept.body)

    async def _answered(self, asked: _Asked, standing: Standing) -> Response:
        changes = self._store.changes()
        async with self._store.view() if asked.is_read else self._store.unit_of_work() as uow:
            scene = Scene(
                uow=uow, desk=self._desk, speech=asked.speech, party=standing.party, peer=asked.peer, now=asked.now,
                query=query_of(asked.query), body=asked.request.body,
                content_type=asked.request.headers.get("content-type", ""), rates=await self._rates(uow),
                look=_look, programs=self._kept.programs(standing.party.id), groups=self._kept.tree,
            )  # fmt: skip
            shared = await self._of_others(scene, asked.request.path, changes) if asked.is_read else None
            if shared is not None:
                reply, body = Reply(told=shared.told), shared.body
            else:
                reply = await asked.handler(scene, *asked.numbers)
                body = b"" if reply.message is None else encode(reply.message, csipaus=asked.speech.csipaus)
        if asked.is_read and shared is None and self._store.changes() == changes:
            self._keep(scene, asked.request.path, reply, body)
        await self._note_told(standing, reply.told, asked.now)
        return as_response(reply, body)

    async def _standing(self, peer: Peer, now: datetime, *, is_open: bool) -> Standing:
        """403 for who is not enrolled, or not any more (1.7, T5).

        Interpretation: whose certificate no operator has looked at may read what is open to any, with an
        empty list of devices (T:05), and registers itself once it is let in.
        """
        try:
            standing = await self._directory.standing_of(peer, now)
        except CertificateRejected:
            raise HttpRefusal(403) from None
        may = {PartyState.APPROVED, PartyState.PENDING} if is_open else {PartyState.APPROVED}
        if standing is None or standing.party.state not in may:
            raise HttpRefusal(403)
        self._directory.saw(standing.party.id, now)
        return standing

    async def _note_seen(self, peer: Peer, told: frozenset[str], now: datetime) -> None:
        standing = self._directory.known(peer.certificate_sha256)
        if standing is not None:
            self._directory.saw(standing.party.id, now)
            await self._note_told(standing, told, self._desk.lab.moment(now))

    async def _note_told(self, standing: Standing, told: frozenset[str], moment: int) -> None:
        """The ledger's facts about who comes and reads: what it is told the first time, it has from then on."""
        if not told:
            return
        party_id, noted = standing.party.id, self._noted.get(standing.party.id)
        if noted is None or noted.standing is not standing:
            noted = _Noted(standing, frozenset())
        if news := told - noted.event_ids:
            await hear_reading_of(self._store, party_id, news, datetime.fromtimestamp(moment, UTC))
            self._noted[party_id] = _Noted(standing, noted.event_ids | news)

    def _speech_of(self, path: str) -> tuple[Speech, str]:
        """What the client speaks, by the address that it was told to begin with."""
        for speech in self._desk.speeches:
            if not speech.prefix or path == speech.prefix or path.startswith(f"{speech.prefix}/"):
                return speech, path[len(speech.prefix) :]
        raise HttpRefusal(404)

    def _again(self, request: Request, peer: Peer, moment: int) -> Kept | None:
        """The same bytes as before, if they still hold for somebody who is known."""
        standing = self._directory.known(peer.certificate_sha256)
        if request.method not in READING or standing is None or standing.party.state is not PartyState.APPROVED:
            return None
        return self._kept.find(standing.party.id, peer.lfdi, request.path, moment)


async def _look(scene: Scene, path: str) -> Reply:
    handler, numbers = _handler("GET", path)
    return await handler(scene, *numbers)


def _handler(method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found is not None:
            handler = route.methods.get("GET" if method == "HEAD" else method)
            if handler is None:
                raise not_allowed(route.methods)
            return handler, found.groups()
    raise HttpRefusal(404)


def _refused(refusal: HttpRefusal) -> Response:
    headers: dict[str, Any] = dict(refusal.headers)
    if refusal.reason is None:
        return Response(status=refusal.status, headers=headers)
    body = encode(Error(reason_code=refusal.reason), csipaus=None)
    return Response(status=refusal.status, body=body, headers={**headers, "content-type": MEDIA_TYPE})
