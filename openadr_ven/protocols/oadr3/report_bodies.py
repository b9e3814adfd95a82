"""What a report says: the event's intervals, or parts of them, each with a value and what it is worth (R8.1, R8.4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from openadr_core.model.opt import OptType
from openadr_core.model.report import Quality, Reading
from openadr_core.oadr3.messages import ReportDescriptor, ReportIntervals
from openadr_core.oadr3.readings import AGGREGATED, DATA_QUALITY
from openadr_core.oadr3.report_plan import PlannedReport
from openadr_core.oadr3.times import length_text, moment_text
from openadr_ven.protocols.oadr3.memory import KnownEvent
from openadr_ven.protocols.oadr3.report_types import FORECAST, TYPES, Quantity, ReportType, units_of

FAR = datetime.max.replace(tzinfo=UTC)
NONE, SECOND = timedelta(), timedelta(seconds=1)
OK, ESTIMATED, BAD, MISSING = "OK", "ESTIMATED", "BAD", "MISSING"
PIECES_MAX = 1000
"""Of one report, where it chooses its own intervals."""
NOISE = 0.01
"""Of the baseline: a fleet's meter is never still, and that is no state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a report is made of."""

    known: KnownEvent
    descriptor: ReportDescriptor
    planned: PlannedReport
    readings: Sequence[Reading]
    step: timedelta
    """Of what was measured: the intervals of a report that chooses its own."""

    @property
    def kind(self) -> ReportType:
        return TYPES[self.descriptor.payload_type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One interval of a report."""

    id: int
    starts_at: datetime
    ends_at: datetime


def body_of(content: Content, *, name: str, ven_name: str, resource: str) -> dict[str, object]:
    """The report; ``resource`` is what it is of, unless the descriptor wants a sum of all."""
    descriptor, units = content.descriptor, units_of(content.descriptor)
    described: dict[str, object] = {
        "objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": descriptor.payload_type,
    }  # fmt: skip
    if units:
        described["units"] = units
    if not descriptor.historical:
        described["readingType"] = FORECAST
    return {
        "eventID": content.known.id,
        "clientName": ven_name,
        "reportName": name,
        "payloadDescriptors": [described],
        "resources": [
            {
                "resourceName": AGGREGATED if descriptor.aggregate else resource,
                "intervals": [_interval(content, piece, units) for piece in _pieces(content)],
            }
        ],
    }


def told_of(planned: PlannedReport, readings: Sequence[Reading]) -> timedelta:
    """Of how much of a report's intervals there are true readings."""
    return sum(
        (
            length
            for placed in planned.intervals
            for one, length in overlaps(readings, placed.starts_at, placed.ends_at or FAR)
            if one.quality is not Quality.BAD
        ),
        NONE,
    )


def overlaps(
    readings: Sequence[Reading], starts_at: datetime, ends_at: datetime
) -> Iterator[tuple[Reading, timedelta]]:  # fmt: skip
    """Readings inside a time, and how much of it each covers."""
    for one in readings:
        begins, ends = max(one.starts_at, starts_at), min(one.starts_at + one.duration, ends_at)
        if ends > begins and one.quality is not Quality.MISSING:
            yield one, ends - begins


def _pieces(content: Content) -> list[Piece]:
    """R8.2: the event's intervals under their ids; parts of them under the same ids; or intervals of our own.

    Interpretation: those of our own are as long as what was measured, and their ids count from the report's first.
    """
    way = content.descriptor.report_intervals
    whole = [
        Piece(id=placed.id, starts_at=placed.starts_at, ends_at=placed.ends_at or placed.starts_at)
        for placed in content.planned.intervals
    ]
    if way is ReportIntervals.INTERVALS:
        return whole
    length = sum((piece.ends_at - piece.starts_at for piece in whole), NONE)
    step = content.step * max(1, -(-length // (content.step * PIECES_MAX)))
    parts = [part for piece in whole for part in _parts(piece, step)]
    if way is ReportIntervals.SUB_INTERVALS:
        return parts
    return [Piece(id=number, starts_at=one.starts_at, ends_at=one.ends_at) for number, one in enumerate(parts)]


def _parts(piece: Piece, step: timedelta) -> Iterator[Piece]:
    at = piece.starts_at
    while at < piece.ends_at:
        until = min(at + step, piece.ends_at)
        yield Piece(id=piece.id, starts_at=at, ends_at=until)
        at = until


def _interval(content: Content, piece: Piece, units: str) -> dict[str, object]:
    descriptor, kind, length = content.descriptor, content.kind, piece.ends_at - piece.starts_at
    means, quality = _ahead(content) if not descriptor.historical else _means(content, piece)
    value: float | str
    if kind.quantity is Quantity.STATE:
        value = _state(content.known, means, quality)
    else:
        value = round(kind.value(means, length, units), 6)
    return {
        "id": piece.id,
        "intervalPeriod": {"start": moment_text(piece.starts_at), "duration": length_text(length)},
        "payloads": [
            {"type": descriptor.payload_type, "values": [value]},
            {"type": DATA_QUALITY, "values": [quality]},
        ],
    }


def _means(content: Content, piece: Piece) -> tuple[tuple[float, ...], str]:
    """Of each point over a time, and what they are worth: with nothing to go by they are zero, and say MISSING."""
    found: list[float] = []
    worth: list[str] = []
    for point in content.kind.points:
        mean, quality = _mean([one for one in content.readings if one.r_id == point], piece)
        found.append(mean)
        worth.append(quality)
    return tuple(found), next(one for one in (MISSING, BAD, ESTIMATED, OK) if one in worth)


def _mean(readings: Sequence[Reading], piece: Piece) -> tuple[float, str]:
    parts = list(overlaps(readings, piece.starts_at, piece.ends_at))
    told = sum((length for _, length in parts), NONE)
    if not told:
        return 0.0, MISSING
    mean = sum(one.value * (length / told) for one, length in parts)
    if any(one.quality is Quality.BAD for one, _ in parts):
        return mean, BAD
    whole = told > piece.ends_at - piece.starts_at - SECOND
    return mean, OK if whole and all(one.quality is Quality.GOOD for one, _ in parts) else ESTIMATED


def _ahead(content: Content) -> tuple[tuple[float, ...], str]:
    """It goes on as it is: the newest of each point."""
    newest: Mapping[str, Reading] = {
        one.r_id: one
        for one in sorted(content.readings, key=lambda reading: reading.starts_at)
        if one.quality not in {Quality.MISSING, Quality.BAD}
    }
    points = content.kind.points
    if any(point not in newest for point in points):
        return (0.0,) * len(points), MISSING
    return tuple(newest[point].value for point in points), ESTIMATED


def _state(known: KnownEvent, means: tuple[float, ...], quality: str) -> str:
    """Operating state over an interval, by what the fleet took beside what it would have taken.

    Interpretation: a fleet of which nothing was heard is in ERROR; one that takes more or less than usual without
    having been asked is RUNNING_NORMAL, as owners use their devices.
    """
    if quality in {MISSING, BAD}:
        return "ERROR"
    if known.opt is not None and known.opt.opt_type is OptType.OUT:
        return "RUNNING_OPTED_OUT"
    power_w, baseline_w = means
    margin_w = abs(baseline_w) * NOISE
    if power_w < baseline_w - margin_w:
        return "RUNNING_CURTAILED"
    return "RUNNING_HEIGHTENED" if power_w > baseline_w + margin_w else "RUNNING_NORMAL"
