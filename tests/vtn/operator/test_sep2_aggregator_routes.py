"""What operators see of aggregators and of the meters that devices mirror."""

from openadr_core.sep2.encode import encode
from openadr_core.sep2.metering import MirrorMeterReading, MirrorUsagePoint, ReadingType
from openadr_core.sep2.names import CsipAus
from openadr_vtn.application.sep2_ports import StoredMirror
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_api_descriptions import check

PATH = f"{ADMIN}/sep2/aggregators"
LFDI = "3E4F" * 10


async def test_aggregators_are_named_seen_and_withdrawn(desk: DeskBench) -> None:
    await desk.add_party("solar-co")
    body = {"party": "solar-co", "pen": 28547, "domains": ["Solar-Co.example"]}
    assert (await desk.http.post(PATH, json=body)).status_code == 200
    (shown,) = (await desk.http.get(PATH)).json()
    check(shown, {"$ref": "#/components/schemas/sep2Aggregator"}, "admin")
    assert shown == {
        "party_id": "id-solar-co", "party": "solar-co", "pen": 28547, "domains": ["solar-co.example"],
    }  # fmt: skip
    assert (await desk.http.delete(f"{PATH}/solar-co")).json() == {"party_id": "id-solar-co"}
    assert (await desk.http.get(PATH)).json() == []
    for nobody in ("solar-co", "nobody"):
        assert (await desk.http.delete(f"{PATH}/{nobody}")).status_code == 404
    async with desk.store.view() as view:
        assert (await view.audit.newest(1))[0].action == "withdraw aggregator"


async def test_meters_are_seen_with_what_they_measure(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.http.post(f"{ADMIN}/sep2/devices", json={"party": "one", "lfdi": LFDI})
    series = MirrorMeterReading(mrid="0B" * 16, description="power", reading_type=ReadingType(uom=38, kind=37))
    point = MirrorUsagePoint(
        mrid="0A" * 16, device_lfdi=LFDI, role_flags="49", service_category_kind=0, status=1,
        mirror_meter_reading=(series,),
    )  # fmt: skip
    async with desk.store.unit_of_work() as uow:
        for lfdi in (LFDI, "0" * 40):
            await uow.mirrors.save_mirror(
                StoredMirror(
                    number=0, party_id="id-one", lfdi=lfdi, mrid=lfdi[:32], post_rate_s=300,
                    body=encode(point, csipaus=CsipAus.V1_3),
                ),
                {"0B" * 16},
            )  # fmt: skip
    (shown,) = (await desk.http.get(f"{ADMIN}/sep2/devices/{LFDI}/meters")).json()
    check(shown, {"$ref": "#/components/schemas/sep2Meter"}, "admin")
    assert (shown["role_flags"], shown["post_rate_s"]) == ("49", 300)
    assert shown["series"] == [{"mrid": "0B" * 16, "description": "power", "kind": {"kind": 37, "uom": 38}}]
    assert (await desk.http.get(f"{ADMIN}/sep2/devices/{'F' * 40}/meters")).status_code == 404
