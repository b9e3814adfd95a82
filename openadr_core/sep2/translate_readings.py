"""Readings of mirrored meters in the canonical vocabulary of :mod:`openadr_core.model.report`.

Interpretation: power and energy that flow in reverse (flowDirection 19) are below zero, because a
meter's net import is one number everywhere else. Of a phase it says nothing about the others, and a register that
counts on says nothing about an interval: neither is taken for what the whole used.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from openadr_core.model.report import EVERYTHING, DataPoint, DataSource, Measurand, Quality, Reading
from openadr_core.sep2 import metering as m
from openadr_core.units import VAR, VOLT_AMPERE, WATT, WATT_HOUR

UNITS = {38: WATT, 72: WATT_HOUR, 63: VAR, 61: VOLT_AMPERE, 29: "V", 33: "Hz", 5: "A"}
"""By uom."""
ENERGIES = frozenset({72})
REVERSE = 19
MAXIMUM = 8
MINIMUM = 9
PHASES = {128: "phase A", 64: "phase B", 32: "phase C"}
REGISTERS = frozenset({3, 9})
"""accumulationBehaviour: cumulative, summation."""
IS_DER = 0x08
"""Bit 3 of roleFlags: the meter of a resource, and not of the site that it is at."""
VALID = 1
"""Bit 0 of qualityFlags."""


def readings_of(
    sent: Sequence[m.MirrorMeterReading], *, source: DataSource, received_at: int
) -> Iterator[tuple[DataPoint, Reading]]:
    """Of these series; what says neither of what it is nor when it was is left out.

    A reading without a period of its own ended when it came.
    """
    for series in sent:
        kind = series.reading_type
        measurand = None if kind is None else measurand_of(kind)
        if kind is None or kind.uom is None or measurand is None:
            continue
        length = timedelta(seconds=kind.interval_length or 0)
        told = DataPoint(
            r_id=series.mrid.upper(),
            measurand=_measurand(kind),
            unit=UNITS[kind.uom],
            source=replace(source, names=(*source.names, *_phase(kind))),
            min_period=length,
            max_period=length,
        )
        scale = scale_of(kind)
        ended = series.last_update_time or received_at
        for one, starts_at, lasts in _placed(series, length, ended):
            if one.value is not None:
                yield (
                    told,
                    Reading(
                        r_id=told.r_id,
                        starts_at=starts_at,
                        duration=lasts,
                        value=one.value * scale,
                        quality=_quality(one),
                    ),
                )


def source_of(point: m.UsagePointBase, lfdi: str, *, is_whole_party: bool) -> DataSource:
    """What a mirrored meter measures: all that a party has, where it is the site's of the party's own device."""
    if int(point.role_flags or "0", 16) & IS_DER:
        return DataSource(names=(lfdi, "DER"))
    return EVERYTHING if is_whole_party else DataSource(names=(lfdi,))


def _measurand(kind: m.ReadingType) -> Measurand:
    if kind.uom in ENERGIES and kind.accumulation_behaviour in REGISTERS:
        return Measurand.OTHER
    return Measurand.PEAK if kind.data_qualifier == MAXIMUM else Measurand.USAGE


def _phase(kind: m.ReadingType) -> tuple[str, ...]:
    return () if kind.phase not in PHASES else (PHASES[kind.phase],)


def measurand_of(kind: m.ReadingType) -> Measurand | None:
    """None for what is not kept: what no unit of ours says, and the least value of an interval."""
    if kind.uom not in UNITS or kind.data_qualifier == MINIMUM:
        return None
    return Measurand.PEAK if kind.data_qualifier == MAXIMUM else Measurand.USAGE


def scale_of(kind: m.ReadingType) -> float:
    """What a value is multiplied by."""
    return 10.0 ** (kind.power_of_ten_multiplier or 0) * (-1 if kind.flow_direction == REVERSE else 1)


def _placed(
    series: m.MirrorMeterReading, length: timedelta, ended: int
) -> Iterable[tuple[m.Reading, datetime, timedelta]]:
    if series.reading is not None:
        yield _own(series.reading, datetime.fromtimestamp(ended, UTC) - length, length)
    for each in series.mirror_reading_set:
        starts_at = datetime.fromtimestamp(each.time_period.start, UTC)
        for number, one in enumerate(each.reading):
            yield _own(one, starts_at + length * number, length)


def _own(one: m.Reading, starts_at: datetime, length: timedelta) -> tuple[m.Reading, datetime, timedelta]:
    if one.time_period is None:
        return one, starts_at, length
    return one, datetime.fromtimestamp(one.time_period.start, UTC), timedelta(seconds=one.time_period.duration)


def _quality(one: m.Reading) -> Quality:
    if one.quality_flags is None or int(one.quality_flags, 16) & VALID:
        return Quality.GOOD
    return Quality.ESTIMATED
