"""The events of the model VTN: what its hook wrote into a folder, as a VTN tells it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

WIRE_TIME = "%Y-%m-%dT%H:%M:%SZ"
POWER = (
    "<power:powerReal><power:itemDescription>RealPower</power:itemDescription><power:itemUnits>W</power:itemUnits>"
    "<scale:siScaleCode>k</scale:siScaleCode><power:powerAttributes><power:hertz>50</power:hertz>"
    "<power:voltage>400</power:voltage><power:ac>true</power:ac></power:powerAttributes></power:powerReal>"
)
PRICE = (
    "<oadr:currencyPerKWh><oadr:itemDescription>currencyPerKWh</oadr:itemDescription><oadr:itemUnits>USD"
    "</oadr:itemUnits><scale:siScaleCode>none</scale:siScaleCode></oadr:currencyPerKWh>"
)
CONTEXTS = {"": "http://market.test", "other": "http://other.test"}
PREPARED = {
    "preconfigured_ven_id": "Ven-enrolled",
    "resource": "heater-1",
    "other_resource": "heater-2",
    "group": "feeder-7",
    "shared_group": "north",
    "party_id": "account-1",
}
"""What the tester has agreed on with this VTN's operator."""
OWN = {"enrolled": {"heater-1", "heater-2", "feeder-7", "north", "account-1"}, "other": {"north"}}
"""The names by which each party is addressed."""
ELEMENTS = {"groups": "groupID", "resources": "resourceID", "parties": "partyID"}
"""In the order of the schema."""
ITEMS = {"powerReal": POWER, "currencyPerKWh": PRICE, "": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent:
    event_id: str
    wish: dict[str, Any]
    number: int
    cancelled: bool

    @property
    def starts_at(self) -> datetime:
        return datetime.fromisoformat(self.wish["start"])

    @property
    def durations_s(self) -> list[int]:
        return list(self.wish["durations_s"])

    @property
    def answer_wanted(self) -> bool:
        return bool(self.wish["response_required"] == "always")

    def status(self, now: datetime) -> str:
        if self.cancelled:
            return "cancelled"
        if now >= self.starts_at:
            return "active"
        ramp_up = timedelta(seconds=self.wish["ramp_up_s"])
        return "near" if ramp_up and now >= self.starts_at - ramp_up else "far"

    def place(self, now: datetime) -> tuple[bool, float, datetime]:
        """R15: where it stands among the others."""
        pending = self.starts_at > now
        return pending, 0 if pending else self.wish["priority"] or float("inf"), self.starts_at

    def target(self, party: str) -> str | None:
        """What the party is told of whom it is for; None if it is for others."""
        told = self.wish["targets"]
        parts = [(ELEMENTS[kind], name) for kind in ELEMENTS for name in told[kind]]
        own = "".join(f"<ei:{kind}>{name}</ei:{kind}>" for kind, name in parts if name in OWN.get(party, ()))
        if parts:
            return own or None
        is_itself = party == "enrolled" or (told["everybody"] and not self.wish["market"])
        return f"<ei:venID>Ven-{party}</ei:venID>" if is_itself else None

    def xml(self, party: str, now: datetime) -> str:
        signals = "".join(self._signal(number, signal, now) for number, signal in enumerate(self._signals(), start=1))
        priority = f"<ei:priority>{self.wish['priority']}</ei:priority>" if self.wish["priority"] else ""
        test = f"<ei:testEvent>{self.wish['test_event']}</ei:testEvent>" if self.wish["test_event"] else ""
        comment = f"<ei:vtnComment>{self.wish['comment']}</ei:vtnComment>" if self.wish["comment"] else ""
        return f"""<oadr:oadrEvent><ei:eiEvent><ei:eventDescriptor><ei:eventID>{self.event_id}</ei:eventID>
<ei:modificationNumber>{self.number}</ei:modificationNumber>{priority}<ei:eiMarketContext>
<emix:marketContext>{CONTEXTS[self.wish["market"]]}</emix:marketContext></ei:eiMarketContext>
<ei:createdDateTime>{now.strftime(WIRE_TIME)}</ei:createdDateTime>
<ei:eventStatus>{self.status(now)}</ei:eventStatus>{test}{comment}</ei:eventDescriptor>
{self._period()}<ei:eiEventSignals>{signals}{self._baseline()}</ei:eiEventSignals>
<ei:eiTarget>{self.target(party)}</ei:eiTarget></ei:eiEvent>
<oadr:oadrResponseRequired>{self.wish["response_required"]}</oadr:oadrResponseRequired></oadr:oadrEvent>"""

    def _signals(self) -> list[dict[str, Any]]:
        """Two, so that what must tell them apart can be spoilt."""
        signals = list(self.wish["signals"])
        return signals if len(signals) > 1 or signals[0]["name"] != "SIMPLE" else signals * 2

    def _signal(self, number: int, signal: dict[str, Any], now: datetime) -> str:
        current = signal["values"][0] if self.status(now) == "active" else 0.0
        classes = "".join(
            f"<power:endDeviceAsset><power:mrid>{name}</power:mrid></power:endDeviceAsset>"
            for name in signal["device_classes"]
        )
        return (
            f"<ei:eiEventSignal>{_intervals(self.durations_s, signal['values'])}"
            f"{classes and f'<ei:eiTarget>{classes}</ei:eiTarget>'}<ei:signalName>{signal['name']}</ei:signalName>"
            f"<ei:signalType>{signal['type']}</ei:signalType><ei:signalID>s{number}</ei:signalID>{ITEMS[signal['unit']]}"
            f"<ei:currentValue><ei:payloadFloat><ei:value>{current:.1f}</ei:value></ei:payloadFloat></ei:currentValue>"
            "</ei:eiEventSignal>"
        )

    def _baseline(self) -> str:
        baseline = self.wish["baseline"]
        if not baseline:
            return ""
        return (
            f"<ei:eiEventBaseline><xcal:dtstart><xcal:date-time>{self.wish['start']}</xcal:date-time></xcal:dtstart>"
            f"{_duration(sum(baseline['durations_s']))}{_intervals(baseline['durations_s'], baseline['values'])}"
            f"<ei:baselineID>b1</ei:baselineID><ei:baselineName>usual</ei:baselineName>{POWER}</ei:eiEventBaseline>"
        )

    def _period(self) -> str:
        tolerance = self.wish["start_after_s"]
        tolerated = (
            f"<xcal:tolerance><xcal:tolerate><xcal:startafter>PT{tolerance}S</xcal:startafter></xcal:tolerate>"
            "</xcal:tolerance>"
            if tolerance
            else ""
        )
        return (
            f"<ei:eiActivePeriod><xcal:properties><xcal:dtstart><xcal:date-time>{self.wish['start']}</xcal:date-time>"
            f"</xcal:dtstart>{_duration(sum(self.durations_s))}{tolerated}"
            f"<ei:x-eiNotification>{_length(self.wish['notification_s'])}</ei:x-eiNotification>"
            f"<ei:x-eiRampUp>{_length(self.wish['ramp_up_s'])}</ei:x-eiRampUp>"
            f"<ei:x-eiRecovery>{_length(self.wish['recovery_s'])}</ei:x-eiRecovery>"
            "</xcal:properties><xcal:components/></ei:eiActivePeriod>"
        )


def events_in(folder: Path, now: datetime) -> list[ModelEvent]:
    """In the order of R15."""
    events = []
    for file in folder.glob("*.event"):
        changes = file.with_suffix(".changes")
        cancelled = file.with_suffix(".cancelled").exists()
        number = changes.read_text().count("\n") if changes.exists() else 0
        wish = json.loads(file.read_text())
        events.append(ModelEvent(event_id=file.stem, wish=wish, number=number + cancelled, cancelled=cancelled))
    return sorted(events, key=lambda event: event.place(now))


def _intervals(durations_s: Sequence[int], values: Sequence[float]) -> str:
    written = "".join(
        f"<ei:interval>{_duration(duration)}<xcal:uid><xcal:text>{uid}</xcal:text></xcal:uid><ei:signalPayload>"
        f"<ei:payloadFloat><ei:value>{value:g}</ei:value></ei:payloadFloat></ei:signalPayload></ei:interval>"
        for uid, (duration, value) in enumerate(zip(durations_s, values, strict=True))
    )
    return f"<strm:intervals>{written}</strm:intervals>"


def _duration(seconds: int) -> str:
    return f"<xcal:duration>{_length(seconds)}</xcal:duration>"


def _length(seconds: int) -> str:
    return f"<xcal:duration>PT{seconds}S</xcal:duration>"
