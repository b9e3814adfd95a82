"""Our VEN's whole upstream over a real store, with no socket: it signs, and its VTN as the test tells it to."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from openadr_core.exchange import Request, Response
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2.signed import MessageSecurity
from openadr_core.oadr2.xmldsig import prepare, signed
from openadr_core.shell.datafiles import load_schema
from openadr_ven.adapters.claims import StoredClaims
from openadr_ven.adapters.sql.store import SqlStore
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session
from openadr_ven.protocols.oadr2.speech import Pushed
from openadr_ven.transport.seal import Seal, SealedCarrier, sealed_receiver
from openadr_ven.transport.upstream import Upstream
from tests.security.signing import WINDOW, Credentials, Lab
from tests.ven.protocols.conversation import SETTINGS, of
from tests.ven.protocols.scripted_vtn import ScriptedVtn, read

SECOND = timedelta(seconds=1)
Change = Callable[[bytes], bytes]


@dataclass
class World:
    """Our VEN's whole upstream over a real store, at a VTN that signs as the test tells it to."""

    lab: Lab
    store: SqlStore
    now: datetime
    rule: SignatureRule = SignatureRule.REQUIRE
    vtn: ScriptedVtn = field(default_factory=ScriptedVtn)
    bodies: list[bytes] = field(default_factory=list)
    """What the VEN has sent, as it was on the wire."""
    change: Change | None = None
    """What happens to the VTN's answers after they were signed."""
    signs: bool = True
    clock_off: timedelta = timedelta(0)
    """Of the VTN's clock."""
    nonces: "count[int]" = field(default_factory=count)
    heard: list[i.Indication] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    pushed: bool = False
    pushed_back: list[bytes] = field(default_factory=list)
    """What the VEN has answered to pushes, where a test keeps it."""

    def __post_init__(self) -> None:
        self.own = self.lab.credentials("our-ven", "ecc")
        self.theirs = self.lab.credentials("vtn", "rsa", profile="vtn")
        self.start()

    def start(self, memory: Memory | None = None) -> None:
        address = Pushed(
            address="https://ven.example/x/", vtn_sha256=frozenset({self.theirs.signer.certificate_sha256})
        )
        self.session = Oadr2Session(
            settings=replace(SETTINGS, xml_signature=True, pushed=address if self.pushed else None),
            decode=read, dice=random.Random(1), now=self.now, memory=memory,
        )  # fmt: skip
        security = MessageSecurity(
            signers={self.own.signer.kind: self.own.signer},
            claims=StoredClaims(self.store, window=WINDOW),
            clock=lambda: self.now,
            new_nonce=lambda: f"ven-{next(self.nonces)}",
            window=WINDOW,
        )
        self.seal = Seal(
            security=security, rule=self.rule, certificates={self.theirs.signer.certificate_sha256},
            schema=load_schema(), now=lambda: self.now,
        )  # fmt: skip
        self.upstream = Upstream(
            session=self.session, carrier=SealedCarrier(self, self.seal), listener=self, now=lambda: self.now
        )
        self.receive = sealed_receiver(self.upstream.receive, self.seal, self.complain)

    # -- the VTN -------------------------------------------------------------------------

    async def exchange(self, request: Request) -> Response:
        self.bodies.append(request.body)
        answer = self.vtn.answer(request)
        assert answer is not None
        return replace(answer, body=self.said(answer.body)) if answer.body else answer

    def said(self, body: bytes, *, by: Credentials | None = None) -> bytes:
        """As the VTN puts it on the wire."""
        if self.signs:
            signer = (by or self.theirs).signer
            body = signed(prepare(body), signer, sent_at=self.now + self.clock_off, nonce=f"vtn-{next(self.nonces)}")
        return self.change(body) if self.change is not None else body

    async def push(self, body: bytes, service: str = "EiEvent") -> Response:
        request = Request(
            method="POST", path=f"/x/OpenADR2/Simple/2.0b/{service}", body=body,
            headers={"content-type": "application/xml"},
        )  # fmt: skip
        return await self.receive(request, self.theirs.peer)

    # -- whoever listens -----------------------------------------------------------------

    async def heed(self, indications: Sequence[i.Indication], *, now: datetime) -> bool:
        self.heard.extend(indications)
        for one in of(i.EventReceived, list(indications)):
            self.session.answer(Opt(event_id=one.event.id, version=one.event.version, opt_type=OptType.IN, at=now))
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        assert now == self.now
        self.alarms.append(text)

    async def complain(self, text: str) -> None:
        self.alarms.append(text)

    async def run(self, seconds: int = 6) -> None:
        for _ in range(seconds):
            for _ in range(20):
                if not await self.upstream.step():
                    break
            self.now += SECOND

    @property
    def events(self) -> list[str]:
        return [one.event.id for one in of(i.EventReceived, self.heard)]
