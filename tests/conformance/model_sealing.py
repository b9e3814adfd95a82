"""How a model signs, and what it believes; each of its bad habits is one way of signing or believing badly."""

import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from conformance.client.sealing import LONG_AGO, Sealing
from conformance.vtn.foreign import foreign_chain
from openadr_core.errors import MalformedMessage, SignatureFault
from openadr_core.oadr2.xmldsig import Signer, is_signed, prepare, signed, signer_of, verify
from openadr_core.shell.tls import Chain
from openadr_core.xml.parse import Element, parse

FOLDER = tempfile.TemporaryDirectory()
WINDOW = timedelta(minutes=5)


@cache
def chain(name: str) -> Chain:
    """Made once, since keys take their time."""
    return foreign_chain(Path(FOLDER.name, name))


@cache
def signer(name: str) -> Signer:
    return signer_of(chain(name).certificate.read_bytes(), chain(name).key.read_bytes())


def harness_sealing(utc: Callable[[], datetime]) -> Sealing:
    return Sealing(chain("vtn"), another=chain("another"), utc=utc)


@dataclass(slots=True, kw_only=True)
class ModelSeal:
    """Signs all that the model says, and opens what it is told."""

    utc: Callable[[], datetime]
    habits: frozenset[str]
    peer: str = "vtn"
    """Whose signatures it believes."""
    nonces: set[str] = field(default_factory=set)

    def sealed(self, body: bytes) -> bytes:
        if "signs nothing" in self.habits or b"<oadr:oadrSignedObject" not in body:
            return body
        who = signer("another" if "signs as another" in self.habits else "ven")
        sent_at = self.utc() - (LONG_AGO if "signs as of yesterday" in self.habits else timedelta())
        nonce = "1" if "knows one nonce" in self.habits else uuid.uuid4().hex
        sealed = signed(prepare(body), who, sent_at=sent_at, nonce=nonce)
        end = b"</oadr:oadrSignedObject>"
        return sealed.replace(end, b" " + end) if "changes what is signed" in self.habits else sealed

    def believes(self, body: bytes) -> bool:
        """2.0b 10.6: signed well, by its peer, lately, for the first time; what is no message is not judged here."""
        try:
            root = parse(body)
        except MalformedMessage:
            return True
        wrong = self._wrong(root)
        return not wrong or not self.habits.isdisjoint({"believes anything", f"believes {wrong}"})

    def _wrong(self, root: Element) -> str:
        if not is_signed(root):
            return "what is unsigned"
        try:
            found = verify(root)
        except SignatureFault as fault:
            return "what is wrapped" if "second" in str(fault) else "what was changed"
        protect = found.replay_protect
        if found.holder.certificate_sha256 != signer(self.peer).certificate_sha256:
            return "anybody"
        if protect.nonce in self.nonces:
            return "what came before"
        self.nonces.add(protect.nonce)
        return "" if abs(self.utc() - protect.sent_at) < WINDOW else "what is old"
