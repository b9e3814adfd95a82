"""XML signatures around a protocol core, which says and hears unsigned messages only.

What goes out is signed at the moment of sending. Of what comes in, the core is given what the
signature vouches for and nothing else: the very bytes that were verified, in an envelope without a
signature. A message whose nonce is used up is not given to it at all.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from lxml import etree

from openadr_core.errors import Forbidden, MalformedMessage, SchemaViolation, SignatureFault
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2.codes import code_of
from openadr_core.oadr2.decode import LARGE, envelope_of, read
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import content_coding, response
from openadr_core.oadr2.names import OADR
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.oadr2.xmldsig import is_signed, prepare
from openadr_core.xml.parse import Element
from openadr_core.xml.validate import Schema
from openadr_ven.protocols.oadr2.pushed import refusal_of

_HEAD = f'<oadr:oadrPayload xmlns:oadr="{OADR}">'.encode()
_TAIL = b"</oadr:oadrPayload>"

Receive = Callable[[Request, Peer], Awaitable[Response]]


class Carrier(Protocol):
    async def exchange(self, request: Request) -> Response: ...


class Seal:
    """How we sign, and by which certificates the VTN may."""

    def __init__(
        self,
        *,
        security: MessageSecurity,
        rule: SignatureRule,
        certificates: Collection[str],
        schema: Schema,
        now: Callable[[], datetime],
    ) -> None:
        """``certificates`` are the VTN's, by SHA-256: the pinned ones."""
        self._security = security
        self._rule = rule
        self._certificates = frozenset(certificates)
        self._schema = schema
        self._now = now

    def sealed(self, body: bytes) -> bytes:
        """The message as it goes out now."""
        return self._security.seal(prepare(body))

    def envelope(self, body: bytes) -> Element:
        """What came in, unjudged; MalformedMessage or SchemaViolation if it is no message."""
        return envelope_of(body, self._schema, limits=LARGE)

    async def opened(self, envelope: Element) -> bytes:
        """What of it may be acted on, as an unsigned message; SignatureFault or Forbidden if nothing may."""
        judged = self._security.judge(
            envelope, rule=self._rule, certificates=self._certificates, received_at=self._now()
        )
        await self._security.claim(judged.proof)
        return alone(judged.signed_object)

    def answers_signed(self, envelope: Element) -> bool:
        """Who signs, also if badly, is answered so."""
        return self._rule is SignatureRule.REQUIRE or is_signed(envelope)

    def knows(self, peer: Peer) -> bool:
        return peer.certificate_sha256 in self._certificates


class SealedCarrier:
    """A carrier whose requests are signed, and whose answers are what the VTN signed."""

    def __init__(self, carrier: Carrier, seal: Seal) -> None:
        self._carrier = carrier
        self._seal = seal

    async def exchange(self, request: Request) -> Response:
        """Raises what the carrier raises, and what :meth:`Seal.opened` says of an answer that must not be believed."""
        answer = await self._carrier.exchange(replace(request, body=self._seal.sealed(request.body)))
        if answer.status != HTTPStatus.OK or not answer.body:
            return answer
        try:
            return replace(answer, body=await self._seal.opened(self._seal.envelope(answer.body)))
        except (MalformedMessage, SchemaViolation):
            return answer  # whoever reads it says what is wrong with it


def sealed_receiver(receive: Receive, seal: Seal, refused: Callable[[str], Awaitable[None]]) -> Receive:
    """The same for what is pushed at us: ``receive`` hears what the VTN signed, and its answers are signed.

    ``refused`` is told of a message that was not believed.
    """

    async def receive_sealed(request: Request, peer: Peer) -> Response:
        if not seal.knows(peer):
            return await receive(request, peer)  # which says nothing to strangers
        try:
            envelope = seal.envelope(request.body)
        except (MalformedMessage, SchemaViolation):
            return await receive(request, peer)  # which says that it is no message
        signs = seal.answers_signed(envelope)
        try:
            plain = await seal.opened(envelope)
        except (SignatureFault, Forbidden) as fault:
            await refused(str(fault))
            # Read for the shape of the answer alone.
            refusal = encode(refusal_of(read(envelope[-1]), code_of(fault), ""))
            return _packed(seal.sealed(refusal) if signs else refusal, request)
        headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
        answer = await receive(replace(request, body=plain, headers=headers), peer)
        if answer.status != HTTPStatus.OK or not answer.body:
            return answer
        return _packed(seal.sealed(answer.body) if signs else answer.body, request)

    return receive_sealed


def alone(signed_object: Element) -> bytes:
    """The object in an envelope of its own: its canonical form, which was signed, and has all its namespaces."""
    return _HEAD + etree.tostring(signed_object, method="c14n") + _TAIL


def _packed(body: bytes, request: Request) -> Response:
    """Signed last, and then compressed, if that is asked for."""
    return response(body, content_coding(request.headers.get("accept-encoding", "")))
