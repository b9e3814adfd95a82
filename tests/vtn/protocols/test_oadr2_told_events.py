"""What a party is told of the events that are, become or stop being for it: numbers, targets, times."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from openadr_core.limits import CANCELLED_SENDS_MAX, XML_REPORT_BODY_MAX_BYTES
from openadr_core.model.event import Signal, SignalInterval, SignalKind
from openadr_core.model.target import Target, TargetKind, by_name
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, decode
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers.parties import approve_party
from tests.vtn.protocols.speech import OK, answer, polled
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import HOUR

MINUTE = timedelta(minutes=1)


async def grant(bench: Bench, *targets: str, name: str = "ven-one") -> None:
    """What an operator does with ``openadr-vtn party approve``."""
    await approve_party(bench.store, name, actor="client:chief", now=bench.now, targets=targets)


async def told(ven: Ven) -> m.DistributeEvent:
    message = await polled(ven)
    assert isinstance(message, m.DistributeEvent)
    return message


def numbers(message: m.DistributeEvent) -> list[tuple[str, int, str]]:
    return [
        (event.descriptor.event_id, event.descriptor.modification_number, event.descriptor.event_status)
        for event in message.events
    ]


@pytest.mark.openadr20b("R5", "R10", "R50", "V1", "V10")
async def test_who_loses_its_targets_sees_its_events_cancelled_under_the_next_number(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    first = await told(ven)
    assert (await ven.ask(answer(first), m.Response)).response.response_code == "200"
    await grant(bench, "somewhere")
    lost = await told(ven)
    assert numbers(lost) == [("event-1", 1, "cancelled")]
    assert (await ven.ask(answer(lost), m.Response)).response.response_code == "200"
    assert isinstance(await polled(ven), m.Response), "acknowledged, and told no more"
    await grant(bench, "zone-a")
    back = await told(ven)
    assert numbers(back) == [("event-1", 2, "active")], "under a number that it has not heard yet"
    assert (await ven.ask(answer(back), m.Response)).response.response_code == "200"
    await bench.cancel_event(event)
    assert numbers(await told(ven)) == [("event-1", 3, "cancelled")]
    async with bench.store.view() as view:
        assert [opt.version for _, opt in await view.opts.history("event-1")] == [0, 1, 2]


@pytest.mark.openadr20b("R50", "V10")
async def test_who_never_heard_of_an_event_hears_of_no_cancel(bench: Bench) -> None:
    await bench.add_party()
    event = await bench.write_event()
    late, _ = await bench.add_party("ven-two", registered=False)
    await bench.cancel_event(event)
    await grant(bench, "zone-a", "zone-b", name="ven-two")
    async with bench.store.view() as view:
        assert {row.party_id for row in await view.deliveries.of_event("event-1")} == {"id-ven-one", "id-ven-two"}
    third, _ = await bench.add_party("ven-three")
    assert isinstance(await third.say(m.Poll(ven_id="id-ven-three")), m.Response)
    assert late


@pytest.mark.openadr20b("R52", "V11")
async def test_a_cancel_is_told_until_it_is_acknowledged_or_hopeless(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    event = await bench.write_event(duration=None, signals=endless())
    await told(ven)
    await bench.cancel_event(event)
    for _ in range(CANCELLED_SENDS_MAX):
        bench.pass_time(61)
        assert numbers(await told(ven)) == [("event-1", 1, "cancelled")]
    bench.pass_time(3600)
    assert isinstance(await polled(ven), m.Response)
    asked = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
    assert asked.events == ()


def endless() -> tuple[Signal, ...]:
    return (Signal(id="s", kind=SignalKind.LEVEL, intervals=(SignalInterval(duration=None, value=1.0),)),)


@pytest.mark.openadr20b("V18", "R22", "R63", "R510")
@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (by_name("ven-one"), m.Target(ven_ids=("id-ven-one",))),
        (
            (*by_name("ven-one"), *(Target(kind=TargetKind.RESOURCE, name=name) for name in ("r-1", "r-2"))),
            m.Target(resource_ids=("r-1", "r-2")),
        ),
        ((Target(kind=TargetKind.GROUP, name="zone-a"),), m.Target(group_ids=("zone-a",))),
        ((Target(kind=TargetKind.DEVICE_CLASS, name="Storage"),), m.Target(end_device_assets=("Storage",))),
        (
            (Target(kind=TargetKind.GROUP, name="zone-a"), Target(kind=TargetKind.RESOURCE, name="theirs")),
            m.Target(group_ids=("zone-a",)),
        ),
    ],
)
async def test_a_party_is_told_its_venid_or_its_parts_and_nobody_elses(
    bench: Bench, targets: Sequence[Target], expected: m.Target
) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event(targets=tuple(targets))
    assert [event.target for event in (await told(ven)).events] == [expected]


async def test_two_parties_read_one_event_each_with_its_own_name(bench: Bench) -> None:
    one, _ = await bench.add_party()
    two, _ = await bench.add_party("ven-two")
    await bench.write_event(comment="for the-party-that-reads-this")
    for ven, party_id in ((one, "id-ven-one"), (two, "id-ven-two")):
        message = await ven.say(m.Poll(ven_id=party_id))
        assert isinstance(message, m.DistributeEvent)
        (event,) = message.events
        assert event.target == m.Target(ven_ids=(party_id,))
        assert event.descriptor.vtn_comment == "for the-party-that-reads-this"


@pytest.mark.openadr20b("R115", "V15", "V16", "R13", "V3", "V17", "R502")
async def test_the_payload_is_as_old_as_the_last_change_in_any_of_its_events(bench: Bench) -> None:
    """It moves with writing, with the near edge, the start and each interval; a poll alone moves nothing."""
    ven, _ = await bench.add_party()
    start = bench.now + HOUR
    halves = tuple(SignalInterval(duration=HOUR / 2, value=value) for value in (1.0, 2.0))
    signals = (Signal(id="s", kind=SignalKind.LEVEL, intervals=halves),)
    await bench.write_event(starts_at=start, ramp_up=4 * MINUTE, signals=signals)
    await bench.write_event(event_id="other", starts_at=start + 9 * HOUR)
    written = bench.now

    async def read() -> tuple[str, float | None, set[datetime]]:
        message = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
        first = message.events[0]
        created = {event.descriptor.created_date_time for event in message.events}
        return first.descriptor.event_status, first.signals[0].current_value, created

    assert await read() == ("far", 0.0, {written})
    bench.now = start - 4 * MINUTE
    assert await read() == ("near", 0.0, {start - 4 * MINUTE})
    bench.now = start + MINUTE
    assert await read() == ("active", 1.0, {start})
    bench.now = start + HOUR / 2 + MINUTE
    assert await read() == ("active", 2.0, {start + HOUR / 2})
    message = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
    await ven.ask(answer(message), m.Response)
    bench.now = start + HOUR
    assert isinstance(await polled(ven), m.Response), "a status is no news"


@pytest.mark.openadr20b("R13", "V3")
async def test_a_ramp_inside_the_event_has_no_near(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    start = bench.now + HOUR
    await bench.write_event(starts_at=start, ramp_up=-10 * MINUTE)
    statuses = []
    for moment in (bench.now, start - MINUTE, start, start + 59 * MINUTE):
        bench.now = moment
        message = await ven.ask(m.RequestEvent(request_id="q", ven_id="id-ven-one"), m.DistributeEvent)
        statuses.append(message.events[0].descriptor.event_status)
    assert statuses == ["far", "far", "active", "active"]


@pytest.mark.openadr20b("R35", "R25", "V20")
async def test_an_error_about_the_whole_is_kept_for_the_operator_and_answers_nothing(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event()
    await told(ven)
    wrong = m.EiResponse(response_code="452", response_description="not my VTN", request_id="")
    for _ in range(3):
        complaint = m.CreatedEvent(response=wrong, ven_id="id-ven-one")
        assert (await ven.ask(complaint, m.Response)).response.response_code == "200"
    assert (await ven.ask(m.CreatedEvent(response=OK, ven_id="id-ven-one"), m.Response)).response.response_code == "200"
    async with bench.store.view() as view:
        (entry,) = await view.audit.of_subject("id-ven-one", "events not understood")
        assert await view.opts.history("event-1") == []
    assert (entry.actor, entry.detail) == ("party:id-ven-one", "452 not my VTN")


async def test_what_has_no_room_in_one_message_is_left_out_and_the_operator_is_told(bench: Bench) -> None:
    """The desk admits no more than fits; a party that is given more targets may come to have too much all the same."""
    ven, party = await bench.add_party()
    steps = tuple(SignalInterval(duration=5 * MINUTE, value=1.0) for _ in range(288))
    kinds = [kind for kind in SignalKind if kind is SignalKind.LEVEL or kind.endswith(("factor", "share", "offset"))]
    signals = tuple(Signal(id=f"{kind} {copy}", kind=kind, intervals=steps) for copy in range(3) for kind in kinds)
    for number in range(4):
        await bench.write_event(
            event_id=f"e{number}", starts_at=bench.now + number * MINUTE, duration=24 * HOUR, signals=signals
        )
    body = (await ven.post(encode(m.Poll(ven_id=party.id)), service="OadrPoll")).body
    assert len(body) <= XML_REPORT_BODY_MAX_BYTES
    message = decode(body, bench.schema, limits=LARGE)
    assert isinstance(message, m.DistributeEvent)
    held = [event.descriptor.event_id for event in message.events]
    assert held == ["e0", "e1", "e2"][: len(held)]
    assert 0 < len(held) < 4
    left_out = [notice.event_id for notice in bench.notices if notice.kind == "event not written"]
    assert left_out == ["e0", "e1", "e2", "e3"][len(held) :]
