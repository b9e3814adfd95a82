"""Who is in and who is out when, as an operator asks; with the reasons that parties gave (R201 to R206)."""

from datetime import timedelta

import pytest

from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr3.times import moment_text
from openadr_vtn.http.addresses import ADMIN, OADR3
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import HOUR

pytestmark = pytest.mark.openadr20b("R201", "R202", "R203", "O10")


def resource(*names: str) -> Scope:
    return Scope(targets=frozenset(Target(kind=TargetKind.RESOURCE, name=name) for name in names))


async def say(desk: DeskBench, opt_id: str, *names: str, hours: int = 1, opt_type: OptType = OptType.OUT) -> None:
    now = desk.clock.now()
    schedule = OptSchedule(
        id=opt_id, opt_type=opt_type, reason="emergency", created_at=now, scope=resource(*names),
        spans=(Span(starts_at=now, duration=hours * HOUR),),
    )  # fmt: skip
    async with desk.store.unit_of_work() as uow:
        await uow.availability.add("id-one", schedule, now)


async def standings(desk: DeskBench, **query: str) -> dict[str, list[str]]:
    answer = await desk.http.get(f"{ADMIN}/availability", params=query)
    assert answer.status_code == 200, answer.text
    return {one["party"]: [step["type"] for step in one["steps"]] for one in answer.json()}


async def test_schedules_are_listed_with_what_became_of_them(desk: DeskBench) -> None:
    await desk.add_party("one")
    for opt_id, names in (("first", ()), ("second", ("r1",)), ("third", ())):
        await say(desk, opt_id, *names)
    async with desk.store.unit_of_work() as uow:
        await uow.availability.cancel("id-one", "third", desk.clock.now())
    await say(desk, "fourth", "r2", hours=-1)
    found = (await desk.http.get(f"{ADMIN}/opts")).json()
    assert [(one["opt_id"], one["status"]) for one in found] == [
        ("fourth", "over"), ("third", "cancelled"), ("second", "replaced"), ("first", "replaced"),
    ]  # fmt: skip
    assert (found[2]["reason"], found[2]["scope"]["targets"]) == ("emergency", [["resource", "r1"]])
    for one in found:
        check(one, {"$ref": "#/components/schemas/optSchedule"}, "admin")
    assert (await desk.http.get(f"{ADMIN}/opts?party=one")).json() == found
    assert_problem(await desk.http.get(f"{ADMIN}/opts?party=nobody"), 404)


async def test_who_is_in_and_who_is_out(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.add_party("two")
    await say(desk, "o1", "r1")
    assert await standings(desk) == {"one": ["optIn"], "two": ["optIn"]}
    assert await standings(desk, resource="r1") == {"one": ["optOut", "optIn"], "two": ["optIn"]}
    assert await standings(desk, resource="g9,r1", party="one") == {"one": ["optOut", "optIn"]}
    later = moment_text(desk.clock.now() + 2 * HOUR)
    assert await standings(desk, resource="r1", at=later, party="one") == {"one": ["optIn"]}
    (one, _) = (await desk.http.get(f"{ADMIN}/availability?resource=r1")).json()
    check(one, {"$ref": "#/components/schemas/availability"}, "admin")
    assert (one["steps"][0]["opt_id"], one["steps"][0]["reason"]) == ("o1", "emergency")
    assert one["steps"][1] == {
        "starts_at": moment_text(desk.clock.now() + HOUR), "type": "optIn", "opt_id": None, "reason": None,
    }  # fmt: skip


async def test_a_program_has_rules_of_its_own(desk: DeskBench) -> None:
    await desk.add_party("one")
    rules = [{"type": "OPT_DEFAULT", "values": ["optOut"]}, {"type": "OPT_PRECEDENCE", "values": ["optIn"]}]
    await desk.create_program("shy", attributes=rules)
    await say(desk, "out")
    await say(desk, "in", opt_type=OptType.IN)
    assert await standings(desk) == {"one": ["optOut", "optIn"]}
    assert await standings(desk, program="shy") == {"one": ["optIn", "optOut"]}
    assert_problem(await desk.http.get(f"{ADMIN}/availability?program=nothing"), 404)
    wrong = await desk.http.get(f"{ADMIN}/availability?at=tomorrow")
    assert "at: is not a date" in assert_problem(wrong, 400)["detail"]
    assert_problem(await desk.http.get(f"{ADMIN}/availability?at=9999-01-01T00:00:00Z"), 400)
    unknown = [{"type": "OPT_DEFAULT", "values": ["maybe"]}]
    refused = await desk.http.post(f"{OADR3}/programs", json={"programName": "x", "attributes": unknown})
    assert "OPT_DEFAULT" in assert_problem(refused, 400)["detail"]


@pytest.mark.openadr20b("R206", "O6", "V19")
async def test_what_is_said_for_all_of_a_party_counts_instead_of_its_answer(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    now = desk.clock.now()
    part = Qualification(
        id="q1", event_id=event_id, version=0, opt_type=OptType.OUT, reason="mustRun", created_at=now,
        scope=resource("r1"),
    )  # fmt: skip
    async with desk.store.unit_of_work() as uow:
        await uow.opts.add("id-one", Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=now))
        await uow.availability.qualify("id-one", part, now)
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert (seen["opted_in"], seen["opted_out"]) == (1, 0)
    assert [(one["type"], one["reason"], one["scope"]["targets"]) for one in seen["qualifications"]] == [
        ("optOut", "mustRun", [["resource", "r1"]]),
    ]  # fmt: skip
    whole = Qualification(
        id="q2", event_id=event_id, version=0, opt_type=OptType.OUT, reason="emergency",
        created_at=now + timedelta(seconds=1),
    )  # fmt: skip
    async with desk.store.unit_of_work() as uow:
        await uow.availability.qualify("id-one", whole, now)
        await uow.opts.add("id-one", Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=now))
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert (seen["opted_in"], seen["opted_out"]) == (0, 1)
    assert (seen["parties"][0]["opt"]["type"], seen["parties"][0]["opt"]["reason"]) == ("optOut", "emergency")
    check(seen, {"$ref": "#/components/schemas/eventDetail"}, "admin")
