"""What a VTN may ask of our reports: taken by the rules, one by one, listed whole, and ended by whoever may."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.limits import REPORT_REQUESTS_MAX
from openadr_core.model.report import ReportRequest
from openadr_core.oadr2 import messages as m
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session
from openadr_ven.protocols.oadr2.reports import take_requests
from tests.ven.protocols.conversation import INTERVAL, OFFERS, SECOND, a_session, of
from tests.ven.protocols.scripted_vtn import OK, VEN_ID, ScriptedVtn, a_report_request, talk
from tests.ven.protocols.test_oadr2_ven_reports import readings_of

ZERO = timedelta(0)
HOUR = timedelta(hours=1)
Change = Callable[[m.ReportSpecifier], m.ReportSpecifier]


def changed(**changes: object) -> Change:
    return lambda specifier: replace(specifier, **changes)  # type: ignore[arg-type]


def wanting(*r_ids: str) -> tuple[m.SpecifierPayload, ...]:
    return tuple(m.SpecifierPayload(r_id=r_id, reading_type="x-notApplicable") for r_id in r_ids)


def history(now: datetime, **changes: object) -> m.ReportSpecifier:
    found = m.ReportSpecifier(
        report_specifier_id="fleet_history", granularity=ZERO, report_back_duration=ZERO, payloads=wanting("energy"),
        dtstart=now - HOUR, duration=ZERO,
    )  # fmt: skip
    return replace(found, **changes)  # type: ignore[arg-type]


def metadata_request(request_id: str = "meta", **changes: object) -> m.ReportRequest:
    specifier = m.ReportSpecifier(
        report_specifier_id="METADATA", granularity=ZERO, report_back_duration=ZERO, payloads=wanting("0")
    )
    return m.ReportRequest(report_request_id=request_id, specifier=replace(specifier, **changes))  # type: ignore[arg-type]


def ask(
    session: Oadr2Session, vtn: ScriptedVtn, *requests: m.ReportRequest, now: datetime, request_id: str = "c1"
) -> m.CreatedReport:
    """By poll; what we answered."""
    vtn.heard.clear()
    vtn.queue.append(m.CreateReport(request_id=request_id, report_requests=requests, ven_id=VEN_ID))
    talk(session, vtn, now=now + INTERVAL)
    return vtn.said(m.CreatedReport)[0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(changed(report_specifier_id="x"), "452", marks=pytest.mark.openadr20b("R304", "R-16")),
        pytest.param(changed(payloads=wanting("power", "x")), "452", marks=pytest.mark.openadr20b("R304", "R300")),
        pytest.param(changed(granularity=10 * SECOND), "454", marks=pytest.mark.openadr20b("R317", "R-13")),
        pytest.param(
            changed(granularity=2 * HOUR, report_back_duration=2 * HOUR), "454",
            marks=pytest.mark.openadr20b("R300", "R317"),
        ),
        pytest.param(changed(granularity=-SECOND), "454", marks=pytest.mark.openadr20b("R317")),
        pytest.param(changed(duration=-SECOND), "454", marks=pytest.mark.openadr20b("R325")),
        pytest.param(
            changed(granularity=60 * SECOND, report_back_duration=2 * HOUR), "454",
            marks=pytest.mark.openadr20b("R340", "R-16"),
        ),
        pytest.param(
            changed(dtstart=datetime.fromisoformat("2026-07-15T00:00:00Z"), duration=HOUR), "454",
            marks=pytest.mark.openadr20b("R325"),
        ),
        pytest.param(
            changed(dtstart=datetime.fromisoformat("9999-12-31T00:00:00Z"), duration=timedelta(days=2)), "454",
            marks=pytest.mark.openadr20b("R325"),
        ),
    ],
)  # fmt: skip
def test_a_request_that_we_cannot_serve_gets_its_code_and_the_others_are_served(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, change: Change, code: str
) -> None:
    request = a_report_request(now=now)
    bad = replace(request, report_request_id="bad", specifier=change(request.specifier))
    created = ask(registered, vtn, bad, request, now=now)
    assert (created.response.response_code, created.response.request_id) == (code, "c1")
    assert created.pending_report_request_ids == ("rr-1",)
    assert [one.request.id for one in of(i.ReportRequested, registered.indications())] == ["rr-1"]


@pytest.mark.openadr20b("R317", "R324", "R325", "R-15", "R-16")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "200"),
        ({"duration": HOUR / 2}, "200"),
        ({"dtstart": None, "duration": None}, "200"),
        ({"granularity": 60 * SECOND}, "461"),
        ({"report_back_duration": 60 * SECOND}, "461"),
        ({"dtstart": datetime.fromisoformat("2030-01-01T00:00:00Z")}, "454"),
        ({"duration": -HOUR}, "454"),
    ],
)
def test_history_is_asked_for_whole_and_of_the_past(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, changes: dict[str, object], code: str
) -> None:
    request = m.ReportRequest(report_request_id="h", specifier=history(now, **changes))
    assert ask(registered, vtn, request, now=now).response.response_code == code
    for asked in of(i.ReportRequested, registered.indications()):
        assert asked.request.history
        assert asked.request.starts_at <= now


@pytest.mark.openadr20b("R324", "R337", "R-11")
def test_one_report_ignores_all_rates_and_times(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    request = a_report_request(now=now)
    odd = replace(
        request.specifier, granularity=99 * HOUR, report_back_duration=ZERO, dtstart=now - HOUR, duration=-HOUR
    )
    assert ask(registered, vtn, replace(request, specifier=odd), now=now).response.response_code == "200"
    (asked,) = of(i.ReportRequested, registered.indications())
    assert asked.request == ReportRequest(
        id="rr-1", specifier_id="fleet_usage", r_ids=("power",), granularity=ZERO, report_back=ZERO,
        starts_at=now + INTERVAL, duration=None,
    )  # fmt: skip


@pytest.mark.openadr20b("R329", "R344", "R-8")
def test_several_in_one_payload_and_all_that_are_pending_are_listed(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    first = ask(registered, vtn, a_report_request("a", now=now), a_report_request("b", now=now), now=now)
    assert first.pending_report_request_ids == ("a", "b")
    second = ask(registered, vtn, a_report_request("c", now=now), now=now + INTERVAL)
    assert second.pending_report_request_ids == ("a", "b", "c")


@pytest.mark.openadr20b("R321", "T10")
def test_the_same_request_again_changes_nothing_and_another_under_its_id_takes_its_place(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    once = a_report_request("once", now=now)
    once = replace(once, specifier=replace(once.specifier, report_back_duration=ZERO))
    requests = (a_report_request(now=now), once)
    for number in range(2):
        assert ask(registered, vtn, *requests, now=now + number * INTERVAL).response.response_code == "200"
    assert [one.request.id for one in of(i.ReportRequested, registered.indications())] == ["rr-1", "once"]
    finer = a_report_request(now=now, r_ids=("power", "energy"))
    created = ask(registered, vtn, finer, now=now + 2 * INTERVAL)
    assert created.pending_report_request_ids == ("once", "rr-1")
    (asked,) = of(i.ReportRequested, registered.indications())
    assert asked.request.r_ids == ("power", "energy")


def test_what_is_asked_for_has_an_end(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    many = [a_report_request(f"r{number}", now=now) for number in range(REPORT_REQUESTS_MAX + 5)]
    created = ask(registered, vtn, *many, metadata_request(), now=now)
    assert created.response.response_code == "469"
    assert len(created.pending_report_request_ids) == REPORT_REQUESTS_MAX
    assert not vtn.said(m.RegisterReport)
    # Whoever has its place keeps it.
    assert ask(registered, vtn, many[0], now=now + INTERVAL).response.response_code == "200"


# -- metadata --------------------------------------------------------------------------


@pytest.mark.openadr20b("R301", "R311", "R327", "R329", "R-5", "R-9")
def test_metadata_is_pending_until_it_is_sent_which_is_at_once(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    created = ask(registered, vtn, a_report_request(now=now), metadata_request(), now=now)
    assert created.pending_report_request_ids == ("rr-1", "meta")
    (offer,) = vtn.said(m.RegisterReport)
    assert offer.report_request_id == "meta"
    kinds = [type(one) for one in vtn.heard]
    assert kinds.index(m.CreatedReport) < kinds.index(m.RegisterReport)


@pytest.mark.openadr20b("R301", "R306", "R324", "R-1", "R-9")
def test_metadata_may_be_wanted_again_and_again_until_it_is_cancelled(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """And no metadata ends it, as it ends all other reports (R306)."""
    ask(registered, vtn, metadata_request(report_back_duration=60 * SECOND, duration=ZERO, dtstart=now), now=now)
    assert len(vtn.said(m.RegisterReport)) == 1
    registered = a_session(now, from_record(Memory, registered.record()))  # over a restart too
    talk(registered, vtn, now=now)
    vtn.heard.clear()
    for _ in range(5 * 60 + 5):
        now += SECOND
        talk(registered, vtn, now=now)
    assert [one.report_request_id for one in vtn.said(m.RegisterReport)] == ["meta"] * 5
    cancel = m.CancelReport(request_id="x", report_request_ids=("meta",), report_to_follow=False, ven_id=VEN_ID)
    vtn.queue.append(cancel)
    talk(registered, vtn, now=now + INTERVAL)
    (answer,) = vtn.said(m.CanceledReport)
    assert (answer.response.response_code, answer.pending_report_request_ids) == ("200", ())
    vtn.heard.clear()
    talk(registered, vtn, now=now + HOUR)
    assert not vtn.said(m.RegisterReport)


@pytest.mark.openadr20b("R325")
def test_metadata_that_is_wanted_for_a_while_ends(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    wanted = metadata_request(report_back_duration=60 * SECOND, duration=150 * SECOND, dtstart=now)
    ask(registered, vtn, wanted, now=now)
    for _ in range(400):
        now += SECOND
        talk(registered, vtn, now=now)
    assert len(vtn.said(m.RegisterReport)) == 1 + 2


@pytest.mark.openadr20b("R306", "R344", "R-1")
def test_our_metadata_ends_what_is_not_asked_for_again(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    ask(registered, vtn, *(a_report_request(one, now=now) for one in ("a", "b", "c")), now=now)
    asked = {one.request.id: one.request for one in of(i.ReportRequested, registered.indications())}
    for number, request_id in enumerate("ab"):
        registered.report(Batch(number=number, request=asked[request_id], readings=readings_of(now)))
    vtn.script[m.UpdateReport] = lambda: None
    vtn.report_requests = (a_report_request("b", now=now), a_report_request("d", now=now))
    created = ask(registered, vtn, metadata_request(), now=now + INTERVAL)
    assert set(created.pending_report_request_ids) == {"a", "b", "c", "meta"}
    answer = vtn.said(m.CreatedReport)[-1]
    assert answer.pending_report_request_ids == ("b", "d")
    found = registered.indications()
    assert of(i.ReportCancelled, found) == [
        i.ReportCancelled(request_id="a", to_follow=False),
        i.ReportCancelled(request_id="c", to_follow=False),
    ]
    assert [one.request.id for one in of(i.ReportRequested, found)] == ["d"]
    # What waited of "a" is not told any more; what waited of "b" is.
    del vtn.script[m.UpdateReport]
    vtn.heard.clear()
    talk(registered, vtn, now=now + HOUR)
    assert [one.reports[0].report_request_id for one in vtn.said(m.UpdateReport)] == ["b"]


@pytest.mark.openadr20b("R309", "R306", "G9")
def test_after_power_up_metadata_comes_again_and_what_is_asked_for_again_goes_on(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    ask(registered, vtn, a_report_request(now=now), now=now)
    again = a_session(now, from_record(Memory, registered.record()))
    vtn.heard.clear()
    talk(again, vtn, now=now)
    assert [type(one) for one in vtn.heard][:2] == [m.RegisterReport, m.CreatedReport]
    assert not [one for one in again.indications() if isinstance(one, i.ReportRequested | i.ReportCancelled)]
    assert vtn.said(m.CreatedReport)[0].pending_report_request_ids == ("rr-1",)


@pytest.mark.openadr20b("R301", "R309", "R327", "R-9")
def test_a_vtn_that_does_not_say_which_reports_it_makes_is_asked_once(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    for second in range(0, 300, 2):
        talk(registered, vtn, now=now + second * SECOND)
    (asked,) = vtn.said(m.CreateReport)
    (request,) = asked.report_requests
    assert (request.specifier.report_specifier_id, request.specifier.payloads) == ("METADATA", wanting("0"))
    assert asked.ven_id == VEN_ID


@pytest.mark.openadr20b("R301")
def test_a_vtn_that_says_it_by_itself_is_not_asked(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    vtn.queue.append(m.RegisterReport(request_id="r", ven_id=VEN_ID))
    for second in range(0, 300, 2):
        talk(registered, vtn, now=now + second * SECOND)
    assert vtn.said(m.RegisteredReport)[0].response == replace(OK, request_id="r")
    assert not vtn.said(m.CreateReport)


# -- the time in requests --------------------------------------------------------------

LENGTHS = st.integers(-5, 100_000).map(lambda seconds: seconds * SECOND)


@pytest.mark.openadr20b("R300", "R317", "R325", "R340")
@given(
    granularity=LENGTHS,
    back=LENGTHS,
    duration=st.none() | LENGTHS,
    offset=st.integers(-(10**9), 10**11),
    specifier_id=st.sampled_from(["fleet_usage", "fleet_status", "fleet_history"]),
)
def test_what_is_taken_is_within_what_was_offered(
    granularity: timedelta, back: timedelta, duration: timedelta | None, offset: int, specifier_id: str
) -> None:
    """Whatever the times: an answer, never an exception; and a request that can be served if it is taken."""
    now = datetime.fromisoformat("2026-07-15T18:30:00Z")
    offer = next(one for one in OFFERS if one.specifier_id == specifier_id)
    specifier = m.ReportSpecifier(
        report_specifier_id=specifier_id,
        granularity=granularity,
        report_back_duration=back,
        payloads=wanting(offer.data_points[0].r_id),
        dtstart=now + offset * SECOND,
        duration=duration,
    )
    request = m.ReportRequest(report_request_id="r", specifier=specifier)
    step = take_requests(Memory(ven_id=VEN_ID), [request], OFFERS, request_id="c", new_id=lambda: "q", now=now)
    (answer,) = step.said
    assert isinstance(answer, m.CreatedReport)
    assert (answer.response.response_code == "200") == (answer.pending_report_request_ids == ("r",))
    for one in step.indications:
        assert isinstance(one, i.ReportRequested)
        taken, point = one.request, offer.data_points[0]
        assert taken.ends_at is None or taken.ends_at >= taken.starts_at
        if taken.report_back:
            assert taken.report_back <= offer.buffered
            assert taken.is_on_change or point.min_period <= taken.granularity <= taken.report_back
            assert taken.ends_at is None or taken.ends_at > now
        if taken.history:
            assert taken.starts_at <= now
