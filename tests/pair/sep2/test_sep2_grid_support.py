"""Curves, vars and power factors from a utility's control to our agent: fetched by link, mode by mode, and answered."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.event import SignalKind
from openadr_core.model.grid_support import GridFunction, GridSupport, Reference, VarShare, mask_of
from openadr_core.model.timeline import segments
from openadr_core.sep2.decode import read
from openadr_core.xml.parse import parse
from openadr_ven.protocols.sep2 import ManagedDevice, Ratings
from openadr_ven.protocols.sep2.answering import Said
from openadr_vtn.application.handlers import sep2_controls, sep2_groups, sep2_rates
from tests.pair.sep2.sep2_client import RATINGS, ClientEnd, client_of
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, PEN, Sep2Bench, a_lfdi

VOLT_VAR, FIXED_VAR = GridFunction.VOLT_VAR, GridFunction.FIXED_VAR
KNOWN = mask_of(
    {VOLT_VAR, FIXED_VAR, GridFunction.FREQ_DROOP, GridFunction.FIXED_PF_INJECT, GridFunction.LVRT_MUST_TRIP}
)
VARS = {"refType": 2, "value": -4_400}
POLL_S = 60.0


async def curve(bench: Sep2Bench, group: str = "feeder", y: int = 44, **members: Any) -> Mapping[str, str]:
    """The link to a volt-var curve."""
    wanted = {
        "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 3, "openLoopTms": 500,
        "CurveData": [{"xvalue": 92, "yvalue": y}, {"xvalue": 108, "yvalue": -y}], **members,
    }  # fmt: skip
    stored = await sep2_controls.add_curve(bench.store, group, wanted, maker=bench.maker, actor=ACTOR, now=bench.now)
    return {"href": f"/derp/{stored.group_id}/dc/{stored.id}"}


async def default(bench: Sep2Bench, group: str, **asks: object) -> None:
    await sep2_controls.save_default(
        bench.store, group, {"DERControlBase": asks}, maker=bench.maker, actor=ACTOR, now=bench.now
    )


@pytest.fixture
async def inverter(bench: Sep2Bench) -> ClientEnd:
    await bench.device("one", "feeder")
    await sep2_rates.save_rate(bench.store, "DERProgramList", int(POLL_S), actor=ACTOR, now=bench.now)
    return client_of(bench, functions=lambda _lfdi: KNOWN)


def supports(client: ClientEnd) -> dict[GridFunction, GridSupport]:
    """What rules now, of each function the one whose event goes before the others."""
    now = client.bench.now
    acted = [event for held in client.held.values() if (event := held.as_acted_on(now)) is not None]
    found: dict[GridFunction, GridSupport] = {}
    for event in sorted(acted, key=lambda one: one.priority or 0, reverse=True):
        ruling = [one.signal.support for one in segments(event, now=now) if one.rules_at(now)]
        found.update({support.function: support for support in ruling if support is not None})
    return found


def points(support: GridSupport) -> list[tuple[float, float]]:
    assert support.curve is not None
    return [(point.x, point.y) for point in support.curve.points]


@pytest.mark.ieee2030_5("M4", "E8")
async def test_a_control_with_a_curve_is_followed_and_answered_to_its_end(
    bench: Sep2Bench, inverter: ClientEnd
) -> None:
    link = await curve(bench)
    stored = await bench.control("feeder", start=100, lasts=200, opModVoltVar=link, opModFixedVar=VARS)
    await inverter.run()
    assert f"GET {link['href']}" in inverter.asked
    assert supports(inverter) == {}
    await inverter.until(100)
    told = supports(inverter)
    assert points(told[VOLT_VAR]) == [(92.0, 44.0), (108.0, -44.0)]
    said = told[VOLT_VAR].curve
    assert said is not None
    assert (said.reference, said.open_loop_s) == (Reference.AVAILABLE_VAR, 5.0)
    assert told[FIXED_VAR].var_share == VarShare(percent=-44.0, reference=Reference.MAX_VAR)
    await inverter.until(200)
    assert supports(inverter) == {}
    assert await inverter.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]
    assert inverter.asked.count(f"GET {link['href']}") == 1, "a control's curve does not change: it is read once"


@pytest.mark.ieee2030_5("E6", "E7")
async def test_modes_supersede_one_by_one_and_defaults_hold_beneath(bench: Sep2Bench, inverter: ClientEnd) -> None:
    await default(bench, "system", opModVoltVar=await curve(bench, "system", 10), opModFixedVar=VARS)
    await bench.control("feeder", start=60, lasts=120, opModVoltVar=await curve(bench, "feeder", 30))
    await inverter.run()
    assert points(supports(inverter)[VOLT_VAR])[0] == (92.0, 10.0)
    await inverter.until(60)
    assert points(supports(inverter)[VOLT_VAR])[0] == (92.0, 30.0)
    assert supports(inverter)[FIXED_VAR].var_share is not None, "of the default: no event holds this mode"
    await inverter.until(120)
    assert points(supports(inverter)[VOLT_VAR])[0] == (92.0, 10.0)


@pytest.mark.ieee2030_5("M4")
async def test_a_defaults_curve_that_changes_in_its_place_is_seen_with_the_next_poll(
    bench: Sep2Bench, inverter: ClientEnd
) -> None:
    link = await curve(bench)
    await default(bench, "feeder", opModVoltVar=link)
    await inverter.run()
    changed = {
        "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 3, "CurveData": [{"xvalue": 90, "yvalue": 5}],
    }  # fmt: skip
    number = int(link["href"].rpartition("/")[2])
    await sep2_controls.change_curve(
        bench.store, "feeder", number, changed, maker=bench.maker, actor=ACTOR, now=bench.now
    )
    await inverter.until(POLL_S)
    assert points(supports(inverter)[VOLT_VAR]) == [(90.0, 5.0)]


@pytest.mark.ieee2030_5("E8")
async def test_what_the_device_does_not_know_is_252_and_what_cannot_be_is_253(
    bench: Sep2Bench, inverter: ClientEnd
) -> None:
    def without_curves(request: Request, answer: Response) -> Response:
        return replace(answer, status=404, body=b"") if "/dc/" in request.path else answer

    unknown = await bench.control("feeder", lasts=300, opModTargetVar=500)
    lost = await bench.control("feeder", lasts=300, opModVoltVar=await curve(bench))
    both = await bench.control("feeder", lasts=300, opModVoltVar=await curve(bench), opModFixedVar=VARS)
    inverter.change = without_curves
    await inverter.run()
    assert await inverter.responses(unknown.control.mrid) == [Said.RECEIVED, Said.NOT_APPLICABLE]
    assert await inverter.responses(lost.control.mrid) == [Said.RECEIVED, Said.INVALID]
    assert await inverter.responses(both.control.mrid) == [Said.RECEIVED, Said.STARTED]
    assert list(supports(inverter)) == [FIXED_VAR]


@pytest.mark.parametrize("status", [403, 500, 200])
@pytest.mark.ieee2030_5("M4")
async def test_a_curve_that_cannot_be_read_keeps_nobody_from_the_rest(
    bench: Sep2Bench, inverter: ClientEnd, status: int
) -> None:
    inverter.change = lambda request, answer: (
        replace(answer, status=status, body=b"<no") if "/dc/" in request.path else answer
    )
    await default(bench, "feeder", opModVoltVar=await curve(bench))
    stored = await bench.control("feeder", lasts=300, opModExpLimW=1_500)
    await inverter.run()
    assert inverter.asks() == {SignalKind.EXPORT_LIMIT: 1_500.0}
    assert await inverter.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED]


@pytest.mark.ieee2030_5("E8")
@pytest.mark.parametrize(("code", "said"), [("460", Said.NOT_APPLICABLE), ("454", Said.INVALID)])
async def test_what_devices_turn_down_in_the_end_is_answered_so(
    bench: Sep2Bench, inverter: ClientEnd, code: str, said: Said
) -> None:
    stored = await bench.control("feeder", lasts=300, opModFixedVar=VARS)
    inverter.code = code
    await inverter.run()
    assert await inverter.responses(stored.control.mrid) == [Said.RECEIVED, said]


@pytest.mark.ieee2030_5("E8", "C10")
async def test_each_managed_device_is_answered_for_by_what_it_knows(bench: Sep2Bench) -> None:
    able, unable = a_lfdi(1), a_lfdi(2)
    await bench.device("one")
    await sep2_groups.name_aggregator(bench.store, "one", pen=PEN, actor=ACTOR, now=bench.now)
    for lfdi in (able, unable):
        await bench.device("one", "feeder", lfdi=lfdi)
    managed = {lfdi: ManagedDevice(ratings=Ratings(max_w=5_000.0), targets=()) for lfdi in (able, unable)}
    client = client_of(bench, managed=managed, functions=lambda lfdi: KNOWN if lfdi == able else 0)
    stored = await bench.control("feeder", lasts=300, opModVoltVar=await curve(bench))
    await client.run()
    async with bench.store.view() as view:
        said = {(one.lfdi, one.status) for one in await view.mirrors.responses([stored.control.mrid])}
    assert {status for lfdi, status in said if lfdi == able} == {Said.RECEIVED, Said.STARTED}
    assert {status for lfdi, status in said if lfdi == unable} == {Said.RECEIVED, Said.NOT_APPLICABLE}
    assert await modes_supported(bench, able) & KNOWN == KNOWN
    assert await modes_supported(bench, unable) & KNOWN == 0


@pytest.mark.ieee2030_5("E8")
async def test_before_devices_have_said_what_they_know_nothing_is_turned_down(bench: Sep2Bench) -> None:
    known: list[int | None] = [None]
    await bench.device("one", "feeder")
    client = client_of(bench, functions=lambda _lfdi: known[0])
    stored = await bench.control("feeder", lasts=300, opModVoltVar=await curve(bench), opModExpLimW=1_500)
    await client.run()
    assert await client.responses(stored.control.mrid) == []
    known[0] = KNOWN
    await client.until(2.0)
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED]
    assert list(supports(client)) == [VOLT_VAR]
    lfdi = client.peer.lfdi
    assert await modes_supported(bench, lfdi) & KNOWN == KNOWN, "told anew when it became known"


@pytest.mark.ieee2030_5("C15")
async def test_over_a_restart_a_curve_is_followed_without_being_read_again(
    bench: Sep2Bench, inverter: ClientEnd
) -> None:
    link = await curve(bench)
    await bench.control("feeder", lasts=600, opModVoltVar=link)
    await inverter.run()
    inverter.restart()
    inverter.asked.clear()
    inverter.is_out_of_reach = True
    await inverter.until(30)
    assert points(supports(inverter)[VOLT_VAR])[0] == (92.0, 44.0)
    inverter.is_out_of_reach = False
    await inverter.until(300)
    assert f"GET {link['href']}" not in inverter.asked


@pytest.mark.ieee2030_5("C7")
async def test_ramps_of_controls_and_gradients_of_defaults_go_with_what_is_asked(
    bench: Sep2Bench, client: ClientEnd
) -> None:
    def saved(gradient: int) -> Any:
        members = {"DERControlBase": {"opModExpLimW": 5_000, "rampTms": 500}, "setGradW": gradient, "setSoftGradW": 100}
        return sep2_controls.save_default(bench.store, "system", members, maker=bench.maker, actor=ACTOR, now=bench.now)

    limit = await bench.control("feeder", start=60, lasts=120, opModExpLimW=1_500, rampTms=4_500)
    other = await bench.control("feeder", start=300, lasts=120, opModImpLimW=1_000)
    await saved(250)
    await client.run()
    told = {held.event.id: held.event for held in client.held.values()}
    assert {event_id: event.ramp_up for event_id, event in told.items()} == {
        f"{limit.control.mrid}.opModExpLimW": timedelta(seconds=-45),
        f"{other.control.mrid}.opModImpLimW": timedelta(0),
        "default.opModExpLimW": timedelta(seconds=-5),
    }
    assert {event.gradient_w_per_s for event in told.values()} == {0.025 * RATINGS.max_w}
    settings = await der_document(bench, client.peer.lfdi, "der/1/derg")
    assert (settings.set_grad_w, settings.set_soft_grad_w) == (250, 100), "the default's word is what it is set to"
    await saved(0)
    await client.until(POLL_S)
    assert {held.event.gradient_w_per_s for held in client.held.values()} == {None}
    assert (await der_document(bench, client.peer.lfdi, "der/1/derg")).set_grad_w == 0


async def modes_supported(bench: Sep2Bench, lfdi: str) -> int:
    return int((await der_document(bench, lfdi, "der/1/dercap")).modes_supported, 16)


async def der_document(bench: Sep2Bench, lfdi: str, path: str) -> Any:
    async with bench.store.view() as view:
        device = await view.registry.device_by_lfdi(lfdi)
        assert device is not None
        document = await view.registry.document(device.number, path)
    assert document is not None
    return read(parse(document.body))
