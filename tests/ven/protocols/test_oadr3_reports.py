"""What a VEN of OpenADR 3 reports: each payload type from the fleet's numbers, or a reason why not (R8, 1.12)."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import Quality, Reading
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.oadr3.memory import KnownEvent, Memory
from openadr_ven.protocols.oadr3.report_types import NOT_TOLD, TYPES
from openadr_ven.protocols.oadr3.reports import WAITING_MAX, Post, ReportBook

MINUTE = timedelta(minutes=1)
KW = 1000.0
STANDARD = [
    "READING", "USAGE", "DEMAND", "SETPOINT", "DELTA_USAGE", "BASELINE", "OPERATING_STATE", "UP_REGULATION_AVAILABLE",
    "DOWN_REGULATION_AVAILABLE", "REGULATION_SETPOINT", "STORAGE_USABLE_CAPACITY", "STORAGE_CHARGE_LEVEL",
    "STORAGE_MAX_DISCHARGE_POWER", "STORAGE_MAX_CHARGE_POWER", "SIMPLE_LEVEL", "USAGE_FORECAST",
    "STORAGE_DISPATCH_FORECAST", "LOAD_SHED_DELTA_AVAILABLE", "GENERATION_DELTA_AVAILABLE", "DATA_QUALITY",
]  # fmt: skip


class Asked:
    """An event of two half-hours that asks for one report, and the book that makes it."""

    def __init__(self, now: datetime, descriptor: dict[str, Any], **event: Any) -> None:
        document = {
            "programID": "p",
            "intervalPeriod": {"start": now.isoformat(), "duration": "PT30M"},
            "intervals": [{"id": number, "payloads": []} for number in (7, 8)],
            "reportDescriptors": [descriptor],
            **event,
        }
        self.now = now
        self.known = KnownEvent(
            id="e", program_id="p", document=json.dumps(document), modified="m", version=0,
            obtained_at=now - 10 * MINUTE, delay_fraction=0.0,
        )  # fmt: skip
        self.book = ReportBook()
        self.memory = Memory()
        self.said = self.book.heed(self.known)
        self.batches = 0

    @property
    def request(self) -> Any:
        (found,) = [one.request for one in self.said if isinstance(one, i.ReportRequested)]
        return found

    @property
    def reason(self) -> str:
        (found,) = [one.reason for one in self.said if isinstance(one, i.ReportNotOffered)]
        return found

    def measure(
        self, after: timedelta, length: timedelta, *values: float, quality: Quality = Quality.GOOD
    ) -> list[i.Indication]:
        """A reading of each point that is asked for."""
        self.batches += 1
        readings = tuple(
            Reading(r_id=r_id, starts_at=self.now + after, duration=length, value=value, quality=quality)
            for r_id, value in zip(self.request.r_ids, values, strict=True)
        )
        return self.book.add(Batch(number=self.batches, request=self.request, readings=readings), self.memory)

    def due(self, after: timedelta) -> Post | None:
        return self.book.due(self.memory, ven_name="house", resource="fleet", now=self.now + after)

    def sent(self, after: timedelta, report_id: str = "r1") -> Post:
        post = self.due(after)
        assert post is not None
        self.memory, _ = self.book.done(self.memory, post, report_id)
        return post


def told(post: Post | None) -> list[tuple[int, object, str]]:
    """Id, value and quality of each interval."""
    assert post is not None
    body: Any = post.body
    (resource,) = body["resources"]
    return [
        (one["id"], one["payloads"][0]["values"][0], one["payloads"][1]["values"][0]) for one in resource["intervals"]
    ]


@pytest.mark.openadr3("R8.4")
@pytest.mark.parametrize(
    ("payload_type", "measured", "said", "units"),
    [
        ("DEMAND", (5 * KW,), 5.0, "KW"),
        ("USAGE", (5 * KW,), 2.5, "KWH"),
        ("DELTA_USAGE", (5 * KW, 8 * KW), -1.5, "KWH"),
        ("BASELINE", (8 * KW,), 8.0, "KW"),
        ("SETPOINT", (5 * KW,), 5.0, "KW"),
        ("UP_REGULATION_AVAILABLE", (3 * KW,), 3.0, "KW"),
        ("DOWN_REGULATION_AVAILABLE", (2 * KW,), 2.0, "KW"),
        ("LOAD_SHED_DELTA_AVAILABLE", (1 * KW,), 1.0, "KW"),
        ("GENERATION_DELTA_AVAILABLE", (2 * KW,), 2.0, "KW"),
        ("STORAGE_USABLE_CAPACITY", (13_500.0,), 13.5, "KWH"),
        ("STORAGE_CHARGE_LEVEL", (0.4,), 0.4, "PERCENT"),
        ("STORAGE_MAX_DISCHARGE_POWER", (5 * KW,), 5.0, "KW"),
        ("STORAGE_MAX_CHARGE_POWER", (4 * KW,), 4.0, "KW"),
        ("OPERATING_STATE", (5 * KW, 8 * KW), "RUNNING_CURTAILED", None),
    ],
)
def test_each_payload_type_in_its_units(
    now: datetime, payload_type: str, measured: tuple[float, ...], said: object, units: str | None
) -> None:
    asked = Asked(now, {"payloadType": payload_type})
    assert asked.measure(timedelta(), 60 * MINUTE, *measured) == []
    post = asked.due(60 * MINUTE)
    assert told(post) == [(7, said, "OK"), (8, said, "OK")]
    assert post is not None
    body: Any = post.body
    (descriptor,) = body["payloadDescriptors"]
    assert descriptor.get("units") == units


@pytest.mark.parametrize("payload_type", STANDARD)
def test_every_type_of_the_standard_is_told_or_refused_with_its_own_reason(now: datetime, payload_type: str) -> None:
    asked = Asked(now, {"payloadType": payload_type, "historical": payload_type != "USAGE_FORECAST"})
    assert (payload_type in TYPES) != (payload_type in NOT_TOLD)
    if payload_type in TYPES:
        assert asked.request.r_ids == TYPES[payload_type].points
    else:
        assert asked.reason == NOT_TOLD[payload_type]


@pytest.mark.parametrize(
    ("descriptor", "reason"),
    [
        ({"payloadType": "MY_OWN"}, "the fleet reports DEMAND"),
        ({"payloadType": "DEMAND", "units": "KVA"}, "told in W, KW, MW"),
        ({"payloadType": "STORAGE_CHARGE_LEVEL", "units": "KWH"}, "told in PERCENT, not in KWH"),
        ({"payloadType": "OPERATING_STATE", "units": "KW"}, "words, without units"),
        ({"payloadType": "DEMAND", "readingType": "PEAK"}, "no PEAK"),
        ({"payloadType": "SETPOINT", "historical": False}, "cannot tell it before it is"),
        ({"payloadType": "USAGE_FORECAST"}, "historical false"),
        ({"payloadType": "DEMAND", "frequency": 0}, "at times that the event sets"),
    ],
)
def test_what_cannot_be_told_is_refused_for_a_reason(now: datetime, descriptor: dict[str, Any], reason: str) -> None:
    assert reason in Asked(now, descriptor).reason


def test_an_event_that_never_ends_has_no_report_at_its_end(now: datetime) -> None:
    asked = Asked(now, {"payloadType": "DEMAND"}, intervalPeriod={"start": now.isoformat(), "duration": "P9999Y"})
    assert "no intervals that end" in asked.reason


@pytest.mark.parametrize(
    ("power_kw", "opt", "quality", "state"),
    [
        (8.0, OptType.IN, Quality.GOOD, "RUNNING_NORMAL"),
        (8.05, OptType.IN, Quality.GOOD, "RUNNING_NORMAL"),
        (9.0, OptType.IN, Quality.GOOD, "RUNNING_HEIGHTENED"),
        (7.0, OptType.IN, Quality.ESTIMATED, "RUNNING_CURTAILED"),
        (7.0, OptType.OUT, Quality.GOOD, "RUNNING_OPTED_OUT"),
        (7.0, OptType.IN, Quality.BAD, "ERROR"),
    ],
)
def test_the_operating_state_of_an_interval(
    now: datetime, power_kw: float, opt: OptType, quality: Quality, state: str
) -> None:
    asked = Asked(now, {"payloadType": "OPERATING_STATE"})
    known = replace(asked.known, opt=Opt(event_id="e", version=0, opt_type=opt, at=now))
    asked.book.know(known)
    asked.measure(timedelta(), 60 * MINUTE, power_kw * KW, 8 * KW, quality=quality)
    assert {value for _, value, _ in told(asked.due(62 * MINUTE))} == {state}


@pytest.mark.openadr3("R8.2")
def test_parts_of_intervals_keep_the_id_and_own_intervals_count(now: datetime) -> None:
    for way, ids in (("SUB_INTERVALS", [7, 7, 8, 8]), ("OPEN_INTERVALS", [0, 1, 2, 3])):
        asked = Asked(now, {"payloadType": "DEMAND", "reportIntervals": way})
        assert asked.request.granularity == 15 * MINUTE
        for quarter in range(4):
            asked.measure(quarter * 15 * MINUTE, 15 * MINUTE, quarter * KW)
        assert told(asked.due(60 * MINUTE)) == [(one, float(place), "OK") for place, one in enumerate(ids)]


@pytest.mark.openadr3("R8.2")
def test_a_forecast_goes_before_its_first_interval_and_is_the_newest_that_is_known(now: datetime) -> None:
    asked = Asked(now, {"payloadType": "USAGE_FORECAST", "historical": False})
    assert asked.request.starts_at == now - 5 * MINUTE
    assert asked.measure(-2 * MINUTE, MINUTE, 4 * KW) == []
    assert asked.measure(-1 * MINUTE, MINUTE, 6 * KW) == [i.ReportDelivered(batch=1)], "the older one is of no use"
    assert asked.due(-1 * MINUTE) is None
    post = asked.sent(timedelta())
    assert told(post) == [(7, 3.0, "ESTIMATED"), (8, 3.0, "ESTIMATED")]
    body: Any = post.body
    assert body["payloadDescriptors"][0]["readingType"] == "FORECAST"
    assert asked.due(60 * MINUTE) is None, "it is made once, and corrected by none"


def test_a_forecast_of_which_nothing_is_known_says_so_when_it_has_waited(now: datetime) -> None:
    asked = Asked(now, {"payloadType": "BASELINE", "historical": False})
    assert asked.due(MINUTE) is None
    assert told(asked.due(2 * MINUTE)) == [(7, 0.0, "MISSING"), (8, 0.0, "MISSING")]


@pytest.mark.openadr3("R8.5")
def test_what_comes_late_corrects_the_report_in_its_place(now: datetime) -> None:
    asked = Asked(now, {"payloadType": "DEMAND"})
    asked.measure(timedelta(), 30 * MINUTE, 5 * KW)
    assert asked.due(60 * MINUTE) is None, "it waits for the rest"
    first = asked.sent(62 * MINUTE)
    assert told(first) == [(7, 5.0, "OK"), (8, 0.0, "MISSING")]
    assert asked.due(63 * MINUTE) is None
    asked.measure(30 * MINUTE, 30 * MINUTE, 9 * KW)
    again = asked.sent(64 * MINUTE)
    assert (again.report_id, again.name) == ("r1", first.name)
    assert told(again) == [(7, 5.0, "OK"), (8, 9.0, "OK")]
    assert asked.due(65 * MINUTE) is None, "there is nothing left to correct"


def test_an_event_that_begins_within_a_second_is_whole_without_the_rest_of_its_last(now: datetime) -> None:
    begins = now + timedelta(milliseconds=400)
    period = {"start": begins.isoformat(), "duration": "PT2S"}
    asked = Asked(now, {"payloadType": "DEMAND"}, intervalPeriod=period)
    for second in range(3):
        asked.measure(second * timedelta(seconds=1), timedelta(seconds=1), 2 * KW)
    assert asked.due(timedelta(seconds=5)) is None, "a whole second is missing"
    asked.measure(timedelta(seconds=3), timedelta(seconds=1), 2 * KW)
    assert told(asked.sent(timedelta(seconds=5))) == [(7, 2.0, "OK"), (8, 2.0, "OK")]
    assert asked.memory.reported[0].unfinished == ()


def test_what_waits_for_a_report_in_days_stands_in_nobodys_way(now: datetime) -> None:
    """The agent hands over so many batches at a time: those of one long event must not be all of them."""
    week = {"start": now.isoformat(), "duration": "P7D"}
    asked = Asked(now, {"payloadType": "DEMAND"}, intervals=[{"id": 7, "payloads": []}], intervalPeriod=week)
    halves = [asked.measure(number * 30 * MINUTE, 30 * MINUTE, 5 * KW) for number in range(336)]
    assert [said for said in halves if said] == [[i.ReportWaits(batch=number)] for number in range(1, 336)]
    assert halves[-1] == [], "with the last one the report can be made"
    assert told(asked.sent(timedelta(days=7))) == [(7, 5.0, "OK")]


def test_so_much_waits_and_no_more(now: datetime) -> None:
    for_long = {"start": now.isoformat(), "duration": "P365D"}
    asked = Asked(now, {"payloadType": "DEMAND"}, intervals=[{"id": 7, "payloads": []}], intervalPeriod=for_long)
    halves = [asked.measure(number * 30 * MINUTE, 30 * MINUTE, 5 * KW) for number in range(WAITING_MAX + 10)]
    assert sum(bool(said) for said in halves) == WAITING_MAX


def test_what_comes_too_late_is_let_go(now: datetime) -> None:
    asked = Asked(now, {"payloadType": "DEMAND"})
    asked.measure(timedelta(), 30 * MINUTE, 5 * KW)
    asked.sent(62 * MINUTE)
    asked.memory, said = asked.book.expire(asked.memory, now + 90 * MINUTE)
    assert said == []
    asked.memory, said = asked.book.expire(asked.memory, now + 121 * MINUTE)
    assert said == [i.ReportDelivered(batch=1)]
    asked.measure(30 * MINUTE, 30 * MINUTE, 9 * KW)
    assert asked.due(122 * MINUTE) is None


@pytest.mark.parametrize(
    ("duration", "payload_type", "step_s", "together_s"),
    [
        ("PT30M", "DEMAND", 900, 1800),
        ("PT30M", "STORAGE_CHARGE_LEVEL", 60, 1800),
        ("PT1H1S", "DEMAND", 1, 277),
        ("PT59S", "DEMAND", 1, 59),
        ("PT3S", "DEMAND", 1, 3),
        ("P1D", "DEMAND", 900, 1800),
    ],
)
def test_what_is_measured_fits_into_every_interval_and_comes_in_few_pieces(
    now: datetime, duration: str, payload_type: str, step_s: int, together_s: int
) -> None:
    period = {"start": now.isoformat(), "duration": duration}
    request = Asked(now, {"payloadType": payload_type}, intervalPeriod=period).request
    assert (request.granularity.total_seconds(), request.report_back.total_seconds()) == (step_s, together_s)


def test_short_intervals_without_end_are_told_by_the_minute(now: datetime) -> None:
    period = {"start": now.isoformat(), "duration": "PT3S"}
    request = Asked(now, {"payloadType": "DEMAND", "frequency": 1}, intervalPeriod=period, duration="P9999Y").request
    assert (request.granularity.total_seconds(), request.report_back.total_seconds()) == (1, 60)
