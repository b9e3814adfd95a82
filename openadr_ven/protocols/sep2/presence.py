"""What the server hears of us besides Responses: what our devices can, how the fleet stands, what its meter saw."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from openadr_core.sep2.der import DER
from openadr_core.sep2.devices import EndDevice
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    Indication,
    ReportCancelled,
    ReportDelivered,
    ReportRefused,
    ReportRequested,
    VtnRefused,
)
from openadr_ven.protocols.sep2.calls import Refusal, Script
from openadr_ven.protocols.sep2.discovery import Place, lfdi_of
from openadr_ven.protocols.sep2.identity import Identity
from openadr_ven.protocols.sep2.meaning import Ratings
from openadr_ven.protocols.sep2.memory import Memory
from openadr_ven.protocols.sep2.mirroring import find_mirror, post_readings, readings_of, wanted
from openadr_ven.protocols.sep2.standing import Standing, describe, standing_of, tell


class Matter(Enum):
    """What the script under way tells."""

    CAPABILITY = auto()
    """What one of our devices can, and is set to."""
    MIRROR = auto()
    """That our meter is there."""
    STANDING = auto()
    READINGS = auto()


class Presence:
    def __init__(self, *, identity: Identity, rate_s: int, ratings: Callable[[str], Ratings]) -> None:
        """``rate_s``: how often we would post; ``ratings`` of a device by its LFDI."""
        self._identity = identity
        self._rate_s = rate_s
        self._ratings = ratings
        self._matter = Matter.MIRROR
        self._undescribed: deque[EndDevice] = deque()
        self._own_der: DER | None = None
        self._standing: Standing | None = None
        """Not told yet."""
        self._batches: deque[Batch] = deque()
        """Readings that the server has not taken, oldest first."""
        self._has_looked = False
        """For our mirrored meter, since the last walk."""
        self._said: deque[Indication] = deque()

    def registered(self, devices: Sequence[EndDevice]) -> None:
        """We have found ourselves: capability and settings are told anew (CSIP: at start)."""
        self._undescribed = deque(devices)

    def look_again(self) -> None:
        """Whether our mirrored meter is there still, and at which rate."""
        self._has_looked = False

    def report(self, batch: Batch) -> None:
        self._batches.append(batch)

    def indications(self) -> list[Indication]:
        found = list(self._said)
        self._said.clear()
        return found

    @property
    def has_business(self) -> bool:
        waits = self._undescribed or self._batches or not self._has_looked
        return bool(waits) or (self._standing is not None and self._own_der is not None)

    def next_script(self, memory: Memory, place: Place, moment: int) -> Script[Any] | None:
        """``moment`` is the server's."""
        if self._undescribed:
            self._matter, device = Matter.CAPABILITY, self._undescribed[0]
            return describe(device, self._ratings(lfdi_of(device, self._identity)), moment)
        if not self._has_looked:
            self._matter = Matter.MIRROR
            rate_s = place.devices[0].post_rate or self._rate_s
            return find_mirror(place.capability, memory.mirror_href, self._identity, rate_s)
        if self._standing is not None and self._own_der is not None:
            self._matter = Matter.STANDING
            return tell(self._own_der, self._standing)
        while self._batches:
            message = readings_of(self._batches[0], self._identity, memory.offset_s)
            if message is not None and memory.mirror_href:
                self._matter = Matter.READINGS
                return post_readings(memory.mirror_href, message)
            # Nothing was measured, or nobody mirrors it: there is nobody to take it.
            self._settle(memory)
        return None

    def finished(self, value: Any, memory: Memory, now: datetime) -> Memory:
        """``value`` is what the script has come to."""
        match self._matter:
            case Matter.CAPABILITY:
                if lfdi_of(self._undescribed.popleft(), self._identity) == self._identity.lfdi:
                    self._own_der = value
            case Matter.STANDING:
                self._standing = None
            case Matter.READINGS:
                self._settle(memory)
            case Matter.MIRROR:
                self._has_looked = True
                href, rate_s = value
                return self._paced(replace(memory, mirror_href=href), rate_s, now)
        return memory

    def refused(self, refusal: Refusal, memory: Memory) -> Memory:
        """What the server will never take must not keep us from everything else: it is said, and left."""
        code, text = str(refusal.status), str(refusal)
        match self._matter:
            case Matter.READINGS if refusal.status == HTTPStatus.NOT_FOUND:
                # The point is gone: it is made again, and the readings go there.
                self._has_looked = False
                return replace(memory, mirror_href="")
            case Matter.READINGS:
                batch = self._batches.popleft()
                self._said.append(ReportRefused(batch=batch.number, code=code, description=text))
                return memory
            case Matter.CAPABILITY:
                what = f"what {lfdi_of(self._undescribed.popleft(), self._identity)} can"
            case Matter.STANDING:
                self._standing, what = None, "how the fleet stands"
            case Matter.MIRROR:
                self._has_looked, what = True, "our MirrorUsagePoint"
        self._said.append(VtnRefused(what=what, code=code, description=text))
        return memory

    def _paced(self, memory: Memory, rate_s: int, now: datetime) -> Memory:
        """The agent is told when the rate is another one."""
        before = memory.mirror_rate_s
        if rate_s == before:
            return memory
        if before:
            self._said.append(ReportCancelled(request_id=wanted(before, now).id, to_follow=False))
        self._said.append(ReportRequested(request=wanted(rate_s, now)))
        return replace(memory, mirror_rate_s=rate_s)

    def _settle(self, memory: Memory) -> None:
        batch = self._batches.popleft()
        self._standing = standing_of(batch, memory.offset_s) or self._standing
        self._said.append(ReportDelivered(batch=batch.number))
