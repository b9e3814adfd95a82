"""Parties that sign, at a VTN that judges signatures: what the suites of signed messages drive."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.exchange import Response
from openadr_core.identity import Peer, peer_of
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, envelope_of, read
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.oadr2.xmldsig import Signer, prepare, signed, signer_of, verify
from openadr_core.pki import Authority, Issued, Profile, issue, make_authority, parse_profile
from openadr_vtn.adapters.claims import GroupedClaims
from openadr_vtn.application.handlers.report_views import EPOCH
from openadr_vtn.domain.enrolment import certificate_of
from openadr_vtn.protocols.oadr2_answers import OPERATIONS
from openadr_vtn.protocols.oadr2_signatures import Signatures
from tests.security.forger import Forger, Identity
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import a_party

PROFILES = Path(__file__).resolve().parents[2] / "certs" / "profiles"
WINDOW = timedelta(minutes=5)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate with its key, as the product uses them and as a forger does."""

    issued: Issued
    signer: Signer
    identity: Identity

    @property
    def peer(self) -> Peer:
        return self.issued.peer


@dataclass
class Lab:
    """Authorities and certificates of both kinds; each is made once."""

    now: datetime
    authorities: dict[str, Authority] = field(default_factory=dict)
    made: dict[tuple[str, str], Credentials] = field(default_factory=dict)

    def credentials(self, name: str, kind: str, *, profile: str = "ven") -> Credentials:
        if (name, kind) not in self.made:
            hosts = ("localhost",) if profile == "vtn" else ()
            wanted = _profile(f"openadr-{kind}-{profile}")
            issued = issue(wanted, name, self._authority(kind), self.now, dns_names=hosts)
            self.made[name, kind] = Credentials(
                issued, signer_of(issued.chain_pem, issued.key_pem), Identity.of(issued.chain_pem, issued.key_pem)
            )
        return self.made[name, kind]

    def own(self, name: str, kind: str, chain_pem: bytes, key_pem: bytes) -> Credentials:
        """Credentials that were made elsewhere, under this name from now on."""
        leaf = x509.load_pem_x509_certificates(chain_pem)[0]
        peer = peer_of(leaf.public_bytes(Encoding.DER), subject=leaf.subject.rfc4514_string())
        issued = Issued(certificate_pem=chain_pem, key_pem=key_pem, chain_pem=chain_pem, peer=peer)
        self.made[name, kind] = Credentials(issued, signer_of(chain_pem, key_pem), Identity.of(chain_pem, key_pem))
        return self.made[name, kind]

    def _authority(self, kind: str) -> Authority:
        if kind not in self.authorities:
            root = make_authority("root", _profile(f"openadr-{kind}-root"), self.now)
            self.authorities[kind] = make_authority("ca", _profile(f"openadr-{kind}-ca"), self.now, root)
        return self.authorities[kind]


def _profile(name: str) -> Profile:
    return parse_profile(name, (PROFILES / f"{name}.toml").read_text())


@dataclass
class SigningVen:
    """A party that signs what it says, and believes only answers that the VTN has signed."""

    bench: "SigningBench"
    ven: Ven
    own: Credentials
    party_id: str

    def signed(self, message: m.Message, *, at: datetime | None = None, nonce: str | None = None) -> bytes:
        moment = at or self.bench.vtn.now
        return signed(
            prepare(encode(message)), self.own.signer, sent_at=moment, nonce=nonce or f"ven-{next(self.bench.numbers)}"
        )

    def forger(self, **changes: object) -> Forger:
        forger = Forger(identity=self.own.identity, sent_at=self.bench.vtn.now, nonce=f"f{next(self.bench.numbers)}")
        return replace(forger, **changes)  # type: ignore[arg-type]

    async def post(self, body: bytes, service: str = "OadrPoll") -> Response:
        return await self.ven.post(body, service=service)

    async def say(self, message: m.Message, *, service: str | None = None) -> m.Message:
        answer = await self.post(self.signed(message), service or OPERATIONS[type(message)][0])
        return self.bench.read_signed(answer)

    async def say_unsigned(self, message: m.Message) -> Response:
        return await self.post(encode(message), OPERATIONS[type(message)][0])


@dataclass
class SigningBench:
    """A VTN core over a real store that signs and judges signatures, without a socket."""

    vtn: Bench
    lab: Lab
    numbers: "count[int]" = field(default_factory=count)

    def demand(self, rule: SignatureRule, *, kinds: Sequence[str] = ("ecc", "rsa")) -> None:
        """Restart the VTN under this rule."""
        bench = self.vtn
        signers = {kind: self.lab.credentials("vtn", kind, profile="vtn").signer for kind in kinds}
        security = MessageSecurity(
            signers=signers,  # type: ignore[arg-type]
            claims=GroupedClaims(bench.store),
            clock=lambda: bench.now,
            new_nonce=lambda: f"vtn-{next(self.numbers)}",
            window=WINDOW,
        )
        bench.signatures = Signatures(rule=rule, security=security)
        bench.restart()

    async def add_party(
        self, name: str = "ven-one", kind: str = "ecc", *, rule: SignatureRule | None = None, registered: bool = True
    ) -> SigningVen:
        own = self.lab.credentials(name, kind)
        certificate = certificate_of(own.peer, self.vtn.now)
        party = a_party(self.vtn.now, name, registered=registered, certificates=(certificate,), signatures=rule)
        async with self.vtn.store.unit_of_work() as uow:
            await uow.parties.add(party)
        return SigningVen(bench=self, ven=self.vtn.ven(own.peer), own=own, party_id=party.id)

    def reconnect(self, ven: SigningVen) -> SigningVen:
        """The same party over a new connection, after a restart for instance."""
        return replace(ven, ven=self.vtn.ven(ven.own.peer))

    def read_signed(self, response: Response) -> m.Message:
        """The message in an answer, if the VTN has signed it."""
        assert response.status == 200
        found = verify(envelope_of(response.body, self.vtn.schema, limits=LARGE))
        ours = {made.signer.certificate_sha256 for (name, _), made in self.lab.made.items() if name == "vtn"}
        assert found.holder.certificate_sha256 in ours
        assert found.replay_protect.sent_at == self.vtn.now
        return read(found.signed_object)

    def read(self, response: Response) -> m.Message:
        assert response.status == 200
        return read(envelope_of(response.body, self.vtn.schema, limits=LARGE)[-1])

    def complaints(self) -> list[str]:
        """What was noted about signatures since the last time."""
        found = [notice.detail for notice in self.vtn.notices if notice.kind == "signature refused"]
        self.vtn.notices.clear()
        return found


def code_of(message: m.Message) -> str:
    response = message.response  # type: ignore[union-attr]
    assert isinstance(response, m.EiResponse)
    return response.response_code


async def everything(bench: Bench) -> object:
    """All that a party could have changed."""
    async with bench.store.view() as view:
        parties = await view.parties.all()
        events = [stored.event.id for stored in await view.events.open_first(EPOCH)]
        return (
            parties,
            [await view.deliveries.of_event(event_id) for event_id in events],
            [await view.opts.history(event_id) for event_id in events],
            await view.errands.of_parties([party.id for party in parties]),
            [await view.reports.requests(party.id) for party in parties],
            [await view.reports.offers(party.id) for party in parties],
            await view.audit.newest(10),
        )
