"""One certificate from two networks (security T12): a copied key is noticed; a line that fails over is none."""

import pytest

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.shell.tls_peer import network_of_transport
from openadr_vtn.protocols.oadr2 import Oadr2Connection
from tests.vtn.protocols.vtn_bench import Bench, Ven
from tests.vtn.samples import a_peer

POLL = encode(m.Poll(ven_id="id-ven-one"))
HOME, AWAY, ELSEWHERE = "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/48"


def from_network(bench: Bench, network: str) -> Ven:
    peer = a_peer("ven-one")
    return Ven(bench=bench, peer=peer, connection=bench.vtn.connection(peer, network=network))


async def poll(ven: Ven) -> None:
    """As a shell does it: from memory, if that will do."""
    connection: Oadr2Connection = ven.connection
    if connection.quiet_answer(POLL, "", ven.bench.now) is None:
        assert (await ven.post(POLL, service="OadrPoll")).status == 200


def alarms(bench: Bench) -> list[str]:
    return [notice.detail for notice in bench.notices if notice.kind == "certificate in two networks"]


@pytest.mark.openadr20b("S6")
async def test_two_sessions_that_overlap_raise_an_alarm(bench: Bench) -> None:
    await bench.add_party()
    home, away = from_network(bench, HOME), from_network(bench, AWAY)
    for ven in (home, home, away):
        await poll(ven)
        bench.pass_time(10)
    assert alarms(bench) == []
    await poll(home)
    (told,) = alarms(bench)
    assert HOME in told
    assert AWAY in told
    assert home.peer.fingerprint_20b in told


@pytest.mark.openadr20b("S6")
async def test_a_line_that_fails_over_does_not(bench: Bench) -> None:
    await bench.add_party()
    old, again, new = (from_network(bench, network) for network in (HOME, HOME, AWAY))
    for ven in (old, again, old, new, new, from_network(bench, ELSEWHERE)):
        await poll(ven)
        bench.pass_time(10)
    assert alarms(bench) == []
    bench.pass_time(300)
    for ven in (from_network(bench, HOME), from_network(bench, AWAY)):
        await poll(ven)
        bench.pass_time(301)
    await poll(from_network(bench, HOME))
    assert alarms(bench) == [], "hours later it is back at home"


class Transport:
    def __init__(self, peername: object) -> None:
        self._peername = peername

    def get_extra_info(self, _name: str) -> object:
        return self._peername


@pytest.mark.parametrize(
    ("peername", "network"),
    [
        (("192.0.2.77", 1234), "192.0.2.0/24"),
        (("2001:db8:1:2::5", 1234, 0, 0), "2001:db8:1::/48"),
        (("fe80::1%eth0", 1234, 0, 2), "fe80::/48"),
        ("/run/socket", ""),
        (None, ""),
    ],
)
def test_a_network_is_what_addresses_behind_one_line_share(peername: object, network: str) -> None:
    assert network_of_transport(Transport(peername)) == network  # type: ignore[arg-type]
