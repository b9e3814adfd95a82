"""Devices of an IEEE 2030.5 server: who sees whom, what they say, and how they register (1.1, 1.3, 1.7)."""

import json
from dataclasses import replace

import pytest

from openadr_core.identity import sfdi_of
from openadr_core.model.party import PartyState
from openadr_core.sep2.der import DERCapability, DERList, DERSettings
from openadr_core.sep2.devices import (
    ConnectionPoint,
    DeviceInformation,
    EndDevice,
    EndDeviceList,
    FunctionSetAssignmentsList,
    LogEvent,
    LogEventList,
    Registration,
)
from openadr_core.sep2.drlc import LoadShedAvailability, LoadShedAvailabilityList
from openadr_core.sep2.quantities import ActivePower
from openadr_core.sep2.server import DeviceCapability, SelfDevice, Time
from openadr_vtn.application.handlers import sep2_groups, sep2_rates
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, PEN, Client, Sep2Bench, a_lfdi
from tests.vtn.samples import a_peer

WATTS = ActivePower(multiplier=0, value=5000)
SETTINGS = DERSettings(set_grad_w=0, set_max_w=WATTS, updated_time=5, doe_modes_enabled="03")
CAPABILITY = DERCapability(modes_supported="00", rtg_max_w=WATTS, type=83, doe_modes_supported="0F")


@pytest.mark.ieee2030_5("A1", "F2", "M4")
async def test_a_device_finds_itself_and_nobody_else(sep2: Sep2Bench) -> None:
    one, two = await sep2.enrol("one"), await sep2.enrol("two")
    await sep2.group("feeder")
    mine = await sep2.device("one", "feeder", pin=111115)
    other = await sep2.device("two")
    capability = await one.get("/dcap", DeviceCapability)
    assert capability.end_device_list_link is not None
    assert capability.end_device_list_link.all == 1
    (found,) = (await one.get("/edev?s=0&l=10", EndDeviceList)).end_device
    assert (found.lfdi, found.sfdi) == (one.peer.lfdi, one.peer.sfdi)
    assert found.registration_link is not None
    registration = await one.get(found.registration_link.href, Registration)
    assert registration.pin == 111115
    for path in (
        f"/edev/{other.number}",
        f"/edev/{other.number}/rg",
        f"/edev/{other.number}/der/1/dercap",
        "/edev/999",
    ):
        assert await one.status("GET", path) == 404, path
    assert await one.status("PUT", f"/edev/{other.number}/der/1/derg", SETTINGS) == 404
    link = (await two.get("/edev?l=5", EndDeviceList)).end_device[0].function_set_assignments_list_link
    assert link is not None
    assert link.all == 0
    assert mine.number != other.number


@pytest.mark.ieee2030_5("A3")
async def test_who_is_not_enrolled_hears_nothing(sep2: Sep2Bench) -> None:
    pending = await sep2.enrol("pending", PartyState.PENDING)
    stranger = Client(
        sep2,
        (await sep2.enrol("known")).peer.__class__(
            certificate_sha256="0" * 64, lfdi="0" * 40, sfdi=0, fingerprint_20b=""
        ),
    )
    for client in (pending, stranger):
        for path in ("/edev", "/sdev", "/mup", "/nothing"):
            assert await client.status("GET", path) in {403, 404}
        capability = await client.get("/dcap", DeviceCapability)
        assert capability.end_device_list_link is not None
        assert capability.end_device_list_link.all == 0
        assert (await client.get("/tm", Time)).current_time == sep2.moment
    refused = await sep2.enrol("refused", PartyState.REFUSED)
    assert await refused.status("GET", "/dcap") == 403


@pytest.mark.ieee2030_5("A4", "T5")
async def test_withdrawn_access_is_seen_at_once(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    device = await sep2.device("one")
    assert await one.status("GET", f"/edev/{device.number}") == 200
    await sep2_groups.change_device(
        sep2.store, device.lfdi, sep2_groups.DeviceWish(enabled=False), actor=ACTOR, now=sep2.now
    )
    assert await one.status("GET", f"/edev/{device.number}") == 404
    left = await one.get("/edev?l=5", EndDeviceList)
    assert (left.all, left.end_device) == (0, ())
    link = (await one.get("/dcap", DeviceCapability)).end_device_list_link
    assert link is not None
    assert link.all == 0


@pytest.mark.ieee2030_5("P2")
async def test_clients_learn_where_each_version_begins(sep2: Sep2Bench) -> None:
    """``/.well-known/csipaus`` (1.8): a client of either version finds where it is spoken, and only what it knows."""
    one = await sep2.enrol("one")
    answer = await one.ask("GET", "/.well-known/csipaus", accept="application/json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    begins = json.loads(answer.body)
    assert begins == {
        "supportedSchemaVersions": {
            "https://csipaus.org/ns": {"dcap": ["/dcap"]},
            "https://csipaus.org/ns/v1.3": {"dcap": ["/v13/dcap"]},
        }
    }
    for version in begins["supportedSchemaVersions"].values():
        for path in version["dcap"]:
            assert await one.status("GET", path) == 200
    refused = await one.ask("POST", "/.well-known/csipaus", b"")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    assert await one.status("HEAD", "/.well-known/csipaus") == 200
    assert await one.status("GET", "/.well-known/other") == 404
    stranger = await sep2.enrol("refused", PartyState.REFUSED)
    assert await stranger.status("GET", "/.well-known/csipaus") == 403


async def test_the_server_is_a_device_by_its_own_certificate(sep2: Sep2Bench) -> None:
    client = await sep2.enrol("one")
    capability = await client.get("/dcap", DeviceCapability)
    assert capability.self_device_link is not None
    found = await client.get(capability.self_device_link.href, SelfDevice)
    assert (found.lfdi, found.sfdi) == (a_peer("utility").lfdi, a_peer("utility").sfdi)


@pytest.mark.ieee2030_5("F1")
async def test_time_is_the_servers(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    clock = await one.get("/tm", Time)
    assert (clock.current_time, clock.quality, clock.tz_offset) == (sep2.moment, 7, 36_000)
    assert clock.local_time == sep2.moment + 36_000


@pytest.mark.ieee2030_5("A2", "T9", "T10")
async def test_an_aggregator_registers_what_carries_its_number(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    lfdi = a_lfdi(1)
    sfdi = sfdi_of(bytes.fromhex(lfdi))
    wanted = EndDevice(lfdi=lfdi, sfdi=sfdi, changed_time=1, device_category="020000")
    assert await one.status("POST", "/edev", wanted) == 403
    await sep2_groups.name_aggregator(sep2.store, "one", pen=PEN, actor=ACTOR, now=sep2.now)
    answer = await one.ask("POST", "/edev", wanted)
    assert (answer.status, answer.body) == (201, b"")
    made = await one.get(answer.headers["location"], EndDevice)
    assert (made.lfdi, made.sfdi, made.device_category, made.registration_link) == (lfdi, sfdi, "020000", None)
    await sep2_groups.change_device(sep2.store, lfdi, DeviceWish(pin=111115), actor=ACTOR, now=sep2.now)
    link = (await one.get(answer.headers["location"], EndDevice)).registration_link
    assert link is not None
    assert (await one.get(link.href, Registration)).pin == 111115
    two = await sep2.enrol("two")
    assert await two.status("GET", link.href) == 404
    assert await one.status("POST", "/edev", wanted) == 409
    assert await one.status("POST", "/edev", EndDevice(lfdi=lfdi, sfdi=sfdi + 1, changed_time=1)) == 400
    foreign = f"{lfdi[:-8]}{PEN + 1:08d}"
    assert await one.status("POST", "/edev", EndDevice(lfdi=foreign, sfdi=sfdi, changed_time=1)) == 403
    assert await one.status("DELETE", answer.headers["location"]) == 204
    assert await one.status("GET", answer.headers["location"]) == 404


@pytest.mark.ieee2030_5("T10", "M8")
async def test_a_device_registers_itself_and_stays_who_it_is(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    answer = await one.ask("POST", "/edev", EndDevice(sfdi=one.peer.sfdi, changed_time=1))
    assert answer.status == 201
    address = answer.headers["location"]
    assert await one.status("PUT", address, EndDevice(sfdi=one.peer.sfdi, changed_time=1, device_category="01")) == 204
    assert (await one.get(address, EndDevice)).device_category == "01"
    assert await one.status("PUT", address, EndDevice(sfdi=one.peer.sfdi + 10, changed_time=1)) == 400


@pytest.mark.parametrize(
    ("path", "message", "first"),
    [
        ("der/1/dercap", CAPABILITY, 204),
        ("der/1/derg", SETTINGS, 204),
        ("cp", ConnectionPoint(connection_point_id="2001985732"), 201),
    ],
)
@pytest.mark.ieee2030_5("F7", "M7")
async def test_what_is_put_is_what_is_read(sep2: Sep2Bench, path: str, message: object, first: int) -> None:
    one = await sep2.enrol("one")
    device = await sep2.device("one")
    address = f"/edev/{device.number}/{path}"
    assert await one.status("GET", address) == 404
    assert await one.status("PUT", address, message) == first
    assert await one.status("PUT", address, message) == 204
    found = await one.get(address, type(message))
    ours = {"subscribable": None} if path == "der/1/derg" else {}
    assert replace(found, href=None, **ours) == message  # type: ignore[type-var]


@pytest.mark.ieee2030_5("M9", "F8", "F14")
async def test_a_wrong_document_is_refused_with_its_reason_and_not_kept(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    device = await sep2.device("one")
    address = f"/edev/{device.number}/cp"
    answer = await one.ask("PUT", address, ConnectionPoint(connection_point_id="20019857326"))
    assert (answer.status, b"<reasonCode>1</reasonCode>" in answer.body) == (400, True)
    assert await one.status("PUT", address, SETTINGS) == 400
    assert await one.status("PUT", address, b"<not xml") == 400
    assert await one.status("PUT", address, b"<a/>", content_type="application/sep-exi") == 415
    assert await one.status("GET", address) == 404
    settings = f"/edev/{device.number}/der/1/derg"
    without_time = b'<DERSettings xmlns="urn:ieee:std:2030.5:ns"><setGradW>0</setGradW></DERSettings>'
    assert await one.status("PUT", settings, without_time) == 400
    information = DeviceInformation(
        lfdi="0" * 40, mf_date=1, mf_hw_ver="1", mf_id=1, mf_model="m", mf_ser_num="s", primary_power=1,
        secondary_power=0, sw_act_time=1, sw_ver="1",
    )  # fmt: skip
    assert await one.status("PUT", f"/edev/{device.number}/di", information) == 400


@pytest.mark.ieee2030_5("F12", "F13")
async def test_alarms_and_what_could_be_shed(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    device = await sep2.device("one")
    log = f"/edev/{device.number}/lel"
    for number in range(3):
        alarm = LogEvent(
            created_date_time=100 + number,
            function_set=11,
            log_event_code=0,
            log_event_id=number,
            log_event_pen=PEN,
            profile_id=2,
        )
        answer = await one.ask("POST", log, alarm)
        assert answer.status == 201
        assert (await one.get(answer.headers["location"], LogEvent)).log_event_id == number
    listed = await one.get(f"{log}?s=1&l=5", LogEventList)
    assert (listed.all, [one.log_event_id for one in listed.log_event]) == (3, [1, 2])
    assert (await one.get(f"{log}?a=102&l=5", LogEventList)).all == 1
    answer = await one.ask("POST", f"/edev/{device.number}/lsl", LoadShedAvailability(sheddable_power=WATTS))
    assert answer.status == 201
    assert (await one.get(f"/edev/{device.number}/lsl?l=1", LoadShedAvailabilityList)).all == 1


@pytest.mark.ieee2030_5("L1", "L2", "L3")
async def test_lists_are_paged_as_they_are_asked_for(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    await sep2_groups.name_aggregator(sep2.store, "one", pen=PEN, actor=ACTOR, now=sep2.now)
    for number in range(7):
        await sep2.device("one", lfdi=a_lfdi(number))
    whole = await one.get("/edev?l=100", EndDeviceList)
    sfdis = [device.sfdi for device in whole.end_device]
    assert sfdis == sorted(sfdis)
    first = await one.get("/edev", EndDeviceList)
    assert (first.all, first.results, len(first.end_device)) == (7, 1, 1)
    pages = [await one.get(f"/edev?s={start}&l=3", EndDeviceList) for start in range(0, 12, 3)]
    assert [device.sfdi for page in pages for device in page.end_device] == sfdis
    assert [page.results for page in pages] == [3, 3, 1, 0]
    assert (await one.get("/edev?l=0", EndDeviceList)).results == 0
    for wrong in ("?s=-1", "?l=x", "?s=1&s=2", "?a="):
        assert await one.status("GET", f"/edev{wrong}") == 400, wrong


@pytest.mark.ieee2030_5("M1", "M2", "M5", "M6")
async def test_methods_media_and_heads(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    device = await sep2.device("one")
    refused = await one.ask("DELETE", "/dcap")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    refused = await one.ask("POST", f"/edev/{device.number}", SETTINGS)
    assert (refused.status, refused.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")
    assert await one.status("GET", "/dcap", accept="application/sep-exi") == 406
    assert await one.status("GET", "/dcap", accept="application/sep-exi, application/sep+xml;level=+S1") == 200
    assert await one.ask("HEAD", "/dcap") == await one.ask("GET", "/dcap")
    for path in ("/tp", "/msg", "/DCAP", "/edev/01", "/edev/0", "/"):
        assert await one.status("GET", path) == 404, path


@pytest.mark.ieee2030_5("L5", "L6")
async def test_rates_are_changed_while_running(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    assert (await one.get("/edev", EndDeviceList)).poll_rate == 900
    await sep2_rates.save_rate(sep2.store, "EndDeviceList", 60, actor=ACTOR, now=sep2.now)
    assert (await one.get("/edev", EndDeviceList)).poll_rate == 60


async def test_a_device_has_one_resource_and_its_programs(sep2: Sep2Bench) -> None:
    one = await sep2.enrol("one")
    await sep2.group("system", primacy=9)
    await sep2.group("feeder", "system", primacy=3)
    device = await sep2.device("one", "feeder")
    assert (await one.get(f"/edev/{device.number}/der?l=5", DERList)).all == 1
    (assigned,) = (await one.get(f"/edev/{device.number}/fsa?l=5", FunctionSetAssignmentsList)).function_set_assignments
    assert assigned.der_program_list_link is not None
    assert assigned.der_program_list_link.all == 2
    assert assigned.mrid.endswith(f"{PEN:08d}")


@pytest.mark.ieee2030_5("P1")
async def test_what_is_australian_is_hidden_from_csip(sep2: Sep2Bench) -> None:
    await sep2.enrol("one")
    device = await sep2.device("one")
    csip, newest = sep2.client("one", "/csip"), sep2.client("one", "/v13")
    assert (
        await newest.status("PUT", f"/edev/{device.number}/cp", ConnectionPoint(connection_point_id="2001985732"))
        == 201
    )
    assert (await newest.get(f"/edev/{device.number}", EndDevice)).connection_point_link is not None
    assert (await csip.get(f"/edev/{device.number}", EndDevice)).connection_point_link is None
    assert await csip.status("GET", f"/edev/{device.number}/cp") == 404
    assert b"csipaus" not in (await csip.ask("GET", f"/edev/{device.number}")).body
