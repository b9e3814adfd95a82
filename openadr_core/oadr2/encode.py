"""Messages into bytes of the wire: always in the envelope, always with schemaVersion, in schema order.

Written as text, not through a tree: seven times faster, and the shape of a payload is seen at
a glance. Strict in what it writes: UTC with ``Z``, whole seconds in durations, no dtstart in
event intervals (R103), no schemaLocation (R45).
"""

from collections.abc import Callable, Sequence
from typing import Any

from openadr_core.oadr2 import encode_events, encode_reports
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.names import PREFIXES
from openadr_core.oadr2.writing import element, optional, payload, write_response
from openadr_core.xml.fields import boolean_text, duration_text

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><oadr:oadrPayload '
    + " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in PREFIXES.items())
    + '><oadr:oadrSignedObject oadr:Id="oadrSignedObject">'
)
_TAIL = "</oadr:oadrSignedObject></oadr:oadrPayload>"


def encode(message: m.Message) -> bytes:
    """The whole oadrPayload, unsigned, as UTF-8."""
    return envelope(_WRITERS[type(message)](message))


def encode_distribute_event(message: m.DistributeEvent, fragments: Sequence[str]) -> bytes:
    """A DistributeEvent whose events were written before, by :func:`encode_event`; ``message.events`` is not read."""
    return envelope(encode_events.distribute_event(message, fragments))


def encode_event(event: m.Event) -> str:
    """One oadrEvent as text, to be kept for as long as nothing in it changes."""
    return encode_events.event(event)


def envelope(inner: str) -> bytes:
    """The payload's text in its envelope (E1)."""
    return f"{_HEAD}{inner}{_TAIL}".encode()


def _query_registration(message: m.QueryRegistration) -> str:
    return payload("oadrQueryRegistration", element("pyld:requestID", message.request_id))


def _create_party_registration(message: m.CreatePartyRegistration) -> str:
    pull = message.http_pull_model
    return payload(
        "oadrCreatePartyRegistration",
        element("pyld:requestID", message.request_id),
        optional("ei:registrationID", message.registration_id),
        optional("ei:venID", message.ven_id),
        element("oadr:oadrProfileName", message.profile_name),
        element("oadr:oadrTransportName", message.transport_name),
        optional("oadr:oadrTransportAddress", message.transport_address),
        element("oadr:oadrReportOnly", boolean_text(message.report_only)),
        element("oadr:oadrXmlSignature", boolean_text(message.xml_signature)),
        optional("oadr:oadrVenName", message.ven_name),
        optional("oadr:oadrHttpPullModel", None if pull is None else boolean_text(pull)),
    )


def _created_party_registration(message: m.CreatedPartyRegistration) -> str:
    frequency = message.requested_poll_freq
    profiles = "".join(
        "<oadr:oadrProfile>"
        + element("oadr:oadrProfileName", profile.profile_name)
        + "<oadr:oadrTransports>"
        + "".join(
            f"<oadr:oadrTransport>{element('oadr:oadrTransportName', name)}</oadr:oadrTransport>"
            for name in profile.transport_names
        )
        + "</oadr:oadrTransports></oadr:oadrProfile>"
        for profile in message.profiles
    )
    return payload(
        "oadrCreatedPartyRegistration",
        write_response(message.response),
        optional("ei:registrationID", message.registration_id),
        optional("ei:venID", message.ven_id),
        element("ei:vtnID", message.vtn_id),
        f"<oadr:oadrProfiles>{profiles}</oadr:oadrProfiles>",
        ""
        if frequency is None
        else f"<oadr:oadrRequestedOadrPollFreq><xcal:duration>{duration_text(frequency)}</xcal:duration>"
        "</oadr:oadrRequestedOadrPollFreq>",
    )


def _cancel_party_registration(message: m.CancelPartyRegistration) -> str:
    return payload(
        "oadrCancelPartyRegistration",
        element("pyld:requestID", message.request_id),
        element("ei:registrationID", message.registration_id),
        optional("ei:venID", message.ven_id),
    )


def _canceled_party_registration(message: m.CanceledPartyRegistration) -> str:
    return payload(
        "oadrCanceledPartyRegistration",
        write_response(message.response),
        optional("ei:registrationID", message.registration_id),
        optional("ei:venID", message.ven_id),
    )


def _request_reregistration(message: m.RequestReregistration) -> str:
    return payload("oadrRequestReregistration", element("ei:venID", message.ven_id))


def _poll(message: m.Poll) -> str:
    return payload("oadrPoll", element("ei:venID", message.ven_id))


def _response(message: m.Response) -> str:
    return payload("oadrResponse", write_response(message.response), optional("ei:venID", message.ven_id))


def _created_opt(message: m.CreatedOpt) -> str:
    return payload("oadrCreatedOpt", write_response(message.response), element("ei:optID", message.opt_id))


def _cancel_opt(message: m.CancelOpt) -> str:
    return payload(
        "oadrCancelOpt",
        element("pyld:requestID", message.request_id),
        element("ei:optID", message.opt_id),
        element("ei:venID", message.ven_id),
    )


def _canceled_opt(message: m.CanceledOpt) -> str:
    return payload("oadrCanceledOpt", write_response(message.response), optional("ei:optID", message.opt_id))


# A union cannot be the key's type of its own value; each row is checked by the round-trip test of its payload.
_WRITERS: dict[type[Any], Callable[[Any], str]] = {
    m.QueryRegistration: _query_registration,
    m.CreatePartyRegistration: _create_party_registration,
    m.CreatedPartyRegistration: _created_party_registration,
    m.CancelPartyRegistration: _cancel_party_registration,
    m.CanceledPartyRegistration: _canceled_party_registration,
    m.RequestReregistration: _request_reregistration,
    m.Poll: _poll,
    m.Response: _response,
    m.RequestEvent: encode_events.request_event,
    m.DistributeEvent: encode_events.distribute_event,
    m.CreatedEvent: encode_events.created_event,
    m.CreateOpt: encode_events.create_opt,
    m.CreatedOpt: _created_opt,
    m.CancelOpt: _cancel_opt,
    m.CanceledOpt: _canceled_opt,
    m.RegisterReport: encode_reports.register_report,
    m.RegisteredReport: encode_reports.registered_report,
    m.CreateReport: encode_reports.create_report,
    m.CreatedReport: encode_reports.created_report,
    m.UpdateReport: encode_reports.update_report,
    m.UpdatedReport: encode_reports.updated_report,
    m.CancelReport: encode_reports.cancel_report,
    m.CanceledReport: encode_reports.canceled_report,
}
