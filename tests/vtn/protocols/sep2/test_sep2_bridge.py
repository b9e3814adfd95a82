"""An operator's event of OpenADR as what devices of IEEE 2030.5 read."""

import json
from dataclasses import replace

import pytest

from openadr_core.model.party import PartyState
from openadr_core.oadr3.decode import decode_program
from openadr_core.sep2.controls import DERControl
from openadr_core.sep2.devices import EndDevice
from openadr_core.sep2.drlc import DemandResponseProgramList, EndDeviceControlList
from openadr_core.sep2.names import Status
from openadr_core.sep2.power import magnitude
from openadr_vtn.application.handlers import parties, programs, sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.application.handlers.stop import stop
from openadr_vtn.application.sep2_reach import untold_of
from tests.vtn.protocols.sep2.bridge_bench import PROGRAM, Operator, controls_of, programs_of
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, PEN, Client, Sep2Bench, a_lfdi

AGGREGATED = (a_lfdi(1), a_lfdi(2), a_lfdi(3))


def exports_w(control: DERControl) -> float:
    limit = control.der_control_base.op_mod_exp_lim_w
    assert limit is not None
    return magnitude(limit)


async def test_an_event_is_a_control_for_each_interval(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, 1.5, priority=3)
    (program,) = await programs_of(told)
    assert program.primacy == 68
    first, second = await controls_of(told)
    start = sep2.moment + 60
    assert [exports_w(first), exports_w(second)] == [5000, 1500]
    assert [(c.interval.start, c.interval.duration) for c in (first, second)] == [(start, 300), (start + 300, 300)]
    assert {c.event_status.current_status for c in (first, second)} == {Status.SCHEDULED}
    assert (first.response_required, first.description, first.version) == ("03", event_id, 0)
    assert first.reply_to is not None
    assert await operator.owed(event_id) == {"id-one": (0, False)}
    sep2.later(60)
    assert [c.event_status.current_status for c in await controls_of(told)] == [Status.ACTIVE, Status.SCHEDULED]
    sep2.later(600)
    assert await controls_of(told) == []


async def test_one_control_is_seen_by_many_under_one_mrid(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    two = await sep2.enrol("two")
    await sep2.device("two")
    await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    (mine,), (theirs,) = await controls_of(told), await controls_of(two, 2)
    assert mine.mrid == theirs.mrid
    assert mine.mrid.endswith(str(PEN))
    assert mine.href == theirs.href


async def test_a_change_cancels_what_is_asked_no_more_and_keeps_the_rest(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, 1.5)
    before = await controls_of(told)
    sep2.later(100)
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 5, 2, start_s=-40)
    after = await controls_of(told)
    by_status = {(exports_w(c), Status(c.event_status.current_status)) for c in after}
    assert by_status == {(5000, Status.ACTIVE), (1500, Status.CANCELLED), (2000, Status.SCHEDULED)}
    kept, new = after[0], next(c for c in after if exports_w(c) == 2000)
    assert kept.mrid == before[0].mrid
    assert (kept.version, new.version) == (0, 1)
    assert await operator.owed(event_id) == {"id-one": (1, False)}
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 5, 2, start_s=-40, eventName="other words")
    assert len(await controls_of(told)) == 3


async def test_a_cancelled_event_stays_listed_as_cancelled(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    sep2.later(100)
    await operator.cancel(event_id)
    (control,) = await controls_of(told)
    assert control.event_status.current_status == Status.CANCELLED
    assert control.event_status.date_time == sep2.moment
    assert await operator.owed(event_id) == {"id-one": (1, False)}


async def test_the_start_is_random_where_the_event_has_a_tolerance(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    event_id = await operator.event(
        "EXPORT_CAPACITY_LIMIT", 5, attributes=[{"type": "START_AFTER", "values": ["PT30S"]}]
    )
    (control,) = await controls_of(told)
    assert control.randomize_start == 30
    sep2.later(100)
    await operator.cancel(event_id)
    (control,) = await controls_of(told)
    assert control.event_status.current_status == Status.CANCELLED_WITH_RANDOMISATION


async def test_devices_read_a_ramp_that_lies_inside_the_event(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    """And the operator is told of that which no control says."""
    inside = [{"type": "RAMP_UP", "values": ["-PT90S"]}]
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, 1.5, attributes=inside)
    controls = await controls_of(told)
    assert [one.der_control_base.ramp_tms for one in controls] == [9_000, None]
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 5, 1.5, attributes=inside)
    assert await controls_of(told) == controls
    before = [{"type": "RAMP_UP", "values": ["PT90S"]}, {"type": "RECOVERY", "values": ["PT90S"]}]
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 5, 1.5, attributes=before)
    async with sep2.store.view() as view:
        stored, program = await view.events.by_id(event_id), await view.programs.by_id(PROGRAM)
        assert stored is not None
        assert program is not None
        reasons = await untold_of(view, stored, program)
    assert [reason.split(":")[0] for reason in reasons] == ["ramp", "recovery"]
    assert [one.der_control_base.ramp_tms for one in await controls_of(told) if one.version] == [None]


async def test_a_later_event_for_the_same_devices_supersedes(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    sep2.later(10)
    await operator.event("EXPORT_CAPACITY_LIMIT", 1, start_s=50)
    await operator.event("EXPORT_CAPACITY_LIMIT", 3, priority=0)
    assert [program.primacy for program in await programs_of(told)] == [65, 191]
    sep2.later(60)
    found = {exports_w(c): Status(c.event_status.current_status) for c in await controls_of(told)}
    assert found == {3000: Status.ACTIVE, 1000: Status.ACTIVE, 5000: Status.SUPERSEDED}


async def test_what_no_device_can_be_told_is_for_others(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    event_id = await operator.event("PRICE", 0.5)
    assert await controls_of(told) == []
    assert await operator.owed(event_id) == {}


async def test_no_answer_is_asked_for_where_the_event_wants_none(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    await operator.event("EXPORT_CAPACITY_LIMIT", 5, attributes=[{"type": "RESPONSE_REQUIRED", "values": ["NEVER"]}])
    (control,) = await controls_of(told)
    assert (control.response_required, control.reply_to) == ("00", None)


# -- whom it is for --------------------------------------------------------------------


@pytest.fixture
async def fleet(sep2: Sep2Bench, operator: Operator, told: Client) -> Client:
    """An aggregator with a device of its own, and three that it manages, of which two lie in a feeder."""
    client = await sep2.enrol("agg")
    await sep2.group("system")
    await sep2.group("feeder-7", "system")
    await sep2.group("bay-3", "feeder-7")
    await sep2.device("agg")
    await sep2.device("agg", "feeder-7", lfdi=AGGREGATED[0])
    await sep2.device("agg", "bay-3", lfdi=AGGREGATED[1])
    await sep2.device("agg", lfdi=AGGREGATED[2])
    return client


async def heard(sep2: Sep2Bench, event_id: str) -> set[int]:
    """The numbers of the devices that read it: 1 is the other party's, 2 the aggregator's own."""
    async with sep2.store.view() as view:
        groups = {control.group_id for control in await view.controls.of_event(event_id)}
        return {number for group_id in groups for number in await view.registry.members(group_id)}


@pytest.mark.parametrize(
    ("targets", "limits", "power"),
    [
        ([], {1, 2, 3, 4, 5}, {1, 2}),
        (["one"], {1}, {1}),
        (["agg"], {2, 3, 4, 5}, {2}),
        (["feeder-7"], {3, 4}, {3, 4}),
        (["bay-3", "one"], {4, 1}, {4, 1}),
        ([AGGREGATED[2]], {5}, {5}),
        (["granted"], {1}, {1}),
        (["nobody"], set(), set()),
    ],
)  # fmt: skip
async def test_targets_name_parties_groups_and_devices(
    sep2: Sep2Bench, operator: Operator, fleet: Client, targets: list[str], limits: set[int], power: set[int]
) -> None:
    async with sep2.store.unit_of_work() as uow:
        (party,) = [party for party in await uow.parties.all() if party.name == "one"]
        await uow.parties.save(replace(party, targets=("granted",)))
    named = {"targets": targets} if targets else {}
    limit = await operator.event("EXPORT_CAPACITY_LIMIT", 5, **named)
    assert await heard(sep2, limit) == limits
    target = await operator.event("DISPATCH_SETPOINT", 60, **named)
    assert await heard(sep2, target) == power
    owners = {1: "id-one"}
    assert await operator.owed(limit) == {owners.get(number, "id-agg"): (0, False) for number in limits}


@pytest.mark.parametrize(
    ("attribute", "name", "limits"),
    [
        ("RESOURCE_ID", AGGREGATED[0], {3}), ("GROUP_ID", "feeder-7", {3, 4}), ("GROUP_NAME", "bay-3", {4}),
        ("VEN_ID", "id-agg", {2, 3, 4, 5}), ("RESOURCE_ID", "elsewhere", set()),
    ],
)  # fmt: skip
async def test_targets_of_2_0b_do_so_too(
    sep2: Sep2Bench, operator: Operator, fleet: Client, attribute: str, name: str, limits: set[int]
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, attributes=[{"type": attribute, "values": [name]}])
    assert await heard(sep2, event_id) == limits


async def test_power_for_all_is_told_to_one_device_and_injected(operator: Operator, fleet: Client) -> None:
    await operator.event("DISPATCH_SETPOINT", 60, targets=["agg"])
    (control,) = await controls_of(fleet, 2)
    target = control.der_control_base.op_mod_target_w
    assert target is not None
    assert magnitude(target) == -60_000
    assert await controls_of(fleet, 3) == []


async def test_loads_are_controlled_by_levels_that_the_program_declares(
    sep2: Sep2Bench, operator: Operator, fleet: Client
) -> None:
    declared = [{"type": "SIMPLE_DUTY_CYCLE", "values": [75, 50, 0]}]
    await operator.program("heaters", attributes=declared)
    await operator.event("SIMPLE", 2, programID="heaters", payloadDescriptors=[])
    listed = await fleet.get("/edev/3/fsa/1/dr?l=10", DemandResponseProgramList)
    link = next(
        one.end_device_control_list_link
        for one in listed.demand_response_program
        if "heaters" in (one.description or "")
    )
    assert link is not None
    (control,) = (await fleet.get(f"{link.href}?l=10", EndDeviceControlList)).end_device_control
    assert control.duty_cycle is not None
    assert (control.duty_cycle.normal_value, control.device_category) == (50, "03FFFF")


async def test_a_program_is_for_those_whom_its_targets_name(sep2: Sep2Bench, operator: Operator, fleet: Client) -> None:
    await operator.program("theirs", targets=["feeder-7"])
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, programID="theirs")
    assert await heard(sep2, event_id) == {3, 4}
    body = json.dumps({"programName": "theirs", "targets": ["one"]}).encode()
    await programs.replace_program(sep2.store, "theirs", decode_program(body), actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == {1}
    assert await operator.owed(event_id) == {"id-agg": (1, True), "id-one": (0, False)}


# -- who comes later, and who goes -----------------------------------------------------


async def test_who_comes_later_reads_what_is_asked_already(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    two = await sep2.enrol("two")
    peer = sep2.parties["two"]
    wanted = EndDevice(lfdi=peer.lfdi, sfdi=peer.sfdi, changed_time=1)
    assert await two.status("POST", "/edev", wanted) == 201
    assert len(await controls_of(two, 2)) == 1
    assert await operator.owed(event_id) == {"id-one": (0, False), "id-two": (0, False)}


async def test_groups_and_grants_that_change_change_who_reads(
    sep2: Sep2Bench, operator: Operator, fleet: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, targets=["feeder-7"])
    wish = DeviceWish(groups=[])
    await sep2_groups.change_device(sep2.store, AGGREGATED[0], wish, actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == {4}
    await sep2_groups.change_device(sep2.store, AGGREGATED[1], wish, actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == set()
    assert await operator.owed(event_id) == {"id-agg": (1, True)}
    await parties.approve_party(sep2.store, "one", actor=ACTOR, targets=("feeder-7",), now=sep2.now)
    assert await heard(sep2, event_id) == {1}
    assert await operator.owed(event_id) == {"id-agg": (1, True), "id-one": (0, False)}
    await sep2_groups.change_device(sep2.store, AGGREGATED[1], DeviceWish(groups=["bay-3"]), actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == {1, 4}
    assert (await operator.owed(event_id))["id-agg"] == (2, False)


async def test_who_is_not_approved_reads_nothing(sep2: Sep2Bench, operator: Operator) -> None:
    await sep2.enrol("two", PartyState.PENDING)
    await sep2.device("two")
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    assert await heard(sep2, event_id) == set()


async def test_audiences_that_nothing_is_asked_of_for_long_are_forgotten(
    sep2: Sep2Bench, operator: Operator, fleet: Client
) -> None:
    for number in range(6):
        await operator.event("EXPORT_CAPACITY_LIMIT", 5, priority=number)
        sep2.later(1)
    assert len(await programs_of(fleet, 2)) == 6
    sep2.later(2 * 86_400)
    await operator.event("EXPORT_CAPACITY_LIMIT", 5, priority=0)
    assert [program.primacy for program in await programs_of(fleet, 2)] == [65, 67, 68, 69, 70]


async def test_a_group_that_is_moved_takes_its_devices_along(
    sep2: Sep2Bench, operator: Operator, fleet: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, targets=["feeder-7"])
    await sep2_groups.change_group(sep2.store, "bay-3", parent="system", primacy=None, actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == {3}
    await sep2_groups.change_group(sep2.store, "bay-3", parent="feeder-7", primacy=None, actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == {3, 4}
    await sep2_groups.remove_group(sep2.store, "bay-3", actor=ACTOR, now=sep2.now)
    assert await heard(sep2, event_id) == {3}
    await sep2_groups.change_device(sep2.store, AGGREGATED[0], DeviceWish(groups=[]), actor=ACTOR, now=sep2.now)
    assert await operator.owed(event_id) == {"id-agg": (1, True)}


async def test_an_event_for_others_is_cancelled_where_it_was_read(
    sep2: Sep2Bench, operator: Operator, fleet: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, targets=["one"])
    before = await controls_of(fleet, 2)
    assert before == []
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 5, targets=["agg"], priority=2)
    (control,) = await controls_of(fleet, 2)
    assert control.event_status.current_status == Status.SCHEDULED
    (control,) = await controls_of(sep2.client("one"))
    assert control.event_status.current_status == Status.CANCELLED
    assert await operator.owed(event_id) == {"id-one": (1, True), "id-agg": (1, False)}


async def test_who_is_shut_out_is_owed_nothing_more(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    await parties.refuse_party(sep2.store, "one", actor=ACTOR, reason="", now=sep2.now)
    assert await told.status("GET", "/dcap") == 403
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    assert await operator.owed(event_id) == {}


async def test_stop_cancels_every_control(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    for number in range(2):
        await operator.event("EXPORT_CAPACITY_LIMIT", 5, priority=number)
    await stop(sep2.store, actor=ACTOR, reason="storm", now=sep2.now)
    assert {control.event_status.current_status for control in await controls_of(told)} == {Status.CANCELLED}


async def test_at_the_beginning_of_time_for_no_time_calls_off(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    called_off = {"start": "0001-01-01T00:00:00Z", "duration": "PT0S"}
    await operator.change(event_id, "EXPORT_CAPACITY_LIMIT", 5, intervalPeriod=called_off)
    (control,) = await controls_of(told)
    assert control.event_status.current_status == Status.CANCELLED


async def test_who_has_no_device_left_that_reads_it_is_rid_of_it(
    sep2: Sep2Bench, operator: Operator, fleet: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, targets=["feeder-7"])
    await sep2_groups.remove_device(sep2.store, AGGREGATED[0], actor=ACTOR, now=sep2.now)
    assert await operator.owed(event_id) == {"id-agg": (0, False)}
    assert await fleet.status("DELETE", "/edev/4") == 204
    assert await operator.owed(event_id) == {"id-agg": (1, True)}
