"""T09: whoever a message says it is from, it is from the holder of the certificate, and gets nothing done as another.

Every payload that the table lets a VEN send, whole documents made from the official schema, over the
real decode path, unsigned and signed.
"""

import pytest

from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.session import TURNS, Role
from openadr_vtn.protocols.oadr2 import ANOTHER_PARTY, NEEDS_NO_REGISTRATION, NO_ID, UNKNOWN_ID
from openadr_vtn.protocols.oadr2_answers import OPERATIONS
from openadr_vtn.protocols.oadr2_operations import OPERATIONS as ACTS
from tests.security.claims_of_identity import BROKEN, OTHERS, OWN, documents, emptied, sent_by, twice, without, written
from tests.security.signing import SigningBench, SigningVen, code_of, everything

pytestmark = pytest.mark.openadr20b("R21", "R508", "R512", "R517", "E6", "E7", "S6", "G11")

IDENTITY = {refusal.description for refusal in (ANOTHER_PARTY, UNKNOWN_ID, NO_ID)}
NAMED = [kind for kind in sent_by(Role.VEN) if kind is not m.QueryRegistration]


def test_every_payload_of_the_table_is_made_and_has_its_rule() -> None:
    """A payload that is added to the table is tried here, or this fails."""
    assert set(documents()) >= set(TURNS[Role.VEN]) | set(TURNS[Role.VTN])
    assert len(documents()) == 23
    assert set(TURNS[Role.VEN]) == set(OPERATIONS) == set(ACTS)
    assert {kind: turn.service for kind, turn in TURNS[Role.VEN].items()} == {
        kind: service for kind, (service, _) in OPERATIONS.items()
    }
    # Who may speak unregistered: to ask, to wish, to end, and to answer our ending it.
    assert set(NEEDS_NO_REGISTRATION) == {
        m.QueryRegistration, m.CreatePartyRegistration, m.CancelPartyRegistration, m.CanceledPartyRegistration
    }  # fmt: skip


@pytest.fixture(params=["unsigned", "signed"])
async def ven(request: pytest.FixtureRequest, signing: SigningBench) -> SigningVen:
    signing.demand(SignatureRule.REQUIRE if request.param == "signed" else SignatureRule.OFF)
    one = await signing.add_party("ven-one")
    await signing.add_party("ven-two")
    await signing.vtn.write_event()
    return one


def on_the_wire(ven: SigningVen, body: bytes) -> bytes:
    """Signed where the VTN demands it, by the sender's own key: the name is what is wrong, not the signature."""
    signatures = ven.bench.vtn.signatures
    assert signatures is not None
    return body if signatures.rule is SignatureRule.OFF else ven.forger().sign(body)


async def said(ven: SigningVen, kind: type[m.Message], body: bytes) -> tuple[str, str]:
    """Code and description; an HTTP status and nothing for what is no message."""
    response = await ven.post(body, OPERATIONS[kind][0])
    if response.status != 200:
        return str(response.status), ""
    message = ven.bench.read(response)
    return code_of(message), message.response.response_description or ""  # type: ignore[union-attr]


async def works(ven: SigningVen) -> None:
    """The party's next message is heard."""
    body = on_the_wire(ven, written(documents()[m.Poll], OWN["own"], ven.party_id, ""))
    assert (await ven.post(body)).status == 200
    message = ven.bench.read(
        await ven.post(on_the_wire(ven, written(documents()[m.Poll], OWN["own"], ven.party_id, "")))
    )
    assert code_of(message) == "200"


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
async def test_no_other_name_gets_anything_done(signing: SigningBench, ven: SigningVen, kind: type[m.Message]) -> None:
    before = await everything(signing.vtn)
    document = documents()[kind]
    for how, spell in OTHERS.items():
        if kind is m.CreatePartyRegistration and how == "blank":
            continue  # see below
        code, why = await said(ven, kind, on_the_wire(ven, written(document, spell, ven.party_id, "id-ven-two")))
        expected = ("463", ANOTHER_PARTY) if "another's" in how else ("452", UNKNOWN_ID)
        assert (code, why) == (expected[0], expected[1].description), how
    for how, spell in BROKEN.items():
        body = written(document, spell, ven.party_id, "id-ven-two")
        assert (await said(ven, kind, body))[0] == "406", how
    for body in twice(document, ven.party_id, "id-ven-two"):
        assert (await said(ven, kind, body))[0] == "406"
    assert await everything(signing.vtn) == before
    await works(ven)


NEEDS_A_NAME = [kind for kind in NAMED if kind is not m.CreatePartyRegistration]
"""R402: a new registration names nobody."""


@pytest.mark.parametrize("kind", NEEDS_A_NAME, ids=lambda kind: kind.__name__)
async def test_no_name_is_no_way_round(signing: SigningBench, ven: SigningVen, kind: type[m.Message]) -> None:
    """F4: a check that runs only when there is something to check is none."""
    before = await everything(signing.vtn)
    document = documents()[kind]
    for body in (emptied(document), written(document, OTHERS["blank"], "", "")):
        assert (await said(ven, kind, on_the_wire(ven, body)))[0] == "452"
    # Where the schema demands the element, it is no message without.
    assert await said(ven, kind, on_the_wire(ven, without(document))) in {("452", NO_ID.description), ("406", "")}
    assert await everything(signing.vtn) == before
    await works(ven)


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
async def test_its_own_name_is_heard_however_it_is_spelt(ven: SigningVen, kind: type[m.Message]) -> None:
    """Or all the refusals above would prove nothing."""
    for how, spell in OWN.items():
        code, why = await said(ven, kind, on_the_wire(ven, written(documents()[kind], spell, ven.party_id, "")))
        assert why not in IDENTITY, how
        assert code != "406", how


async def test_who_asks_without_a_name_is_told_of_itself_alone(ven: SigningVen) -> None:
    response = await ven.post(on_the_wire(ven, documents()[m.QueryRegistration]), "EiRegisterParty")
    answer = ven.bench.read(response)
    assert isinstance(answer, m.CreatedPartyRegistration)
    assert answer.ven_id == ven.party_id
    assert b"id-ven-two" not in response.body


async def test_a_stranger_is_nobody_under_any_name(signing: SigningBench, ven: SigningVen) -> None:
    own = signing.lab.credentials("stranger", "rsa")
    stranger = SigningVen(bench=signing, ven=signing.vtn.ven(own.peer), own=own, party_id="whoever")
    await said(stranger, m.Poll, on_the_wire(stranger, documents()[m.Poll]))
    before = await everything(signing.vtn)
    for kind in NAMED:
        for name in (ven.party_id, "nobody"):
            body = on_the_wire(stranger, written(documents()[kind], OWN["own"], name, ""))
            assert (await said(stranger, kind, body))[0] == "463", kind
    assert await everything(signing.vtn) == before
    await works(ven)
