"""Dynamic capacity management: an event that asks is bid for as the aggregator says, or gets a reason (R7.12)."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from openadr_core.exchange import Response
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr3.bids import Bid, Bids
from openadr_ven.protocols.oadr3.report_talk import ReportTalk
from openadr_ven.protocols.oadr3.reports import ReportBook
from tests.ven.protocols.test_oadr3_reports import Asked

HOUR = timedelta(hours=1)
BIDS = Bids(imports=Bid(power_w=40_000.0, fee_max=0.3))


class Bidding(Asked):
    """The same event before an aggregator that bids."""

    def __init__(self, now: datetime, payload_type: str, bids: Bids = BIDS, **event: Any) -> None:
        super().__init__(now, {"payloadType": payload_type}, **event)
        self.book = ReportBook(bids)
        self.said = self.book.heed(self.known)


def intervals_of(*payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": number, "payloads": one} for number, one in enumerate(payloads)]


def offered(kw: float | None, price: float | None, price_name: str = "AVAILABLE_PRICE") -> list[dict[str, Any]]:
    told = {"AVAILABLE": kw, price_name: price}
    return [{"type": f"IMPORT_CAPACITY_{name}", "values": [one]} for name, one in told.items() if one is not None]


def values(asked: Bidding) -> list[float]:
    post = asked.due(timedelta())
    assert post is not None
    body: Any = post.body
    (resource,) = body["resources"]
    assert resource["resourceName"] == "AGGREGATED_REPORT"
    return [one["payloads"][0]["values"][0] for one in resource["intervals"]]


@pytest.mark.openadr3("R7.12", "C9")
@pytest.mark.parametrize(
    ("payload_type", "bid"),
    [
        ("IMPORT_RESERVATION_CAPACITY", 40.0),
        ("IMPORT_CAPACITY_RESERVATION", 40.0),
        ("IMPORT_RESERVATION_FEE", 0.3),
        ("IMPORT_CAPACITY_RESERVATION_FEE", 0.3),
    ],
)
def test_every_interval_is_bid_for_at_once_and_once_under_the_name_that_was_asked(
    now: datetime, payload_type: str, bid: float
) -> None:
    asked = Bidding(now, payload_type)
    assert asked.said == [], "nothing is measured for it"
    assert values(asked) == [bid, bid]
    post = asked.sent(timedelta())
    body: Any = post.body
    assert [one["id"] for one in body["resources"][0]["intervals"]] == [7, 8]
    assert body["resources"][0]["intervals"][0]["payloads"][0]["type"] == payload_type
    assert asked.due(HOUR) is None


@pytest.mark.openadr3("R7.12", "C9")
@pytest.mark.parametrize(
    ("kw", "price", "capacity", "fee"),
    [
        (None, None, 40.0, 0.3),
        (25.0, 0.2, 25.0, 0.2),
        (100.0, 0.3, 40.0, 0.3),
        (100.0, 0.31, 0.0, 0.3),
        (-5.0, 0.1, 0.0, 0.1),
    ],
)
def test_what_is_to_be_had_and_its_price_bound_the_bid(
    now: datetime, kw: float | None, price: float | None, capacity: float, fee: float
) -> None:
    for name in ("AVAILABLE_PRICE", "AVAILABLE_FEE"):
        event: dict[str, Any] = {"intervals": intervals_of(offered(kw, price, name))}
        assert values(Bidding(now, "IMPORT_RESERVATION_CAPACITY", **event)) == [capacity]
        assert values(Bidding(now, "IMPORT_RESERVATION_FEE", **event)) == [fee]


def changed(asked: Bidding, version: int, kw: float) -> None:
    """The event's next version, in which so much is to be had."""
    document = {**json.loads(asked.known.document), "intervals": intervals_of(offered(kw, 0.2))}
    asked.known = replace(asked.known, version=version, document=json.dumps(document))
    asked.said = asked.book.heed(asked.known)


@pytest.mark.openadr3("R7.12", "R8.5")
def test_a_change_of_the_event_renews_the_bid_in_its_place(now: datetime) -> None:
    asked = Bidding(now, "IMPORT_RESERVATION_CAPACITY", intervals=intervals_of(offered(25.0, 0.2)))
    first = asked.sent(timedelta(), "r1")
    assert asked.due(HOUR) is None
    changed(asked, 1, 30.0)
    assert values(asked) == [30.0]
    again = asked.sent(HOUR, "r1")
    assert (again.report_id, again.name) == ("r1", first.name)
    assert asked.due(HOUR) is None
    asked.book = ReportBook(BIDS)
    asked.book.know(asked.known)
    assert asked.due(HOUR) is None, "nor after a restart"


@pytest.mark.openadr3("R7.12")
def test_a_bid_that_somebody_took_away_is_made_anew(now: datetime) -> None:
    asked = Bidding(now, "IMPORT_RESERVATION_CAPACITY")
    asked.sent(timedelta(), "r1")
    changed(asked, 1, 30.0)
    talk = ReportTalk(asked.book, ven_name="house", resource="fleet")
    chosen = talk.chosen(asked.memory, asked.now)
    assert chosen is not None
    assert chosen.report_id == "r1"
    asked.memory, said = talk.told(asked.memory, Response(status=404))
    assert said == []
    anew = talk.chosen(asked.memory, asked.now)
    assert anew is not None
    assert anew.report_id == ""


def test_after_a_restart_a_bid_that_is_there_is_told_again_in_its_place(now: datetime) -> None:
    """It may be for an earlier version of the event."""
    asked = Bidding(now, "IMPORT_RESERVATION_CAPACITY")
    talk = ReportTalk(asked.book, ven_name="house", resource="fleet")
    chosen = talk.chosen(asked.memory, asked.now)
    assert chosen is not None
    asked.memory, _ = talk.found(asked.memory, [json.dumps({"id": "r7", "reportName": chosen.name})])
    again = talk.chosen(asked.memory, asked.now)
    assert again is not None
    assert (again.report_id, talk.is_unsure) == ("r7", False)


def test_a_subscription_for_ever_can_be_bid_beyond(now: datetime) -> None:
    event: dict[str, Any] = {
        "intervals": intervals_of([{"type": "IMPORT_CAPACITY_SUBSCRIPTION", "values": [100]}]),
        "intervalPeriod": {"start": now.isoformat(), "duration": "P9999Y"},
    }
    assert values(Bidding(now, "IMPORT_RESERVATION_CAPACITY", **event)) == [40.0]


@pytest.mark.parametrize(
    ("descriptor", "bids", "reason"),
    [
        ({"payloadType": "IMPORT_RESERVATION_CAPACITY"}, Bids(), "bids for no import capacity"),
        ({"payloadType": "EXPORT_RESERVATION_FEE"}, BIDS, "bids for no export capacity"),
        ({"payloadType": "IMPORT_RESERVATION_CAPACITY", "units": "KVA"}, BIDS, "told in KW, not in KVA"),
    ],
)
def test_who_does_not_bid_says_why(now: datetime, descriptor: dict[str, Any], bids: Bids, reason: str) -> None:
    asked = Asked(now, descriptor)
    (said,) = ReportBook(bids).heed(asked.known)
    assert isinstance(said, i.ReportNotOffered)
    assert reason in said.reason


def test_without_intervals_there_is_nothing_to_bid_for(now: datetime) -> None:
    asked = Bidding(now, "IMPORT_RESERVATION_CAPACITY", intervals=[], intervalPeriod=None)
    assert "no intervals" in asked.reason
