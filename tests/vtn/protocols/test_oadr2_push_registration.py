"""How a party says where it is to be pushed to, and what is not taken for an address."""

from dataclasses import replace

import pytest

from openadr_core.oadr2 import messages as m
from tests.vtn.protocols.vtn_bench import Bench, Ven

ADDRESS = "https://ven.example:8443/myVEN/"


def wish(**changes: object) -> m.CreatePartyRegistration:
    asked = m.CreatePartyRegistration(
        request_id="q1", profile_name="2.0b", transport_name="simpleHttp", transport_address=ADDRESS,
        report_only=False, xml_signature=False, ven_name="ven-one", http_pull_model=False,
    )  # fmt: skip
    return replace(asked, **changes)  # type: ignore[arg-type]


async def unregistered(bench: Bench) -> Ven:
    return (await bench.add_party(registered=False))[0]


@pytest.mark.openadr20b("R402", "R403", "R38", "G2", "G3", "T12")
async def test_who_is_to_be_pushed_to_says_where_and_is_told_no_interval(bench: Bench) -> None:
    ven = await unregistered(bench)
    answer = await ven.ask(wish(), m.CreatedPartyRegistration)
    assert answer.response.response_code == "200"
    assert answer.registration_id
    assert answer.requested_poll_freq is None
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
        assert await view.pushes.party_ids() == [party.id]
    assert party.registration is not None
    assert (party.registration.pull, party.registration.transport_address) == (False, ADDRESS)


@pytest.mark.openadr20b("R402", "T12")
@pytest.mark.parametrize("address", [None, "", "http://ven.example/", "ven@xmpp.example", "https://u:p@ven.example/"])
async def test_an_address_that_cannot_be_pushed_to_is_invalid_data_and_leaves_nothing(
    bench: Bench, address: str | None
) -> None:
    ven = await unregistered(bench)
    refused = await ven.ask(wish(transport_address=address), m.CreatedPartyRegistration)
    assert refused.response.response_code == "454"
    assert refused.registration_id is None
    async with bench.store.view() as view:
        (party,) = await view.parties.all()
    assert party.registration is None
    assert (await ven.ask(wish(), m.CreatedPartyRegistration)).response.response_code == "200"


@pytest.mark.openadr20b("R405", "G5")
async def test_it_may_change_from_one_to_the_other_under_its_ids(bench: Bench) -> None:
    ven = await unregistered(bench)
    first = await ven.ask(wish(), m.CreatedPartyRegistration)
    again = wish(registration_id=first.registration_id, ven_id=first.ven_id, http_pull_model=True)
    polled = await ven.ask(again, m.CreatedPartyRegistration)
    assert polled.registration_id == first.registration_id
    assert polled.requested_poll_freq is not None
    async with bench.store.view() as view:
        assert await view.pushes.party_ids() == []
        (party,) = await view.parties.all()
    assert party.registration is not None
    assert party.registration.transport_address == "", "where a party that polls could be reached is nothing to us"
