"""A VTN under each rule: who must sign, who is answered signed, and what is not processed (R514, S7 to S9)."""

import gzip
from dataclasses import replace
from datetime import timedelta

import pytest

from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.xmldsig import is_signed, verify
from openadr_core.xml.parse import parse
from openadr_vtn.domain.enrolment import certificate_of, with_certificate
from tests.security.signing import SECOND, SigningBench, SigningVen, code_of, everything
from tests.vtn.protocols.speech import answer

pytestmark = pytest.mark.openadr20b("R514", "S7", "S9")

OFF, ACCEPT, REQUIRE = SignatureRule.OFF, SignatureRule.ACCEPT, SignatureRule.REQUIRE


def poll(ven: SigningVen) -> m.Poll:
    return m.Poll(ven_id=ven.party_id)


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
@pytest.mark.parametrize("rule", [ACCEPT, REQUIRE])
async def test_who_signs_is_heard_and_answered_signed(signing: SigningBench, kind: str, rule: SignatureRule) -> None:
    signing.demand(rule)
    ven = await signing.add_party(kind=kind)
    event = await signing.vtn.write_event()
    told = await ven.say(poll(ven))
    assert isinstance(told, m.DistributeEvent)
    assert code_of(await ven.say(answer(told, ven_id=ven.party_id))) == "200"
    assert code_of(await ven.say(poll(ven))) == "200"
    assert (await signing.vtn.row_of(event)).answered_at == signing.vtn.now
    assert not signing.complaints()


async def test_each_answer_is_a_signature_of_its_own(signing: SigningBench) -> None:
    signing.demand(ACCEPT)
    ven = await signing.add_party()
    answers = [await ven.post(ven.signed(poll(ven))) for _ in range(3)]
    assert len({verify(parse(one.body)).replay_protect.nonce for one in answers}) == 3
    assert len({one.body for one in answers}) == 3


@pytest.mark.parametrize("shown", ["rsa", "ecc", None])
async def test_it_signs_as_the_one_it_has_shown_itself_as(signing: SigningBench, shown: str | None) -> None:
    """Its certificate on the connection is the one that the party knows; with TLS 1.3 that is the ECC one."""
    signing.demand(ACCEPT)
    ven = await signing.add_party()
    ven.ven.connection = signing.vtn.vtn.connection(ven.own.peer, shown)  # type: ignore[arg-type]
    found = verify(parse((await ven.post(ven.signed(poll(ven)))).body))
    expected = signing.lab.credentials("vtn", shown or "ecc")
    assert found.holder.certificate_sha256 == expected.signer.certificate_sha256


async def test_a_vtn_with_one_certificate_signs_with_that(signing: SigningBench) -> None:
    signing.demand(ACCEPT, kinds=("rsa",))
    ven = await signing.add_party()
    ven.ven.connection = signing.vtn.vtn.connection(ven.own.peer, "ecc")
    found = verify(parse((await ven.post(ven.signed(poll(ven)))).body))
    assert found.holder.certificate_sha256 == signing.lab.credentials("vtn", "rsa").signer.certificate_sha256


async def test_who_does_not_sign_is_taken_where_that_is_allowed(signing: SigningBench) -> None:
    signing.demand(ACCEPT)
    ven = await signing.add_party()
    for _ in range(2):
        response = await ven.say_unsigned(poll(ven))
        assert code_of(signing.read(response)) == "200"
        assert not is_signed(parse(response.body))


async def test_what_is_not_signed_is_not_processed_where_it_must_be(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    await signing.vtn.write_event()
    before = await everything(signing.vtn)
    for message in (poll(ven), m.CancelPartyRegistration(request_id="q", registration_id="r", ven_id=ven.party_id)):
        response = await ven.say_unsigned(message)
        # The answer is signed all the same: whoever has to sign may read nothing else.
        assert code_of(signing.read_signed(response)) == "459"
    assert await everything(signing.vtn) == before
    assert signing.complaints() == ["the message is not signed"] * 2
    assert isinstance(await ven.say(poll(ven)), m.DistributeEvent)


async def test_the_operators_choice_for_a_party_goes_before_the_deployments(signing: SigningBench) -> None:
    signing.demand(ACCEPT)
    must = await signing.add_party("ven-must", rule=REQUIRE)
    never = await signing.add_party("ven-never", rule=OFF)
    assert code_of(signing.read(await must.say_unsigned(poll(must)))) == "459"
    # Its signature is not looked at, and it is not answered by one.
    nonsense = never.signed(poll(never), at=signing.vtn.now - timedelta(days=1)).replace(b"nonce>v", b"nonce>w")
    response = await never.post(nonsense)
    assert code_of(signing.read(response)) == "200"
    assert not is_signed(parse(response.body))


async def test_a_rule_that_is_changed_counts_from_the_next_message_on(signing: SigningBench) -> None:
    signing.demand(ACCEPT)
    ven = await signing.add_party()
    for _ in range(2):
        assert code_of(signing.read(await ven.say_unsigned(poll(ven)))) == "200"
    async with signing.vtn.store.unit_of_work() as uow:
        party = await uow.parties.by_id(ven.party_id)
        assert party is not None
        await uow.parties.save(replace(party, signatures=REQUIRE))
    assert code_of(signing.read(await ven.say_unsigned(poll(ven)))) == "459"
    assert code_of(await ven.say(poll(ven))) == "200"


async def test_the_partys_own_flag_decides_nothing_of_what_it_must_do(signing: SigningBench) -> None:
    """Openleadr's VEN signs and says false; one that says true and does not sign is held to the operator's rule."""
    signing.demand(ACCEPT)
    ven = await signing.add_party()
    for flag in (True, False):
        wish = m.CreatePartyRegistration(
            request_id="q", profile_name="2.0b", transport_name="simpleHttp", report_only=False, xml_signature=flag,
            http_pull_model=True, ven_id=ven.party_id,
        )  # fmt: skip
        assert code_of(await ven.say(wish)) == "200"
        assert code_of(signing.read(await ven.say_unsigned(wish))) == "200"


async def test_somebody_elses_signature_is_463(signing: SigningBench) -> None:
    signing.demand(ACCEPT)
    ven, other = await signing.add_party(), await signing.add_party("ven-two")
    before = await everything(signing.vtn)
    borrowed = other.signed(poll(ven))
    assert code_of(signing.read_signed(await ven.post(borrowed))) == "463"
    assert await everything(signing.vtn) == before
    assert signing.complaints() == ["the certificate of the signature is not the party's"]
    assert code_of(await ven.say(poll(ven))) == "200"


async def test_a_party_that_changes_its_certificate_may_sign_with_either(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    next_one = signing.lab.credentials("ven-next", "rsa")
    async with signing.vtn.store.unit_of_work() as uow:
        party = await uow.parties.by_id(ven.party_id)
        assert party is not None
        await uow.parties.save(with_certificate(party, certificate_of(next_one.peer, signing.vtn.now), keep=True))
    both = SigningVen(bench=signing, ven=ven.ven, own=next_one, party_id=ven.party_id)
    assert code_of(await both.say(poll(ven))) == "200"
    assert code_of(await ven.say(poll(ven))) == "200"


async def test_a_stranger_that_signs_is_told_so_in_a_signed_answer(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    own = signing.lab.credentials("stranger", "ecc")
    stranger = SigningVen(bench=signing, ven=signing.vtn.ven(own.peer), own=own, party_id="whoever")
    assert code_of(await stranger.say(poll(stranger))) == "463"
    assert not signing.complaints()


async def test_a_certificate_that_has_ended_signs_nothing(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    signing.vtn.pass_time(400 * 365 * 86_400)
    assert code_of(signing.read_signed(await ven.post(ven.signed(poll(ven))))) == "459"
    assert signing.complaints() == ["the certificate of the signature has ended or not begun"]


@pytest.mark.openadr20b("S8")
@pytest.mark.parametrize("off_s", [-300, -1, 0, 1, 300])
async def test_a_clock_may_be_off_by_as_much_as_is_allowed(signing: SigningBench, off_s: int) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    body = ven.signed(poll(ven), at=signing.vtn.now + off_s * SECOND)
    assert code_of(signing.read_signed(await ven.post(body))) == "200"


@pytest.mark.openadr20b("S8")
@pytest.mark.parametrize(
    ("off_s", "said"), [(-301, "301 s ago"), (301, "301 s in the future"), (3600, "in the future")]
)
async def test_a_clock_that_is_further_off_is_told_so(signing: SigningBench, off_s: int, said: str) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    before = await everything(signing.vtn)
    refused = signing.read_signed(await ven.post(ven.signed(poll(ven), at=signing.vtn.now + off_s * SECOND)))
    assert code_of(refused) == "459"
    assert isinstance(refused, m.Response)
    assert said in str(refused.response.response_description)
    assert await everything(signing.vtn) == before
    assert len(signing.complaints()) == 1


async def test_a_message_that_is_refused_uses_up_no_nonce(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    await signing.add_party("ven-two")
    for wrong in (m.Poll(ven_id="id-ven-two"), m.Poll(ven_id="nobody")):
        assert code_of(signing.read_signed(await ven.post(ven.signed(wrong, nonce="once")))) in {"463", "452"}
    assert code_of(signing.read_signed(await ven.post(ven.signed(poll(ven), nonce="once")))) == "200"


async def test_an_answer_that_is_compressed_is_signed_before(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    response = await ven.ven.post(ven.signed(poll(ven)), service="OadrPoll", accept_encoding="gzip")
    assert response.headers["content-encoding"] == "gzip"
    assert verify(parse(gzip.decompress(response.body)))


async def test_what_is_no_message_is_406_whoever_signed_it(signing: SigningBench) -> None:
    signing.demand(REQUIRE)
    ven = await signing.add_party()
    body = ven.forger().sign(encode(poll(ven)), before=lambda root: root[-1].clear())
    assert (await ven.post(body)).status == 406
