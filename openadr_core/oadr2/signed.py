"""Signed messages, as a transport of either side deals with them: whose word counts, and only once.

A transport that hears bytes asks :func:`openadr_core.oadr2.decode.envelope_of` for the envelope, has it
judged here, reads the message in what was judged, and claims its nonce before it does anything.
One that speaks has its message sealed last of all. Nothing here reads a clock or rolls dice by
itself: both are given.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from openadr_core.errors import Forbidden, SignatureFault
from openadr_core.limits import SIGNATURE_AGE_MAX_S
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2.xmldsig import KeyKind, Prepared, Signer, is_signed, signed, verify
from openadr_core.xml.parse import Element


class Claims(Protocol):
    async def claim(self, key: str, until: datetime) -> bool:
        """Whether nobody has claimed this key before. It stays claimed until then, whoever restarts meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A good signature: who signed, when, and under which nonce."""

    certificate_sha256: str
    sent_at: datetime
    nonce: str

    @property
    def key(self) -> str:
        """What no two messages of one signer have in common."""
        return hashlib.sha256(f"{self.certificate_sha256} {self.nonce}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    signed_object: Element
    """Read the message here, and nowhere else."""
    proof: Proof | None
    """None: by the rule it did not have to be signed, and nobody vouches for it but the channel."""


class MessageSecurity:
    """One side's signatures: what all its transports sign with and judge by."""

    def __init__(
        self,
        *,
        signers: Mapping[KeyKind, Signer],
        claims: Claims,
        clock: Callable[[], datetime],
        new_nonce: Callable[[], str],
        window: timedelta = timedelta(seconds=SIGNATURE_AGE_MAX_S),
    ) -> None:
        """``signers`` holds at least one; ``clock`` tells the time of sending; no two of ``new_nonce`` are alike."""
        self._signers = dict(signers)
        self._claims = claims
        self._clock = clock
        self._new_nonce = new_nonce
        self._window = window

    def renew(self, signers: Mapping[KeyKind, Signer]) -> None:
        """Sign with these from now on."""
        self._signers = dict(signers)

    def seal(self, message: Prepared, kind: KeyKind | None = None) -> bytes:
        """The message as it is sent at this moment: signed by the key of this kind if we have one, else by another."""
        signer = self._signers.get(kind) if kind else None
        signer = signer or next(iter(self._signers.values()))
        return signed(message, signer, sent_at=self._clock(), nonce=self._new_nonce())

    def judge(
        self, envelope: Element, *, rule: SignatureRule, certificates: Collection[str], received_at: datetime
    ) -> Judged:
        """What of a valid envelope may be read, under this rule.

        ``certificates`` are the SHA-256 of those that may sign: of the party at the other end, and of
        no other. SignatureFault for what must not be processed (R514), Forbidden for what somebody
        else signed. Time counts from when the message was received, not from when it is its turn.
        """
        if rule is SignatureRule.OFF or (rule is SignatureRule.ACCEPT and not is_signed(envelope)):
            return Judged(signed_object=envelope[-1], proof=None)
        if not is_signed(envelope):
            raise SignatureFault("the message is not signed", clause="R514")
        found = verify(envelope)
        if found.holder.certificate_sha256 not in certificates:
            raise Forbidden("the certificate of the signature is not the party's")
        certificate = found.holder.certificate
        if not certificate.not_valid_before_utc <= received_at <= certificate.not_valid_after_utc:
            raise SignatureFault("the certificate of the signature has ended or not begun", clause="R516")
        sent_at = found.replay_protect.sent_at
        if abs(received_at - sent_at) > self._window:
            off_s = (received_at - sent_at).total_seconds()
            raise SignatureFault(f"the message was signed {_ago(off_s)}: check both clocks", clause="R514")
        proof = Proof(
            certificate_sha256=found.holder.certificate_sha256, sent_at=sent_at, nonce=found.replay_protect.nonce
        )
        return Judged(signed_object=found.signed_object, proof=proof)

    async def claim(self, proof: Proof | None) -> None:
        """Before the message is acted on: SignatureFault if it, or another under its nonce, came before."""
        if proof is not None and not await self._claims.claim(proof.key, proof.sent_at + self._window):
            raise SignatureFault("the message was sent before (its nonce is used up)", clause="R514")


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds > 0 else f"{-seconds:.0f} s in the future"
