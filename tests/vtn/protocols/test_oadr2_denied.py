"""The deny-list (security T12): in force with the next request, also on a connection that was good before."""

import pytest

from openadr_core.errors import Conflict, NotFound
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers.parties import deny_certificates, replace_certificate
from tests.vtn.protocols.vtn_bench import Bench
from tests.vtn.samples import a_peer

POLL = encode(m.Poll(ven_id="id-ven-one"))


@pytest.mark.openadr20b("S6", "R517", "R516")
async def test_the_next_request_on_a_kept_connection_is_403_and_nothing_is_done(bench: Bench) -> None:
    ven, party = await bench.add_party()
    for _ in range(3):
        assert (await ven.post(POLL, service="OadrPoll")).status == 200
    assert ven.connection.quiet_answer(POLL, "", bench.now) is not None
    denied = await deny_certificates(bench.store, "ven-one", None, actor="client:x", reason="stolen", now=bench.now)
    assert [one.denied for one in denied.certificates] == [True]
    assert ven.connection.quiet_answer(POLL, "", bench.now) is None
    event = await bench.write_event()
    for message, service in ((POLL, "OadrPoll"), (encode(m.RequestEvent(request_id="q", ven_id=party.id)), "EiEvent")):
        answer = await ven.post(message, service=service)
        assert (answer.status, answer.body) == (403, b"")
    assert (await bench.row_of(event)).sent_at is None
    bench.restart()
    again = bench.ven(ven.peer)
    assert (await again.post(POLL, service="OadrPoll")).status == 403, "and a restart forgets nothing"


@pytest.mark.openadr20b("S6")
async def test_it_stays_denied_whosever_it_was(bench: Bench) -> None:
    ven, party = await bench.add_party()
    await bench.add_party("ven-two")
    await deny_certificates(bench.store, party.id, None, actor="client:x", reason="", now=bench.now)
    new = a_peer("ven-one renewed")
    await replace_certificate(bench.store, party.id, new, actor="client:x", keep=False, now=bench.now)
    assert (await ven.post(POLL, service="OadrPoll")).status == 403, "no stranger that may wait for approval"
    assert (await bench.ven(new).post(POLL, service="OadrPoll")).status == 200, "the party goes on with another one"
    with pytest.raises(Conflict):
        await replace_certificate(bench.store, "ven-two", ven.peer, actor="client:x", keep=True, now=bench.now)
    async with bench.store.view() as view:
        assert len(await view.parties.all()) == 2


async def test_one_of_two_may_be_denied_and_only_one_that_is_the_partys(bench: Bench) -> None:
    ven, party = await bench.add_party()
    new = a_peer("renewed")
    await replace_certificate(bench.store, party.id, new, actor="client:x", keep=True, now=bench.now)
    with pytest.raises(NotFound):
        await deny_certificates(bench.store, party.id, "ab" * 32, actor="client:x", reason="", now=bench.now)
    sha256 = ven.peer.certificate_sha256.upper()
    denied = await deny_certificates(bench.store, party.id, sha256, actor="client:x", reason="", now=bench.now)
    assert denied.good_sha256 == {new.certificate_sha256}
    assert (await ven.post(POLL, service="OadrPoll")).status == 403
    assert (await bench.ven(new).post(POLL, service="OadrPoll")).status == 200
