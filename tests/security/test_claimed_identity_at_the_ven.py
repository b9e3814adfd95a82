"""T09 at the VEN: what its own VTN says to somebody else, or as somebody else, moves nothing of it.

Every payload that the table lets a VTN begin with, pushed and polled, unsigned and signed. The channel is
the VTN's own, pinned; what is wrong is the name in the message.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count

import pytest
from lxml import etree

from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.session import TURNS, Role
from openadr_ven.adapters.sql.store import SqlStore
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Memory
from tests.security.claims_of_identity import BROKEN, EI, OTHERS, OWN, VEN_ID, emptied, sent_by, twice, without, written
from tests.security.forger import Forger
from tests.security.signing import Lab
from tests.security.ven_world import SECOND, World
from tests.ven.protocols.conversation import of
from tests.ven.protocols.scripted_vtn import OK, a_report_request, an_event, distribute, read

pytestmark = pytest.mark.openadr20b("R21", "R508", "R512", "E6", "E7", "N13")

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
numbers = count()


@dataclass(frozen=True)
class Good:
    """A message that has an effect, and how to see it."""

    message: Callable[[Memory, datetime], m.Message]
    acted: Callable[[World], bool]
    tag: str = VEN_ID


def renews(memory: Memory, _: datetime) -> m.Message:
    return m.RequestReregistration(ven_id=memory.ven_id)


GOOD: dict[type[m.Message], Good] = {
    m.DistributeEvent: Good(
        lambda *_: distribute(an_event(minutes=600)), lambda world: bool(of(i.EventReceived, world.heard)), f"{EI}vtnID"
    ),
    m.CreateReport: Good(
        lambda memory, now: m.CreateReport(
            request_id="q", report_requests=(a_report_request(now=now),), ven_id=memory.ven_id
        ),
        lambda world: bool(of(i.ReportRequested, world.heard)),
    ),
    m.RegisterReport: Good(
        lambda memory, _: m.RegisterReport(request_id="q", ven_id=memory.ven_id),
        lambda world: "200" in codes_of_replies(world, m.RegisteredReport),
    ),
    m.CancelReport: Good(
        lambda memory, _: m.CancelReport(
            request_id="q", report_request_ids=("rr-0",), report_to_follow=False, ven_id=memory.ven_id
        ),
        lambda world: not world.session.memory.report_requests,
    ),
    m.UpdateReport: Good(
        lambda memory, _: m.UpdateReport(request_id="q", ven_id=memory.ven_id),
        # We ask no VTN for reports: what one brings is answered, and that is all.
        lambda world: "452" in codes_of_replies(world, m.UpdatedReport),
    ),
    m.CancelPartyRegistration: Good(
        lambda memory, _: m.CancelPartyRegistration(
            request_id="q", registration_id=memory.registration_id, ven_id=memory.ven_id
        ),
        lambda world: bool(of(i.RegistrationLost, world.heard)),
    ),
    m.RequestReregistration: Good(renews, lambda world: world.session.memory.renewing or registered_again(world)),
}


def registered_again(world: World) -> bool:
    return len(of(i.Registered, world.heard)) > 1


def codes_of_replies(world: World, kind: type[m.RegisteredReport] | type[m.UpdatedReport]) -> list[str]:
    """Of our logical replies: in the answer to a push, or posted after a poll."""
    said = [*world.vtn.heard, *(read(body) for body in world.pushed_back)]
    return [message.response.response_code for message in said if isinstance(message, kind)]


def test_every_payload_of_the_table_is_tried() -> None:
    assert set(GOOD) == set(TURNS[Role.VTN])


@pytest.fixture(params=["polled", "pushed"])
async def world(
    request: pytest.FixtureRequest, signs: bool, signing_lab: Lab, ven_store: SqlStore, now: datetime
) -> World:
    world = World(
        lab=signing_lab, store=ven_store, now=now, pushed=request.param == "pushed", signs=signs,
        rule=SignatureRule.REQUIRE if signs else SignatureRule.OFF,
    )  # fmt: skip
    world.vtn.report_requests = (a_report_request("rr-0", now=now),)
    await world.run(90)
    # All that a VEN says by itself is said.
    assert world.session.memory.report_requests
    assert world.session.memory.vtn_offered
    assert not world.session.memory.replies
    world.heard = [one for one in world.heard if isinstance(one, i.Registered)]
    world.vtn.heard.clear()
    return world


@pytest.fixture(params=[False, True], ids=["unsigned", "signed"])
def signs(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def hear(world: World, kind: type[m.Message], document: bytes) -> None:
    """What the VTN says now, exactly so, signed by its own key where it signs."""
    body = document
    if world.signs and b"<!DOCTYPE" not in document:
        forger = Forger(identity=world.theirs.identity, sent_at=world.now, nonce=f"evil-{next(numbers)}")
        try:
            body = forger.sign(document)
        except (ValueError, etree.XMLSyntaxError):
            body = document  # no XML: nothing that could be signed
    if world.pushed:
        answer = await world.push(body, TURNS[Role.VTN][kind].service)
        if answer.status == 200 and answer.body:
            world.pushed_back.append(answer.body)
        return
    world.now += 3 * SECOND
    world.change = lambda _: body
    await world.upstream.step()
    world.change = None


def held(world: World) -> Memory:
    """What the VEN holds, apart from what it still has to say no with."""
    return replace(world.session.memory, replies=(), payload_errors=(), answers=())


@pytest.mark.parametrize("kind", sent_by(Role.VTN), ids=lambda kind: kind.__name__)
async def test_no_other_name_moves_anything(world: World, kind: type[m.Message]) -> None:
    good = GOOD[kind]
    memory = world.session.memory
    document = encode(good.message(memory, world.now))
    own, other = (memory.vtn_id if good.tag != VEN_ID else memory.ven_id), "somebody-else"
    bodies = {how: written(document, spell, own, other, tag=good.tag) for how, spell in OTHERS.items()}
    bodies |= {how: written(document, spell, own, other, tag=good.tag) for how, spell in BROKEN.items()}
    bodies |= {f"twice {n}": body for n, body in enumerate(twice(document, own, other, tag=good.tag))}
    if kind is m.DistributeEvent:
        # R21, R35: it is our VTN's or it is not.
        bodies |= {"empty": emptied(document, tag=good.tag), "missing": without(document, tag=good.tag)}
    before = held(world)
    for how, body in bodies.items():
        await hear(world, kind, body)
        await settled(world)
        assert held(world) == before, how
        assert not [one for one in world.heard if not isinstance(one, TROUBLE)], how
    await hear(world, kind, document)
    await settled(world)
    assert good.acted(world)


TROUBLE = (i.Registered, i.VtnUnreachable, i.VtnReachable, i.VtnRefused)


async def settled(world: World) -> None:
    """Whatever the VEN has to answer is answered, and whatever pause it takes is over."""
    for _ in range(30):
        if not await world.upstream.step():
            break
    world.now += 40 * SECOND


@pytest.mark.parametrize("kind", [kind for kind in sent_by(Role.VTN) if kind is not m.DistributeEvent])
@pytest.mark.parametrize("how", ["own", "own in references", "empty", "missing"])
async def test_its_own_name_or_none_is_heard(world: World, kind: type[m.Message], how: str) -> None:
    """E6: a VTN may leave the venID out, where the schema lets it; who is meant is who is connected."""
    if kind is m.RequestReregistration and how == "missing":
        return  # the schema does not let it
    good = GOOD[kind]
    document = encode(good.message(world.session.memory, world.now))
    bodies = {"empty": emptied(document), "missing": without(document)}
    body = bodies.get(how) or written(document, OWN[how], world.session.memory.ven_id, "")
    await hear(world, kind, body)
    await settled(world)
    assert good.acted(world)


ANSWERS: dict[type[m.Message], Callable[[str], m.Message]] = {
    m.RegisterReport: lambda ven_id: m.RegisteredReport(
        response=OK, ven_id=ven_id, report_requests=(a_report_request("evil", now=NOW),)
    ),
    m.Poll: lambda ven_id: m.Response(response=OK, ven_id=ven_id),
}


@pytest.mark.parametrize("asked", ANSWERS, ids=lambda kind: kind.__name__)
async def test_an_answer_to_somebody_else_is_none_to_us(
    signing_lab: Lab, ven_store: SqlStore, now: datetime, asked: type[m.Message]
) -> None:
    world = World(lab=signing_lab, store=ven_store, now=now)
    world.vtn.script[asked] = lambda: ANSWERS[asked]("somebody-else")
    await world.run(4)
    assert not world.session.memory.report_requests
    assert any("for another venID" in one.reason for one in of(i.VtnUnreachable, world.heard))
    world.vtn.script.clear()
    await world.run(30)
    assert of(i.VtnReachable, world.heard)
    assert isinstance(world.vtn.heard[-1], m.Poll)
