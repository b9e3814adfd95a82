"""Events as a party reads them, encoded once for all parties and as long as nothing in them changes."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import LocalProtocolError
from openadr_core.limits import DISTRIBUTED_BYTES_MAX
from openadr_core.model.event import DrEvent, EventStatus
from openadr_core.model.party import Party
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode_distribute_event, encode_event
from openadr_core.oadr2.translate import event_to_wire
from openadr_core.xml.fields import date_time_text, escape

FRAGMENTS_MAX = 1_000
ANYBODY = "the-party-that-reads-this"
"""Stands for the party's id in a fragment that is kept."""


CREATED = "<ei:createdDateTime>"
CREATED_END = "</ei:createdDateTime>"


class EventWriter:
    """Writes oadrDistributeEvent. What it keeps is a cache: a fragment follows from its key alone."""

    def __init__(self) -> None:
        self._fragments: OrderedDict[tuple[object, ...], tuple[str, str, str]] = OrderedDict()

    def write(
        self, message: m.DistributeEvent, events: Sequence[DrEvent], *, party: Party, now: datetime
    ) -> tuple[bytes, dict[str, str]]:
        """The payload with these events in it, as the party reads them now.

        An event that cannot be written must not keep the others, a Stop among them, from the
        party: it is left out, and told by its id with the reason.
        """
        # R115: one createdDateTime for all, which moves when anything in any of them changes.
        created = date_time_text(max((event.changed_at(now) for event in events), default=now))
        name = escape(party.id)
        fragments: list[str] = []
        size = 0
        left_out: dict[str, str] = {}
        for event in events:
            try:
                before, between, after = self._fragment(event, _parts(event, party), now)
            except LocalProtocolError as error:
                left_out[event.id] = str(error)
                continue
            fragment = f"{before}{created}{between}{name}{after}" if after else f"{before}{created}{between}"
            size += len(fragment.encode())
            if size > DISTRIBUTED_BYTES_MAX:
                # The operator's desk admits no more than fits; what came to be too much since (a party that was given
                # more targets) ends here, with those that start last.
                left_out[event.id] = "no room for it in one message"
            else:
                fragments.append(fragment)
        return encode_distribute_event(message, fragments), left_out

    def _fragment(self, event: DrEvent, parts: tuple[Target, ...], now: datetime) -> tuple[str, str, str]:
        """The event's text up to its createdDateTime, from there to the venID, and the rest: none without a venID."""
        status = event.status_at(now)
        key = (event.id, event.version, event.cancelled_at, parts, status, _running(event, status, now))
        found = self._fragments.get(key)
        if found is None:
            told = replace(event, targets=parts or (Target(kind=TargetKind.VEN, name=ANYBODY),))
            text = encode_event(event_to_wire(told, now=now, created=now))
            before, _, rest = text.partition(CREATED)
            rest = rest[rest.index(CREATED_END) :]
            between, _, after = (rest, "", "") if parts else rest.rpartition(ANYBODY)
            found = self._fragments[key] = (before + CREATED, between, after)
            if len(self._fragments) > FRAGMENTS_MAX:
                self._fragments.popitem(last=False)
        return found


def _parts(event: DrEvent, party: Party) -> tuple[Target, ...]:
    """What of the party the event is for; nothing if it is for the whole, or is being withdrawn."""
    told = party.share_of(event.targets) or ()
    return () if any(target.kind is TargetKind.VEN for target in told) else told


def _running(event: DrEvent, status: EventStatus, now: datetime) -> tuple[int, ...]:
    """Which interval of each signal runs, on which its currentValue depends (R14, R29)."""
    if status is not EventStatus.ACTIVE:
        return ()
    running = []
    for signal in event.signals:
        end = event.starts_at
        for index, interval in enumerate(signal.intervals):
            if interval.duration is None or now < (end := end + interval.duration):
                running.append(index)
                break
    return tuple(running)
