"""How a model VTN's answers are spoilt in whom they say an event is for, and in who is told of it."""

from collections.abc import Callable
from dataclasses import replace

from conformance.client.steps import Identity

from .model_vtn import Asked, Reply
from .spoilt_in import NO_EVENTS, ODD, Spoil, answering

BOTH_SWAPPED = ("(<oadr:oadrEvent>.*?</oadr:oadrEvent>)(<oadr:oadrEvent>.*?</oadr:oadrEvent>)", r"\2\1")
ALL_BUT_LAST_MOVED = ("(<oadr:oadrEvent>.*</oadr:oadrEvent>)(<oadr:oadrEvent>.*?</oadr:oadrEvent>)", r"\2\1")
ALL_TWICE = ("(<oadr:oadrEvent>.*</oadr:oadrEvent>)", r"\1\1")
LAST_NAMED_OTHERWISE = ("(?<=<ei:eventID>)(?=(?:(?!<ei:eventID>).)*$)", "x")
ITS_OWN = "(?=</ei:venID></ei:eiTarget>)"
PRECONFIGURED = b"</ei:venID>\n  <oadr:oadrProfileName>"


def told_everybody() -> Spoil:
    """What the first party is told of events, the second is told too."""
    told = [b""]

    def spoil(asked: Asked, reply: Reply) -> Reply:
        if asked.party == Identity.ENROLLED and b"<oadr:oadrDistributeEvent" in reply.body:
            told[0] = reply.body
        wanted = b"oadrPoll " in asked.request.body or b"oadrRequestEvent " in asked.request.body
        return replace(reply, body=told[0]) if asked.party == Identity.OTHER and told[0] and wanted else reply

    return spoil


def wider(element: str) -> tuple[str, str]:
    """A venID beside what is meant."""
    return f"</ei:{element}></ei:eiTarget>", f"</ei:{element}><ei:venID>Ven-enrolled</ei:venID></ei:eiTarget>"


SPOILT_TARGETS: dict[str, tuple[tuple[str, str] | Callable[[], Spoil], ...]] = {
    "registration-preconfigured": (
        ("<oadr:oadrProfiles>", "<ei:odd/><oadr:oadrProfiles>"),
        answering(PRECONFIGURED, b"oadrCreatedPartyReg", b"oadrCanceledPartyReg"),
        answering(PRECONFIGURED, b"Code>200", b"Code>454"),
        answering(PRECONFIGURED, b"Ven-enrolled", b"Ven-v"),
        answering(PRECONFIGURED, b"Reg-\\d", b""),
        answering(b"oadrPoll ", b"oadrRegisterReport", b"oadrRequestReregistration"),
        answering(b"Ven-enrolled-not", b"<ei:vtnID>", b"<ei:venID>Ven-enrolled-not</ei:venID><ei:vtnID>"),
    ),
    "event-group": (
        ODD,
        NO_EVENTS,
        (">north<", ">south<"),
        (">feeder-7<", ">feeder-8<"),
        wider("groupID"),
        told_everybody,
        answering(b"oadrCreatedEvent ", b"oadrResponse", b"oadrCanceledOpt"),
        ("Code>452<", "Code>200<"),
        answering(b"oadrCreatedEvent ", b"Code>200<", b"Code>454<"),
    ),
    "event-party": (
        ODD,
        NO_EVENTS,
        (">account-1<", ">account-2<"),
        ("Code>200(?=.*oadrDistributeEvent>)", "Code>454"),
        told_everybody,
    ),
    "event-resources": (
        ODD,
        NO_EVENTS,
        (">heater-2<", ">heater-3<"),
        wider("resourceID"),
        ("3.14", "3.15"),
        (">USD<", ">EUR<"),
        told_everybody,
    ),
    "event-device-class": (
        ODD,
        (">Storage<", ">Sauna<"),
        ("</power:endDeviceAsset></ei:eiTarget>", "</power:endDeviceAsset><ei:groupID>g</ei:groupID></ei:eiTarget>"),
        ("<ei:signalName>ELEC", "<ei:eiTarget/><ei:signalName>ELEC"),
        (f"Ven-enrolled{ITS_OWN}", "Ven-other"),
    ),
    "event-contexts": (
        ODD,
        ("other.test", "market.test"),
        ("other.test(?!.*other.test)", "third.test"),
        BOTH_SWAPPED,
        ALL_BUT_LAST_MOVED,
        ALL_TWICE,
        LAST_NAMED_OTHERWISE,
    ),
    "event-everybody": (
        ODD,
        LAST_NAMED_OTHERWISE,
        (f"Ven-enrolled{ITS_OWN}", "Ven-other"),
        (f"Ven-other{ITS_OWN}", "Ven-enrolled"),
        told_everybody,
    ),
}
