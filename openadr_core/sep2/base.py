"""What the types of IEEE 2030.5 are made from."""

from dataclasses import dataclass

from openadr_core.sep2.scalars import (
    HexBinary8,
    MRIDType,
    OneHourRangeType,
    String32,
    String192,
    TimeType,
    UInt8,
    UInt16,
    UInt32,
    Uri,
    VersionType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Anything with an address."""

    href: Uri | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a resource is."""

    href: Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLink(Link):
    """Where a list is, and how long it is for whoever asks."""

    all: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribableResource(Resource):
    """``subscribable``: 0 no, 1 yes, 2 under conditions, 3 both."""

    subscribable: UInt8 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class List(Resource):
    """A page of a list: ``all`` there are, ``results`` here."""

    all: UInt32
    results: UInt32


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribableList(SubscribableResource):
    """A page of a list that can be subscribed to."""

    all: UInt32
    results: UInt32


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifiedObject(Resource):
    """Something with a name that holds everywhere."""

    mrid: MRIDType
    description: String32 | None = None
    version: VersionType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribableIdentifiedObject(SubscribableResource):
    mrid: MRIDType
    description: String32 | None = None
    version: VersionType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RespondableResource(Resource):
    """``response_required``: bit 0 received, 1 specific, 2 of a user; then ``reply_to`` is there."""

    reply_to: Uri | None = None
    response_required: HexBinary8 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RespondableIdentifiedObject(RespondableResource):
    mrid: MRIDType
    description: String32 | None = None
    version: VersionType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RespondableSubscribableIdentifiedObject(RespondableResource):
    subscribable: UInt8 | None = None
    mrid: MRIDType
    description: String32 | None = None
    version: VersionType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeInterval:
    """Seconds, and when they begin."""

    duration: UInt32
    start: TimeType


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStatus:
    """0 scheduled, 1 active, 2 cancelled, 3 cancelled with randomisation, 4 superseded."""

    current_status: UInt8
    date_time: TimeType
    potentially_superseded: bool
    potentially_superseded_time: TimeType | None = None
    reason: String192 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(RespondableSubscribableIdentifiedObject):
    """Something that is asked for during an interval. Never changed once it is published, but for its status."""

    creation_time: TimeType
    event_status: EventStatus
    interval: DateTimeInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomizableEvent(Event):
    """An event whose start and duration each device varies by up to so many seconds."""

    randomize_duration: OneHourRangeType | None = None
    randomize_start: OneHourRangeType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """Why a request was refused: 0 format, 1 values, 2 limit of resources, 3 no conditions, 4 too often."""

    max_retry_duration: UInt16 | None = None
    reason_code: UInt16
