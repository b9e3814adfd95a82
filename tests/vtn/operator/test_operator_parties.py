"""Enrolment as an operator does it, and what 3.1 shows of parties and of what they measured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.identity import peer_of
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import PartyState
from openadr_core.model.report import DataPoint, Measurand, Reading
from openadr_core.pki import make_authority, parse_profile
from openadr_vtn.http.addresses import ADMIN, OADR3
from tests.core.shell.lab import PROFILES
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_operator_access import assert_problem
from tests.vtn.samples import a_certificate, a_peer

PENDING = {"state": PartyState.PENDING, "registered": False}
SECOND = timedelta(seconds=1)


def a_pem() -> bytes:
    """A certificate; whose does not matter here."""
    profile = parse_profile("openadr-ecc-root", (PROFILES / "openadr-ecc-root.toml").read_text())
    return make_authority("somebody", profile, datetime.now(UTC)).certificate_pem


@pytest.mark.openadr20b("G13")
async def test_a_party_that_is_approved_is_owed_what_runs(desk: DeskBench) -> None:
    await desk.add_party("newcomer", **PENDING)
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id, targets=["feeder-7"])
    assert await desk.owed(event_id) == []
    (waiting,) = (await desk.http.get(f"{ADMIN}/parties?state=pending")).json()
    answer = await desk.http.post(
        f"{ADMIN}/parties/{waiting['certificates'][0]['fingerprint']}/approve",
        json={"name": "acme", "targets": ["feeder-7"]},
    )
    assert (answer.json()["name"], answer.json()["state"]) == ("acme", "approved")
    assert await desk.owed(event_id) == [("id-newcomer", 0, False)]
    assert [one["venName"] for one in (await desk.http.get(f"{OADR3}/vens")).json()] == ["acme"]


async def test_a_party_is_known_by_id_name_and_fingerprints(desk: DeskBench) -> None:
    await desk.add_party("newcomer", **PENDING)
    peer = a_peer("newcomer")
    names = ["id-newcomer", "newcomer", peer.fingerprint_20b, peer.fingerprint_20b.lower(), peer.lfdi]
    for name in [*names, peer.certificate_sha256]:
        assert (await desk.http.post(f"{ADMIN}/parties/{name}/approve")).status_code == 200
    assert_problem(await desk.http.post(f"{ADMIN}/parties/nobody/approve"), 404)


async def test_a_name_belongs_to_one(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.add_party("newcomer", **PENDING)
    taken = await desk.http.post(f"{ADMIN}/parties/newcomer/approve", json={"name": "one"})
    assert "called one" in assert_problem(taken, 409)["detail"]
    (still,) = (await desk.http.get(f"{ADMIN}/parties?state=pending")).json()
    assert still["name"] == "newcomer"


@pytest.mark.parametrize("command", ["approve", "refuse", "replace-certificate"])
async def test_a_member_that_is_not_known_is_named(desk: DeskBench, command: str) -> None:
    await desk.add_party("newcomer", **PENDING)
    answer = await desk.http.post(f"{ADMIN}/parties/newcomer/{command}", json={"target": ["feeder-7"]})
    assert "'target': is not known" in assert_problem(answer, 400)["detail"]
    (still,) = (await desk.http.get(f"{ADMIN}/parties")).json()
    assert still["state"] == "pending"


@pytest.mark.parametrize("name", ["acme\u202etelf", "a\nb", "a\x1b[2Kb", "a\u200bb", "\u2066acme"])
async def test_a_name_shows_as_what_it_is(desk: DeskBench, name: str) -> None:
    """A name stands in terminals, pages and logs; none may redraw what is around it."""
    await desk.add_party("newcomer", **PENDING)
    answer = await desk.http.post(f"{ADMIN}/parties/newcomer/approve", json={"name": name})
    assert "holds a character that" in assert_problem(answer, 400)["detail"]
    (still,) = (await desk.http.get(f"{ADMIN}/parties?state=pending")).json()
    assert still["name"] == "newcomer"
    plain = await desk.http.post(f"{ADMIN}/parties/newcomer/approve", json={"name": "Stadtwerke Köln 電力"})
    assert plain.status_code == 200


async def test_a_refused_party_is_out(desk: DeskBench) -> None:
    await desk.add_party("one")
    answer = await desk.http.post(f"{ADMIN}/parties/one/refuse", json={"reason": "left the program"})
    assert (answer.json()["state"], answer.json()["registered_at"]) == ("refused", None)
    assert (await desk.http.get(f"{OADR3}/vens")).json() == []
    program_id = await desk.create_program()
    assert await desk.owed(await desk.create_event(program_id)) == []


async def test_a_new_certificate_takes_the_place_of_the_old(desk: DeskBench) -> None:
    pem = a_pem()
    new = peer_of(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))
    await desk.add_party("one")
    await desk.add_party("one again", certificates=(a_certificate(desk.clock.now(), "other"),), **PENDING)
    address = f"{ADMIN}/parties/one/replace-certificate"
    kept = await desk.http.post(address, json={"certificate": pem.decode(), "keep": True})
    assert [one["sha256"] for one in kept.json()["certificates"]] == [
        a_peer("one").certificate_sha256, new.certificate_sha256,
    ]  # fmt: skip
    ended = await desk.http.post(address, json={"certificate": pem.decode()})
    assert [one["sha256"] for one in ended.json()["certificates"]] == [new.certificate_sha256]
    async with desk.store.view() as view:
        party = await view.parties.by_certificate(new.certificate_sha256)
    assert party is not None
    assert party.name == "one"


async def test_a_certificate_that_waits_moves_and_one_that_is_enrolled_does_not(desk: DeskBench) -> None:
    pem = a_pem()
    peer = peer_of(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))
    held = (replace(a_certificate(desk.clock.now(), "waiting"), sha256=peer.certificate_sha256),)
    await desk.add_party("one")
    await desk.add_party("waiting", certificates=held, **PENDING)
    answer = await desk.http.post(f"{ADMIN}/parties/one/replace-certificate", json={"certificate": pem.decode()})
    assert answer.status_code == 200
    states = {one["name"]: one["state"] for one in (await desk.http.get(f"{ADMIN}/parties")).json()}
    assert states == {"one": "approved", "waiting": "refused"}
    await desk.add_party("two")
    stolen = await desk.http.post(f"{ADMIN}/parties/two/replace-certificate", json={"certificate": pem.decode()})
    assert "party one's" in assert_problem(stolen, 409)["detail"]
    rubbish = await desk.http.post(f"{ADMIN}/parties/two/replace-certificate", json={"certificate": "PEM"})
    assert "not a certificate" in assert_problem(rubbish, 400)["detail"]


@pytest.mark.openadr20b("R16", "R17", "R48", "V19")
async def test_everything_that_parties_answered_can_be_read_back(desk: DeskBench) -> None:
    await desk.add_party("one")
    event_id = await desk.create_event(await desk.create_program())
    now = desk.clock.now()
    said = [
        Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=now),
        Opt(event_id=event_id, version=0, opt_type=OptType.OUT, at=now + SECOND, reason="no target here", code="462"),
    ]
    async with desk.store.unit_of_work() as uow:
        for opt in said:
            await uow.opts.add("id-one", opt)
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert [(one["party"], one["type"], one["code"], one["reason"]) for one in seen["answers"]] == [
        ("one", "optIn", "200", ""), ("one", "optOut", "462", "no target here"),
    ]  # fmt: skip
    assert seen["parties"][0]["opt"]["code"] == "462"


async def test_who_loses_its_targets_is_owed_the_cancel_of_what_it_holds(desk: DeskBench) -> None:
    await desk.add_party("one", targets=("feeder-7",))
    await desk.add_party("two", targets=("feeder-7",))
    event_id = await desk.create_event(await desk.create_program(), targets=["feeder-7"])
    moved = await desk.http.post(f"{ADMIN}/parties/one/approve", json={"targets": ["feeder-8"]})
    assert moved.status_code == 200
    both = [("id-one", 0, False), ("id-one", 1, True), ("id-two", 0, False)]
    assert await desk.owed(event_id) == both
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert (seen["version"], seen["entitled"]) == (0, 1), "the event itself stays as it was"
    again = await desk.http.post(f"{ADMIN}/parties/one/approve", json={"targets": ["feeder-8"]})
    assert again.status_code == 200
    assert await desk.owed(event_id) == both


async def test_what_came_of_an_event_is_seen_as_it_is(desk: DeskBench) -> None:
    await desk.add_party("one")
    await desk.add_party("two")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    begin = desk.clock.now().replace(microsecond=0)
    desk.clock.advance(20)
    async with desk.store.unit_of_work() as uow:
        await uow.deliveries.mark_answered("id-one", (event_id, 0), begin + SECOND)
        await uow.opts.add("id-one", Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=begin + SECOND))
        await uow.opts.add(
            "id-two",
            Opt(event_id=event_id, version=0, opt_type=OptType.OUT, at=begin + SECOND, reason="ill", code="460"),
        )
        points = {
            measurand: DataPoint(r_id=measurand, measurand=measurand, min_period=SECOND, max_period=SECOND)
            for measurand in Measurand
        }
        for index in range(4):
            at = begin + 5 * index * SECOND
            await uow.reports.add_readings(
                "id-one",
                [
                    (points[Measurand.BASELINE], Reading(r_id="b", starts_at=at, duration=5 * SECOND, value=9e6)),
                    (points[Measurand.USAGE], Reading(r_id="p", starts_at=at, duration=5 * SECOND, value=4.1e6)),
                ],
                desk.clock.now(),
            )
    seen = (await desk.http.get(f"{ADMIN}/events/{event_id}")).json()
    assert (seen["status"], seen["target_kw"], seen["delivered_kw"]) == ("active", 5000, 4900)
    assert (seen["entitled"], seen["fetched"], seen["opted_in"], seen["opted_out"]) == (2, 1, 1, 1)
    assert [row[2] for row in seen["delivered"]] == [4900] * 4
    opts = {one["party"]: (one["opt"]["type"], one["opt"]["code"]) for one in seen["parties"]}
    assert opts == {"one": ("optIn", "200"), "two": ("optOut", "460")}
    assert [(row["party"], row["answered_at"] is not None) for row in seen["ledger"]] == [("one", True), ("two", False)]

    reports = (await desk.http.get(f"{OADR3}/reports?eventID={event_id}")).json()
    assert {(one["objectType"], one["eventID"], one["clientName"]) for one in reports} == {
        ("REPORT", event_id, "one"), ("REPORT", event_id, "two"),
    }  # fmt: skip
    said = {
        one["clientName"]: {
            (interval["payloads"][0]["type"], interval["payloads"][0]["values"][0])
            for interval in one["resources"][0]["intervals"]
        }
        for one in reports
    }
    assert said == {
        "one": {("OPERATING_STATE", "NORMAL"), ("DEMAND", 4100.0), ("BASELINE", 9000.0)},
        "two": {("OPERATING_STATE", "IDLE_OPTED_OUT")},
    }
    report = reports[0]
    assert (await desk.http.get(f"{OADR3}/reports/{report['id']}")).json() == report
    assert (await desk.http.get(f"{OADR3}/reports?clientName=three")).json() == []
    assert (await desk.http.get(f"{OADR3}/reports?programID=other")).json() == []
    assert_problem(await desk.http.get(f"{OADR3}/reports/nothing"), 404)
    assert_problem(await desk.http.get(f"{ADMIN}/events/nothing"), 404)
    assert (await desk.http.get(f"{OADR3}/vens/id-one")).json()["venName"] == "one"


async def test_a_report_is_found_behind_any_number_of_events(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    reported = await desk.create_event(program_id)
    point = DataPoint(r_id="p", measurand=Measurand.USAGE, min_period=SECOND, max_period=SECOND)
    reading = Reading(r_id="p", starts_at=desk.clock.now() + SECOND, duration=SECOND, value=5e6)
    async with desk.store.unit_of_work() as uow:
        await uow.reports.add_readings("id-one", [(point, reading)], desk.clock.now())
    desk.clock.advance(121)
    for _ in range(51):
        await desk.create_event(program_id, priority=0)
    (report,) = (await desk.http.get(f"{OADR3}/reports")).json()
    assert report["eventID"] == reported
