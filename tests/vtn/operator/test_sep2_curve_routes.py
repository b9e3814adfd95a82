"""What operators see of, and do with, defaults and curves of IEEE 2030.5."""

from typing import Any

import pytest

from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check

GROUP = f"{ADMIN}/sep2/groups/feeder"
DEFAULT = {"$ref": "#/components/schemas/sep2Default"}
CURVE = {"$ref": "#/components/schemas/sep2Curve"}
CONTROL = {"$ref": "#/components/schemas/sep2Control"}
VOLT_VAR = {
    "description": "summer", "curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2,
    "CurveData": [{"xvalue": 92, "yvalue": 44}, {"xvalue": 108, "yvalue": -44}],
}  # fmt: skip
VOLT_WATT = {**VOLT_VAR, "description": None, "curveType": 12, "yRefType": 1}


@pytest.fixture
async def group(desk: DeskBench) -> DeskBench:
    for name in ("feeder", "other"):
        assert (await desk.http.post(f"{ADMIN}/sep2/groups", json={"name": name})).status_code == 200
    return desk


async def added(desk: DeskBench, curve: dict[str, Any] = VOLT_VAR, group: str = GROUP) -> dict[str, Any]:
    answer = await desk.http.post(f"{group}/curves", json=curve)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    check(found, CURVE, "admin")
    return found


async def controlled(desk: DeskBench, **asks: Any) -> tuple[int, dict[str, Any]]:
    body = {"asks": asks, "start": "0001-01-01T00:00:00Z", "duration_s": 600}
    answer = await desk.http.post(f"{GROUP}/controls", json=body)
    return answer.status_code, answer.json()


@pytest.mark.ieee2030_5("F5", "M9")
async def test_a_default_is_seen_changed_and_removed(group: DeskBench) -> None:
    http, path = group.http, f"{GROUP}/default"
    assert (await http.get(path)).status_code == (await http.delete(path)).status_code == 404
    first = (await http.put(path, json={"DERControlBase": {"opModExpLimW": 1500}, "setGradW": 27})).json()
    check(first, DEFAULT, "admin")
    assert [one["text"] for one in first["asked"]] == ["1.5 kW", "0.27 % of setMaxW each s"]
    assert first["default"] == {"DERControlBase": {"opModExpLimW": 1500}, "setGradW": 27}
    second = (await http.put(path, json={**first["default"], "setGradW": 30})).json()
    assert (second["mrid"], second["version"]) == (first["mrid"], first["version"] + 1)
    assert second["default"]["setGradW"] == 30
    assert (await http.get(f"{ADMIN}/sep2/defaults")).json() == [second] == [(await http.get(path)).json()]
    refused = [
        await http.put(path, json={**first["default"], wrong: value})
        for wrong, value in (("mRID", "0A" * 16), ("version", 7), ("setToast", 1))
    ]
    assert {answer.status_code for answer in refused} == {400}
    assert (await http.get(path)).json() == second
    assert (await http.delete(path)).json() == {"group": "feeder"}
    assert (await http.get(f"{ADMIN}/sep2/defaults")).json() == []
    assert (await http.get(f"{ADMIN}/sep2/groups/nowhere/default")).status_code == 404
    third = (await http.put(path, json=first["default"])).json()
    assert (third["mrid"] != first["mrid"], third["version"]) == (True, 0)


@pytest.mark.ieee2030_5("F6")
async def test_a_curve_is_seen_changed_and_removed(group: DeskBench) -> None:
    http = group.http
    first, watt = await added(group), await added(group, VOLT_WATT)
    other = await added(group, VOLT_VAR, f"{ADMIN}/sep2/groups/other")
    path = f"{GROUP}/curves/{first['number']}"
    assert (first["name"], first["kind"], first["version"], first["href"]) == ("summer", "VoltVar", 0, "/derp/1/dc/1")
    assert (first["points"], first["y_unit"]) == ([[92.0, 44.0], [108.0, -44.0]], "% of setMaxVar")
    assert watt["name"] == "VoltWatt 2"
    assert (await http.get(f"{GROUP}/curves")).json() == [first, watt]
    assert (await http.get(f"{ADMIN}/sep2/curves")).json() == [first, watt, other]
    assert (await http.get(path)).json() == first
    group.clock.advance(10)
    changed = (await http.put(path, json={**first["curve"], "description": "winter"})).json()
    check(changed, CURVE, "admin")
    assert (changed["mrid"], changed["version"], changed["created_at"]) == (first["mrid"], 1, first["created_at"])
    assert changed["name"] == "winter"
    wrongs: list[dict[str, Any]] = [
        {"curveType": 12, "yRefType": 1}, {"CurveData": []}, {"mRID": "00"}, {"creationTime": 1},
    ]  # fmt: skip
    for wrong in wrongs:
        assert (await http.put(path, json={**first["curve"], **wrong})).status_code == 400, wrong
    assert (await http.get(path)).json() == changed
    assert (await http.delete(path)).json() == {"group": "feeder", "number": 1}
    assert (await http.get(path)).status_code == (await http.delete(path)).status_code == 404
    for nowhere in ("99", "x", "-1", "9" * 30, str(other["number"])):
        assert (await http.get(f"{GROUP}/curves/{nowhere}")).status_code == 404, nowhere
    async with group.store.view() as view:
        assert [entry.action for entry in await view.audit.newest(2)] == ["remove curve", "change curve"]


@pytest.mark.ieee2030_5("F6", "E2")
async def test_a_curve_in_use_stays_as_it_is(group: DeskBench) -> None:
    """A published control never changes, and so what it refers to does not; a default changes with its curve."""
    http = group.http
    curve, spare = await added(group), await added(group)
    path, href = f"{GROUP}/curves/{curve['number']}", {"href": curve["href"]}
    status, made = await controlled(group, opModVoltVar=href, opModExpLimW=1500)
    assert status == 200
    assert (await http.get(path)).json()["controls"] == [made["mrid"]]
    for answer in (await http.put(path, json=curve["curve"]), await http.delete(path)):
        assert (answer.status_code, made["mrid"] in answer.text) == (409, True)
    (listed,) = (await http.get(f"{GROUP}/controls")).json()
    check(listed, CONTROL, "admin")
    assert [(one["mode"], one["text"]) for one in listed["asked"]] == [
        ("opModVoltVar", "summer"), ("opModExpLimW", "1.5 kW"),
    ]  # fmt: skip
    await http.post(f"{ADMIN}/sep2/controls/{made['mrid']}/cancel", json={})
    assert (await http.delete(path)).status_code == 409, "it is listed to its end"
    group.clock.advance(601)
    default = (await http.put(f"{GROUP}/default", json={"DERControlBase": {"opModVoltVar": href}})).json()
    assert (await http.get(path)).json()["is_default"]
    refused = await http.delete(path)
    assert (refused.status_code, "default" in refused.text) == (409, True)
    assert (await http.put(path, json=curve["curve"])).status_code == 200
    after = (await http.get(f"{GROUP}/default")).json()
    assert (after["mrid"], after["version"]) == (default["mrid"], 1), "what it means has changed"
    await http.put(f"{GROUP}/default", json={"DERControlBase": {"opModVoltVar": {"href": spare["href"]}}})
    assert (await http.delete(path)).status_code == 200


@pytest.mark.ieee2030_5("F6", "M9")
async def test_controls_and_defaults_refer_to_curves_of_their_own_group_and_type(group: DeskBench) -> None:
    volt_var, volt_watt = await added(group), await added(group, VOLT_WATT)
    foreign = await added(group, VOLT_VAR, f"{ADMIN}/sep2/groups/other")
    for href in (foreign["href"], volt_watt["href"], "/derp/1/dc/99", "/derp/1/dc/", "https://x.example/derp/1/dc/1"):
        status, problem = await controlled(group, opModVoltVar={"href": href})
        assert (status, "opModVoltVar" in problem["detail"]) == (400, True), href
        body = {"DERControlBase": {"opModVoltVar": {"href": href}}}
        assert (await group.http.put(f"{GROUP}/default", json=body)).status_code == 400, href
    assert (await group.http.get(f"{GROUP}/controls")).json() == []
    assert (await controlled(group, opModVoltVar={"href": volt_var["href"]}))[0] == 200
