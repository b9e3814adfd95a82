"""The VTN's side of OpenADR 2.0b over HTTP pull, without a socket.

A shell makes one :class:`Oadr2Connection` for each TLS connection, hands it each request with the
time, and sends what it gets back. Who the peer is comes from its certificate alone: an id in a
message is compared with it and never believed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from openadr_core.errors import CertificateRejected, Forbidden, MalformedMessage, SchemaViolation, SignatureFault
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.model.availability import OptRules
from openadr_core.model.party import PartyState
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import envelope_of, read
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import VTN_SERVICES, HttpRefusal, content_coding, response, service_of
from openadr_core.oadr2.signed import Proof
from openadr_core.oadr2.xmldsig import KeyKind
from openadr_core.xml.parse import Element
from openadr_core.xml.validate import Schema
from openadr_vtn.application.directory import Directory, Standing, standing
from openadr_vtn.application.handlers import delivery, errands
from openadr_vtn.application.ports import Notice, Store, UnitOfWork, Witness
from openadr_vtn.application.whereabouts import Whereabouts
from openadr_vtn.domain.delivery import Key, Mailbox, unproved
from openadr_vtn.domain.reporting import TelemetryWish
from openadr_vtn.protocols.oadr2_answers import NOT_ENROLLED, NOT_REGISTERED, OPERATIONS, Refusal, Scene, answer_to
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, Desk
from openadr_vtn.protocols.oadr2_errands import ANSWERS
from openadr_vtn.protocols.oadr2_events import EventWriter
from openadr_vtn.protocols.oadr2_operations import operate
from openadr_vtn.protocols.oadr2_signatures import Sealing, Signatures

NEEDS_NO_REGISTRATION = (
    m.QueryRegistration,
    m.CreatePartyRegistration,
    m.CancelPartyRegistration,
    m.CanceledPartyRegistration,
)
"""The last two, because they may be said again by a party that did not read that it is done (9.1.7)."""

FROM_EVERYBODY_AT_ONCE = (m.Poll, m.CreatedEvent, m.UpdateReport)
"""What all parties say in the seconds after an event was written, or on every full minute."""

CLAIMS = (m.CreatePartyRegistration, m.CancelPartyRegistration)
"""What somebody would say who wants to be taken for another party."""

ANOTHER_PARTY = Refusal(code=codes.NOT_REGISTERED, description="the venID is not this certificate's")
UNKNOWN_ID = Refusal(code=codes.INVALID_ID, description="the venID is not known")
NO_ID = Refusal(code=codes.INVALID_ID, description="the venID is missing")
NOT_OURS = Refusal(code=codes.COMPLIANCE_OTHER, description="no VEN sends this payload")
WRONG_SERVICE = Refusal(code=codes.COMPLIANCE_OTHER, description="this payload belongs to another service")


DEFAULT_OPT_RULES = OptRules()


def _nobody_listens(_: Notice) -> None:
    return None


class Oadr2Vtn:
    """One VTN: what all its connections share."""

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        schema: Schema,
        vtn_id: str,
        telemetry: TelemetryWish,
        new_id: Callable[[], str],
        prefix: str = "",
        opt_rules: OptRules = DEFAULT_OPT_RULES,
        witness: Witness = _nobody_listens,
        signatures: Signatures | None = None,
    ) -> None:
        """``prefix`` is what our URL has before ``/OpenADR2`` (R511); ``new_id`` makes ids that begin with a letter.

        Without ``signatures`` none are made, and none are looked at.
        """
        self.store = store
        self.directory = directory
        self.schema = schema
        self.prefix = prefix
        self.witness = witness
        self.signatures = signatures
        self.whereabouts = Whereabouts()
        self.polls = 0
        """Polls that were understood, for metrics."""
        self.desk = Desk(vtn_id=vtn_id, telemetry=telemetry, new_id=new_id, writer=EventWriter(), opt_rules=opt_rules)

    def connection(self, peer: Peer, shown: KeyKind | None = None, *, network: str = "") -> "Oadr2Connection":
        """``shown`` is the kind of certificate that we have shown to the peer, if that is known.

        ``network`` is where it comes from: not its address, but what its addresses have in common.
        """
        return Oadr2Connection(self, peer, shown, network)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quiet:
    """A poll that was answered from memory: the same bytes get the same answer while the standing holds."""

    body: bytes
    accept_encoding: str
    standing: Standing
    response: Response


@dataclass(frozen=True, slots=True)
class _Heard:
    """A message that may be believed as far as its signature goes, and how its answer goes back."""

    request: Request
    service: str
    message: m.Message
    proof: Proof | None = None
    answer_signed: bool = False

    @property
    def accept_encoding(self) -> str:
        return self.request.headers.get("accept-encoding", "")

    @property
    def may_be_said_again(self) -> bool:
        """Whether the same bytes may get the same answer: not what is signed, which is new each time."""
        return self.service == "OadrPoll" and self.proof is None and not self.answer_signed


class Oadr2Connection:
    """The exchanges of one peer over one connection, in order."""

    __slots__ = ("_errand_id", "_network", "_peer", "_quiet", "_sealing", "_told", "_vtn")

    def __init__(self, vtn: Oadr2Vtn, peer: Peer, shown: KeyKind | None, network: str) -> None:
        self._vtn = vtn
        self._peer = peer
        self._network = network
        self._sealing = None if vtn.signatures is None else Sealing(vtn.signatures.security, shown)
        self._quiet: _Quiet | None = None
        self._told: tuple[Key, ...] = ()
        """Events of the last answer, which the next request proves to have arrived."""
        self._errand_id = ""
        """The errand of the last answer, likewise."""

    def quiet_answer(self, body: bytes, accept_encoding: str, now: datetime) -> Response | None:
        """The answer to a poll that needs no thought; None where :meth:`receive_request` must be asked.

        Only for what was posted to OadrPoll as application/xml. The bytes were decoded and validated
        when they first came, and the party's standing is the one that they were judged by.
        """
        quiet = self._quiet
        if quiet is None or body != quiet.body or accept_encoding != quiet.accept_encoding or self._has_told():
            return None
        known = quiet.standing
        certificate = self._peer.certificate_sha256
        if self._vtn.directory.known(certificate) is not known or _is_due(known, now):
            return None
        if self._vtn.whereabouts.last(certificate) != self._network:
            return None
        self._vtn.directory.saw(known.party.id, now)
        self._vtn.polls += 1
        return quiet.response

    async def receive_request(self, request: Request, now: datetime) -> Response:
        """The answer. Header names in the request are in lower case.

        A client sends its next request after it has read the last answer, so a request proves that
        what was told before on this connection has arrived (an answer that is lost takes its
        connection with it, and is said again).
        """
        try:
            service = service_of(request, VTN_SERVICES, prefix=self._vtn.prefix)
            envelope = envelope_of(request.body, self._vtn.schema, limits=VTN_SERVICES[service])
            return await self._judged(request, service, envelope, now)
        except HttpRefusal as refusal:
            return self._refused(refusal.status, str(refusal))
        except CertificateRejected as error:
            # R517, security T12: also on a connection that was good when it was made, which is closed.
            return self._refused(403, str(error))
        except (MalformedMessage, SchemaViolation) as error:
            return self._refused(406, str(error))

    async def _judged(self, request: Request, service: str, envelope: Element, now: datetime) -> Response:
        """Whose word the message is, before anything in it counts; an ill-signed one gets its answer, and no more."""
        vtn = self._vtn
        known = await vtn.directory.standing_of(self._peer, now)
        if known is not None and known.is_new:
            self._introduce(known)
        if known is not None:
            self._note_whereabouts(known, now)
        if vtn.signatures is None:
            return await self._answered(_Heard(request, service, read(envelope[-1])), known, now)
        party = None if known is None else known.party
        signed = vtn.signatures.answers_signed(envelope, party)
        try:
            judged = vtn.signatures.judge(envelope, self._peer, party, now)
        except (SignatureFault, Forbidden) as fault:
            # Read for the shape of the answer alone.
            heard = _Heard(request, service, read(envelope[-1]), answer_signed=signed)
            return self._response(heard, self._refusal_body(heard.message, known, self._disbelieved(fault, known)))
        heard = _Heard(request, service, read(judged.signed_object), proof=judged.proof, answer_signed=signed)
        return await self._answered(heard, known, now)

    async def _answered(self, heard: _Heard, known: Standing | None, now: datetime) -> Response:
        vtn, message = self._vtn, heard.message
        vtn.polls += isinstance(message, m.Poll)
        if known is not None:
            vtn.directory.saw(known.party.id, now)
        refusal = await self._refusal(message, heard.service, known) or await self._said_before(heard.proof, known)
        if refusal is None:
            known = await self._standing(known, message, now)
        if refusal is not None or known is None:
            answer = self._response(heard, self._refusal_body(message, known, refusal or NOT_ENROLLED))
        elif isinstance(message, m.Poll) and not _is_due(known, now):
            answer = self._response(heard, self._idle_body(message, known))
        else:
            return self._response(heard, await self._operated(message, known, now))
        if isinstance(message, m.Poll) and heard.may_be_said_again and known is not None:
            self._quiet = _Quiet(
                body=heard.request.body, accept_encoding=heard.accept_encoding, standing=known, response=answer
            )
        return answer

    async def _said_before(self, proof: Proof | None, known: Standing | None) -> Refusal | None:
        """A signed message is acted on once, whatever happens meanwhile."""
        if self._vtn.signatures is None:
            return None
        try:
            await self._vtn.signatures.security.claim(proof)
        except SignatureFault as fault:
            return self._disbelieved(fault, known)
        return None

    def _disbelieved(self, fault: SignatureFault | Forbidden, known: Standing | None) -> Refusal:
        party_id = "" if known is None else known.party.id
        self._vtn.witness(Notice(kind="signature refused", party_id=party_id, detail=str(fault)))
        return Refusal.of(fault)

    def _response(self, heard: _Heard, body: bytes) -> Response:
        """Signed last, and then packed."""
        if heard.answer_signed and self._sealing is not None:
            body = self._sealing.seal(body)
        return response(body, content_coding(heard.accept_encoding))

    async def _standing(self, known: Standing | None, message: m.Message, now: datetime) -> Standing | None:
        """The party's standing, once it is noted that it has read what it was told last.

        What it answers is noted with its answers; the rest of what it was told, with its next request.
        """
        directory = self._vtn.directory
        if not self._has_told() or known is None or isinstance(message, (m.CreatedEvent, *ANSWERS)):
            return known
        told, self._told = self._told, ()
        errand_id, self._errand_id = self._errand_id, ""
        news = unproved(known.mailbox, told)
        mailbox = known.mailbox
        if not news and not any(errand.id == errand_id for errand in mailbox.errands):
            return known

        async def note(uow: UnitOfWork) -> Mailbox:
            left = await delivery.heard(uow, known.party.id, mailbox, news, now) if news else mailbox
            return await errands.note_heard(uow, errand_id, left, now)

        mailbox = await self._vtn.store.together(known.party.id, note)
        after = directory.renew(known, standing(known.party, mailbox, now))
        return after or await directory.standing_of(self._peer, now)

    def _has_told(self) -> bool:
        return bool(self._told or self._errand_id)

    async def _operated(self, message: m.Message, known: Standing, now: datetime) -> bytes:
        vtn = self._vtn

        async def work(uow: UnitOfWork) -> Answer:
            asked = Asked(uow=uow, party=known.party, mailbox=known.mailbox, now=now, desk=vtn.desk)
            return await operate(asked, message)

        if isinstance(message, FROM_EVERYBODY_AT_ONCE):
            answer = await vtn.store.together(known.party.id, work)
        else:
            async with vtn.store.unit_of_work() as uow:
                answer = await work(uow)
        if answer.mailbox is not None:
            vtn.directory.renew(known, standing(known.party, answer.mailbox, now))
        if answer.news:
            self._told = answer.news
        if answer.errand_id:
            self._errand_id = answer.errand_id
        for notice in answer.notices:
            vtn.witness(notice)
        return answer.body

    async def _refusal(self, message: m.Message, service: str, known: Standing | None) -> Refusal | None:
        """Who may say this, here, under this name; None if all is well."""
        enrolled = known is not None and known.party.state is PartyState.APPROVED
        if isinstance(message, CLAIMS) and await self._claims_another(message, known):
            return ANOTHER_PARTY if enrolled else NOT_ENROLLED
        if known is None or not enrolled:
            return NOT_ENROLLED
        operation = OPERATIONS.get(type(message))
        if operation is None:
            return NOT_OURS
        if operation[0] != service:
            return WRONG_SERVICE
        if not known.is_registered and not isinstance(message, NEEDS_NO_REGISTRATION):
            return NOT_REGISTERED
        return await self._misnamed(message, known.party.id)

    async def _claims_another(
        self, message: m.CreatePartyRegistration | m.CancelPartyRegistration, known: Standing | None
    ) -> bool:
        """Whether it names what is another certificate's: refused, and an alarm, whoever says it (security T10)."""
        party_id = known.party.id if known is not None else ""
        claimed = await self._vtn.directory.claimed_of_another(
            party_id,
            ven_id=message.ven_id or "",
            name=(message.ven_name or "") if isinstance(message, m.CreatePartyRegistration) else "",
            registration_id=message.registration_id or "",
        )
        if claimed:
            detail = f"{claimed}, by fingerprint {self._peer.fingerprint_20b}"
            self._vtn.witness(Notice(kind="identity claimed", party_id=party_id, detail=detail))
        return bool(claimed)

    async def _misnamed(self, message: m.Message, own_id: str) -> Refusal | None:
        """Every message names its sender, and nobody else (R508, S6).

        Interpretation (R517 against 9.2.1.1): a venID that is nobody's, or is misspelt, is unknown
        (452); one that is another certificate's is refused (463).
        """
        if isinstance(message, m.QueryRegistration):
            return None
        # Every payload that a VEN sends has the element, or has it missing: both are told from being right.
        claimed: str | None = getattr(message, "ven_id", None)
        if claimed == own_id:
            return None
        if not claimed:
            # R402: a new registration names no venID, and empty is as good as none (R46).
            return None if isinstance(message, m.CreatePartyRegistration) else NO_ID
        return ANOTHER_PARTY if await self._vtn.directory.belongs_to_another(claimed) else UNKNOWN_ID

    def _refusal_body(self, message: m.Message, known: Standing | None, refusal: Refusal) -> bytes:
        party_id = known.party.id if known is not None else ""
        self._vtn.witness(Notice(kind="message refused", party_id=party_id, detail=refusal.description))
        return encode(answer_to(message, Scene(vtn_id=self._vtn.desk.vtn_id, ven_id=None), refusal))

    def _idle_body(self, message: m.Poll, known: Standing) -> bytes:
        return encode(answer_to(message, Scene(vtn_id=self._vtn.desk.vtn_id, ven_id=known.party.id)))

    def _note_whereabouts(self, known: Standing, now: datetime) -> None:
        other = self._vtn.whereabouts.heard(self._peer.certificate_sha256, self._network, now)
        if other:
            detail = f"{self._peer.fingerprint_20b} speaks from {self._network} and from {other} by turns"
            self._vtn.witness(Notice(kind="certificate in two networks", party_id=known.party.id, detail=detail))

    def _introduce(self, known: Standing) -> None:
        detail = f"{known.party.name}, fingerprint {self._peer.fingerprint_20b}"
        self._vtn.witness(Notice(kind="party pending", party_id=known.party.id, detail=detail))

    def _refused(self, status: int, reason: str) -> Response:
        self._vtn.witness(Notice(kind="request refused", detail=f"{status} {reason}"))
        return Response(status=status)


def _is_due(known: Standing, now: datetime) -> bool:
    return known.due_at is not None and known.due_at <= now
