"""Controls of an IEEE 2030.5 server: how they stand, who sees them, and what devices answer (1.3, 1.5)."""

import time
from typing import Any

import pytest

from openadr_core.errors import NotFound, RuleBroken, SchemaViolation, WrongState
from openadr_core.sep2.controls import DefaultDERControl, DERControl, DERControlList, DERCurveList, DERProgramList
from openadr_core.sep2.devices import EndDeviceList, FunctionSetAssignments, FunctionSetAssignmentsList
from openadr_core.sep2.drlc import DemandResponseProgramList, EndDeviceControlList
from openadr_core.sep2.names import Status
from openadr_core.sep2.responses import DERControlResponse, DrResponse
from openadr_vtn.application.handlers import sep2_controls, sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.application.sep2_drafts import ControlWish
from openadr_vtn.http.sep2_routes import mrid_maker
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Client, Sep2Bench


async def statuses(client: Client, group: int, kind: str = "derc") -> list[int]:
    listed = await client.get(f"/derp/{group}/{kind}?l=100", DERControlList)
    return [one.event_status.current_status for one in listed.der_control]


@pytest.fixture
async def one(sep2: Sep2Bench) -> Client:
    """A device in a feeder of a system."""
    client = await sep2.enrol("one")
    await sep2.group("system", primacy=9)
    await sep2.group("feeder", "system", primacy=3)
    await sep2.group("elsewhere", "system")
    await sep2.device("one", "feeder")
    return client


SYSTEM, FEEDER, ELSEWHERE = 1, 2, 3


@pytest.mark.ieee2030_5("F3", "F4", "L4")
async def test_programs_come_by_primacy_and_only_those_that_the_device_lies_in(sep2: Sep2Bench, one: Client) -> None:
    await sep2.control("system")
    listed = await one.get("/edev/1/fsa/1/derp?l=10", DERProgramList)
    assert [(program.description, program.primacy) for program in listed.der_program] == [("feeder", 3), ("system", 9)]
    link = listed.der_program[1].active_der_control_list_link
    assert link is not None
    assert (link.href, link.all) == (f"/derp/{SYSTEM}/actderc", 1)
    assert await one.status("GET", f"/derp/{ELSEWHERE}") == 404
    assert await one.status("GET", f"/derp/{ELSEWHERE}/derc") == 404
    assert (await one.get("/edev/1/fsa/1/dr?l=10", DemandResponseProgramList)).all == 2


@pytest.mark.ieee2030_5("F3", "L4", "N3")
async def test_an_operator_parts_trees_of_groups_into_assignments(sep2: Sep2Bench, one: Client) -> None:
    await sep2_groups.create_group(
        sep2.store, name="retailer", parent=None, primacy=20, assignment=2, maker=sep2.maker, actor=ACTOR, now=sep2.now
    )
    wish = DeviceWish(groups=["feeder", "retailer"])
    await sep2_groups.change_device(sep2.store, one.peer.lfdi, wish, actor=ACTOR, now=sep2.now)
    (device,) = (await one.get("/edev?l=5", EndDeviceList)).end_device
    assert device.function_set_assignments_list_link is not None
    assert device.function_set_assignments_list_link.all == 2
    listed = (await one.get("/edev/1/fsa?l=5", FunctionSetAssignmentsList)).function_set_assignments
    assert [found.href for found in listed] == ["/edev/1/fsa/2", "/edev/1/fsa/1"], "by mRID, downwards"
    assert await one.get("/edev/1/fsa/2", FunctionSetAssignments) == listed[0]
    names = {}
    for which in (1, 2):
        programs = await one.get(f"/edev/1/fsa/{which}/derp?l=9", DERProgramList)
        names[which] = [found.description for found in programs.der_program]
    assert names == {1: ["feeder", "system"], 2: ["retailer"]}
    for path in ("/edev/1/fsa/3", "/edev/1/fsa/3/derp", "/edev/1/fsa/3/dr"):
        assert await one.status("GET", path) == 404
    with pytest.raises(RuleBroken, match="top group"):
        await sep2_groups.create_group(
            sep2.store, name="odd", parent="system", primacy=None, assignment=2, maker=sep2.maker, actor=ACTOR,
            now=sep2.now,
        )  # fmt: skip
    await sep2_groups.change_group(sep2.store, "retailer", parent=None, primacy=20, actor=ACTOR, now=sep2.now)
    assert (await one.get("/edev/1/fsa?l=5", FunctionSetAssignmentsList)).all == 1


@pytest.mark.ieee2030_5("E1")
async def test_a_control_is_scheduled_active_and_gone(sep2: Sep2Bench, one: Client) -> None:
    await sep2.control("feeder", start=60, lasts=120)
    assert await statuses(one, FEEDER) == [Status.SCHEDULED]
    assert await statuses(one, FEEDER, "actderc") == []
    sep2.later(60)
    assert await statuses(one, FEEDER) == [Status.ACTIVE]
    assert await statuses(one, FEEDER, "actderc") == [Status.ACTIVE]
    sep2.later(120)
    assert await statuses(one, FEEDER) == []


@pytest.mark.ieee2030_5("E2")
async def test_a_cancelled_control_stays_listed_to_its_end(sep2: Sep2Bench, one: Client) -> None:
    stored = await sep2.control("feeder", lasts=120)
    await one.get(f"/derp/{FEEDER}/derc", DERControlList)
    sep2.later(10)
    await sep2_controls.cancel_control(sep2.store, stored.control.mrid, randomly=False, actor=ACTOR, now=sep2.now)
    found = await one.get(f"/derp/{FEEDER}/derc/{stored.id}", DERControl)
    assert (found.event_status.current_status, found.event_status.date_time) == (Status.CANCELLED, sep2.moment)
    sep2.later(109)
    assert await statuses(one, FEEDER) == [Status.CANCELLED]
    sep2.later(1)
    assert await statuses(one, FEEDER) == []
    with pytest.raises(WrongState):
        await sep2_controls.cancel_control(sep2.store, stored.control.mrid, randomly=False, actor=ACTOR, now=sep2.now)


@pytest.mark.ieee2030_5("E3", "E4")
async def test_the_later_control_supersedes_and_a_partial_one_marks(sep2: Sep2Bench, one: Client) -> None:
    await sep2.control("feeder", lasts=600, opModExpLimW=5000, opModImpLimW=5000)
    sep2.later(1)
    await sep2.control("feeder", start=60, lasts=60, opModExpLimW=1000)
    (first, _) = (await one.get(f"/derp/{FEEDER}/derc?l=5", DERControlList)).der_control
    assert first.event_status.potentially_superseded
    await sep2.control("feeder", start=60, lasts=60, opModExpLimW=1000, opModImpLimW=0)
    sep2.later(60)
    assert sorted(await statuses(one, FEEDER)) == [Status.ACTIVE, Status.SUPERSEDED, Status.SUPERSEDED]


@pytest.mark.ieee2030_5("E3", "L4")
async def test_of_two_controls_in_one_second_the_later_made_wins_and_stands_first(sep2: Sep2Bench, one: Client) -> None:
    for limit in (5000, 1000):
        await sep2.control("feeder", lasts=600, opModExpLimW=limit)
    listed = (await one.get(f"/derp/{FEEDER}/derc?l=5", DERControlList)).der_control
    limits = [control.der_control_base.op_mod_exp_lim_w for control in listed]
    assert [limit and limit.value * 10**limit.multiplier for limit in limits] == [1000, 5000]
    assert [control.event_status.current_status for control in listed] == [Status.ACTIVE, Status.SUPERSEDED]


def test_mrids_that_are_made_later_are_greater() -> None:
    maker = mrid_maker(None)
    first = maker.mrid()
    time.sleep(0.002)
    assert maker.mrid() > first


@pytest.mark.ieee2030_5("L4")
async def test_controls_are_sorted_by_start_then_the_newest_first(sep2: Sep2Bench, one: Client) -> None:
    for start in (300, 60, 60, 180):
        await sep2.control("feeder", start=start, lasts=30)
        sep2.later(1)
    listed = (await one.get(f"/derp/{FEEDER}/derc?l=24", DERControlList)).der_control
    keys = [(control.interval.start, -control.creation_time) for control in listed]
    assert keys == sorted(keys)
    assert len(set(keys)) == 4
    pages = [await one.get(f"/derp/{FEEDER}/derc?s={start}&l=3", DERControlList) for start in (0, 3, 6)]
    assert [page.results for page in pages] == [3, 1, 0]
    assert [c.mrid for page in pages for c in page.der_control] == [c.mrid for c in listed]


@pytest.mark.ieee2030_5("G1")
async def test_ten_thousand_devices_see_one_control_under_one_mrid(sep2: Sep2Bench, one: Client) -> None:
    two = await sep2.enrol("two")
    await sep2.device("two", "elsewhere")
    await sep2.control("system")
    (mine,) = (await one.get(f"/derp/{SYSTEM}/derc", DERControlList)).der_control
    (theirs,) = (await two.get(f"/derp/{SYSTEM}/derc", DERControlList)).der_control
    assert mine == theirs
    assert mine.mrid.endswith("00028547")


async def test_a_control_says_a_limit_as_its_reader_can_read_it(sep2: Sep2Bench, one: Client) -> None:
    await sep2.control("feeder", opModExpLimW=100_000, opModStorageTargetW=-3000)
    bodies = {
        prefix: (await sep2.client("one", prefix).ask("GET", f"/derp/{FEEDER}/derc")).body
        for prefix in ("", "/v13", "/csip")
    }
    assert b"<csipaus:opModExpLimW><multiplier>1</multiplier><value>10000</value>" in bodies[""]
    assert b"opModStorageTargetW" not in bodies[""]
    assert b"opModStorageTargetW" in bodies["/v13"]
    assert b"opModExpLimW" not in bodies["/csip"]


@pytest.mark.ieee2030_5("F11")
async def test_responses_are_taken_for_ones_own_devices_and_known_controls(sep2: Sep2Bench, one: Client) -> None:
    two = await sep2.enrol("two")
    await sep2.device("two", "elsewhere")
    stored = await sep2.control("feeder")
    (control,) = (await one.get(f"/derp/{FEEDER}/derc", DERControlList)).der_control
    assert (control.response_required, control.reply_to) == ("03", f"/rsps/{FEEDER}/rsp")
    assert control.reply_to is not None

    def said(**changes: Any) -> DERControlResponse:
        return DERControlResponse(
            **{
                "created_date_time": 5,
                "end_device_lfdi": one.peer.lfdi,
                "status": 1,
                "subject": stored.control.mrid,
                **changes,
            }
        )

    answer = await one.ask("POST", control.reply_to, said())
    assert (answer.status, answer.headers["location"]) == (201, f"/rsps/{FEEDER}/rsp/1")
    assert await one.status("POST", control.reply_to, said(status=2)) == 201
    assert await one.status("POST", control.reply_to, said(status=99)) == 400
    assert await one.status("POST", control.reply_to, said(subject="0" * 32)) == 400
    assert await one.status("POST", control.reply_to, said(end_device_lfdi=two.peer.lfdi)) == 403
    assert await two.status("POST", control.reply_to, said(end_device_lfdi=two.peer.lfdi)) == 404
    assert await one.status("POST", f"/rsps/{SYSTEM}/rsp", said()) == 400
    async with sep2.store.view() as view:
        assert [one.status for one in await view.mirrors.responses([stored.control.mrid])] == [2, 1]


@pytest.mark.ieee2030_5("F5", "F6", "D2")
async def test_defaults_and_curves_are_handed_on(sep2: Sep2Bench, one: Client) -> None:
    assert await one.status("GET", f"/derp/{FEEDER}/dderc") == 404
    members = {"DERControlBase": {"opModImpLimW": 1500}, "setGradW": 27}
    await sep2_controls.save_default(sep2.store, "feeder", members, maker=sep2.maker, actor=ACTOR, now=sep2.now)
    default = await one.get(f"/derp/{FEEDER}/dderc", DefaultDERControl)
    assert (default.set_grad_w, default.subscribable) == (27, 1)
    curve = {
        "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
        "CurveData": [{"xvalue": 92, "yvalue": 44}, {"xvalue": 108, "yvalue": -44}],
    }  # fmt: skip
    stored = await sep2_controls.add_curve(sep2.store, "feeder", curve, maker=sep2.maker, actor=ACTOR, now=sep2.now)
    (found,) = (await one.get(f"/derp/{FEEDER}/dc?l=5", DERCurveList)).der_curve
    assert (found.curve_type, found.href) == (11, f"/derp/{FEEDER}/dc/{stored.id}")
    await sep2.control("feeder", opModVoltVar={"href": found.href})
    both = {"DERControlBase": {"opModVoltVar": {"href": found.href}}}
    await sep2_controls.save_default(sep2.store, "feeder", both, maker=sep2.maker, actor=ACTOR, now=sep2.now)
    for prefix in ("", "/csip", "/v13"):
        speaking = sep2.client("one", prefix)
        (control,) = (await speaking.get(f"/derp/{FEEDER}/derc?l=5", DERControlList)).der_control
        default = await speaking.get(f"/derp/{FEEDER}/dderc", DefaultDERControl)
        for base in (control.der_control_base, default.der_control_base):
            assert base.op_mod_volt_var is not None
            assert base.op_mod_volt_var.href == f"{prefix}{found.href}", "it leads to where the client speaks"
    wrongs: tuple[dict[str, Any], ...] = (
        {"curveType": 15}, {"yRefType": 1}, {"CurveData": []},
        {"autonomousVRefEnable": True, "curveType": 12, "yRefType": 1},
        {"CurveData": [{"xvalue": 2, "yvalue": 1}, {"xvalue": 1, "yvalue": 1}]},
        {"CurveData": [{"xvalue": 2, "yvalue": 1, "excitation": True}]},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(RuleBroken):
            await sep2_controls.add_curve(
                sep2.store, "feeder", {**curve, **wrong}, maker=sep2.maker, actor=ACTOR, now=sep2.now
            )


@pytest.mark.ieee2030_5("F13")
async def test_load_is_controlled_by_drlc(sep2: Sep2Bench, one: Client) -> None:
    members = {
        "deviceCategory": "01",
        "drProgramMandatory": False,
        "loadShiftForward": False,
        "SetPoint": {"coolingSetpoint": 2600},
    }
    wish = ControlWish(kind="EndDeviceControl", members=members, starts_at=sep2.moment, duration_s=600)
    stored = await sep2_controls.create_control(sep2.store, "feeder", wish, maker=sep2.maker, actor=ACTOR, now=sep2.now)
    (found,) = (await one.get(f"/dr/{FEEDER}/edc?l=5", EndDeviceControlList)).end_device_control
    assert found.set_point is not None
    assert (found.mrid, found.set_point.cooling_setpoint, found.event_status.current_status) == (
        stored.control.mrid,
        2600,
        1,
    )
    assert stored.control.categories == {0}
    answer = DrResponse(end_device_lfdi=one.peer.lfdi, status=8, subject=found.mrid, override_duration=60)
    assert await one.status("POST", f"/rsps/{FEEDER}/rsp", answer) == 201
    assert await statuses(one, FEEDER) == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"lasts": 0}, RuleBroken),
        ({"start": -700}, RuleBroken),
        ({"randomize_start_s": 3601}, RuleBroken),
        ({"opModToast": 1}, SchemaViolation),
        ({"rampTms": 100, "members": {}}, RuleBroken),
    ],
)
@pytest.mark.ieee2030_5("M9")
async def test_a_wrong_control_is_refused(
    sep2: Sep2Bench, one: Client, changes: dict[str, Any], error: type[Exception]
) -> None:
    if "members" in changes:
        wish = ControlWish(kind="DERControl", members={"rampTms": 100}, starts_at=sep2.moment, duration_s=60)
        with pytest.raises(error):
            await sep2_controls.create_control(sep2.store, "feeder", wish, maker=sep2.maker, actor=ACTOR, now=sep2.now)
    else:
        with pytest.raises(error):
            await sep2.control("feeder", **changes)
    assert await statuses(one, FEEDER) == []
    with pytest.raises(NotFound):
        await sep2.control("nowhere")
