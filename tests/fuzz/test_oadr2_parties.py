"""R12: whatever a party says, the answer is one of the protocol, nothing falls over, and the next good message works.

A hundred thousand inputs for each kind of message are `make soak`; a few of each are every run's.
"""

import asyncio
import os
import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.exchange import Request, Response
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import BASE
from openadr_core.oadr2.session import TURNS, Role, may_answer
from openadr_core.shell.datafiles import load_schema
from openadr_ven.protocols.oadr2 import Oadr2Session
from openadr_ven.protocols.oadr2.speech import Pushed
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.protocols.oadr2_answers import OPERATIONS
from tests.fuzz.oadr2_grammar import OWN, grown
from tests.fuzz.test_xml_grammar import damaged
from tests.security.signing import Lab, SigningBench, code_of
from tests.ven.protocols.conversation import SETTINGS
from tests.ven.protocols.scripted_vtn import ScriptedVtn, read, talk
from tests.vtn.protocols.speech import WISH
from tests.vtn.protocols.vtn_bench import Bench, running_bench
from tests.vtn.samples import a_peer

PER_KIND = int(os.environ.get("OPENADR_FUZZ_PER_KIND", "60"))
SECOND = timedelta(seconds=1)
STUCK_S = 20.0
"""Long past what a busy machine takes for one message."""
REFUSED = {403, 406, 411, 413}


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "empty.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def bench(tmp_path: Path, migrated: Path, now: datetime) -> AsyncIterator[Bench]:
    file = tmp_path / "vtn.db"
    shutil.copy(migrated, file)
    async with running_bench(file, now) as bench:
        yield bench


@pytest.mark.openadr20b("R33", "T8")
@pytest.mark.parametrize("kind", TURNS[Role.VEN], ids=lambda kind: kind.__name__)
async def test_a_vtn_answers_whatever_it_is_told(bench: Bench, kind: type[m.Message]) -> None:
    dice = random.Random(f"vtn {kind.__name__}")
    ven, _ = await bench.add_party()
    await bench.add_party("ven-two")
    await bench.write_event()
    service, done = OPERATIONS[kind][0], 0
    for number in range(PER_KIND):
        body = grown(kind, dice)
        response = await asyncio.wait_for(ven.post(body, service=service), STUCK_S)
        if response.status == 200:
            done += 1
            # By another element the message may have become one of another kind.
            said = type(decode(body, bench.schema, limits=LARGE))
            assert may_answer(Role.VEN, said, type(decode(response.body, bench.schema))) or said not in TURNS[Role.VEN]
        else:
            assert response.status in REFUSED, body
            assert response.body == b""
        if number % 20 == 0:
            await good_ven_is_heard(bench)
    assert done > PER_KIND / 10
    assert (await bench.ven(a_peer("ven-two")).say(m.Poll(ven_id="id-ven-two"))).response.response_code == "200"  # type: ignore[union-attr]
    await good_ven_is_heard(bench)


async def good_ven_is_heard(bench: Bench) -> None:
    """It may have ended its registration itself: a good new one is taken, and a good poll after it."""
    ven = bench.ven(a_peer())
    assert code_of(await ven.say(WISH)) == "200"
    bench.pass_time(60)
    for _ in range(40):
        answer = await ven.say(m.Poll(ven_id=OWN))
        if isinstance(answer, m.Response):
            assert code_of(answer) == "200"
            return
    raise AssertionError("the queue never ends")


def a_pushed_session(now: datetime) -> tuple[Oadr2Session, ScriptedVtn]:
    pushed = Pushed(address="https://ven.example/", vtn_sha256=frozenset({a_peer("vtn").certificate_sha256}))
    session = Oadr2Session(settings=replace(SETTINGS, pushed=pushed), decode=read, dice=random.Random(1), now=now)
    vtn = ScriptedVtn()
    talk(session, vtn, now=now)
    assert session.memory.registered
    return session, vtn


@pytest.mark.openadr20b("R33", "T8")
@pytest.mark.parametrize("kind", TURNS[Role.VTN], ids=lambda kind: kind.__name__)
def test_a_ven_answers_whatever_is_pushed_at_it(now: datetime, kind: type[m.Message]) -> None:
    dice = random.Random(f"ven {kind.__name__}")
    session, vtn = a_pushed_session(now)
    done = 0
    for number in range(PER_KIND):
        body = in_the_name_of(session, grown(kind, dice))
        request = Request(
            method="POST", path=f"{BASE}{TURNS[Role.VTN][kind].service}", body=body,
            headers={"content-type": "application/xml"},
        )  # fmt: skip
        response = session.receive_request(request, a_peer("vtn"), now=now)
        if response.status == 200:
            done += 1
            assert not response.body or isinstance(decode(response.body, load_schema()), m.Response | answers_of(body))
        else:
            assert response.status in REFUSED | {503}, body
        session.indications()
        assert session.record()
        if number % 20 == 0:
            session, vtn = a_pushed_session(now)
    assert done > PER_KIND / 10
    talk(session, vtn, now=now)


def in_the_name_of(session: Oadr2Session, body: bytes) -> bytes:
    return body.replace(OWN.encode(), (session.memory.ven_id or OWN).encode())


def answers_of(body: bytes) -> type:
    turn = TURNS[Role.VTN].get(type(decode(body, load_schema(), limits=LARGE)))
    return m.Response if turn is None else turn.answers[0]


@pytest.mark.openadr20b("R33")
@pytest.mark.parametrize("kind", TURNS[Role.VTN], ids=lambda kind: kind.__name__)
def test_a_ven_survives_whatever_its_poll_brings(now: datetime, kind: type[m.Message]) -> None:
    dice = random.Random(f"poll {kind.__name__}")
    session = Oadr2Session(settings=SETTINGS, decode=read, dice=random.Random(1), now=now)
    vtn = ScriptedVtn()
    talk(session, vtn, now=now)
    for _ in range(PER_KIND):
        now += 40 * SECOND  # longer than any pause it takes
        brought = [in_the_name_of(session, grown(kind, dice))]
        vtn.script[m.Poll] = lambda brought=brought: once(brought)  # type: ignore[misc]
        talk(session, vtn, now=now, most=200)
        session.indications()
        assert session.record()
    vtn.script.clear()
    now += 40 * SECOND
    polls = len(vtn.said(m.Poll))
    talk(session, vtn, now=now, most=200)
    assert session.memory.registered
    assert len(vtn.said(m.Poll)) > polls


def once(brought: list[bytes]) -> Response:
    """The answer to a poll, and after it that there is no more."""
    nothing_more = encode(m.Response(response=m.EiResponse(response_code="200")))
    return Response(status=200, body=brought.pop() if brought else nothing_more)


@pytest.mark.openadr20b("R514")
@pytest.mark.parametrize("kind", ["rsa", "ecc"])
async def test_no_damage_to_a_signed_message_changes_what_is_done(bench: Bench, kind: str, now: datetime) -> None:
    """What is taken says what was signed; anything else is refused, and the next good message works."""
    dice = random.Random(f"signed {kind}")
    signing = SigningBench(vtn=bench, lab=Lab(now=now))
    signing.demand(SignatureRule.REQUIRE)
    ven = await signing.add_party(kind=kind)
    message = m.RequestEvent(request_id="q", ven_id=ven.party_id)
    taken = 0
    for _ in range(4 * PER_KIND):
        body = damaged(dice, ven.signed(message))
        response = await asyncio.wait_for(ven.post(body, "EiEvent"), STUCK_S)
        if response.status != 200:
            assert response.status in REFUSED, body
            continue
        if code_of(signing.read_signed(response)) == "200":
            taken += 1
            assert decode(body, bench.schema) == message
    assert taken < 4 * PER_KIND / 2
    assert code_of(await ven.say(message)) == "200"


def test_the_grammar_makes_both_what_is_read_and_what_is_refused() -> None:
    """Or the answers above would be answers to one thing."""
    dice = random.Random(3)
    read_ones = 0
    for _ in range(300):
        try:
            decode(grown(dice.choice(list(TURNS[Role.VEN])), dice), load_schema(), limits=LARGE)
        except (MalformedMessage, SchemaViolation):
            continue
        read_ones += 1
    assert 30 < read_ones < 270
    assert encode(m.Poll(ven_id=OWN))
