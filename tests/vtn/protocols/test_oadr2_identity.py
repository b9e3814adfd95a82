"""T09: who speaks is the certificate's word. Every payload, under every name but its own, gets nothing done."""

import hashlib
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from openadr_core.identity import Peer
from openadr_core.model.party import PartyState
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers.report_views import EPOCH
from openadr_vtn.protocols.oadr2_answers import OPERATIONS
from tests.vtn.protocols.vtn_bench import VTN_ID, Bench
from tests.vtn.samples import a_peer

OK = m.EiResponse(response_code="200", request_id="q1")
MOMENT = datetime.fromisoformat("2026-07-15T18:30:00Z")

SAMPLES: dict[type[m.Message], m.Message] = {
    type(message): message
    for message in (
        m.QueryRegistration(request_id="q1"),
        m.CreatePartyRegistration(
            request_id="q1",
            profile_name="2.0b",
            transport_name="simpleHttp",
            report_only=False,
            xml_signature=False,
            http_pull_model=True,
        ),
        m.CancelPartyRegistration(request_id="q1", registration_id="nobody's"),
        m.CanceledPartyRegistration(response=OK),
        m.Response(response=OK),
        m.Poll(ven_id=""),
        m.RequestEvent(request_id="q1", ven_id=""),
        m.CreatedEvent(response=OK, ven_id="", event_responses=()),
        m.RegisterReport(request_id="q1"),
        m.RegisteredReport(response=OK),
        m.CreateReport(
            request_id="q1",
            report_requests=(
                m.ReportRequest(
                    report_request_id="r1",
                    specifier=m.ReportSpecifier(
                        report_specifier_id="METADATA",
                        granularity=timedelta(0),
                        report_back_duration=timedelta(0),
                        payloads=(m.SpecifierPayload(r_id="0", reading_type="x-notApplicable"),),
                    ),
                ),
            ),
        ),
        m.CreatedReport(response=OK),
        m.UpdateReport(request_id="q1"),
        m.UpdatedReport(response=OK),
        m.CancelReport(request_id="q1", report_request_ids=("r1",), report_to_follow=False),
        m.CanceledReport(response=OK),
        m.CreateOpt(
            request_id="q1",
            opt_id="o1",
            opt_type="optIn",
            opt_reason="economic",
            ven_id="",
            created_date_time=MOMENT,
            target=m.Target(),
            availability=(m.Available(dtstart=MOMENT, duration=timedelta(hours=1)),),
        ),
        m.CancelOpt(request_id="q1", opt_id="o1", ven_id=""),
    )
}
NAMED = [kind for kind in SAMPLES if kind is not m.QueryRegistration]
ANSWERS: dict[type[m.Message], type[m.Message]] = {
    m.QueryRegistration: m.CreatedPartyRegistration,
    m.CreatePartyRegistration: m.CreatedPartyRegistration,
    m.CancelPartyRegistration: m.CanceledPartyRegistration,
    m.RequestEvent: m.DistributeEvent,
    m.RegisterReport: m.RegisteredReport,
    m.CreateReport: m.CreatedReport,
    m.UpdateReport: m.UpdatedReport,
    m.CancelReport: m.CanceledReport,
    m.CreateOpt: m.CreatedOpt,
    m.CancelOpt: m.CanceledOpt,
}
"""What answers what; the others are answered by oadrResponse."""

OTHERS = {
    "other": ("id-ven-two", "463"),
    "unknown": ("id-ven-nine", "452"),
    "empty": ("", "452"),
    "blank": ("  ", "452"),
    "padded": (" id-ven-one", "452"),
    "case-changed": ("ID-VEN-ONE", "452"),
    "split": ("id-ven-one\nid-ven-two", "452"),
    "missing": (None, "452"),
}


def named(message: m.Message, ven_id: str | None) -> m.Message:
    return replace(message, ven_id=ven_id)  # type: ignore[arg-type]


def said(answer: m.Message) -> m.EiResponse:
    response = answer.response  # type: ignore[union-attr]
    assert isinstance(response, m.EiResponse)
    return response


def can_lack_its_name(kind: type[m.Message]) -> bool:
    return any(field.name == "ven_id" and field.default is None for field in fields(kind))


def test_every_payload_of_a_ven_is_tried() -> None:
    assert set(SAMPLES) == set(OPERATIONS)


@pytest.mark.openadr20b("R517", "G10")
@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
async def test_a_stranger_is_told_463_in_the_payload_that_fits(bench: Bench, kind: type[m.Message]) -> None:
    stranger = bench.ven(a_peer("stranger"))
    message = SAMPLES[kind]
    if kind in NAMED:
        message = named(message, "id-ven-one")
    await bench.add_party()
    answer = await stranger.say(message)
    assert type(answer) is ANSWERS.get(kind, m.Response)
    assert said(answer).response_code == "463"
    assert getattr(answer, "ven_id", None) is None
    assert getattr(answer, "registration_id", None) in {None, "nobody's"}


@pytest.mark.openadr20b("R21", "R304", "R400", "R508", "R512", "R517", "E6", "E7", "E9", "G10", "G11", "R-16", "S6")
@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
async def test_only_its_own_name_lets_a_party_speak(bench: Bench, kind: type[m.Message]) -> None:
    ven, party = await bench.add_party()
    await bench.add_party("ven-two")
    event = await bench.write_event()
    before = await everything(bench)
    for other, (ven_id, code) in OTHERS.items():
        if kind is m.CreatePartyRegistration and not ven_id:
            continue
        if ven_id is None and not can_lack_its_name(kind):
            body = encode(named(SAMPLES[kind], party.id)).replace(b"<ei:venID>id-ven-one</ei:venID>", b"")
            assert (await ven.post(body, service=OPERATIONS[kind][0])).status == 406
            continue
        answer = await ven.say(named(SAMPLES[kind], ven_id))
        assert said(answer).response_code == code, other
        assert event.id not in str(answer)
    assert await everything(bench) == before


@pytest.mark.openadr20b("R402", "R46", "E11", "G4")
@pytest.mark.parametrize("ven_id", [None, ""])
async def test_a_new_registration_names_nobody_and_registers_who_holds_the_certificate(
    bench: Bench, ven_id: str | None
) -> None:
    """R402, and R46: empty is as good as none."""
    ven, party = await bench.add_party(registered=False)
    answer = await ven.say(named(SAMPLES[m.CreatePartyRegistration], ven_id))
    assert isinstance(answer, m.CreatedPartyRegistration)
    assert (said(answer).response_code, answer.ven_id) == ("200", party.id)


@pytest.mark.openadr20b("S6")
@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
async def test_under_its_own_name_a_party_is_heard(bench: Bench, kind: type[m.Message]) -> None:
    ven, party = await bench.add_party()
    answer = await ven.say(named(SAMPLES[kind], party.id))
    assert type(answer) is ANSWERS.get(kind, m.Response)
    assert said(answer).response_code not in {"463"}


@pytest.mark.openadr20b("R517", "G10")
@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
async def test_an_unregistered_party_can_only_register(bench: Bench, kind: type[m.Message]) -> None:
    ven, party = await bench.add_party(registered=False)
    answer = await ven.say(named(SAMPLES[kind], party.id))
    # The second, because a party says again that its registration is cancelled, if it did not read our answer.
    allowed = kind in {m.CreatePartyRegistration, m.CanceledPartyRegistration}
    assert said(answer).response_code == ("200" if allowed else "463")


@pytest.mark.openadr20b("R33", "T4")
@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
async def test_a_payload_on_another_service_is_459(bench: Bench, kind: type[m.Message]) -> None:
    ven, party = await bench.add_party()
    message = named(SAMPLES[kind], party.id) if kind in NAMED else SAMPLES[kind]
    own = OPERATIONS[kind][0]
    for service in {"EiEvent", "EiReport", "EiRegisterParty", "EiOpt", "OadrPoll"} - {own}:
        assert said(await ven.say(message, service=service)).response_code == "459"


@pytest.mark.openadr20b("R23", "R33", "R51", "T4")
async def test_what_only_a_vtn_sends_is_459(bench: Bench) -> None:
    ven, party = await bench.add_party()
    profile = m.Profile(profile_name="2.0b", transport_names=("simpleHttp",))
    for message in (
        m.DistributeEvent(request_id="q1", vtn_id=VTN_ID, response=OK),
        m.RequestReregistration(ven_id=party.id),
        m.CreatedPartyRegistration(response=OK, vtn_id=VTN_ID, profiles=(profile,)),
        m.CreatedOpt(response=OK, opt_id="o"),
        m.CanceledOpt(response=OK, opt_id="o"),
    ):  # fmt: skip
        answer = await ven.say(message, service="EiEvent")
        assert said(answer).response_code == "459"


@pytest.mark.openadr20b("S5")
async def test_a_stranger_is_written_down_once_and_let_in_by_an_operator(bench: Bench) -> None:
    stranger = bench.ven(a_peer("newcomer"))
    poll = m.Poll(ven_id="whoever")
    for _ in range(3):
        assert said(await stranger.say(poll)).response_code == "463"
    async with bench.store.view() as view:
        (party,) = await view.parties.all(PartyState.PENDING)
    assert (party.name, party.certificates[0].sha256) == ("newcomer", a_peer("newcomer").certificate_sha256)
    (seen,) = [notice for notice in bench.notices if notice.kind == "party pending"]
    assert (seen.party_id, seen.detail) == (party.id, f"newcomer, fingerprint {a_peer('newcomer').fingerprint_20b}")
    await bench.approve(party.id)
    wish = SAMPLES[m.CreatePartyRegistration]
    assert said(await stranger.say(wish)).response_code == "200"


async def test_two_strangers_of_one_name_are_told_apart(bench: Bench) -> None:
    for secret in ("a", "b", "c"):
        await bench.ven(replace(a_peer(secret), subject="CN=twin")).say(m.Poll(ven_id="x"))
    async with bench.store.view() as view:
        names = [party.name for party in await view.parties.all(PartyState.PENDING)]
    assert len(set(names)) == 3
    assert names[0] == "twin"
    assert all(name.startswith("twin ") for name in names[1:])


async def test_strangers_cannot_fill_the_store(bench: Bench) -> None:
    bench.restart(pending_max=3)
    for number in range(5):
        answer = await bench.ven(a_peer(f"stranger-{number}")).say(m.Poll(ven_id="x"))
        assert said(answer).response_code == "463"
    async with bench.store.view() as view:
        assert await view.parties.count(PartyState.PENDING) == 3


async def test_a_refused_party_is_shut_out_at_once(bench: Bench) -> None:
    ven, party = await bench.add_party()
    poll = m.Poll(ven_id=party.id)
    assert said(await ven.say(poll)).response_code == "200"
    async with bench.store.unit_of_work() as uow:
        await uow.parties.save(replace(party, state=PartyState.REFUSED))
    assert said(await ven.say(poll)).response_code == "463"


@pytest.mark.openadr20b("G11", "S6")
async def test_a_replaced_certificate_is_a_stranger(bench: Bench) -> None:
    ven, party = await bench.add_party()
    poll = m.Poll(ven_id=party.id)
    assert said(await ven.say(poll)).response_code == "200"
    renewed = a_peer("renewed")
    certificate = replace(party.certificates[0], sha256=renewed.certificate_sha256)
    async with bench.store.unit_of_work() as uow:
        await uow.parties.save(replace(party, certificates=(certificate,)))
    assert said(await ven.say(poll)).response_code == "463"
    assert said(await bench.ven(renewed).say(poll)).response_code == "200"


@pytest.mark.openadr20b("G11", "S6")
async def test_short_names_of_certificates_grant_nothing(bench: Bench) -> None:
    """T11: two certificates with one LFDI, SFDI and 2.0b fingerprint are two peers."""
    _, party = await bench.add_party()
    own = a_peer("ven-one")
    forged = replace(own, certificate_sha256=hashlib.sha256(b"forged").hexdigest())
    assert (own.lfdi, own.sfdi, own.fingerprint_20b) == (forged.lfdi, forged.sfdi, forged.fingerprint_20b)
    answer = await bench.ven(forged).say(m.Poll(ven_id=party.id))
    assert said(answer).response_code == "463"


async def test_refusals_tell_nothing_of_us(bench: Bench) -> None:
    """T38: no certificate, path, statement or traceback in any refusal."""
    peers: list[Peer] = [a_peer("ven-one"), a_peer("stranger")]
    await bench.add_party()
    await bench.add_party("ven-two")
    for peer in peers:
        for kind, message in SAMPLES.items():
            for ven_id in ("id-ven-two", "'; DROP TABLE party; --"):
                sent = named(message, ven_id) if kind in NAMED else message
                response = await bench.ven(peer).post(encode(sent), service=OPERATIONS[kind][0])
                answer = decode(response.body, bench.schema)
                told = response.body.decode().lower()
                for secret in (peer.certificate_sha256, peer.fingerprint_20b, "traceback", "sqlite", "select ", ".py"):
                    assert secret.lower() not in told, answer


async def everything(bench: Bench) -> object:
    """All that a party could have changed."""
    async with bench.store.view() as view:
        parties = await view.parties.all()
        events = [stored.event.id for stored in await view.events.open_first(EPOCH)]
        return (
            parties,
            [await view.deliveries.of_event(event_id) for event_id in events],
            [await view.opts.history(event_id) for event_id in events],
            await view.errands.of_parties([party.id for party in parties]),
            [await view.reports.requests(party.id) for party in parties],
            await view.audit.newest(10),
        )
