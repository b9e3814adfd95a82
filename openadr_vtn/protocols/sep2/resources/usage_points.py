"""UsagePoint: what was mirrored to us, to be read again by whose it is (1.3).

Interpretation: a usage point is a mirror's other side, a meter reading one of its series, and a reading set
a UTC day of it; who may read it is whoever mirrored it, and the operator by the admin API.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from openadr_core.model.report import Measurand
from openadr_core.sep2 import metering as m
from openadr_core.sep2.base import DateTimeInterval
from openadr_core.sep2.decode import read
from openadr_core.sep2.mrid import mrid_of
from openadr_core.sep2.translate_readings import measurand_of, scale_of
from openadr_core.xml.parse import parse
from openadr_vtn.application.said_ports import StoredReading
from openadr_vtn.application.sep2_ports import StoredMirror
from openadr_vtn.protocols.sep2.http_rules import Holds, HttpRefusal, Reply
from openadr_vtn.protocols.sep2.resources.mirrors import source_in
from openadr_vtn.protocols.sep2.scene import Scene

DAY_S = 86_400
DAYS_TOLD = 31
"""Reading sets of a series; what is older is the operator's to read."""
READINGS_OF_A_DAY_MAX = DAY_S
SERIES_BITS = 32


@dataclass(frozen=True, slots=True)
class Series:
    """One meter reading of a mirror."""

    stored: StoredMirror
    place: int
    """From 1 on, as its address has it."""
    told: m.MirrorMeterReading

    @property
    def path(self) -> str:
        return f"/upt/{self.stored.number}/mr/{self.place}"

    @property
    def kind(self) -> m.ReadingType:
        if self.told.reading_type is None:
            raise HttpRefusal(404)
        return self.told.reading_type


# -- points ----------------------------------------------------------------------------


async def usage_points(scene: Scene) -> Reply:
    stored = await scene.uow.mirrors.mirrors(scene.party.id)
    page = tuple(_point(scene, one) for one in scene.page(stored))
    message = m.UsagePointList(
        href=scene.href("/upt"), poll_rate=await scene.own_rate("UsagePointList"), all=len(stored), results=len(page),
        usage_point=page,
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


async def usage_point(scene: Scene, number: str) -> Reply:
    return Reply(message=_point(scene, await _own(scene, number)), holds=Holds(party_id=scene.party.id))


# -- series ----------------------------------------------------------------------------


async def meter_readings(scene: Scene, number: str) -> Reply:
    there = sorted(_series(await _own(scene, number)), key=lambda one: one.told.mrid.upper(), reverse=True)
    page = tuple([await _meter_reading(scene, one) for one in scene.page(there)])
    message = m.MeterReadingList(
        href=scene.href(f"/upt/{number}/mr"), all=len(there), results=len(page), meter_reading=page
    )
    return Reply(message=message)


async def meter_reading(scene: Scene, number: str, place: str) -> Reply:
    return Reply(message=await _meter_reading(scene, await _one(scene, number, place)))


async def reading_type(scene: Scene, number: str, place: str) -> Reply:
    one = await _one(scene, number, place)
    message = m.ReadingType(
        **{name: getattr(one.kind, name) for name in m.ReadingType.__dataclass_fields__ if name != "href"},
        href=scene.href(f"{one.path}/rt"),
    )
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


# -- readings --------------------------------------------------------------------------


async def reading_sets(scene: Scene, number: str, place: str) -> Reply:
    """The newest day first."""
    one = await _one(scene, number, place)
    days = await _days(scene, one)
    there = [day for day in sorted(days, reverse=True) if day * DAY_S >= scene.query.after]
    page = tuple(_set(scene, one, day, days[day]) for day in scene.page(there))
    return Reply(
        message=m.ReadingSetList(href=scene.href(f"{one.path}/rs"), all=len(there), results=len(page), reading_set=page)
    )


async def reading_set(scene: Scene, number: str, place: str, day: str) -> Reply:
    one = await _one(scene, number, place)
    found = await _of_day(scene, one, int(day))
    return Reply(message=_set(scene, one, int(day), len(found)))


async def readings(scene: Scene, number: str, place: str, day: str) -> Reply:
    """By when they begin, which is how they are numbered."""
    one = await _one(scene, number, place)
    found = await _of_day(scene, one, int(day))
    base = f"{one.path}/rs/{day}/r"
    there = [_reading(scene, one, base, count, each) for count, each in enumerate(reversed(found), start=1)]
    page = tuple(scene.page(there))
    return Reply(message=m.ReadingList(href=scene.href(base), all=len(there), results=len(page), reading=page))


async def reading(scene: Scene, number: str, place: str, day: str, count: str) -> Reply:
    one = await _one(scene, number, place)
    found = [*reversed(await _of_day(scene, one, int(day)))]
    if int(count) > len(found):
        raise HttpRefusal(404)
    base = f"{one.path}/rs/{day}/r"
    return Reply(message=_reading(scene, one, base, int(count), found[int(count) - 1]))


async def _days(scene: Scene, one: Series) -> dict[int, int]:
    """How many readings begin on each, by days since the epoch."""
    until = scene.now + DAY_S
    days: dict[int, int] = {}
    for each in await _readings(scene, one, until - DAYS_TOLD * DAY_S, until):
        day = int(each.reading.starts_at.timestamp()) // DAY_S
        days[day] = days.get(day, 0) + 1
    return days


async def _own(scene: Scene, number: str) -> StoredMirror:
    found = await scene.uow.mirrors.mirror(int(number))
    if found is None or found.party_id != scene.party.id:
        raise HttpRefusal(404)
    return found


async def _one(scene: Scene, number: str, place: str) -> Series:
    there = _series(await _own(scene, number))
    if int(place) > len(there):
        raise HttpRefusal(404)
    return there[int(place) - 1]


async def _of_day(scene: Scene, one: Series, day: int) -> Sequence[StoredReading]:
    """The newest first; 404 for a day without any."""
    found = await _readings(scene, one, day * DAY_S, (day + 1) * DAY_S)
    if not found:
        raise HttpRefusal(404)
    return found


async def _readings(scene: Scene, one: Series, since: int, until: int) -> list[StoredReading]:
    measurand: Measurand | None = measurand_of(one.kind)
    if measurand is None:
        return []
    begins, ends = (datetime.fromtimestamp(moment, UTC) for moment in (since, until))
    source = source_in(scene, one.stored).label
    most = DAYS_TOLD * READINGS_OF_A_DAY_MAX
    found = await scene.uow.reports.readings(scene.party.id, measurand, source, begins, ends, limit=most)
    return [each for each in found if each.reading.r_id == one.told.mrid.upper()]


def _series(stored: StoredMirror) -> list[Series]:
    point: m.MirrorUsagePoint = read(parse(stored.body))
    return [Series(stored, place, told) for place, told in enumerate(point.mirror_meter_reading, start=1)]


def _point(scene: Scene, stored: StoredMirror) -> m.UsagePoint:
    told: m.MirrorUsagePoint = read(parse(stored.body))
    base = f"/upt/{stored.number}"
    return m.UsagePoint(
        href=scene.href(base), mrid=told.mrid, description=told.description, version=told.version,
        role_flags=told.role_flags, service_category_kind=told.service_category_kind, status=told.status,
        device_lfdi=stored.lfdi,
        meter_reading_list_link=scene.list_link(f"{base}/mr", len(told.mirror_meter_reading)),
    )  # fmt: skip


async def _meter_reading(scene: Scene, one: Series) -> m.MeterReading:
    return m.MeterReading(
        href=scene.href(one.path), mrid=one.told.mrid, description=one.told.description, version=one.told.version,
        reading_set_list_link=scene.list_link(f"{one.path}/rs", len(await _days(scene, one))),
        reading_type_link=scene.link(f"{one.path}/rt"),
    )  # fmt: skip


def _set(scene: Scene, one: Series, day: int, count: int) -> m.ReadingSet:
    unique = (one.stored.number << 2 * SERIES_BITS) + (one.place << SERIES_BITS) + day
    return m.ReadingSet(
        href=scene.href(f"{one.path}/rs/{day}"),
        mrid=mrid_of(unique, pen=scene.desk.pen, form=scene.desk.pen_form),
        time_period=DateTimeInterval(start=day * DAY_S, duration=DAY_S),
        reading_list_link=scene.list_link(f"{one.path}/rs/{day}/r", count),
    )


def _reading(scene: Scene, one: Series, base: str, count: int, each: StoredReading) -> m.Reading:
    told = each.reading
    period = DateTimeInterval(start=int(told.starts_at.timestamp()), duration=int(told.duration / timedelta(seconds=1)))
    return m.Reading(
        href=scene.href(f"{base}/{count}"), local_id=f"{count:04X}", time_period=period,
        value=round(told.value / scale_of(one.kind)),
    )  # fmt: skip
