"""Bytes of the wire into messages: through the gate, through the schema, into values.

Read liberally what peers are known to write (openleadr's dtstart in event intervals, a missing
x-eiNotification); what the schema refuses is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass

from openadr_core.errors import SchemaViolation
from openadr_core.limits import XML_BODY_MAX_BYTES, XML_MARKUP_MAX, XML_REPORT_BODY_MAX_BYTES, XML_REPORT_MARKUP_MAX
from openadr_core.oadr2 import decode_events, decode_reports
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.parts import child, clark, maybe_child, read_response, required, text
from openadr_core.xml.fields import boolean_of, duration_of, text_of, token_of
from openadr_core.xml.parse import Element, parse
from openadr_core.xml.validate import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one message may be."""

    max_bytes: int = XML_BODY_MAX_BYTES
    max_markup: int = XML_MARKUP_MAX


PLAIN = Limits()
LARGE = Limits(max_bytes=XML_REPORT_BODY_MAX_BYTES, max_markup=XML_REPORT_MARKUP_MAX)
"""For reports, and for what a VTN tells of all its events at once."""

_ENVELOPE = clark("oadr:oadrPayload")


def decode(body: bytes, schema: Schema, *, limits: Limits = PLAIN) -> m.Message:
    """The message in ``body``, whether it is signed or not.

    Raises :class:`MalformedMessage` for bytes that are no XML of ours, :class:`SchemaViolation`
    for XML that the 2.0b schema refuses.
    """
    return read(envelope_of(body, schema, limits=limits)[-1])


def envelope_of(body: bytes, schema: Schema, *, limits: Limits = PLAIN) -> Element:
    """The valid ``oadrPayload`` in ``body``, of which nothing is believed yet; raises as :func:`decode` does."""
    root = parse(body, max_bytes=limits.max_bytes, max_markup=limits.max_markup)
    if root.tag != _ENVELOPE:
        # A schema has no say in which of its elements is the root: bare payloads, and mere parts, would pass it.
        raise SchemaViolation("the root must be oadrPayload", clause="E1")
    schema.validate(root)
    return root


def read(signed_object: Element) -> m.Message:
    """The message in an ``oadrSignedObject`` of a valid envelope."""
    payload = signed_object[0]
    reader = _READERS.get(payload.tag)
    if reader is None:
        raise SchemaViolation("not one of the 23 payloads", clause="E1")
    return reader(payload)


def _query_registration(payload: Element) -> m.QueryRegistration:
    return m.QueryRegistration(request_id=required(payload, "pyld:requestID"))


def _create_party_registration(payload: Element) -> m.CreatePartyRegistration:
    pull = maybe_child(payload, "oadr:oadrHttpPullModel")
    return m.CreatePartyRegistration(
        request_id=required(payload, "pyld:requestID"),
        registration_id=text(payload, "ei:registrationID"),
        ven_id=text(payload, "ei:venID"),
        profile_name=token_of(child(payload, "oadr:oadrProfileName")),
        transport_name=token_of(child(payload, "oadr:oadrTransportName")),
        transport_address=text(payload, "oadr:oadrTransportAddress"),
        report_only=boolean_of(child(payload, "oadr:oadrReportOnly")),
        xml_signature=boolean_of(child(payload, "oadr:oadrXmlSignature")),
        ven_name=text(payload, "oadr:oadrVenName"),
        http_pull_model=None if pull is None else boolean_of(pull),
    )


def _created_party_registration(payload: Element) -> m.CreatedPartyRegistration:
    frequency = maybe_child(payload, "oadr:oadrRequestedOadrPollFreq")
    return m.CreatedPartyRegistration(
        response=read_response(payload),
        registration_id=text(payload, "ei:registrationID"),
        ven_id=text(payload, "ei:venID"),
        vtn_id=required(payload, "ei:vtnID"),
        profiles=tuple(
            m.Profile(
                profile_name=token_of(child(profile, "oadr:oadrProfileName")),
                transport_names=tuple(token_of(name) for name in profile.iter(clark("oadr:oadrTransportName"))),
            )
            for profile in child(payload, "oadr:oadrProfiles")
        ),
        requested_poll_freq=None if frequency is None else duration_of(frequency[0]),
    )


def _cancel_party_registration(payload: Element) -> m.CancelPartyRegistration:
    return m.CancelPartyRegistration(
        request_id=required(payload, "pyld:requestID"),
        registration_id=required(payload, "ei:registrationID"),
        ven_id=text(payload, "ei:venID"),
    )


def _canceled_party_registration(payload: Element) -> m.CanceledPartyRegistration:
    return m.CanceledPartyRegistration(
        response=read_response(payload),
        registration_id=text(payload, "ei:registrationID"),
        ven_id=text(payload, "ei:venID"),
    )


def _request_reregistration(payload: Element) -> m.RequestReregistration:
    return m.RequestReregistration(ven_id=required(payload, "ei:venID"))


def _poll(payload: Element) -> m.Poll:
    return m.Poll(ven_id=text_of(payload[0]))


def _response(payload: Element) -> m.Response:
    return m.Response(response=read_response(payload), ven_id=text(payload, "ei:venID"))


def _created_opt(payload: Element) -> m.CreatedOpt:
    return m.CreatedOpt(response=read_response(payload), opt_id=required(payload, "ei:optID"))


def _cancel_opt(payload: Element) -> m.CancelOpt:
    return m.CancelOpt(
        request_id=required(payload, "pyld:requestID"),
        opt_id=required(payload, "ei:optID"),
        ven_id=required(payload, "ei:venID"),
    )


def _canceled_opt(payload: Element) -> m.CanceledOpt:
    return m.CanceledOpt(response=read_response(payload), opt_id=text(payload, "ei:optID"))


_BY_NAME: dict[str, Callable[[Element], m.Message]] = {
    "oadrQueryRegistration": _query_registration,
    "oadrCreatePartyRegistration": _create_party_registration,
    "oadrCreatedPartyRegistration": _created_party_registration,
    "oadrCancelPartyRegistration": _cancel_party_registration,
    "oadrCanceledPartyRegistration": _canceled_party_registration,
    "oadrRequestReregistration": _request_reregistration,
    "oadrPoll": _poll,
    "oadrResponse": _response,
    "oadrRequestEvent": decode_events.request_event,
    "oadrDistributeEvent": decode_events.distribute_event,
    "oadrCreatedEvent": decode_events.created_event,
    "oadrCreateOpt": decode_events.create_opt,
    "oadrCreatedOpt": _created_opt,
    "oadrCancelOpt": _cancel_opt,
    "oadrCanceledOpt": _canceled_opt,
    "oadrRegisterReport": decode_reports.register_report,
    "oadrRegisteredReport": decode_reports.registered_report,
    "oadrCreateReport": decode_reports.create_report,
    "oadrCreatedReport": decode_reports.created_report,
    "oadrUpdateReport": decode_reports.update_report,
    "oadrUpdatedReport": decode_reports.updated_report,
    "oadrCancelReport": decode_reports.cancel_report,
    "oadrCanceledReport": decode_reports.canceled_report,
}
_READERS = {clark(f"oadr:{name}"): reader for name, reader in _BY_NAME.items()}
