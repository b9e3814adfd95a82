"""Writers of the parts that several 2.0b payloads share."""

from lxml import etree

from openadr_core.errors import LocalProtocolError, MalformedMessage
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES, XML_REPORT_MARKUP_MAX
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.names import ATOM, GML, UNIT_PREFIX, WITH_POWER_ATTRIBUTES
from openadr_core.xml.fields import boolean_text, escape, float_text
from openadr_core.xml.parse import parse


def element(name: str, text: str) -> str:
    """``<name>text</name>``, the text escaped."""
    return f"<{name}>{escape(text)}</{name}>"


def optional(name: str, text: str | None) -> str:
    """The element, or nothing for None."""
    return "" if text is None else element(name, text)


def payload(name: str, *inner: str) -> str:
    """A payload with the schemaVersion that all of them carry (R509)."""
    return f'<oadr:{name} ei:schemaVersion="2.0b">{"".join(inner)}</oadr:{name}>'


def write_response(response: m.EiResponse) -> str:
    return (
        "<ei:eiResponse>"
        + element("ei:responseCode", response.response_code)
        + optional("ei:responseDescription", response.response_description)
        + element("pyld:requestID", response.request_id)
        + "</ei:eiResponse>"
    )


def write_target(name: str, target: m.Target) -> str:
    """An EiTargetType under the given name, kinds in schema order."""
    return (
        f"<{name}>"
        + _wrapped("power:aggregatedPnode", "power:node", target.aggregated_pnodes)
        + _wrapped("power:endDeviceAsset", "power:mrid", target.end_device_assets)
        + _wrapped("power:meterAsset", "power:mrid", target.meter_assets)
        + _wrapped("power:pnode", "power:node", target.pnodes)
        + "".join(_area("emix:serviceArea", positions) for positions in target.service_areas)
        + _wrapped("power:serviceDeliveryPoint", "power:node", target.service_delivery_points)
        + "".join(_area("power:serviceLocation", positions) for positions in target.service_locations)
        + "".join(map(_transport_interface, target.transport_interfaces))
        + "".join(element("ei:groupID", text) for text in target.group_ids)
        + "".join(element("ei:groupName", text) for text in target.group_names)
        + "".join(element("ei:resourceID", text) for text in target.resource_ids)
        + "".join(element("ei:venID", text) for text in target.ven_ids)
        + "".join(element("ei:partyID", text) for text in target.party_ids)
        + f"</{name}>"
    )


def write_unit(unit: m.Unit | None) -> str:
    """The element that stands for itemBase; nothing for None."""
    if unit is None:
        return ""
    prefix = UNIT_PREFIX[unit.name]
    text = element(f"{prefix}:itemDescription", unit.description) + element(f"{prefix}:itemUnits", unit.units)
    if unit.name == "pulseCount":
        text += element("oadr:pulseFactor", float_text(unit.pulse_factor or 0.0))
    else:
        text += element("scale:siScaleCode", unit.si_scale_code)
    if unit.name in WITH_POWER_ATTRIBUTES and unit.attributes is not None:
        text += (
            "<power:powerAttributes>"
            + element("power:hertz", unit.attributes.hertz)
            + element("power:voltage", unit.attributes.voltage)
            + element("power:ac", boolean_text(unit.attributes.ac))
            + "</power:powerAttributes>"
        )
    return f"<{prefix}:{unit.name}>{text}</{prefix}:{unit.name}>"


def write_feed(name: str, feed: str) -> str:
    """An ``atom:feed`` of Green Button data under the given name; LocalProtocolError for a text that is none."""
    try:
        root = parse(feed.encode(), max_bytes=XML_REPORT_BODY_MAX_BYTES, max_markup=XML_REPORT_MARKUP_MAX)
    except MalformedMessage as error:
        raise LocalProtocolError(f"Green Button data: {error}") from None
    if root.tag != f"{{{ATOM}}}feed":
        raise LocalProtocolError("Green Button data is one atom:feed")
    return f"<{name}>{etree.tostring(root, encoding='unicode')}</{name}>"


def write_payload_float(value: float) -> str:
    return f"<ei:payloadFloat><ei:value>{float_text(value)}</ei:value></ei:payloadFloat>"


def _wrapped(outer: str, inner: str, texts: tuple[str, ...]) -> str:
    return "".join(f"<{outer}>{element(inner, text)}</{outer}>" for text in texts)


def _area(name: str, positions: str) -> str:
    polygon = f"<gml:LinearRing>{element('gml:posList', positions)}</gml:LinearRing>"
    return (
        f'<{name}><gml:FeatureCollection xmlns:gml="{GML}"><gml:location><gml:Polygon><gml:exterior>{polygon}'
        f"</gml:exterior></gml:Polygon></gml:location></gml:FeatureCollection></{name}>"
    )


def _transport_interface(found: m.TransportInterface) -> str:
    points = element("power:pointOfReceipt", found.receipt) + element("power:pointOfDelivery", found.delivery)
    return f"<power:transportInterface>{points}</power:transportInterface>"
