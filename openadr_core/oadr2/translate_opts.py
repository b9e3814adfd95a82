"""Between 2.0b's oadrCreateOpt, in both of its forms, and the canonical model (R200 to R211)."""

from datetime import timedelta

from openadr_core.errors import LocalProtocolError, RemoteProtocolError, SchemaViolation, UnknownReference
from openadr_core.limits import IDENTIFIER_MAX_CHARS, OPT_SPANS_MAX
from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.market_context import normalised
from openadr_core.oadr2.translate import target_from_wire, target_to_wire

ZERO = timedelta(0)
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
LONGEST = timedelta(days=365 * 900)
"""Beyond these no schedule can mean it, and arithmetic falls over."""


def opt_from_wire(message: m.CreateOpt, *, ven_id: str) -> OptSchedule | Qualification:
    """What a party says of its availability: by a schedule, or of one event.

    RemoteProtocolError says which rule it breaks; ``ven_id`` is the party's own.
    """
    _check_form(message)
    scope = Scope(
        targets=_targets(message.target, ven_id),
        device_classes=_device_classes(message.device_class),
        market_context=normalised(message.market_context) if message.market_context else "",
    )
    if message.event_id is not None:
        return Qualification(
            id=message.opt_id,
            event_id=message.event_id,
            version=message.modification_number or 0,
            opt_type=OptType(message.opt_type),
            reason=message.opt_reason,
            created_at=message.created_date_time,
            scope=scope,
        )
    return OptSchedule(
        id=message.opt_id,
        opt_type=OptType(message.opt_type),
        reason=message.opt_reason,
        spans=tuple(_span(one) for one in message.availability or ()),
        created_at=message.created_date_time,
        scope=scope,
    )


def opt_to_wire(opt: OptSchedule | Qualification, *, ven_id: str, request_id: str) -> m.CreateOpt:
    """As the party with this id says it: with its own venID in eiTarget, as 8.5.2 wants and R202 allows."""
    targets = (*opt.scope.targets, Target(kind=TargetKind.VEN, name=ven_id))
    classes = tuple(sorted(opt.scope.device_classes))
    is_schedule = isinstance(opt, OptSchedule)
    return m.CreateOpt(
        request_id=request_id,
        opt_id=opt.id,
        opt_type=opt.opt_type.value,
        opt_reason=opt.reason,
        ven_id=ven_id,
        created_date_time=opt.created_at,
        target=target_to_wire(tuple(sorted(targets, key=lambda target: (target.kind, target.name)))),
        market_context=opt.scope.market_context or None,
        availability=tuple(_available(span) for span in opt.spans) if isinstance(opt, OptSchedule) else None,
        event_id=None if is_schedule else opt.event_id,  # type: ignore[union-attr]
        modification_number=None if is_schedule else opt.version,  # type: ignore[union-attr]
        # R209: left out if empty.
        device_class=m.Target(end_device_assets=classes) if classes else None,
    )


def _check_form(message: m.CreateOpt) -> None:
    """R206: a schedule, or an event; never both, and never neither."""
    if (message.availability is None) == (message.event_id is None):
        raise SchemaViolation("neither a schedule nor an event, or both", clause="R206")
    if message.event_id is not None and message.market_context is not None:
        raise SchemaViolation("an event has a market context already", clause="R206")
    if not message.opt_id.strip():
        raise UnknownReference("the optID is missing", clause="R204")
    if len(message.opt_id) > IDENTIFIER_MAX_CHARS:
        raise RemoteProtocolError("the optID is too long", clause="R204")
    if len(message.availability or ()) > OPT_SPANS_MAX:
        raise RemoteProtocolError(f"more than {OPT_SPANS_MAX} stretches in one schedule", clause="R200")


def _targets(target: m.Target, ven_id: str) -> frozenset[Target]:
    """R202, R208: of the venID, the party's own; nothing else, or nothing at all, means all that it has.

    Interpretation: 8.5.2 wants the venID in every target, so where resources stand beside it they
    are meant, and not the whole party again.
    """
    found = target_from_wire(target)
    if any(one.kind is TargetKind.VEN and one.name != ven_id for one in found):
        raise UnknownReference("the venID in the target is not the party's", clause="R208")
    named = frozenset(one for one in found if one.kind is not TargetKind.VEN)
    if any(not one.name.strip() or len(one.name) > IDENTIFIER_MAX_CHARS for one in named):
        raise RemoteProtocolError("a target has no name, or too long a one", clause="R202")
    return named


def _device_classes(target: m.Target | None) -> frozenset[str]:
    """R209: device classes, and nothing else."""
    found = () if target is None else target_from_wire(target)
    if any(one.kind is not TargetKind.DEVICE_CLASS for one in found):
        raise SchemaViolation("oadrDeviceClass holds more than device classes", clause="R209")
    return frozenset(one.name for one in found)


def _span(available: m.Available) -> Span:
    if available.misplaced:
        raise SchemaViolation(f"{available.misplaced[0]} has no place in a schedule", clause="R200")
    if available.duration < ZERO:
        raise RemoteProtocolError("a stretch that ends before it begins", clause="R200")
    if not EARLIEST_YEAR <= available.dtstart.year < LATEST_YEAR or available.duration > LONGEST:
        raise RemoteProtocolError("a stretch of time that no calendar has", clause="R200")
    return Span(starts_at=available.dtstart, duration=available.duration or None)


def _available(span: Span) -> m.Available:
    if span.duration is not None and span.duration <= ZERO:
        raise LocalProtocolError("a stretch without length would be read as one without end", clause="R210")
    return m.Available(dtstart=span.starts_at, duration=span.duration or ZERO)
