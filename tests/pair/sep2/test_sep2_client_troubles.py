"""Our 2030.5 client where things go wrong: servers that are busy or refuse, what comes late, who is another (1.9)."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.event import SignalKind
from openadr_ven.domain import indications as i
from openadr_ven.protocols.sep2 import Sep2Session
from openadr_ven.protocols.sep2.answering import Said
from openadr_vtn.application.handlers import sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from tests.pair.sep2.sep2_client import ClientEnd, client_of
from tests.pair.sep2.test_sep2_client_presence import TOLD_AT, a_notification
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Sep2Bench

PROGRAMS = "/edev/1/fsa/1/derp"


def answers(client: ClientEnd, path: str, status: int, *, times: int = 1, **headers: str) -> list[str]:
    """Have the next requests to such a path answered so; those that were."""
    seen: list[str] = []

    def change(request: Request, answer: Response) -> Response:
        if request.path.startswith(path) and len(seen) < times:
            seen.append(request.path)
            said = {name.replace("_", "-"): value for name, value in headers.items()}
            return Response(status=status, headers=said)
        return answer

    client.change = change
    return seen


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.ieee2030_5("C14", "M11")
async def test_a_busy_server_is_left_alone_for_as_long_as_it_says(
    bench: Sep2Bench, client: ClientEnd, status: int
) -> None:
    await bench.control("feeder", lasts=3_600, opModExpLimW=1_000)
    await client.run()
    busy = answers(client, PROGRAMS, status, retry_after="200")
    (lost,) = [one for one in await client.until(61) if isinstance(one, i.VtnUnreachable)]
    assert busy
    client.asked.clear()
    await client.until(190)
    assert client.asked == []
    assert client.asks() == {SignalKind.EXPORT_LIMIT: 1_000.0}, "what is known is followed meanwhile"
    assert any(isinstance(one, i.VtnReachable) for one in await client.until(120))
    assert lost.reason == f"HTTP {status}"


@pytest.mark.ieee2030_5("C14")
async def test_a_server_that_goes_on_failing_is_asked_ever_less_often(bench: Sep2Bench, client: ClientEnd) -> None:
    await client.run()
    client.change = lambda _, __: Response(status=500)
    heard = await client.until(7_200)
    failures = [one for one in heard if isinstance(one, i.VtnUnreachable)]
    # No pause is longer than five minutes, and none is the same as the one before.
    assert 24 <= len(failures) <= 60
    pauses = [(after.retry_at - before.retry_at).total_seconds() for before, after in pairwise(failures)]
    assert len(set(pauses)) > len(pauses) / 2
    assert max(pauses) > 5 * min(pauses)


async def test_a_response_that_the_server_will_not_have_keeps_no_other_back(
    bench: Sep2Bench, client: ClientEnd
) -> None:
    stored = await bench.control("feeder", start=30, lasts=60)
    refused = answers(client, "/rsps/", 400)
    heard = await client.until(200)
    assert len(refused) == 1
    (said,) = [one for one in heard if isinstance(one, i.VtnRefused)]
    assert said.what == f"response {Said.RECEIVED} to {stored.control.mrid}"
    # Our test's server has stored it all the same.
    assert await client.responses(stored.control.mrid) == [Said.RECEIVED, Said.STARTED, Said.COMPLETED]


async def test_what_comes_after_its_end_is_too_late(bench: Sep2Bench, client: ClientEnd) -> None:
    late = await bench.control("feeder", lasts=10, randomize_duration_s=3_600)
    bench.later(3_400)
    # It goes on being listed while the next polls are made: that is no reason to say it again.
    await client.until(400)
    assert await client.responses(late.control.mrid) == [Said.RECEIVED, Said.TOO_LATE]
    assert client.asks() == {}


async def test_a_control_of_a_program_that_is_no_longer_ours_is_let_go(bench: Sep2Bench, client: ClientEnd) -> None:
    await bench.control("feeder", lasts=7_200, opModExpLimW=1_000)
    await client.run()
    assert client.asks() == {SignalKind.EXPORT_LIMIT: 1_000.0}
    wish = DeviceWish(groups=["system"])
    await sep2_groups.change_device(bench.store, client.peer.lfdi, wish, actor=ACTOR, now=bench.now)
    await client.until(1_000)
    assert client.asks() == {}
    # Nobody may answer what is not theirs any more: the server knows it, and the client has said it.
    assert client.session.memory.replies == ()
    assert any(one.said[-1] == Said.OTHER_PROGRAM for one in client.session.memory.known)


@pytest.mark.ieee2030_5("C2", "T7")
async def test_another_sfdi_than_our_certificates_stops_everything(bench: Sep2Bench, client: ClientEnd) -> None:
    await bench.control("feeder", opModExpLimW=1_000)
    identity = replace(client.settings.identity, sfdi=111111111115)
    client.session = Sep2Session(
        settings=replace(client.settings, identity=identity), dice=random.Random(1), now=bench.now
    )  # fmt: skip
    (told,) = [one for one in await client.run() if isinstance(one, i.NotEnrolled)]
    assert told.code == "SFDI"
    assert client.asks() == {}


@pytest.mark.ieee2030_5("C9")
async def test_a_subscription_that_the_server_ends_or_refuses_is_tried_again_and_polls_go_on(bench: Sep2Bench) -> None:
    await bench.device("one", "feeder")
    client = client_of(bench, notified_at=TOLD_AT)
    refused = answers(client, "/edev/1/sub", 403)
    heard = await client.run()
    assert len(refused) == 1
    assert [one.code for one in heard if isinstance(one, i.VtnRefused)] == ["403"]
    client.session.notified(a_notification("/derp/2/derc", status=1), now=bench.now)
    client.asked.clear()
    await client.until(3_000)
    assert "POST /edev/1/sub" not in client.asked
    assert client.asked.count("GET /derp/2/derc") >= 3
    await client.until(1_000)
    assert client.asked.count("POST /edev/1/sub") == 2
