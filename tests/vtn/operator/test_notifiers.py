"""How clients find the broker and its topics, and that a VEN finds no other's (spec 1.10, R10.1, R10.2, R10.5)."""

from dataclasses import replace

import pytest

from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.http.addresses import OADR3
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import a_party

PATH = f"{OADR3}/notifiers"
TOPICS = f"{PATH}/mqtt/topics"


async def as_ven(desk: DeskBench, name: str) -> None:
    """A VEN with a ven object of its own, whose requests all are from now on."""
    async with desk.store.unit_of_work() as uow:
        await uow.parties.add(replace(a_party(desk.clock.now(), name), client_id=name))
    await desk.add_client(name, *SCOPES[Role.VEN], role=Role.VEN)
    await desk.authorise(name)


async def topics(desk: DeskBench, path: str) -> dict[str, str]:
    answer = await desk.http.get(f"{TOPICS}/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()["topics"]
    return found


@pytest.mark.openadr3("R9.7", "R10.1")
async def test_every_client_is_told_of_webhooks_and_of_its_own_way_to_the_broker(desk: DeskBench) -> None:
    await as_ven(desk, "ven-1")
    answer = await desk.http.get(PATH)
    assert answer.json() == {
        "WEBHOOK": True,
        "MQTT": {
            "URIS": ["mqtts://broker.example:8883"],
            "serialization": "JSON",
            "authentication": {
                "method": "CERTIFICATE",
                "caCert": "CA",
                "clientCert": "ven-1",
                "clientKey": "ven-1's",
            },
        },
    }
    assert answer.headers["Cache-Control"] == "no-store"
    del desk.http.headers["Authorization"]
    assert_problem(await desk.http.get(PATH), 401)


@pytest.mark.openadr3("R10.2")
async def test_business_logic_finds_every_topic(desk: DeskBench) -> None:
    await desk.add_party("one")
    program = await desk.create_program()
    for kind in ("programs", "events", "reports", "subscriptions", "vens", "resources"):
        assert await topics(desk, kind) == {
            "CREATE": f"{kind}/create", "UPDATE": f"{kind}/update", "DELETE": f"{kind}/delete", "ALL": f"{kind}/+",
        }  # fmt: skip
    assert set(await topics(desk, f"programs/{program}")) == {"UPDATE", "DELETE", "ALL"}
    assert (await topics(desk, f"programs/{program}/events"))["CREATE"] == f"events/programs/{program}/create"
    assert set(await topics(desk, "vens/id-one")) == {"UPDATE", "DELETE", "ALL"}
    for kind in ("events", "programs", "resources"):
        assert (await topics(desk, f"vens/id-one/{kind}"))["ALL"] == f"{kind}/vens/id-one/+"


@pytest.mark.openadr3("R10.5")
async def test_a_ven_finds_its_own_topics_and_no_others(desk: DeskBench) -> None:
    await desk.add_party("other")
    await as_ven(desk, "ven-1")
    for path in ("vens/id-ven-1", *(f"vens/id-ven-1/{kind}" for kind in ("events", "programs", "resources"))):
        assert "id-ven-1" in (await topics(desk, path))["UPDATE"]
    told = [
        assert_problem(await desk.http.get(f"{TOPICS}/vens/{ven}{kind}"), 404)["detail"].replace(ven, "x")
        for ven in ("id-other", "nobody")
        for kind in ("", "/events", "/programs", "/resources")
    ]
    assert len(set(told)) == 1, "another's is as if it were not there"
    for path in ("programs", "events", "reports", "subscriptions", "vens", "resources"):
        assert_problem(await desk.http.get(f"{TOPICS}/{path}"), 403)


@pytest.mark.parametrize("path", ["programs/none", "programs/none/events", "vens/none", "vens/none/events"])
async def test_what_is_not_there_has_no_topics(desk: DeskBench, path: str) -> None:
    assert_problem(await desk.http.get(f"{TOPICS}/{path}"), 404)
