"""Groups, devices and controls of IEEE 2030.5 as JSON for people's tools."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from openadr_core.oadr3.times import moment_text
from openadr_core.sep2.decode import read
from openadr_core.sep2.json_values import to_json
from openadr_core.sep2.metering import MirrorUsagePoint
from openadr_core.xml.parse import parse
from openadr_vtn.application.handlers.sep2_controls import GIVEN_BY_US
from openadr_vtn.application.handlers.sep2_views import (
    AggregatorView,
    ControlView,
    CurveView,
    DefaultView,
    DeviceDetail,
    DeviceView,
    GroupView,
)
from openadr_vtn.application.sep2_ports import StoredMirror
from openadr_vtn.domain.sep2.control_words import KINDS_OF_CURVES, Said, plot
from openadr_vtn.domain.sep2.curve_addresses import curve_address
from openadr_vtn.domain.sep2.registry import POST_RATE, EndDevice, Group

Object = dict[str, Any]


def group_json(group: Group) -> Object:
    rates = {name: group.rates[name] for name in sorted(group.rates)}
    named = {"name": group.name, "mrid": group.mrid, "version": group.version, "assignment": group.assignment}
    return {**named, "href": f"/derp/{group.id}", "rates": rates}


def group_view_json(view: GroupView) -> Object:
    return {**group_json(view.group), "parent": view.parent, "primacy": view.primacy, "controls": view.controls}


def control_json(view: ControlView) -> Object:
    stored, control = view.stored, view.stored.control
    return {
        "mrid": control.mrid,
        "kind": stored.kind,
        "event_id": stored.event_id,
        "asks": sorted(control.asks),
        "asked": asked_json(view.asked),
        "status": view.standing.status.name.lower(),
        "since": _moment(view.standing.since),
        "potentially_superseded": view.standing.potentially_superseded_at is not None,
        "starts_at": _moment(control.start),
        "duration_s": control.duration_s,
        "responses": [
            {"lfdi": one.lfdi, "status": one.status, "at": _moment(one.created_at)} for one in view.responses
        ],
    }


def asked_json(asked: Iterable[Said]) -> list[Object]:
    return [{"mode": one.mode, "value": one.value, "text": one.text} for one in asked]


def default_json(view: DefaultView) -> Object:
    """``default`` is as it is to be written."""
    return {
        "group": view.group.name,
        "href": f"/derp/{view.group.id}/dderc",
        "mrid": view.default.mrid,
        "version": view.default.version or 0,
        "asked": asked_json(view.asked),
        "default": to_json(view.default, without=GIVEN_BY_US),
    }


def curve_json(view: CurveView) -> Object:
    """``curve`` is as it is to be written."""
    drawn = plot(view.curve)
    return {
        "group": view.group.name,
        "number": view.number,
        "href": curve_address(view.group.id, view.number),
        "mrid": view.curve.mrid,
        "version": view.curve.version or 0,
        "created_at": _moment(view.curve.creation_time),
        "name": view.name,
        "kind": KINDS_OF_CURVES[view.curve.curve_type],
        "controls": list(view.users.controls),
        "x_unit": drawn.x_unit,
        "y_unit": drawn.y_unit,
        "points": [list(point) for point in drawn.points],
        "is_default": view.users.default is not None,
        "curve": to_json(view.curve, without=GIVEN_BY_US),
    }


def device_json(device: EndDevice, groups: Iterable[str]) -> Object:
    return {
        "lfdi": device.lfdi,
        "sfdi": device.sfdi,
        "party_id": device.party_id,
        "href": f"/edev/{device.number}",
        "groups": sorted(groups),
        "category": device.category or None,
        "pin": device.pin,
        "post_rate_s": device.rates.get(POST_RATE, device.post_rate_s),
        "rates": {name: device.rates[name] for name in sorted(device.rates)},
        "enabled": device.enabled,
        "registered_at": _moment(device.registered_at),
        "changed_at": _moment(device.changed_at),
    }


def device_view_json(view: DeviceView) -> Object:
    return {**device_json(view.device, view.groups), "party": view.party}


def device_detail_json(detail: DeviceDetail) -> Object:
    return {**device_json(detail.device, detail.groups), "party": detail.party, "said": list(detail.said)}


def aggregator_json(view: AggregatorView) -> Object:
    own = view.aggregator
    return {"party_id": own.party_id, "party": view.party, "pen": own.pen, "domains": list(own.domains)}


def meter_json(stored: StoredMirror) -> Object:
    told: MirrorUsagePoint = read(parse(stored.body))
    return {
        "href": f"/mup/{stored.number}",
        "mrid": stored.mrid,
        "description": told.description,
        "role_flags": told.role_flags,
        "post_rate_s": stored.post_rate_s,
        "series": [
            {
                "mrid": one.mrid,
                "description": one.description,
                "kind": None if one.reading_type is None else to_json(one.reading_type),
            }
            for one in told.mirror_meter_reading
        ],
    }


def _moment(seconds: int) -> str:
    return moment_text(datetime.fromtimestamp(seconds, UTC))
