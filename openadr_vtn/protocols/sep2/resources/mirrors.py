"""Meters that devices mirror to us (1.3): what they tell becomes readings like everybody else's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from openadr_core.errors import Conflict
from openadr_core.model.report import DataSource
from openadr_core.sep2.decode import read
from openadr_core.sep2.encode import encode
from openadr_core.sep2.metering import (
    MirrorMeterReading,
    MirrorMeterReadingList,
    MirrorUsagePoint,
    MirrorUsagePointList,
)
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.translate_readings import readings_of, source_of
from openadr_core.xml.parse import parse
from openadr_vtn.application.sep2_hearing import hear_readings
from openadr_vtn.application.sep2_ports import StoredMirror
from openadr_vtn.domain.sep2.registry import POST_RATE, rate_of
from openadr_vtn.protocols.sep2.http_rules import ErrorReason, Holds, HttpRefusal, Reply, created, replaced
from openadr_vtn.protocols.sep2.scene import Scene


async def mirrors(scene: Scene) -> Reply:
    """The caller's own alone."""
    stored = await scene.uow.mirrors.mirrors(scene.party.id)
    page = await _messages(scene, scene.page(stored))
    message = MirrorUsagePointList(
        href=scene.href("/mup"), poll_rate=await scene.own_rate("MirrorUsagePointList"), all=len(stored),
        results=len(page), mirror_usage_point=page,
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def mirror(scene: Scene, number: str) -> Reply:
    (message,) = await _messages(scene, [await _own(scene, number)])
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def save_mirror(scene: Scene) -> Reply:
    """A new one, or under an mRID that we have from the same party in place of it, at the same address (T:07)."""
    wanted = scene.message(MirrorUsagePoint)
    stored, is_new = await _saved(scene, wanted)
    await _keep_readings(scene, stored, wanted.mirror_meter_reading)
    return replaced(is_new=is_new, location=scene.href(f"/mup/{stored.number}"))


async def replace_mirror(scene: Scene, number: str) -> Reply:
    before = await _own(scene, number)
    wanted = scene.message(MirrorUsagePoint)
    if wanted.mrid.upper() != before.mrid:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    stored, _ = await _saved(scene, wanted)
    await _keep_readings(scene, stored, wanted.mirror_meter_reading)
    return Reply(status=204)


async def remove_mirror(scene: Scene, number: str) -> Reply:
    stored = await _own(scene, number)
    await scene.uow.mirrors.remove_mirror(stored.number)
    return Reply(status=204)


async def add_readings(scene: Scene, number: str) -> Reply:
    """Readings of series that the mirror has (T:05): one that it has not is refused."""
    stored = await _own(scene, number)
    message: Any = scene.message(object)
    if isinstance(message, MirrorMeterReadingList):
        sent = message.mirror_meter_reading
    elif isinstance(message, MirrorMeterReading):
        sent = (message,)
    else:
        raise HttpRefusal(400, reason=ErrorReason.BAD_FORMAT)
    point: MirrorUsagePoint = read(parse(stored.body))
    known = {series.mrid.upper(): series for series in point.mirror_meter_reading}
    if any(one.mrid.upper() not in known and one.reading_type is None for one in sent):
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    fresh = {one.mrid.upper(): replace(one, reading=None, mirror_reading_set=()) for one in sent if one.reading_type}
    if fresh:
        point = replace(point, mirror_meter_reading=tuple((known | fresh).values()))
        stored, _ = await _kept(scene, stored, point)
    typed = [replace(one, reading_type=one.reading_type or known[one.mrid.upper()].reading_type) for one in sent]
    await _keep_readings(scene, stored, tuple(typed))
    return created(scene.href(f"/mup/{number}"))


async def _saved(scene: Scene, wanted: MirrorUsagePoint) -> tuple[StoredMirror, bool]:
    lfdi = wanted.device_lfdi.upper()
    device = await scene.uow.registry.device_by_lfdi(lfdi)
    if device is None or device.party_id != scene.party.id or not device.enabled:
        raise HttpRefusal(403)
    mrid = wanted.mrid.upper()
    stored = StoredMirror(
        number=0, party_id=scene.party.id, lfdi=lfdi, mrid=mrid, post_rate_s=wanted.post_rate, body=b""
    )  # fmt: skip
    return await _kept(scene, stored, replace(wanted, mrid=mrid))


async def _kept(scene: Scene, stored: StoredMirror, point: MirrorUsagePoint) -> tuple[StoredMirror, bool]:
    """The series, without their readings. A series is of the party that named it first (T:05)."""
    series = tuple(replace(one, reading=None, mirror_reading_set=()) for one in point.mirror_meter_reading)
    body = encode(replace(point, href=None, mirror_meter_reading=series), csipaus=CsipAus.V1_3)
    try:
        return await scene.uow.mirrors.save_mirror(replace(stored, body=body), {one.mrid.upper() for one in series})
    except Conflict:
        raise HttpRefusal(409) from None


def source_in(scene: Scene, stored: StoredMirror) -> DataSource:
    """Of what the mirror's readings are."""
    point: MirrorUsagePoint = read(parse(stored.body))
    is_its_own = any(certificate.lfdi == stored.lfdi for certificate in scene.party.certificates)
    return source_of(point, stored.lfdi, is_whole_party=is_its_own)


async def _keep_readings(scene: Scene, stored: StoredMirror, sent: tuple[MirrorMeterReading, ...]) -> None:
    found = list(readings_of(sent, source=source_in(scene, stored), received_at=scene.now))
    if found:
        now = datetime.fromtimestamp(scene.now, UTC)
        await scene.uow.reports.add_readings(scene.party.id, found, now)
        await hear_readings(scene.uow, scene.party.id, [reading for _, reading in found], now)


async def _own(scene: Scene, number: str) -> StoredMirror:
    found = await scene.uow.mirrors.mirror(int(number))
    if found is None or found.party_id != scene.party.id:
        raise HttpRefusal(404)
    return found


async def _messages(scene: Scene, stored: Sequence[StoredMirror]) -> tuple[MirrorUsagePoint, ...]:
    """With the postRate that the operator has said for the device or its groups, before what its client wished for."""
    devices = await scene.uow.registry.devices_called({one.lfdi for one in stored})
    tree = await scene.tree()
    found = []
    for one in stored:
        message: MirrorUsagePoint = read(parse(one.body))
        device = devices.get(one.lfdi)
        said = None if device is None else rate_of(POST_RATE, device, tree)
        rate = one.post_rate_s if said is None else said
        found.append(replace(message, href=scene.href(f"/mup/{one.number}"), post_rate=rate))
    return tuple(found)
