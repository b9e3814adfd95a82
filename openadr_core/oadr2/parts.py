"""Readers of the parts that several 2.0b payloads share."""

from typing import Any

from lxml import etree

from openadr_core.errors import SchemaViolation
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.names import GML, PREFIXES, UNIT_PREFIX
from openadr_core.xml.fields import boolean_of, float_of, text_of, token_of
from openadr_core.xml.parse import Element

_CLARK: dict[str, str] = {}


def clark(name: str) -> str:
    """``ei:venID`` as lxml names it; remembered, because readers ask for the same few again and again."""
    found = _CLARK.get(name)
    if found is None:
        prefix, _, local = name.partition(":")
        found = _CLARK[name] = f"{{{PREFIXES[prefix]}}}{local}"
    return found


_TARGET_KINDS = {
    clark("power:aggregatedPnode"): "aggregated_pnodes",
    clark("power:endDeviceAsset"): "end_device_assets",
    clark("power:meterAsset"): "meter_assets",
    clark("power:pnode"): "pnodes",
    clark("power:serviceDeliveryPoint"): "service_delivery_points",
    clark("ei:groupID"): "group_ids",
    clark("ei:groupName"): "group_names",
    clark("ei:resourceID"): "resource_ids",
    clark("ei:venID"): "ven_ids",
    clark("ei:partyID"): "party_ids",
}


def child(parent: Element, name: str) -> Element:
    """A child that the schema has made sure of."""
    found = maybe_child(parent, name)
    if found is None:
        raise SchemaViolation(f"{name} is missing")
    return found


def maybe_child(parent: Element, name: str) -> Element | None:
    """The first child of that name. Twice as fast as ``find``, which is made for paths."""
    return next(parent.iterchildren(clark(name)), None)


def required(parent: Element, name: str) -> str:
    """The text of a child that the schema has made sure of."""
    return text_of(child(parent, name))


def text(parent: Element, name: str) -> str | None:
    """The text of an optional child; None where there is none."""
    found = maybe_child(parent, name)
    return None if found is None else text_of(found)


def texts(parent: Element, name: str) -> tuple[str, ...]:
    return tuple(text_of(found) for found in parent.iterchildren(clark(name)))


def read_response(payload: Element) -> m.EiResponse:
    """The payload's eiResponse."""
    found = child(payload, "ei:eiResponse")
    return m.EiResponse(
        response_code=required(found, "ei:responseCode"),
        response_description=text(found, "ei:responseDescription"),
        request_id=required(found, "pyld:requestID"),
    )


_AREAS = {clark("emix:serviceArea"): "service_areas", clark("power:serviceLocation"): "service_locations"}
_TRANSPORT_INTERFACE = clark("power:transportInterface")
_POSITIONS = f"{{{GML}}}posList"


def read_target(element: Element) -> m.Target:
    """An EiTargetType."""
    found: dict[str, list[Any]] = {}
    for one in element:
        if one.tag in _TARGET_KINDS:
            # Some kinds wrap their one identifier in an element (mrid, node).
            found.setdefault(_TARGET_KINDS[one.tag], []).append(text_of(one[0] if len(one) else one))
        elif one.tag in _AREAS:
            found.setdefault(_AREAS[one.tag], []).append(token_of(next(one.iter(_POSITIONS))))
        elif one.tag == _TRANSPORT_INTERFACE:
            interface = m.TransportInterface(receipt=text_of(one[0]), delivery=text_of(one[1]))
            found.setdefault("transport_interfaces", []).append(interface)
    return m.Target(**{kind: tuple(names) for kind, names in found.items()})


def read_unit(parent: Element) -> m.Unit | None:
    """The itemBase among the children, whatever it is called; None where there is none."""
    for candidate in parent:
        namespace, _, name = candidate.tag[1:].partition("}")
        prefix = UNIT_PREFIX.get(name)
        if prefix is not None and PREFIXES[prefix] == namespace:
            return _unit(candidate, name)
    return None


def read_feed(parent: Element) -> str:
    """The ``atom:feed`` of Green Button data in an element, as text that says all its namespaces itself."""
    return etree.tostring(parent[0], method="c14n", exclusive=True, with_tail=False).decode()


def _unit(element: Element, name: str) -> m.Unit:
    values = {found.tag.rpartition("}")[2]: found for found in element.iter()}
    return m.Unit(
        name=name,
        description=text_of(values["itemDescription"]),
        units=text_of(values["itemUnits"]),
        si_scale_code=text_of(values["siScaleCode"]) if "siScaleCode" in values else "none",
        pulse_factor=float_of(values["pulseFactor"]) if "pulseFactor" in values else None,
        attributes=None
        if "hertz" not in values
        else m.PowerAttributes(
            hertz=token_of(values["hertz"]), voltage=token_of(values["voltage"]), ac=boolean_of(values["ac"])
        ),
    )
