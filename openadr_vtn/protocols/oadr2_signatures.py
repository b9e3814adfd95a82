"""Which parties sign, by which certificates, and how their messages are judged and answered."""

from dataclasses import dataclass
from datetime import datetime

from openadr_core.identity import Peer
from openadr_core.model.party import Party, PartyState, SignatureRule
from openadr_core.oadr2.signed import Judged, MessageSecurity
from openadr_core.oadr2.xmldsig import KeyKind, Prepared, is_signed, prepare
from openadr_core.xml.parse import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """How a VTN deals with XML signatures.

    What a party says of itself when it registers (``oadrXmlSignature``) decides nothing about what it
    must do: some VENs that sign say false, and one that is not the party could say it too.
    """

    rule: SignatureRule
    """Where the operator has made no other for a party."""
    security: MessageSecurity

    def rule_for(self, party: Party | None) -> SignatureRule:
        return self.rule if party is None or party.signatures is None else party.signatures

    def answers_signed(self, envelope: Element, party: Party | None) -> bool:
        """Who signs, also if badly, is answered so: it may read nothing else."""
        rule = self.rule_for(party)
        return rule is SignatureRule.REQUIRE or (rule is SignatureRule.ACCEPT and is_signed(envelope))

    def speaks_signed(self, party: Party) -> bool:
        """Whether what we begin, a push, is signed: here its own word counts, since it widens nothing."""
        rule = self.rule_for(party)
        said = party.registration is not None and party.registration.xml_signature
        return rule is SignatureRule.REQUIRE or (rule is SignatureRule.ACCEPT and said)

    def judge(self, envelope: Element, peer: Peer, party: Party | None, received_at: datetime) -> Judged:
        """What may be read of a party's message; raises as :meth:`MessageSecurity.judge`.

        The signer is the holder of this connection's certificate, or of one that the operator has
        entered for the same party. Who is not let in is not worth the work: nothing it says is done.
        """
        enrolled = party is not None and party.state is PartyState.APPROVED
        certificates = {peer.certificate_sha256}
        if party is not None:
            certificates |= party.good_sha256
        return self.security.judge(
            envelope,
            rule=self.rule_for(party) if enrolled else SignatureRule.OFF,
            certificates=certificates,
            received_at=received_at,
        )


class Sealing:
    """Signs what is said over one connection; what is said again is canonicalised once."""

    __slots__ = ("_kind", "_prepared", "_security")

    def __init__(self, security: MessageSecurity, kind: KeyKind | None) -> None:
        """``kind`` is that of the certificate that we have shown on this connection, if that is known."""
        self._security = security
        self._kind = kind
        self._prepared: Prepared | None = None

    def seal(self, body: bytes) -> bytes:
        prepared = self._prepared
        if prepared is None or prepared.body != body:
            prepared = self._prepared = prepare(body)
        return self._security.seal(prepared, self._kind)
