"""A VEN under each rule: it signs what it says, and acts on nothing that its VTN has not signed (R514, S7 to S9)."""

import asyncio
from datetime import datetime

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.xmldsig import is_signed, verify
from openadr_core.xml.parse import parse
from openadr_ven.adapters.sql.store import SqlStore
from openadr_ven.domain import indications as i
from tests.security.forger import Forger
from tests.security.signing import Lab
from tests.security.test_signature_wrapping import CANONICALISATIONS, WRAPPINGS, Evil
from tests.security.ven_world import SECOND, Change, World
from tests.ven.protocols.conversation import of
from tests.ven.protocols.scripted_vtn import OK, VTN_ID, an_event, distribute, read

pytestmark = pytest.mark.openadr20b("R514", "S7", "S9")

OFF, ACCEPT, REQUIRE = SignatureRule.OFF, SignatureRule.ACCEPT, SignatureRule.REQUIRE


@pytest.fixture
def world(signing_lab: Lab, ven_store: SqlStore, now: datetime) -> World:
    return World(lab=signing_lab, store=ven_store, now=now)


async def test_it_registers_reports_and_follows_events_all_signed(world: World) -> None:
    await world.run()
    world.vtn.queue.append(distribute(an_event()))
    await world.run()
    assert world.events == ["event-1"]
    assert len(world.vtn.said(m.CreatedEvent)) == 1
    assert not world.alarms
    found = [verify(parse(body)) for body in world.bodies]
    assert {one.holder.certificate_sha256 for one in found} == {world.own.signer.certificate_sha256}
    assert len({one.replay_protect.nonce for one in found}) == len(found) > 8
    (wish,) = world.vtn.said(m.CreatePartyRegistration)
    assert wish.xml_signature


async def test_what_is_sent_again_is_signed_again(world: World) -> None:
    """Its nonce may be used up, and its time is the time of sending."""
    world.vtn.script[m.CreatePartyRegistration] = lambda: Response(status=503)
    await world.run(20)
    found = [verify(parse(body)).replay_protect for body in world.bodies]
    assert len(found) > 2
    assert len({one.nonce for one in found}) == len(found)
    assert sorted({one.sent_at for one in found}) == [one.sent_at for one in found]


def flipped(body: bytes) -> bytes:
    return body.replace(b"<ei:responseCode>200<", b"<ei:responseCode>201<").replace(b"event-1", b"event-2")


def unsigned(body: bytes) -> bytes:
    start, end = body.index(b"<ds:Signature "), body.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    return body[:start] + body[end:]


@pytest.mark.parametrize("change", [flipped, unsigned])
async def test_an_answer_that_the_vtn_did_not_sign_so_moves_nothing(world: World, change: Change) -> None:
    await world.run()
    world.change = change
    world.vtn.queue.append(distribute(an_event()))
    await world.run(3)
    assert not world.events
    assert world.alarms
    assert of(i.VtnUnreachable, world.heard)
    # What was not acted on is asked for again, and comes.
    world.change = None
    world.vtn.queue.append(distribute(an_event()))
    await world.run(20)
    assert world.events == ["event-1"]
    assert of(i.VtnReachable, world.heard)


async def test_unsigned_answers_are_taken_where_that_is_allowed_and_wrong_ones_are_not(world: World) -> None:
    world.rule = ACCEPT
    world.signs = False
    world.start()
    await world.run()
    world.vtn.queue.append(distribute(an_event()))
    await world.run()
    assert world.events == ["event-1"]
    assert all(is_signed(parse(body)) for body in world.bodies)
    world.signs, world.change = True, flipped
    await world.run()
    assert world.alarms


async def test_only_the_pinned_vtn_may_sign(world: World) -> None:
    await world.run()
    world.theirs = world.lab.credentials("another-vtn", "ecc", profile="vtn")
    world.vtn.queue.append(distribute(an_event()))
    await world.run(3)
    assert not world.events
    assert set(world.alarms) == {"the certificate of the signature is not the party's"}


@pytest.mark.openadr20b("S8")
@pytest.mark.parametrize("off_s", [-301, 301])
async def test_a_vtn_whose_clock_is_off_is_not_believed(world: World, off_s: int) -> None:
    await world.run()
    world.clock_off = off_s * SECOND
    world.vtn.queue.append(distribute(an_event()))
    await world.run(3)
    assert not world.events
    assert all("check both clocks" in text for text in world.alarms)


@pytest.mark.openadr20b("S8")
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_answer_that_comes_twice_is_acted_on_once(world: World, restarted: bool) -> None:
    await world.run()
    world.vtn.queue.append(distribute(an_event()))
    kept: list[bytes] = []

    def keep(body: bytes) -> bytes:
        kept.append(body)
        return body

    world.change = keep
    await world.run(3)
    assert world.events == ["event-1"]
    told = next(body for body in kept if b"event-1" in body)
    if restarted:
        # Without its memory, so that nothing but the nonce can tell.
        world.start()
        world.heard.clear()
    world.change = lambda _: told
    await world.run(3)
    assert world.events == ([] if restarted else ["event-1"])
    assert set(world.alarms) == {"the message was sent before (its nonce is used up)"}


# -- pushed at ---------------------------------------------------------------------------


@pytest.fixture
async def pushed(world: World) -> World:
    world.pushed = True
    world.start()
    await world.run()
    assert world.session.memory.registered
    return world


async def test_what_is_pushed_is_judged_and_answered_signed(pushed: World) -> None:
    assert (await pushed.push(pushed.said(encode(distribute(an_event()))))).body == b""
    assert pushed.events == ["event-1"]
    request = m.RequestReregistration(ven_id=pushed.session.memory.ven_id)
    answer = await pushed.push(pushed.said(encode(request)), "EiRegisterParty")
    assert verify(parse(answer.body)).holder.certificate_sha256 == pushed.own.signer.certificate_sha256
    assert isinstance(read(answer.body), m.Response)
    assert not pushed.alarms


@pytest.mark.parametrize("change", [flipped, unsigned])
async def test_a_push_that_is_not_signed_so_is_refused_in_the_payload_that_fits(pushed: World, change: Change) -> None:
    before = pushed.session.record()
    wrong = change(pushed.said(encode(distribute(an_event()))))
    answer = await pushed.push(wrong)
    assert verify(parse(answer.body)).holder.certificate_sha256 == pushed.own.signer.certificate_sha256
    said = read(answer.body)
    assert isinstance(said, m.Response)
    assert said.response.response_code == "459"
    assert pushed.session.record() == before
    assert len(pushed.alarms) == 1
    await pushed.push(pushed.said(encode(distribute(an_event()))))
    assert pushed.events == ["event-1"]


@pytest.mark.openadr20b("S8")
async def test_a_push_that_comes_twice_is_taken_once(pushed: World) -> None:
    body = pushed.said(encode(distribute(an_event())))
    answers = await asyncio.gather(*(pushed.push(body) for _ in range(3)))
    assert sorted(len(answer.body) > 0 for answer in answers) == [False, True, True]
    assert pushed.events == ["event-1"]


async def test_a_push_by_another_certificate_than_the_pinned_one_is_403_unread(pushed: World) -> None:
    request = Request(method="POST", path="/x/OpenADR2/Simple/2.0b/EiEvent", body=b"whatever", headers={})
    answer = await pushed.receive(request, pushed.own.peer)
    assert (answer.status, answer.body) == (403, b"")


async def test_a_push_that_is_no_message_is_406(pushed: World) -> None:
    assert (await pushed.push(b"<x/>")).status == 406


async def test_what_the_core_is_given_is_what_was_signed_and_nothing_else(world: World) -> None:
    poll_answer = world.said(encode(m.Response(response=OK, ven_id="ven-7")))
    plain = await world.seal.opened(world.seal.envelope(poll_answer))
    assert not is_signed(parse(plain))
    assert read(plain) == m.Response(response=OK, ven_id="ven-7")
    assert VTN_ID.encode() not in plain


@pytest.mark.parametrize("how", CANONICALISATIONS)
async def test_no_wrapping_lets_another_message_in(pushed: World, how: str) -> None:
    """T16, at this side: a message that the VTN really signed, bent in each known way to end the registration."""
    memory = pushed.session.memory
    renew = encode(m.RequestReregistration(ven_id=memory.ven_id))
    for name, attack in WRAPPINGS.items():
        evil = Evil(ven_id=memory.ven_id, registration_id=memory.registration_id)
        forger = Forger(
            identity=pushed.theirs.identity, sent_at=pushed.now, nonce=f"evil-{name}", **CANONICALISATIONS[how]
        )
        body = forger.sign(renew, after=lambda root, attack=attack, evil=evil: attack(root, evil))  # type: ignore[misc]
        answer = await pushed.push(body, "EiRegisterParty")
        assert answer.status in {200, 406}, name
        assert answer.status == 406 or read(answer.body).response.response_code == "459", name  # type: ignore[union-attr]
        assert pushed.session.memory == memory, name
    good = Forger(identity=pushed.theirs.identity, sent_at=pushed.now, nonce="good", **CANONICALISATIONS[how])
    await pushed.push(good.sign(renew), "EiRegisterParty")
    assert pushed.session.memory.renewing
