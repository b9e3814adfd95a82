"""How a model VTN's answers are spoilt for one procedure alone: a pattern in them, and what stands there instead.

Or, where one answer depends on another: what makes a function that spoils them.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from conformance.vtn.foreign import foreign_chain
from openadr_core.oadr2.xmldsig import Signer, prepare, signed, signer_of

from .model_vtn import Asked, Reply

Spoil = Callable[[Asked, Reply], Reply]


def told_again(pattern: bytes) -> Callable[[], Spoil]:
    """What the pattern is in comes for ever, instead of oadrResponse."""

    def spoilt() -> Spoil:
        told = [b""]

        def spoil(_: Asked, reply: Reply) -> Reply:
            if re.search(pattern, reply.body):
                told[0] = reply.body
            return replace(reply, body=told[0]) if told[0] and b"<oadr:oadrResponse" in reply.body else reply

        return spoil

    return spoilt


ODD = ("</ei:eiTarget>", "</ei:eiTarget><ei:odd/>")
"""No message with an event in it is valid any more."""
NO_EVENTS = ("oadrDistributeEvent", "oadrCanceledOpt")
NO_LENGTH = ("PT0S", "PT9S")


def answering(said: bytes, pattern: bytes, replacement: bytes) -> Callable[[], Spoil]:
    """Only in answers to what has this in it."""

    def spoil(asked: Asked, reply: Reply) -> Reply:
        if said not in asked.request.body:
            return reply
        return replace(reply, body=re.sub(pattern, replacement, reply.body))

    return lambda: spoil


def resigned(*, by: Callable[[Asked], Signer] = lambda asked: asked.signer, ago_s: int = 0, nonce: str = "") -> Spoil:
    """What was signed is signed by somebody else, at another time, or with a nonce that is always the same."""

    def spoil(asked: Asked, reply: Reply) -> Reply:
        unsigned = re.sub(b"<ds:Signature.*</ds:Signature>", b"", reply.body, flags=re.DOTALL)
        if unsigned == reply.body:
            return reply
        sent_at = datetime.now(UTC) - timedelta(seconds=ago_s)
        return replace(reply, body=signed(prepare(unsigned), by(asked), sent_at=sent_at, nonce=nonce or uuid4().hex))

    return spoil


def somebody(_: Asked) -> Signer:
    with TemporaryDirectory() as folder:
        chain = foreign_chain(Path(folder))
        return signer_of(chain.certificate.read_bytes(), chain.key.read_bytes())


SPOILT_IN: dict[str, tuple[tuple[str, str] | Callable[[], Spoil], ...]] = {
    "event-modified": (
        ODD,
        NO_EVENTS,
        ("Number>1<", "Number>4<"),
        ("<ei:value>2<", "<ei:value>1<"),
        ("PT900S", "PT600S"),
        ("(<oadr:oadrEvent>.*?</oadr:oadrEvent>)", r"\1\1"),
        ("Code>450<", "Code>200<"),
        ("Code>200(?=.*oadrResponse>)", "Code>454"),
        told_again(b"Number>1<"),
    ),
    "event-price": (
        ODD,
        ("3.14", "3.15"),
        (">USD<", ">EUR<"),
        (">none<", ">k<"),
        (">SIMPLE<", ">ENERGY_PRICE<"),
        (">s2<", ">s1<"),
    ),
    "event-setpoint": (
        ODD,
        (">setpoint<", ">delta<"),
        (">W<", ">VA<"),
        (">k<", ">M<"),
        ("power:hertz", "power:odd"),
        ("<xcal:text>1<", "<xcal:text>2<"),
        ("PT300S", "PT301S"),
        ("<ei:interval>", "<ei:interval><xcal:dtstart/>"),
        (">125<", ">126<"),
    ),
    "event-details": (
        ODD,
        NO_EVENTS,
        ("priority>3<", "priority>0<"),
        ("testEvent>true<", "testEvent>false<"),
        ("A rehearsal.", "Nothing."),
        ("PT120S", "PT0S"),
        ("PT240S", "PT0S"),
        ("(?<=<ei:x-eiNotification><xcal:duration>)PT3600S", "PT0S"),
        ("(?<=<ei:x-eiRecovery><xcal:duration>)PT600S", "PT0S"),
        (">never<", ">always<"),
        told_again(b">never<"),
    ),
    "event-open-ended": (
        ODD,
        NO_LENGTH,
        ("(?<=<ei:interval><xcal:duration><xcal:duration>)PT0S", "PT1S"),
    ),
    "event-order": (
        ODD,
        ("(<oadr:oadrEvent>.*?</oadr:oadrEvent>)(<oadr:oadrEvent>.*?</oadr:oadrEvent>)", r"\2\1"),
        ("(<oadr:oadrEvent>.*</oadr:oadrEvent>)(<oadr:oadrEvent>.*?</oadr:oadrEvent>)", r"\2\1"),
        ("(<oadr:oadrEvent>.*</oadr:oadrEvent>)", r"\1\1"),
        ("(?<=<ei:eventID>)(?=(?:(?!<ei:eventID>).)*$)", "x"),
        (">active<", ">far<"),
        ("<ei:value>3.0<", "<ei:value>0<"),
    ),
    "event-status": (
        ODD,
        (">far<", ">near<"),
        (">near<", ">active<"),
        ("Number>0<", "Number>1<"),
    ),
    "registration-ended-by-operator": (
        ("</oadr:oadrCancelP", "<ei:odd/></oadr:oadrCancelP"),
        ("oadrCancelPartyRegistration ", "oadrRequestReregistration "),
        ("Ven-enrolled(?=.*oadrCancelParty)", "Ven-other"),
        ("(oadrCancelPartyRegistration.*)Reg-1", r"\1Reg-2"),
        answering(b"oadrCanceledPartyRegistration ", b"oadrResponse", b"oadrCanceledOpt"),
        ("Code>200(?=.*oadrResponse>)", "Code>454"),
        ("Code>463", "Code>452"),
    ),
    "report-requested": (
        ("</oadr:oadrCreateReport", "<ei:odd/></oadr:oadrCreateReport"),
        ("</oadr:oadrUpdatedReport", "<ei:odd/></oadr:oadrUpdatedReport"),
        ("oadrCreateReport", "oadrCancelReport"),
        ("oadrUpdatedReport", "oadrCanceledReport"),
        ("Ven-enrolled(?=.*oadrCreateReport)", "Ven-other"),
        ("rr-", "ss-"),
        ("site_usage(?=.*oadrCreateReport)", "site_other"),
        ("site_power(?=.*oadrCreateReport)", "site_other"),
        ("PT20S", "PT10S"),
        ("PT40S", "PT10S"),
        answering(b"oadrCreatedReport ", b"oadrResponse", b"oadrCanceledOpt"),
        ("Code>200(?=.*oadrResponse>)", "Code>454"),
        ("Code>200(?=.*oadrUpdatedReport>)", "Code>454"),
        ("requestID>req-(?=.*oadrUpdatedReport>)", "requestID>other-"),
        ("Code>45[24]", "Code>200"),
    ),
    "report-cancelled": (
        ("</oadr:oadrCancelReport", "<ei:odd/></oadr:oadrCancelReport"),
        ("oadrCancelReport", "oadrCreateReport"),
        ("rr-(?=.*oadrCancelReport)", "ss-"),
        (">true<", ">false<"),
        (">false<", ">true<"),
        answering(b"oadrCanceledReport ", b"oadrResponse", b"oadrCanceledOpt"),
        ("Code>200(?=.*oadrResponse>)", "Code>454"),
        ("Code>200(?=.*oadrUpdatedReport>)", "Code>454"),
    ),
    "queue": (
        ("</oadr:oadrCreateReport", "<ei:odd/></oadr:oadrCreateReport"),
        (">METADATA<", ">OTHER<"),
        ("rr-", "ss-"),
        ("oadrRequestReregistration", "oadrCancelPartyRegistration"),
        answering(b"<ei:registrationID>", b"Code>200", b"Code>454"),
    ),
    "signatures": (
        ("</oadr:oadrDistributeEvent>", "<ei:odd/></oadr:oadrDistributeEvent>"),
        ("(?<=Code>)459", "200"),
        ("(?<=Code>)200(?=.*oadrDistributeEvent>)", "454"),
        lambda: lambda _, reply: replace(reply, status=202) if b"<ds:" in reply.body else reply,
        lambda: resigned(by=somebody),
        lambda: resigned(ago_s=3600),
        lambda: resigned(ago_s=-3600),
        lambda: resigned(nonce="1"),
    ),
    "signatures-required": (
        ("(?<=Code>)459", "200"),
        ("(?<=Code>)200(?=.*oadrDistributeEvent>)", "454"),
    ),
}
