"""EiOpt at the VTN: schedules and qualified events, what replaces what, and what is refused (R200 to R211)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from openadr_core.limits import OPT_SCHEDULES_MAX, OPT_SPANS_MAX
from openadr_core.model.availability import OptRules, OptSchedule, Resource, state_at
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification, of_whole_party, qualified
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.translate_opts import opt_from_wire
from tests.vtn.protocols.speech import WISH, answer, polled
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import HOUR, a_program

CONTEXT = "http://utility.example/program-1"
OWN = "id-ven-one"
MOMENT = datetime.fromisoformat("2026-07-15T18:30:00Z")


def schedule(now: datetime, *resource_ids: str, **changes: object) -> m.CreateOpt:
    message = m.CreateOpt(
        request_id="q1",
        opt_id="o1",
        opt_type="optOut",
        opt_reason="notParticipating",
        ven_id=OWN,
        created_date_time=now,
        target=m.Target(resource_ids=resource_ids, ven_ids=(OWN,)),
        availability=(m.Available(dtstart=now, duration=HOUR),),
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def of_event(now: datetime, *resource_ids: str, **changes: object) -> m.CreateOpt:
    form = {"availability": None, "event_id": "event-1", "modification_number": 0}
    return schedule(now, *resource_ids, **(form | changes))


def cancel(opt_id: str = "o1") -> m.CancelOpt:
    return m.CancelOpt(request_id="q2", opt_id=opt_id, ven_id=OWN)


async def code(ven: Ven, message: m.CreateOpt | m.CancelOpt) -> str:
    """The code of the answer, which is of the payload that fits, and returns both ids (R207)."""
    said = await ven.say(message)
    assert isinstance(said, m.CreatedOpt if isinstance(message, m.CreateOpt) else m.CanceledOpt)
    assert (said.opt_id, said.response.request_id) == (message.opt_id, message.request_id)
    return said.response.response_code


async def kept(bench: Bench) -> list[OptSchedule]:
    async with bench.store.view() as view:
        return [stored.schedule for stored in await view.availability.of_party(OWN)]


async def said_to_event(bench: Bench) -> Sequence[Qualification]:
    async with bench.store.view() as view:
        return (await view.availability.qualifications("event-1")).get(OWN, [])


def opt_of(schedules: list[OptSchedule], now: datetime, *names: str, **about: Any) -> OptType:
    resource = Resource(names=frozenset(names), **about)
    return state_at(schedules, OptRules(), resource, now).opt_type


# -- schedules -------------------------------------------------------------------------


@pytest.mark.openadr20b("R202", "R205", "R207", "R200", "O1", "O3")
@pytest.mark.parametrize("target", [m.Target(), m.Target(ven_ids=(OWN,))], ids=["empty", "venID alone"])
async def test_a_schedule_for_all_is_kept_with_its_reason(bench: Bench, target: m.Target) -> None:
    ven, _ = await bench.add_party()
    assert await code(ven, schedule(bench.now, target=target)) == "200"
    (found,) = await kept(bench)
    assert (found.reason, found.scope.targets) == ("notParticipating", frozenset())
    assert opt_of([found], bench.now) is OptType.OUT
    assert opt_of([found], bench.now + HOUR, "r1") is OptType.IN
    assert [one.kind for one in bench.notices] == ["opt schedule received"]


@pytest.mark.openadr20b("R202", "R209", "R512", "O3", "O8", "E7")
async def test_a_schedule_for_some_says_which_under_what_program(bench: Bench) -> None:
    """Names ORed, whatever their kind; the device class and the market context ANDed, the latter normalised."""
    ven, _ = await bench.add_party()
    message = schedule(
        bench.now,
        target=m.Target(resource_ids=("r1",), group_ids=("g1",), ven_ids=(OWN,)),
        market_context="HTTP://Utility.Example/program-1",
        device_class=m.Target(end_device_assets=("Storage",)),
    )
    assert await code(ven, message) == "200"
    found = await kept(bench)
    assert found[0].scope.targets == {
        Target(kind=TargetKind.RESOURCE, name="r1"), Target(kind=TargetKind.GROUP, name="g1"),
    }  # fmt: skip
    for name in ("r1", "g1"):
        assert (
            opt_of(found, bench.now, name, device_classes=frozenset({"Storage"}), market_context=CONTEXT) is OptType.OUT
        )
    assert opt_of(found, bench.now, "r2", device_classes=frozenset({"Storage"}), market_context=CONTEXT) is OptType.IN
    assert (
        opt_of(found, bench.now, "r1", device_classes=frozenset({"Thermostat"}), market_context=CONTEXT) is OptType.IN
    )
    assert (
        opt_of(found, bench.now, "r1", device_classes=frozenset({"Storage"}), market_context="http://other.example/")
        is OptType.IN
    )


@pytest.mark.openadr20b("R203", "R210", "O2", "O4")
async def test_a_later_schedule_replaces_and_one_without_end_has_none(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    for_ever = (m.Available(dtstart=bench.now, duration=timedelta(0)),)
    await code(ven, schedule(bench.now, availability=for_ever))
    assert opt_of(await kept(bench), bench.now + 90_000 * HOUR) is OptType.OUT
    await code(ven, schedule(bench.now, "r1", opt_id="o2", availability=()))
    assert opt_of(await kept(bench), bench.now, "r1") is OptType.IN
    assert opt_of(await kept(bench), bench.now, "r2") is OptType.OUT
    await code(ven, schedule(bench.now, opt_id="o3", opt_type="optIn"))
    assert opt_of(await kept(bench), bench.now, "r2") is OptType.OUT, "of the other type, and so of no concern"
    await code(ven, schedule(bench.now, opt_id="o4", availability=()))
    assert opt_of(await kept(bench), bench.now, "r2") is OptType.IN


@pytest.mark.openadr20b("R204", "R208", "O5", "O9")
async def test_cancelling_takes_all_that_share_an_id_and_also_what_was_replaced(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await code(ven, schedule(bench.now, "r1"))
    await code(ven, schedule(bench.now, "r2"))
    await code(ven, schedule(bench.now, "r1", opt_id="o2", availability=()))
    assert await code(ven, cancel()) == "200"
    assert [one.cancelled_at for one in await kept(bench)] == [bench.now, bench.now, None]
    # T10: the answer was lost, so it is said again; and nothing changes.
    bench.pass_time(1)
    assert await code(ven.reconnected(), cancel()) == "200"
    assert (await kept(bench))[0].cancelled_at != bench.now
    assert await code(ven, cancel("nobody's")) == "452"


@pytest.mark.openadr20b("T10")
async def test_the_same_schedule_twice_is_one(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    for _ in range(2):
        assert await code(ven, schedule(bench.now)) == "200"
    assert len(await kept(bench)) == 1
    await code(ven, cancel())
    assert await code(ven, schedule(bench.now)) == "200"
    assert len(await kept(bench)) == 1, "what comes late does not bring back what was cancelled"


@pytest.mark.openadr20b("R200", "R206", "R208", "R209", "O1", "O2", "O9", "R33")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"availability": None}, "459"),
        ({"event_id": "event-1", "modification_number": 0}, "459"),
        ({"availability": None, "event_id": "event-1", "modification_number": 0, "market_context": CONTEXT}, "459"),
        ({"device_class": m.Target(resource_ids=("r1",))}, "459"),
        ({"target": m.Target(ven_ids=("id-ven-two",))}, "452"),
        ({"target": m.Target(ven_ids=(OWN, "ID-VEN-ONE"))}, "452"),
        ({"target": m.Target(resource_ids=("r" * 129,))}, "454"),
        ({"target": m.Target(resource_ids=("",))}, "454"),
        ({"opt_id": ""}, "452"),
        ({"opt_id": "o" * 129}, "454"),
        ({"market_context": "http://utility.example/nobody's"}, "462"),
        ({"availability": (m.Available(dtstart=MOMENT, duration=-HOUR),)}, "454"),
        ({"availability": (m.Available(dtstart=MOMENT.replace(year=9998), duration=HOUR),)}, "454"),
        ({"availability": (m.Available(dtstart=MOMENT, duration=timedelta(days=3_000_000)),)}, "454"),
        ({"availability": (m.Available(dtstart=MOMENT, duration=HOUR),) * (OPT_SPANS_MAX + 1)}, "454"),
    ],
)  # fmt: skip
async def test_what_is_no_opt_is_refused_and_changes_nothing(
    bench: Bench, changes: dict[str, object], expected: str
) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event()
    assert await code(ven, schedule(bench.now, **changes)) == expected
    assert await kept(bench) == []
    assert await said_to_event(bench) == []
    assert await code(ven, schedule(bench.now)) == "200", "its next good message works"


@pytest.mark.openadr20b("R200", "O2")
@pytest.mark.parametrize(
    "misplaced",
    [
        "<xcal:tolerance><xcal:tolerate><xcal:startafter>PT1M</xcal:startafter></xcal:tolerate></xcal:tolerance>",
        "<ei:x-eiNotification><xcal:duration>PT1M</xcal:duration></ei:x-eiNotification>",
        "<ei:x-eiRampUp><xcal:duration>PT1M</xcal:duration></ei:x-eiRampUp>",
        "<ei:x-eiRecovery><xcal:duration>PT1M</xcal:duration></ei:x-eiRecovery>",
    ],
)
async def test_what_belongs_to_an_event_has_no_place_in_a_schedule(bench: Bench, misplaced: str) -> None:
    """The schema lets it pass, because events have it there."""
    ven, _ = await bench.add_party()
    body = encode(schedule(bench.now)).replace(b"</xcal:properties>", f"{misplaced}</xcal:properties>".encode())
    response = await ven.post(body, service="EiOpt")
    assert b"<ei:responseCode>459<" in response.body
    assert await kept(bench) == []


@pytest.mark.openadr20b("R201", "O10")
async def test_a_program_says_which_schedules_it_takes(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    strict = OptRules(allowed=frozenset({OptType.OUT}), overlap=False)
    stored = a_program(bench.now)
    async with bench.store.unit_of_work() as uow:
        await uow.programs.replace(replace(stored, program=replace(stored.program, opt_rules=strict)))
    under = {"market_context": CONTEXT}
    assert await code(ven, schedule(bench.now, opt_type="optIn", **under)) == "451"
    twice = (m.Available(dtstart=bench.now, duration=HOUR), m.Available(dtstart=bench.now + HOUR / 2, duration=HOUR))
    assert await code(ven, schedule(bench.now, availability=twice, **under)) == "451"
    assert await kept(bench) == []
    assert await code(ven, schedule(bench.now, **under)) == "200"
    assert await code(ven, schedule(bench.now, opt_id="o2", opt_type="optIn", availability=twice)) == "200"


@pytest.mark.openadr20b("R406", "R407", "G6", "G7")
async def test_schedules_end_with_their_registration(bench: Bench) -> None:
    ven, party = await bench.add_party()
    assert party.registration is not None
    own = party.registration.registration_id
    await code(ven, schedule(bench.now))
    await ven.say(replace(WISH, registration_id=own, ven_id=OWN))
    assert len(await kept(bench)) == 1
    await ven.say(m.CancelPartyRegistration(request_id="q", registration_id=own, ven_id=OWN))
    assert await kept(bench) == []
    assert await code(ven, schedule(bench.now)) == "463"
    await ven.say(WISH)
    await code(ven, schedule(bench.now))
    await ven.say(WISH)
    assert await kept(bench) == []


async def test_a_party_cannot_fill_the_store(bench: Bench) -> None:
    """What nobody hears any more makes room; what is in force does not."""
    ven, party = await bench.add_party()
    first = [schedule(bench.now, f"r{number}", opt_id=f"o{number}") for number in range(OPT_SCHEDULES_MAX)]
    async with bench.store.unit_of_work() as uow:
        for message in first:
            said = opt_from_wire(message, ven_id=OWN)
            assert isinstance(said, OptSchedule)
            await uow.availability.add(party.id, said, bench.now)
    assert await code(ven, schedule(bench.now, "more", opt_id="more")) == "469"
    assert len(await kept(bench)) == OPT_SCHEDULES_MAX
    await code(ven, cancel("o0"))
    assert await code(ven, schedule(bench.now, "more", opt_id="more")) == "200"
    assert {"o0"} == {message.opt_id for message in first} - {one.id for one in await kept(bench)}


# -- events ----------------------------------------------------------------------------


@pytest.mark.openadr20b("R206", "R16", "R17", "O1", "O6", "V19")
async def test_what_is_said_of_resources_outranks_the_answer_through_every_version(bench: Bench) -> None:
    ven, party = await bench.add_party()
    event = await bench.write_event()
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    await ven.say(answer(told))
    assert await code(ven, of_event(bench.now, "r1")) == "200"
    changed = await bench.revise_event(event, replace(event, comment="more"))
    told = await polled(ven)
    assert isinstance(told, m.DistributeEvent)
    await ven.say(answer(told))
    words = await said_to_event(bench)
    for_r1 = qualified(words, Resource(names=frozenset({"r1"})))
    assert for_r1 is not None
    assert (for_r1.opt_type, for_r1.reason, for_r1.version) == (OptType.OUT, "notParticipating", 0)
    assert qualified(words, Resource(names=frozenset({"r2"}))) is None, "it stays under the answer"
    assert await code(ven, of_event(bench.now, "r1", opt_id="o2", opt_type="optIn", modification_number=1)) == "200"
    back = qualified(await said_to_event(bench), Resource(names=frozenset({"r1"})))
    assert back is not None
    assert back.opt_type is OptType.IN
    async with bench.store.view() as view:
        assert (await view.opts.latest(changed.id))[party.id].opt_type is OptType.IN


@pytest.mark.openadr20b("R206", "O6", "T10")
async def test_a_whole_party_may_speak_and_says_it_once(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    event = await bench.write_event()
    assert isinstance(await polled(ven), m.DistributeEvent)
    for _ in range(2):
        assert await code(ven.reconnected(), of_event(bench.now)) == "200"
    words = await said_to_event(bench)
    assert len(words) == 1
    assert of_whole_party(words) == words[0]
    assert (await bench.row_of(event)).fetched_at is not None, "whoever says something to an event has it"


@pytest.mark.openadr20b("R206", "R208", "O7", "O9")
async def test_an_event_is_qualified_by_its_own_resources_alone(bench: Bench) -> None:
    ven, _ = await bench.add_party(targets=("zone-a", "r1", "r2"))
    parts = tuple(Target(kind=TargetKind.RESOURCE, name=name) for name in ("r1", "r2", "r3"))
    await bench.write_event(targets=parts)
    assert await code(ven, of_event(bench.now, "r1", "r3")) == "462"
    assert await code(ven, of_event(bench.now, "r9")) == "462"
    assert await code(ven, of_event(bench.now, "r1", event_id="event-9")) == "452"
    assert await code(ven, of_event(bench.now, "r1", modification_number=7)) == "450"
    assert await said_to_event(bench) == []
    assert await code(ven, of_event(bench.now, "r1", "r2")) == "200"
    assert await code(ven, of_event(bench.now, opt_id="o2")) == "200"


@pytest.mark.openadr20b("R206", "R208")
async def test_an_event_of_others_is_unknown(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.add_party("ven-two")
    await bench.write_event(targets=(Target(kind=TargetKind.NAME, name="id-ven-two"),))
    assert await code(ven, of_event(bench.now)) == "452"


@pytest.mark.openadr20b("R211", "O5")
async def test_what_was_said_to_an_event_is_not_cancelled(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event()
    await code(ven, of_event(bench.now, opt_id="e1"))
    assert await code(ven, cancel("e1")) == "451"
    assert len(await said_to_event(bench)) == 1


@pytest.mark.openadr20b("R206", "R406")
async def test_what_was_said_to_an_event_outlives_a_registration_as_the_event_does(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event()
    await code(ven, of_event(bench.now))
    await ven.say(WISH)
    assert len(await said_to_event(bench)) == 1
