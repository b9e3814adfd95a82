"""Bytes of a request's body to vens and resources. Who may say what is told apart by the request's objectType."""

from openadr_core.oadr3.decode import SERVER_MEMBERS, document_of, values_map
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.messages import ResourceRequest, VenRequest

BUSINESS, VEN = "BL", "VEN"
VEN_COLUMNS = SERVER_MEMBERS | {"clientID", "venName", "targets"}
RESOURCE_COLUMNS = SERVER_MEMBERS | {"clientID", "venID", "resourceName", "targets"}
"""What is kept beside the document, and written from there."""


def decode_ven(body: bytes) -> VenRequest:
    """A ven; MalformedMessage or SchemaViolation says what is wrong, and where."""
    members, text = parse_object(body)
    ven = Fields.of(members, "")
    by_business = _is_by_business(ven, "VEN_REQUEST")
    return VenRequest(
        by_business=by_business,
        client_id=ven.required("clientID", ven.name) if by_business else None,
        name=ven.required("venName", ven.name),
        targets=ven.names("targets") if by_business else (),
        attributes=tuple(values_map(attribute) for attribute in ven.objects("attributes")),
        document=document_of(text, VEN_COLUMNS),
    )


def decode_resource(body: bytes) -> ResourceRequest:
    """A resource; MalformedMessage or SchemaViolation says what is wrong, and where.

    Interpretation: editions of 3.1 differ in whether business logic says the clientID and a VEN the venID. Both
    follow from the ven and from the token, so neither is missed.
    """
    members, text = parse_object(body)
    resource = Fields.of(members, "")
    by_business = _is_by_business(resource, "RESOURCE_REQUEST")
    ven_id = resource.required if by_business else resource.optional
    return ResourceRequest(
        by_business=by_business,
        client_id=resource.optional("clientID", resource.name) if by_business else None,
        ven_id=ven_id("venID", resource.identifier),
        name=resource.required("resourceName", resource.name),
        targets=resource.names("targets") if by_business else (),
        attributes=tuple(values_map(attribute) for attribute in resource.objects("attributes")),
        document=document_of(text, RESOURCE_COLUMNS),
    )


def _is_by_business(request: Fields, kind: str) -> bool:
    words = {f"{BUSINESS}_{kind}": True, f"{VEN}_{kind}": False}
    said = request.required("objectType", request.text)
    if said not in words:
        raise request.wrong("objectType", f"must be {' or '.join(words)}")
    return words[said]
