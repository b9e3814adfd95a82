"""The fleet's meter, mirrored to the server (MirrorUsagePoint): one point, one series of mean power.

Its mRIDs follow from our LFDI, so that the same point is found again whatever was forgotten on either side.
Interpretation: power is that of net import: forward flow is what is drawn, and what is fed in is below zero.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from openadr_core.model.report import Quality, Reading, ReportRequest
from openadr_core.sep2 import metering as m
from openadr_core.sep2.base import DateTimeInterval
from openadr_core.sep2.server import DeviceCapability
from openadr_ven.application.device_metering import DEVICES
from openadr_ven.application.report_offers import AVAILABLE_POINT, CHARGE_POINT, POWER_POINT, USAGE
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.sep2.calls import Call, Script, fetch_if_there
from openadr_ven.protocols.sep2.identity import Identity

POST_RATE_S = 300
"""What we propose; the server's word counts."""
POST_RATE_MOST_S = 1800
"""Means over more than that are not kept: a server that wants less gets it all the same."""
IS_MIRROR, IS_DER, IS_SUBMETER = 1 << 0, 1 << 3, 1 << 6
ROLE_FLAGS = f"{IS_MIRROR | IS_DER | IS_SUBMETER:02X}"
ELECTRICITY = 0
SECONDARY_METERED = 1
INSTANTANEOUS, AVERAGE, FORWARD, POWER, WATTS = 12, 2, 1, 37, 38
UNIQUE_HEX_DIGITS = 24
VALID, QUESTIONABLE = "01", "10"
"""qualityFlags: bit 0 valid, bit 4 questionable."""


def mrid(identity: Identity, *what: str) -> str:
    """96 bits that follow from who we are and what it is of, then our Private Enterprise Number in decimal."""
    digest = hashlib.sha256("/".join((identity.lfdi, *what)).encode()).hexdigest().upper()
    return f"{digest[:UNIQUE_HEX_DIGITS]}{identity.pen:08d}"


def usage_point(identity: Identity, rate_s: int, device: str = "") -> m.MirrorUsagePoint:
    """``device``: the LFDI of one that we answer for; empty: the fleet's."""
    kind = m.ReadingType(
        accumulation_behaviour=INSTANTANEOUS, commodity=SECONDARY_METERED, data_qualifier=AVERAGE,
        flow_direction=FORWARD, interval_length=rate_s, kind=POWER, power_of_ten_multiplier=0, uom=WATTS,
    )  # fmt: skip
    series = m.MirrorMeterReading(mrid=_mrid(identity, device, "power"), description="mean power", reading_type=kind)
    return m.MirrorUsagePoint(
        mrid=_mrid(identity, device, "point"), description="device" if device else "fleet", role_flags=ROLE_FLAGS,
        service_category_kind=ELECTRICITY, status=1, device_lfdi=device or identity.lfdi,
        mirror_meter_reading=(series,), post_rate=rate_s,
    )  # fmt: skip


def _mrid(identity: Identity, device: str, *what: str) -> str:
    return mrid(identity, *((device,) if device else ()), *what)


def find_mirror(capability: DeviceCapability, known: str, identity: Identity, rate_s: int) -> Script[tuple[str, int]]:
    """Where our point is, and how often it wants readings; made if it is not there, nowhere if the server has none.

    ``known`` is where it was, ``rate_s`` what we propose.
    """
    if capability.mirror_usage_point_list_link is None:
        return "", rate_s
    found = None
    if known:
        found = yield from fetch_if_there(known, m.MirrorUsagePoint)
    if found is None or (found.post_rate and found.post_rate != rate_s):
        # Also where the rate has changed: the series says how long its intervals are.
        rate_s = rate_s if found is None or not found.post_rate else found.post_rate
        href = capability.mirror_usage_point_list_link.href
        location = yield Call(method="POST", href=href, message=usage_point(identity, rate_s))
        known = str(location)
        found = (yield from fetch_if_there(known, m.MirrorUsagePoint)) if known else None
    told = found.post_rate if found is not None and found.post_rate else rate_s
    return known, min(told, POST_RATE_MOST_S)


def wanted(rate_s: int, now: datetime) -> ReportRequest:
    """What the agent is to measure: means over whole intervals of the rate, one report for each."""
    step, now_s = timedelta(seconds=rate_s), int(now.timestamp())
    return ReportRequest(
        id=f"mirror-{rate_s}",
        specifier_id=USAGE,
        r_ids=(POWER_POINT, AVAILABLE_POINT, CHARGE_POINT),
        granularity=step,
        report_back=step,
        starts_at=datetime.fromtimestamp(now_s - now_s % rate_s, UTC),
        duration=None,
    )


def wanted_of_devices(rate_s: int, now: datetime) -> ReportRequest:
    """The same of each device that we answer for."""
    return replace(wanted(rate_s, now), id=f"devices-{rate_s}", specifier_id=DEVICES, r_ids=())


def readings_of(batch: Batch, identity: Identity, offset_s: int) -> m.MirrorMeterReading | None:
    """The message, by the server's clock; None where nothing of it is a measured power."""
    power = [one for one in batch.readings if one.r_id == POWER_POINT and one.quality.is_usable]
    return _message(power, identity, offset_s, "") if power else None


def readings_of_device(reading: Reading, identity: Identity, offset_s: int) -> m.MirrorMeterReading:
    """Of the device that the reading is called after."""
    return _message([reading], identity, offset_s, reading.r_id)


def _message(power: Sequence[Reading], identity: Identity, offset_s: int, device: str) -> m.MirrorMeterReading:
    begins = min(int(one.starts_at.timestamp()) for one in power) + offset_s
    ends = max(int((one.starts_at + one.duration).timestamp()) for one in power) + offset_s
    held = m.MirrorReadingSet(
        mrid=_mrid(identity, device, "power", str(begins)),
        time_period=DateTimeInterval(duration=ends - begins, start=begins),
        reading=tuple(_readings(power, offset_s)),
    )
    series = _mrid(identity, device, "power")
    return m.MirrorMeterReading(mrid=series, last_update_time=ends, mirror_reading_set=(held,))


def post_readings(href: str, message: m.MirrorMeterReading) -> Script[str]:
    location: str = yield Call(method="POST", href=href, message=message)
    return location


def _readings(power: Iterable[Reading], offset_s: int) -> Iterable[m.Reading]:
    for one in power:
        yield m.Reading(
            quality_flags=VALID if one.quality is Quality.GOOD else QUESTIONABLE,
            time_period=DateTimeInterval(
                duration=int(one.duration.total_seconds()), start=int(one.starts_at.timestamp()) + offset_s
            ),
            value=round(one.value),
        )
