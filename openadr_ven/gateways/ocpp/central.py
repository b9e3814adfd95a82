"""The central system: where stations connect, who is let in, and who is told what."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

import structlog
from aiohttp import WSMsgType, web
from ocpp.exceptions import OCPPError

from openadr_core.errors import ConfigError
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls_peer import peer_of_transport
from openadr_core.shell.turnstile import ConnectionLimits
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import DriverTraits, Hear, Order, Outcome
from openadr_ven.gateways.ocpp.profiles import RateUnit, Version
from openadr_ven.gateways.ocpp.session import ANSWER_WAIT_S, SESSIONS, Session
from openadr_ven.gateways.ocpp.station import Station

MESSAGE_MAX_BYTES = 256 * 1024
"""A report of a whole device model comes in parts; no other message is near it."""
PING_EVERY_S = 20.0
GREET_AFTER_S = 2.0
"""A station that has just started sends its BootNotification first, and takes no questions before the answer."""
TRAITS = DriverTraits(lets_go=True, pace_s=2.0, retry_s=10.0, reading_lasts_s=60.0)
CONNECTIONS = ConnectionLimits(at_once=10_000, at_once_per_address=1_000, per_minute_per_address=2_000)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAccess:
    """A station that may connect, and which of the fleet's devices its places are."""

    evses: Mapping[int, str]
    password_sha256: str = ""
    """Security profile 2; OCPP wants passwords of at least 16 random characters, so a plain digest will do."""
    certificate_sha256: str = ""
    """Security profile 3: of the certificate that it shows."""
    unit: RateUnit = field(default_factory=RateUnit)


class CentralSystem:
    """A driver of the edge for stations that come to us."""

    traits = TRAITS

    def __init__(
        self,
        stations: Mapping[str, StationAccess],
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        stack_level: int,
        now: Callable[[], datetime],
        greet_after_s: float = GREET_AFTER_S,
    ) -> None:
        """By identity, the last part of the address that each station calls; ConfigError if two have one device."""
        places = [(device, identity) for identity, one in stations.items() for device in one.evses.values()]
        self._station_of = dict(places)
        if len(self._station_of) < len(places):
            raise ConfigError("ocpp.stations: a device of the fleet is behind two places")
        self._access = dict(stations)
        self._stations = {one: Station(one, access.evses, access.unit) for one, access in stations.items()}
        self._sessions: dict[str, Session] = {}
        self._host, self._port, self._tls = host, port, tls
        self._stack_level = stack_level
        self._now = now
        self._greet_after_s = greet_after_s
        # Unlike before a restart: a station may still be in a transaction that we have numbered.
        self._numbers = count(int(now().timestamp()))
        self._hear: Hear = lambda _readings: None

    @property
    def port(self) -> int:
        return self._port

    @property
    def connected(self) -> frozenset[str]:
        return frozenset(self._sessions)

    async def run(self, hear: Hear) -> None:
        self._hear = hear
        app = web.Application()
        app.router.add_get("/{path:(.*/)?}{identity}", self._connect)
        try:
            running = await serve(app, host=self._host, port=self._port, tls=self._tls, connections=CONNECTIONS)
        except OSError as error:
            raise ConfigError(f"ocpp.port: {self._host}:{self._port}: {error.strerror}") from None
        self._port = running.port
        log.info("stations may connect", url=running.url.replace("https", "wss"), stations=len(self._access))
        try:
            await asyncio.Event().wait()
        finally:
            await running.close()

    async def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        """Each station at its own pace: one that is slow keeps nobody waiting."""
        for told in asyncio.as_completed([self._tell(order) for order in orders]):
            yield await told

    async def _tell(self, order: Order) -> Outcome:
        session = self._sessions.get(self._station_of.get(order.device_id, ""))
        if session is None:
            return Outcome(order=order, reason=Reason.UNREACHABLE)
        try:
            async with asyncio.timeout(2 * ANSWER_WAIT_S):  # others may be asked first
                reason = await session.tell(order)
        except (OCPPError, TimeoutError, ConnectionError) as failed:
            log.warning("station did not answer", station=session.station.identity, error=repr(failed))
            reason = Reason.UNREACHABLE
        return Outcome(order=order, reason=reason)

    # -- connections -------------------------------------------------------------------

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        identity = request.match_info["identity"]
        access = self._access.get(identity)
        if not self._may_enter(request, identity, access):
            # One answer for strangers and for wrong passwords: it tells nobody which stations there are.
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="OCPP"'})
        offered = request.headers.getall("Sec-WebSocket-Protocol", [])
        spoken = {one.strip() for line in offered for one in line.split(",")}
        version = next((one for one in Version if one.value in spoken), None)
        if version is None:
            return web.Response(status=400, text="none of ocpp2.1, ocpp2.0.1, ocpp1.6 is offered\n")
        socket = web.WebSocketResponse(
            protocols=[version.value], heartbeat=PING_EVERY_S, max_msg_size=MESSAGE_MAX_BYTES, compress=False
        )  # fmt: skip
        await socket.prepare(request)
        await self._serve(identity, version, socket)
        return socket

    def _may_enter(self, request: web.Request, identity: str, access: StationAccess | None) -> bool:
        """Every way that is set for a station must be good: a certificate, a password, or both."""
        wanted = access or StationAccess(evses={}, password_sha256="0" * 64)
        is_good = access is not None and bool(wanted.password_sha256 or wanted.certificate_sha256)
        if wanted.certificate_sha256:
            peer = peer_of_transport(request.transport)
            is_good &= peer is not None and hmac.compare_digest(peer.certificate_sha256, wanted.certificate_sha256)
        if wanted.password_sha256:
            user, password = _basic(request.headers.get("Authorization", ""))
            digest = hashlib.sha256(password).hexdigest()
            is_good &= user == identity and hmac.compare_digest(digest, wanted.password_sha256)
        return is_good

    async def _serve(self, identity: str, version: Version, socket: web.WebSocketResponse) -> None:
        station = self._stations[identity]
        session = SESSIONS[version](
            station,
            _Wire(socket),
            hear=self._hear,
            now=self._now,
            stack_level=self._stack_level,
            next_transaction=lambda: next(self._numbers),
        )
        if (before := self._sessions.pop(identity, None)) is not None:
            log.info("station connected anew", station=identity)
            await before.close()
        self._sessions[identity] = session
        log.info("station connected", station=identity, version=version.value)
        greeting = asyncio.create_task(_greet(session, self._greet_after_s))
        try:
            session.say()
            await session.listen()
        finally:
            greeting.cancel()
            if self._sessions.get(identity) is session:
                del self._sessions[identity]
                self._hear(station.readings(self._now(), online=False))
                log.warning("station lost", station=identity)


class _Wire:
    """aiohttp's WebSocket, as the package wants a connection."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def recv(self) -> str:
        message = await self._socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise ConnectionResetError(f"the connection ended: {message.type.name}")
        return str(message.data)

    async def send(self, text: str) -> None:
        await self._socket.send_str(text)

    async def close(self) -> None:
        await self._socket.close()


async def _greet(session: Session, after_s: float) -> None:
    await asyncio.sleep(after_s)
    try:
        await session.greet()
    except ConnectionError:
        return  # it has left; whoever listens sees it too
    session.say()


def _basic(header: str) -> tuple[str, bytes]:
    """User and password of HTTP Basic (RFC 7617); both empty if it is none."""
    scheme, _, credentials = header.partition(" ")
    try:
        user, colon, password = base64.b64decode(credentials, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return "", b""
    return (user.decode(errors="replace"), password) if colon and scheme.lower() == "basic" else ("", b"")
