"""Dynamic capacity management (R7.12): what the fleet would have reserved beyond its subscription, and for how much.

An event whose descriptors ask for it is answered at once, interval by interval, by the aggregator's standing bid: what
it would like, as far as the event says that it is to be had, and at no more than it would pay. What is then granted
comes as an event of its own, and is added to the subscription (``openadr_ven/application/limiting.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from openadr_core.oadr3.layout import Placed
from openadr_core.oadr3.messages import ReportDescriptor
from openadr_core.oadr3.readings import AGGREGATED
from openadr_core.oadr3.report_plan import PlannedReport
from openadr_core.oadr3.times import moment_text

KILO = 1000.0
IMPORT, EXPORT = "IMPORT", "EXPORT"
_CAPACITY, _FEE = ("RESERVATION_CAPACITY", "CAPACITY_RESERVATION"), ("RESERVATION_FEE", "CAPACITY_RESERVATION_FEE")
BID_TYPES: Mapping[str, tuple[str, bool]] = {
    f"{way}_{name}": (way, names is _FEE) for way in (IMPORT, EXPORT) for names in (_CAPACITY, _FEE) for name in names
}
"""Payload types of reports that ask for a bid: which way, and whether for its fee.

Interpretation: the Definition calls them one way and the User Guide another; both are answered as they are asked.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """One way, in each interval that is asked about."""

    power_w: float
    """Beyond the subscription."""
    fee_max: float
    """The most for each kilowatt, in the program's currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bids:
    imports: Bid | None = None
    exports: Bid | None = None

    def of(self, payload_type: str) -> Bid | None:
        return self.imports if BID_TYPES[payload_type][0] == IMPORT else self.exports


NO_BIDS = Bids()


def why_no_bid(descriptor: ReportDescriptor, bids: Bids, *, has_intervals: bool) -> str:
    """Why the event gets none, for people; empty if it gets one."""
    way, is_fee = BID_TYPES[descriptor.payload_type]
    if bids.of(descriptor.payload_type) is None:
        return f"the aggregator bids for no {way.lower()} capacity: it is not told how much, nor for how much"
    if not is_fee and (descriptor.units or "KW").upper() != "KW":
        return f"it is told in KW, not in {descriptor.units}"
    return "" if has_intervals else "the event has no intervals to bid for"


def bid_body(
    event_id: str, descriptor: ReportDescriptor, planned: PlannedReport, bid: Bid, *, name: str, ven_name: str
) -> dict[str, object]:
    """The report that bids. Capacity is the site's, so that it is one sum for all resources."""
    payload_type = descriptor.payload_type
    described = {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": payload_type, "units": "KW"}
    return {
        "eventID": event_id,
        "clientName": ven_name,
        "reportName": name,
        "payloadDescriptors": [described],
        "resources": [
            {
                "resourceName": AGGREGATED,
                "intervals": [_interval(payload_type, placed, bid) for placed in planned.intervals],
            }
        ],
    }


def _interval(payload_type: str, placed: Placed, bid: Bid) -> dict[str, object]:
    """Interpretation: what an interval offers bounds the bid, and so does its price; without either it is free to be
    bid for. An interval whose price is beyond the bid is bid nothing for.
    """
    way, is_fee = BID_TYPES[payload_type]
    offered_kw = _told(placed, f"{way}_CAPACITY_AVAILABLE")
    price = _told(placed, f"{way}_CAPACITY_AVAILABLE_PRICE", f"{way}_CAPACITY_AVAILABLE_FEE")
    wanted_kw = bid.power_w / KILO
    if price is not None and price > bid.fee_max:
        wanted_kw = 0.0
    elif offered_kw is not None:
        wanted_kw = min(wanted_kw, max(offered_kw, 0.0))
    fee = bid.fee_max if price is None else min(price, bid.fee_max)
    value = fee if is_fee else wanted_kw
    return {
        "id": placed.id,
        "intervalPeriod": {"start": moment_text(placed.starts_at)},
        "payloads": [{"type": payload_type, "values": [round(value, 6)]}],
    }


def _told(placed: Placed, *types: str) -> float | None:
    found = (
        payload.values[0] for payload in placed.payloads if payload.type in types and payload.values
    )  # fmt: skip
    return next((float(value) for value in found if isinstance(value, int | float) and value is not True), None)
