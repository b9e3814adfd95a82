"""What an operator does about registrations: preload, poll interval, cancel, ask again; and sees what waits."""

from typing import Any

import httpx
import pytest

from openadr_core.model.party import PartyState
from openadr_vtn.http.addresses import ADMIN
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.operator.test_operator_parties import a_pem
from tests.vtn.samples import a_peer

SHA256 = a_peer("acme").certificate_sha256


async def preconfigure(desk: DeskBench, **members: Any) -> httpx.Response:
    return await desk.http.post(f"{ADMIN}/parties", json={"name": "acme", "sha256": SHA256, **members})


@pytest.mark.openadr20b("R402", "R405", "G13", "S5")
async def test_a_party_is_preloaded_by_its_sha256(desk: DeskBench) -> None:
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id, targets=["feeder-7"])
    made = (await preconfigure(desk, id="ACME_1", targets=["feeder-7"], poll_interval_s=30)).json()
    assert (made["id"], made["state"], made["poll_interval_s"], made["registered_at"]) == (
        "ACME_1",
        "approved",
        30,
        None,
    )
    (certificate,) = made["certificates"]
    assert certificate["fingerprint"] == a_peer("acme").fingerprint_20b
    assert await desk.owed(event_id) == [("ACME_1", 0, False)]
    assert ("preconfigure party", "ACME_1") in desk.done


@pytest.mark.openadr20b("R405", "G13")
async def test_a_registration_may_be_preloaded_too(desk: DeskBench) -> None:
    assert (await preconfigure(desk, id="ACME_1", registration_id="paper-7")).status_code == 200
    seen = (await desk.http.get(f"{ADMIN}/parties/acme")).json()
    assert seen["registration"]["id"] == "paper-7"
    assert [one["kind"] for one in seen["waiting"]] == ["RegisterReport"]


async def test_a_party_is_preloaded_by_its_certificate_and_takes_it_from_one_that_waits(desk: DeskBench) -> None:
    made = (await preconfigure(desk, sha256=None, certificate=a_pem().decode())).json()
    assert made["id"]
    await desk.add_party("waiting", state=PartyState.PENDING, registered=False)
    digest = ":".join([a_peer("waiting").certificate_sha256.upper()[n : n + 2] for n in range(0, 64, 2)])
    assert (await preconfigure(desk, name="other", sha256=digest)).status_code == 200
    states = {one["name"]: one["state"] for one in (await desk.http.get(f"{ADMIN}/parties")).json()}
    assert states == {"acme": "approved", "other": "approved", "waiting": "refused"}


@pytest.mark.parametrize(
    ("members", "status", "said"),
    [
        ({"sha256": None}, 400, "one of them says who"),
        ({"sha256": a_peer("acme").fingerprint_20b}, 400, "is not a SHA-256"),
        ({"sha256": "g" * 64}, 400, "is not a SHA-256"),
        ({"name": None}, 400, "is missing"),
        ({"name": "a\u202eb"}, 400, "does not show"),
        ({"id": "a b"}, 400, "letters, digits"),
        ({"poll_interval_s": 0}, 400, "from 1 to"),
        ({"poll_interval_s": 86_401}, 400, "from 1 to"),
        ({"id": "id-one"}, 409, "has the id"),
        ({"name": "one"}, 409, "is called one"),
        ({"sha256": a_peer("one").certificate_sha256}, 409, "party one's"),
        ({"target": []}, 400, "is not known"),
    ],
)
async def test_what_cannot_be_preloaded_is_refused(
    desk: DeskBench, members: dict[str, Any], status: int, said: str
) -> None:
    await desk.add_party("one")
    assert said in assert_problem(await preconfigure(desk, **members), status)["detail"]
    assert [one["name"] for one in (await desk.http.get(f"{ADMIN}/parties")).json()] == ["one"]


@pytest.mark.openadr20b("R403", "R407")
async def test_what_a_party_is_asked_to_do_waits_for_it(desk: DeskBench) -> None:
    await desk.add_party("one")
    changed = await desk.http.post(f"{ADMIN}/parties/one/poll-interval", json={"seconds": 60})
    assert changed.json()["poll_interval_s"] == 60
    for command in ("request-reregistration", "cancel-registration", "cancel-registration"):
        assert (await desk.http.post(f"{ADMIN}/parties/one/{command}")).status_code == 200
    seen = (await desk.http.get(f"{ADMIN}/parties/one")).json()
    assert [(one["kind"], one["attempts"], one["sent_at"]) for one in seen["waiting"]] == [
        ("RequestReregistration", 0, None),
        ("CancelPartyRegistration", 0, None),
    ]
    assert seen["registered_at"] is not None
    done = [entry["action"] for entry in (await desk.http.get(f"{ADMIN}/audit")).json()]
    assert done.count("cancel registration") == 2
    assert "change poll interval" in done


@pytest.mark.openadr20b("S9")
async def test_an_operator_says_whether_a_party_signs(desk: DeskBench) -> None:
    await desk.add_party("one")
    signatures = f"{ADMIN}/parties/one/signatures"
    for rule in ("require", "off", "accept", None):
        assert (await desk.http.post(signatures, json={"rule": rule})).json()["signatures"] == rule
    for wrong in ({"rule": "perhaps"}, {"rule": 1}, {}):
        assert "rule" in assert_problem(await desk.http.post(signatures, json=wrong), 400)["detail"]
    done = [(entry["action"], entry["detail"]) for entry in (await desk.http.get(f"{ADMIN}/audit")).json()]
    assert done[:2] == [("choose signatures", "default"), ("choose signatures", "accept")]


async def test_an_unregistered_party_is_asked_nothing(desk: DeskBench) -> None:
    await desk.add_party("one", registered=False)
    for command in ("request-reregistration", "cancel-registration"):
        refused = await desk.http.post(f"{ADMIN}/parties/one/{command}")
        assert "not registered" in assert_problem(refused, 409)["detail"]
    assert (await desk.http.post(f"{ADMIN}/parties/one/poll-interval", json={"seconds": 60})).status_code == 200
    assert (await desk.http.get(f"{ADMIN}/parties/one")).json()["waiting"] == []
    assert_problem(await desk.http.get(f"{ADMIN}/parties/nobody"), 404)
    slip = await desk.http.post(f"{ADMIN}/parties/one/cancel-registration", json={"force": True})
    assert "is not known" in assert_problem(slip, 400)["detail"]
