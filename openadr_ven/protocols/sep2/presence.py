"""What the server hears of us besides Responses: what our devices can, how they stand, what their meters saw."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from openadr_core.model.report import Reading
from openadr_core.sep2.der import DER
from openadr_core.sep2.devices import EndDevice
from openadr_ven.application.device_metering import DEVICES
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    Indication,
    ReportCancelled,
    ReportDelivered,
    ReportRefused,
    ReportRequested,
    VtnRefused,
)
from openadr_ven.protocols.sep2.alarms import log_alarms
from openadr_ven.protocols.sep2.calls import Call, Refusal, Script
from openadr_ven.protocols.sep2.discovery import Place, lfdi_of
from openadr_ven.protocols.sep2.memory import Gradient, Memory
from openadr_ven.protocols.sep2.mirroring import (
    find_mirror,
    post_readings,
    readings_of,
    readings_of_device,
    usage_point,
    wanted,
    wanted_of_devices,
)
from openadr_ven.protocols.sep2.settings import WHOLE_FLEET, Sep2Settings
from openadr_ven.protocols.sep2.standing import Standing, connect, describe, standing_now, standing_of, tell


class Matter(Enum):
    """What the script under way tells."""

    CAPABILITY = auto()
    """What one of our devices can, and is set to."""
    CONNECTION = auto()
    """At which connection point it is."""
    MIRROR = auto()
    """That our meter is there."""
    STANDING = auto()
    READINGS = auto()
    DEVICE = auto()
    """What the meter of a device that we answer for saw, and how it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _DeviceTold:
    """What came of telling of one device."""

    mirror: str
    alarms: int


class Presence:
    def __init__(self, settings: Sep2Settings) -> None:
        self._settings = settings
        self._identity = settings.identity
        self._matter = Matter.MIRROR
        self._devices: Mapping[str, EndDevice] = {}
        """Ours, by LFDI, as the last walk has found them."""
        self._described: dict[str, tuple[int, Gradient | None]] = {}
        """Who was, what it could do for the grid then, and how fast it was to change."""
        self._undescribed: deque[EndDevice] = deque()
        self._unconnected: deque[EndDevice] = deque()
        self._ders: dict[str, DER] = {}
        self._mirrors: dict[str, str] = {}
        """Of devices that we answer for: where their MirrorUsagePoints are."""
        self._standing: Standing | None = None
        """Our own, and not told yet."""
        self._batches: deque[Batch] = deque()
        """Readings that the server has not taken, oldest first."""
        self._waiting: deque[Reading] = deque()
        """Of the first of them, where it is of devices: those that are still to be told."""
        self._opened: int | None = None
        """The number of the batch that they are of."""
        self._alarms: dict[str, int] = {}
        """Of these, that are not in the memory yet: bits by LFDI."""
        self._has_looked = False
        """For our mirrored meter, since the last walk."""
        self._said: deque[Indication] = deque()

    def begin_anew(self) -> None:
        """We have found ourselves: capability and settings are told anew (CSIP: at start)."""
        self._described.clear()
        self._undescribed.clear()
        self._unconnected.clear()
        self._mirrors.clear()

    def found(self, place: Place, memory: Memory) -> None:
        """A walk has ended: who is new is described, and our mirrored meter is looked for again."""
        named = ((lfdi_of(one, self._identity), one) for one in place.devices)
        self._devices = {lfdi: one for lfdi, one in named if self._settings.is_ours(lfdi)}
        fresh = [lfdi for lfdi in self._devices if lfdi not in self._described]
        self._unconnected.extend(
            self._devices[lfdi]
            for lfdi in fresh
            if self._settings.nmi_of(lfdi) and self._devices[lfdi].connection_point_link is not None
        )
        self._described = {lfdi: able for lfdi, able in self._described.items() if lfdi in self._devices}
        self.describe(memory)
        self._has_looked = False

    def describe(self, memory: Memory) -> None:
        """Who is new, or is not as was told any more, is to be described; also who has left, and came back."""
        gradients = {one.device: one for one in memory.gradients}
        for lfdi, device in self._devices.items():
            able = self._settings.functions(lfdi) or 0, gradients.get(lfdi)
            if self._described.get(lfdi) != able:
                self._described[lfdi] = able
                self._undescribed.append(device)

    def report(self, batch: Batch) -> None:
        self._batches.append(batch)

    def indications(self) -> list[Indication]:
        found = list(self._said)
        self._said.clear()
        return found

    @property
    def has_business(self) -> bool:
        waits = self._undescribed or self._unconnected or self._batches or not self._has_looked
        return bool(waits) or (self._standing is not None and self._identity.lfdi in self._ders)

    def next_script(self, memory: Memory, place: Place, moment: int, now: datetime) -> Script[Any] | None:
        """``moment`` is the server's, ``now`` ours."""
        own_der = self._ders.get(self._identity.lfdi)
        if self._undescribed:
            self._matter, device = Matter.CAPABILITY, self._undescribed[0]
            lfdi = lfdi_of(device, self._identity)
            functions, gradient = self._described.get(lfdi, (0, None))
            return describe(device, self._settings.ratings_of(lfdi), functions, gradient, moment)
        if self._unconnected:
            self._matter, device = Matter.CONNECTION, self._unconnected[0]
            return connect(device, self._settings.nmi_of(lfdi_of(device, self._identity)))
        if not self._has_looked:
            self._matter = Matter.MIRROR
            rate_s = place.devices[0].post_rate or self._settings.post_rate_s
            return find_mirror(place.capability, memory.mirror_href, self._identity, rate_s)
        if self._standing is not None and own_der is not None:
            self._matter = Matter.STANDING
            return self._tell_own(own_der, self._standing, memory, moment, now)
        return self._next_batch(memory, place, moment, now)

    def _next_batch(self, memory: Memory, place: Place, moment: int, now: datetime) -> Script[Any] | None:
        while self._batches:
            batch = self._batches[0]
            if batch.request.specifier_id == DEVICES:
                script = self._next_device(batch, memory, place, moment, now)
                if script is not None:
                    return script
            else:
                message = readings_of(batch, self._identity, memory.offset_s)
                if message is not None and memory.mirror_href:
                    self._matter = Matter.READINGS
                    return post_readings(memory.mirror_href, message)
            # All is told, nothing was measured, or nobody mirrors it: there is nobody to take it.
            self._settle(memory)
        return None

    def finished(self, value: Any, memory: Memory, now: datetime) -> Memory:
        """``value`` is what the script has come to."""
        match self._matter:
            case Matter.CAPABILITY:
                lfdi = lfdi_of(self._undescribed.popleft(), self._identity)
                if value is not None:
                    self._ders[lfdi] = value
            case Matter.CONNECTION:
                self._unconnected.popleft()
            case Matter.STANDING:
                self._standing = None
                return memory.with_alarms({self._identity.lfdi: value})
            case Matter.READINGS:
                self._settle(memory)
            case Matter.DEVICE:
                lfdi = self._waiting.popleft().r_id
                self._mirrors[lfdi] = value.mirror
                self._alarms[lfdi] = value.alarms
                return self._remembered(memory)
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
            case Matter.DEVICE:
                lfdi = self._waiting[0].r_id
                if self._mirrors.pop(lfdi, "") and refusal.status == HTTPStatus.NOT_FOUND:
                    return memory  # likewise
                self._waiting.popleft()
                memory, what = self._remembered(memory), f"what {lfdi} does"
            case Matter.CAPABILITY:
                what = f"what {lfdi_of(self._undescribed.popleft(), self._identity)} can"
            case Matter.CONNECTION:
                what = f"where {lfdi_of(self._unconnected.popleft(), self._identity)} is connected"
            case Matter.STANDING:
                self._standing, what = None, "how the fleet stands"
            case Matter.MIRROR:
                self._has_looked, what = True, "our MirrorUsagePoint"
        self._said.append(VtnRefused(what=what, code=code, description=text))
        return memory

    def _tell_own(self, der: DER, standing: Standing, memory: Memory, moment: int, now: datetime) -> Script[int]:
        """Of the fleet as one device; its alarms then. Where the server knows devices one by one, alarms are theirs."""
        lfdi = self._identity.lfdi
        stand = self._settings.stand
        found = None if self._settings.managed or stand is None else stand(WHOLE_FLEET, now)
        if found is not None and found.online:
            standing = replace(standing, overridden=found.overridden, alarms=found.alarms)
        yield from tell(der, standing)
        before, pen = memory.alarms_of(lfdi), self._identity.pen
        if lfdi in self._devices:
            yield from log_alarms(self._devices[lfdi], before=before, now=standing.alarms, moment=moment, pen=pen)
        return standing.alarms

    # -- devices that we answer for ----------------------------------------------------

    def _next_device(
        self, batch: Batch, memory: Memory, place: Place, moment: int, now: datetime
    ) -> Script[_DeviceTold] | None:
        """The next one that is to be told of; None once all of the batch are."""
        if self._opened != batch.number:
            self._opened = batch.number
            self._waiting = deque(one for one in batch.readings if one.r_id in self._devices)
        if not self._waiting:
            return None
        self._matter = Matter.DEVICE
        return self._tell_device(self._waiting[0], memory, place, moment, now)

    def _tell_device(
        self, reading: Reading, memory: Memory, place: Place, moment: int, now: datetime
    ) -> Script[_DeviceTold]:
        """Its reading goes to its own mirror, which is made if we do not know it; how it stands goes to its DER."""
        lfdi, points = reading.r_id, place.capability.mirror_usage_point_list_link
        mirror = self._mirrors.get(lfdi, "")
        if not mirror and points is not None:
            point = usage_point(self._identity, int(reading.duration.total_seconds()), lfdi)
            mirror = str((yield Call(method="POST", href=points.href, message=point)))
        if mirror:
            yield from post_readings(mirror, readings_of_device(reading, self._identity, memory.offset_s))
        alarms = self._alarms.get(lfdi, memory.alarms_of(lfdi))
        found = None if self._settings.stand is None else self._settings.stand(lfdi, now)
        standing = None if found is None else standing_now(found, moment)
        if standing is not None:
            if lfdi in self._ders:
                yield from tell(self._ders[lfdi], standing)
            pen = self._identity.pen
            yield from log_alarms(self._devices[lfdi], before=alarms, now=standing.alarms, moment=moment, pen=pen)
            alarms = standing.alarms
        return _DeviceTold(mirror=mirror, alarms=alarms)

    def _remembered(self, memory: Memory) -> Memory:
        """With the alarms that were told, once a whole batch was: what is remembered is written as one."""
        if self._waiting:
            return memory
        told, self._alarms = self._alarms, {}
        return memory.with_alarms(told)

    # -- how often ---------------------------------------------------------------------

    def _paced(self, memory: Memory, rate_s: int, now: datetime) -> Memory:
        """The agent is told when the rate is another one; what it has measured at the old one, it still tells."""
        if memory.mirror_rate_s != rate_s:
            if memory.mirror_rate_s:
                old = wanted(memory.mirror_rate_s, now)
                self._said.append(ReportCancelled(request_id=old.id, to_follow=True))
            self._said.append(ReportRequested(request=wanted(rate_s, now)))
        if self._settings.managed and memory.devices_rate_s != rate_s:
            if memory.devices_rate_s:
                old = wanted_of_devices(memory.devices_rate_s, now)
                self._said.append(ReportCancelled(request_id=old.id, to_follow=True))
            self._said.append(ReportRequested(request=wanted_of_devices(rate_s, now)))
            memory = replace(memory, devices_rate_s=rate_s)
        return replace(memory, mirror_rate_s=rate_s)

    def _settle(self, memory: Memory) -> None:
        batch = self._batches.popleft()
        if batch.request.specifier_id != DEVICES:
            self._standing = standing_of(batch, memory.offset_s) or self._standing
        self._said.append(ReportDelivered(batch=batch.number))
