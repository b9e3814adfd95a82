"""What the harness knows of OpenADR 2.0b: names, addresses, the envelope. No decoder.

Interpretation: the envelope is sent even though nothing is signed; the standard's prose allows a bare payload,
and its certification tests refuse one.
"""

from lxml import etree

from openadr_core.oadr2.xmldsig.names import DSP
from openadr_core.xml.parse import Element

SERVICES = ("EiRegisterParty", "EiEvent", "EiReport", "EiOpt", "OadrPoll")
CONTENT_TYPE = "application/xml"

NAMESPACES = {
    "oadr": "http://openadr.org/oadr-2.0b/2012/07",
    "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
    "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
    "emix": "http://docs.oasis-open.org/ns/emix/2011/06",
    "power": "http://docs.oasis-open.org/ns/emix/2011/06/power",
    "scale": "http://docs.oasis-open.org/ns/emix/2011/06/siscale",
    "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
    "strm": "urn:ietf:params:xml:ns:icalendar-2.0:stream",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}

_PAYLOAD_NAME = etree.XPath("local-name(/oadr:oadrPayload/oadr:oadrSignedObject/oadr:*)", namespaces=NAMESPACES)
_RESPONSE_CODE = etree.XPath(
    "string((/oadr:oadrPayload/oadr:oadrSignedObject//ei:eiResponse/ei:responseCode)[1])", namespaces=NAMESPACES
)

_NONCE = etree.XPath(
    "string(/oadr:oadrPayload/ds:Signature/ds:Object//dsp:ReplayProtect/dsp:nonce)",
    namespaces={**NAMESPACES, "dsp": DSP},
)

_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if prefix != "ds")
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<oadr:oadrPayload {declared}>'
    '<oadr:oadrSignedObject oadr:Id="oadrSignedObject">\n{payload}</oadr:oadrSignedObject></oadr:oadrPayload>'
)


def payload_name(root: Element) -> str:
    """The payload's element name; empty if the envelope is not as it should be."""
    return str(_PAYLOAD_NAME(root))


def response_code(root: Element) -> str:
    """The code of the message's own eiResponse; empty if there is none."""
    return str(_RESPONSE_CODE(root))


def nonce(root: Element) -> str:
    """What the message's signature has that no other's may have (2.0b 10.6.4); empty if there is none."""
    return str(_NONCE(root)).strip()


def path_of(service: str) -> str:
    """OpenADR 2.0b 9.1.2: where a service is, below the address that the tester gives."""
    return f"/OpenADR2/Simple/2.0b/{service}"


def envelope(payload: str) -> str:
    """The message around one payload, with the standard's prefixes declared."""
    return _ENVELOPE.format(declared=_DECLARED, payload=payload)
