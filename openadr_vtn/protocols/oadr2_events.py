"""Events as a party reads them, encoded once for all parties and as long as nothing in them changes."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from openadr_core.errors import LocalProtocolError
from openadr_core.model.event import DrEvent, EventStatus
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode_distribute_event, encode_event
from openadr_core.oadr2.translate import event_to_wire
from openadr_core.xml.fields import escape

FRAGMENTS_MAX = 1_000
ANYBODY = "the-party-that-reads-this"
"""Stands for the party's id in a fragment that is kept."""


class EventWriter:
    """Writes oadrDistributeEvent. What it keeps is a cache: a fragment follows from its key alone."""

    def __init__(self) -> None:
        self._fragments: OrderedDict[tuple[object, ...], tuple[str, str]] = OrderedDict()

    def write(
        self, message: m.DistributeEvent, events: Sequence[DrEvent], *, ven_id: str, now: datetime
    ) -> tuple[bytes, dict[str, str]]:
        """The payload with these events in it, as the party with this id reads them now.

        An event that cannot be written must not keep the others, a Stop among them, from the
        party: it is left out, and told by its id with the reason.
        """
        # R115: one createdDateTime for all, which moves when any of them changes.
        created = max((event.modified_at for event in events), default=now)
        name = escape(ven_id)
        fragments: list[str] = []
        left_out: dict[str, str] = {}
        for event in events:
            try:
                fragments.append(self._fragment(event, created, now, name))
            except LocalProtocolError as error:
                left_out[event.id] = str(error)
        return encode_distribute_event(message, fragments), left_out

    def _fragment(self, event: DrEvent, created: datetime, now: datetime, name: str) -> str:
        status = event.status_at(now)
        key = (event.id, event.version, event.cancelled_at, created, status, _running(event, status, now))
        halves = self._fragments.get(key)
        if halves is None:
            text = encode_event(event_to_wire(event, now=now, created=created, ven_id=ANYBODY))
            before, _, after = text.rpartition(ANYBODY)
            halves = self._fragments[key] = (before, after)
            if len(self._fragments) > FRAGMENTS_MAX:
                self._fragments.popitem(last=False)
        return halves[0] + name + halves[1]


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
