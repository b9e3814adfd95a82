"""What an operator asks of a VEN's reports, as the VEN reads it by its polls, and how each of it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from openadr_core.errors import NotFound, RuleBroken, WrongState
from openadr_core.limits import DELIVERY_RESEND_MAX_S, UNANSWERED_SENDS_MAX
from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers.report_requests import cancel_report, request_metadata, request_reports
from openadr_vtn.domain.reporting import RequestedReport, RequestState, RequestWish
from tests.vtn.protocols.speech import OK, data, metadata, polled, registered_reports
from tests.vtn.protocols.vtn_bench import Bench, Ven

SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
VEN = "id-ven-one"
ONCE = RequestWish(
    specifier_id="telemetry",
    r_ids=("power", "usual"),
    granularity=ZERO,
    report_back=ZERO,
    starts_at=None,
    duration=None,
)


async def asked(bench: Bench, request_id: str = "mine", **changes: object) -> RequestedReport:
    ids = iter((request_id, f"errand-{request_id}"))
    _, (requested,) = await request_reports(
        bench.store, "ven-one", [replace(ONCE, **changes)], actor="client:chief",  # type: ignore[arg-type]
        new_id=lambda: next(ids), now=bench.now,
    )  # fmt: skip
    return requested


async def ended(bench: Bench, request_id: str = "mine", *, to_follow: bool = False) -> RequestedReport:
    _, requested = await cancel_report(
        bench.store, "ven-one", request_id, to_follow=to_follow, actor="client:chief",
        new_id=lambda: f"cancel-{request_id}", now=bench.now,
    )  # fmt: skip
    return requested


async def state(bench: Bench, request_id: str = "mine") -> RequestState:
    async with bench.store.view() as view:
        found = {one.request.id: one for one in await view.reports.requests(VEN)}
    return found[request_id].state


async def created(ven: Ven, told: m.Message, *pending: str, code: str = "200") -> m.Response:
    assert isinstance(told, m.CreateReport)
    said = m.EiResponse(response_code=code, request_id=told.request_id)
    return await ven.ask(m.CreatedReport(response=said, pending_report_request_ids=pending, ven_id=VEN), m.Response)


async def cancelled(ven: Ven, told: m.Message, *pending: str, code: str = "200") -> None:
    assert isinstance(told, m.CancelReport)
    said = m.EiResponse(response_code=code, request_id=told.request_id)
    answer = m.CanceledReport(response=said, pending_report_request_ids=pending, ven_id=VEN)
    assert (await ven.ask(answer, m.Response)).response.response_code == "200"


async def offering(bench: Bench) -> tuple[Ven, str]:
    """A VEN that has registered its reports, and the id of what was asked of it in passing, which it has confirmed."""
    ven, _ = await bench.add_party()
    piggy_backed = await registered_reports(ven)
    await ven.ask(m.CreatedReport(response=OK, pending_report_request_ids=(piggy_backed,), ven_id=VEN), m.Response)
    bench.pass_time(5)
    return ven, piggy_backed


@pytest.mark.openadr20b("R324", "R321", "R322", "R338", "R329", "R337", "R-8", "R-10", "R-11")
async def test_one_report_is_asked_for_by_poll_and_done_when_it_has_come(bench: Bench) -> None:
    ven, other = await offering(bench)
    await asked(bench)
    told = await polled(ven)
    assert told == m.CreateReport(
        request_id="errand-mine",
        ven_id=VEN,
        report_requests=(
            m.ReportRequest(
                report_request_id="mine",
                specifier=m.ReportSpecifier(
                    report_specifier_id="telemetry",
                    granularity=ZERO,
                    report_back_duration=ZERO,
                    payloads=tuple(
                        m.SpecifierPayload(r_id=r_id, reading_type="x-notApplicable") for r_id in ("power", "usual")
                    ),
                ),
            ),
        ),
    )
    assert (await created(ven, told, other, "mine")).response.response_code == "200"
    assert await state(bench) is RequestState.PENDING
    for _ in range(2):  # R346: the same report again is no error
        answer = await ven.ask(data("mine", bench.now - SECOND, 3.0), m.UpdatedReport)
        assert (answer.response.response_code, answer.cancel_report) == ("200", None)
    assert await state(bench) is RequestState.DONE
    assert isinstance(await polled(ven), m.Response)


@pytest.mark.openadr20b("R324", "R325", "R341", "R-12", "R-14")
@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"granularity": 60 * SECOND, "report_back": 300 * SECOND}, (60, 300, 0, 0)),
        ({"report_back": 60 * SECOND, "duration": 600 * SECOND}, (0, 60, 0, 600)),
        ({"granularity": SECOND, "report_back": 2 * SECOND, "duration": 600 * SECOND}, (1, 2, 0, 600)),
    ],
)
async def test_periodic_and_on_change(bench: Bench, wish: dict[str, timedelta], expected: tuple[int, ...]) -> None:
    ven, _ = await offering(bench)
    await asked(bench, **wish)  # type: ignore[arg-type]
    told = await polled(ven)
    assert isinstance(told, m.CreateReport)
    (request,) = told.report_requests
    found = request.specifier
    assert found.dtstart is not None
    assert found.duration is not None
    lengths = (found.granularity, found.report_back_duration, found.dtstart - bench.now, found.duration)
    assert tuple(length // SECOND for length in lengths) == expected


@pytest.mark.openadr20b("R340", "R48", "R-16")
async def test_what_the_ven_refuses_is_refused_and_the_rest_is_not(bench: Bench) -> None:
    ven, other = await offering(bench)
    await asked(bench)
    assert (await created(ven, await polled(ven), other, code="454")).response.response_code == "200"
    assert await state(bench) is RequestState.REFUSED
    assert await state(bench, other) is RequestState.PENDING
    assert [(one.kind, one.detail) for one in bench.notices if "refused" in one.kind] == [
        ("errand refused", "CreateReport: 454")
    ]


@pytest.mark.openadr20b("R344")
async def test_what_was_asked_for_in_passing_can_be_refused_too(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    piggy_backed = await registered_reports(ven)
    await asked(bench)
    said = m.EiResponse(response_code="461", response_description="not today", request_id="q")
    await ven.ask(m.CreatedReport(response=said, ven_id=VEN), m.Response)
    assert await state(bench, piggy_backed) is RequestState.REFUSED
    assert await state(bench) is RequestState.ASKED
    assert isinstance(await polled(ven), m.CreateReport)


@pytest.mark.openadr20b("R303", "E10")
@pytest.mark.parametrize("request_id", ["", "their own"])
async def test_an_answer_under_another_request_id_is_known_by_what_it_lists(bench: Bench, request_id: str) -> None:
    ven, other = await offering(bench)
    await asked(bench)
    await polled(ven)
    said = m.EiResponse(response_code="200", request_id=request_id)
    answer = m.CreatedReport(response=said, pending_report_request_ids=(other, "mine"), ven_id=VEN)
    assert (await ven.ask(answer, m.Response)).response.response_code == "200"
    assert await state(bench) is RequestState.PENDING
    bench.pass_time(DELIVERY_RESEND_MAX_S)
    assert isinstance(await polled(ven), m.Response)


@pytest.mark.openadr20b("R336", "R345", "R-24", "R-25")
@pytest.mark.parametrize("to_follow", [False, True])
async def test_a_report_is_ended_by_poll(bench: Bench, to_follow: bool) -> None:
    ven, other = await offering(bench)
    await ended(bench, other, to_follow=to_follow)
    told = await polled(ven)
    assert told == m.CancelReport(
        request_id=f"cancel-{other}", report_request_ids=(other,), report_to_follow=to_follow, ven_id=VEN
    )
    assert await state(bench, other) is RequestState.CANCELLING
    await cancelled(ven, told)
    assert await state(bench, other) is RequestState.CANCELLED
    # The one that was to follow is no offence; any other is, and is told to stop again (R335).
    for follows in (to_follow, False):
        answer = await ven.ask(data(other, bench.now - SECOND, 1.0), m.UpdatedReport)
        assert answer.response.response_code == "200"
        assert (answer.cancel_report is None) is follows
        if answer.cancel_report is not None:
            assert answer.cancel_report.report_request_ids == (other,)
            assert not answer.cancel_report.report_to_follow


@pytest.mark.openadr20b("R328", "R335", "R-26")
async def test_data_that_comes_before_the_poll_is_answered_with_the_cancel(bench: Bench) -> None:
    """And the real one comes all the same, because nothing confirms the other."""
    ven, other = await offering(bench)
    await ended(bench, other, to_follow=True)
    answer = await ven.ask(data(other, bench.now - SECOND, 1.0), m.UpdatedReport)
    assert answer.cancel_report is not None
    assert answer.cancel_report.report_to_follow
    told = await polled(ven)
    # It knows the id no more, having heeded the first: what it lists as pending tells, not the code.
    await cancelled(ven, told, code="452")
    assert await state(bench, other) is RequestState.CANCELLED


@pytest.mark.openadr20b("R336", "R335")
async def test_a_report_that_is_pending_still_is_not_cancelled(bench: Bench) -> None:
    ven, other = await offering(bench)
    await ended(bench, other)
    await cancelled(ven, await polled(ven), other, code="459")
    assert await state(bench, other) is RequestState.CANCELLING
    answer = await ven.ask(data(other, bench.now - SECOND, 1.0), m.UpdatedReport)
    assert answer.cancel_report is not None


async def test_what_was_never_told_is_ended_without_a_word(bench: Bench) -> None:
    ven, _ = await offering(bench)
    await asked(bench)
    await ended(bench)
    assert await state(bench) is RequestState.CANCELLED
    assert isinstance(await polled(ven), m.Response)
    # And once more does no more.
    assert (await ended(bench, to_follow=True)).to_follow is False


@pytest.mark.openadr20b("R301", "R327", "R308", "R311", "R-5", "R-9")
async def test_metadata_is_asked_for_and_comes_as_a_registration(bench: Bench) -> None:
    ven, other = await offering(bench)
    ids = iter(["errand-1"])
    await request_metadata(bench.store, "ven-one", actor="client:chief", new_id=lambda: next(ids), now=bench.now)
    told = await polled(ven)
    assert isinstance(told, m.CreateReport)
    (request,) = told.report_requests
    assert (request.specifier.report_specifier_id, request.specifier.payloads[0].r_id) == ("METADATA", "0")
    for _ in range(2):  # the same answer twice is no error, though ours was lost
        said = await created(ven, told, other, request.report_request_id)
        assert said.response.response_code == "200"
    again = replace(metadata(), report_request_id=request.report_request_id)
    answer = await ven.ask(again, m.RegisteredReport)
    assert [one.report_request_id for one in answer.report_requests] == [other]
    assert isinstance(await polled(ven), m.Response)


@pytest.mark.openadr20b("R306", "R-1", "R309")
async def test_the_same_offers_again_keep_what_an_operator_asked_for(bench: Bench) -> None:
    """A VEN that was started anew offers anew (R309), which ends its reports (R306): all are asked for again."""
    ven, other = await offering(bench)
    await asked(bench, granularity=SECOND, report_back=SECOND)
    await created(ven, await polled(ven), other, "mine")
    await ended(bench, other)
    again = await ven.ask(metadata(), m.RegisteredReport)
    assert [one.report_request_id for one in again.report_requests] == ["mine"]
    fewer = await ven.ask(metadata(least=10), m.RegisteredReport)
    (request,) = fewer.report_requests
    assert request.report_request_id not in {"mine", other}
    async with bench.store.view() as view:
        assert len(await view.reports.requests(VEN)) == 1


async def test_what_is_never_answered_is_given_up_and_stays_asked(bench: Bench) -> None:
    ven, _ = await offering(bench)
    await asked(bench)
    for _ in range(UNANSWERED_SENDS_MAX):
        assert isinstance(await polled(ven), m.CreateReport)
        bench.pass_time(DELIVERY_RESEND_MAX_S)
    assert isinstance(await polled(ven), m.Response)
    assert await state(bench) is RequestState.ASKED
    assert [one.detail for one in bench.notices if one.kind == "errand given up"] == ["CreateReport"]


async def test_what_cannot_be_asked_is_said(bench: Bench) -> None:
    await bench.add_party(registered=False)
    with pytest.raises(WrongState):
        await asked(bench)
    with pytest.raises(NotFound):
        await ended(bench)
    await bench.add_party("ven-two")
    with pytest.raises(RuleBroken, match=r"^specifier"):
        await request_reports(
            bench.store, "ven-two", [ONCE], actor="client:chief", new_id=lambda: "x", now=bench.now
        )  # fmt: skip
    async with bench.store.view() as view:
        assert await view.errands.of_parties([VEN, "id-ven-two"]) == []


@pytest.mark.openadr20b("R-8", "R321", "R329", "R340")
async def test_several_reports_are_asked_for_in_one_message(bench: Bench) -> None:
    """One that is wanted no more before it was told is left out; one that the VEN refuses is not the other's end."""
    ven, other = await offering(bench)
    ids = iter(("first", "second", "third", "together"))
    wishes = [ONCE, replace(ONCE, r_ids=("power",)), replace(ONCE, r_ids=("usual",))]
    await request_reports(
        bench.store, "ven-one", wishes, actor="client:chief", new_id=lambda: next(ids), now=bench.now
    )  # fmt: skip
    assert (await ended(bench, "third")).state is RequestState.CANCELLED
    told = await polled(ven)
    assert isinstance(told, m.CreateReport)
    assert told.request_id == "together"
    assert [one.report_request_id for one in told.report_requests] == ["first", "second"]
    assert [len(one.specifier.payloads) for one in told.report_requests] == [2, 1]
    await created(ven, told, other, "second", code="461")
    assert (await state(bench, "first"), await state(bench, "second")) == (RequestState.REFUSED, RequestState.PENDING)


async def test_of_several_none_is_asked_for_if_one_cannot_be(bench: Bench) -> None:
    await offering(bench)
    async with bench.store.view() as view:
        before = await view.reports.requests(VEN)
    with pytest.raises(RuleBroken, match=r"^points"):
        await request_reports(
            bench.store, "ven-one", [ONCE, replace(ONCE, r_ids=("heat",))], actor="client:chief",
            new_id=lambda: "x", now=bench.now,
        )  # fmt: skip
    async with bench.store.view() as view:
        assert (await view.reports.requests(VEN), await view.errands.of_parties([VEN])) == (before, [])


# -- what a VEN may ask of us ----------------------------------------------------------


def wanted(*request_ids: str, specifier_id: str = "METADATA", back: timedelta = ZERO) -> m.CreateReport:
    return m.CreateReport(
        request_id="q",
        ven_id=VEN,
        report_requests=tuple(
            m.ReportRequest(
                report_request_id=request_id,
                specifier=m.ReportSpecifier(
                    report_specifier_id=specifier_id,
                    granularity=ZERO,
                    report_back_duration=back,
                    payloads=(m.SpecifierPayload(r_id="0", reading_type="x-notApplicable"),),
                ),
            )
            for request_id in request_ids
        ),
    )


@pytest.mark.openadr20b("R301", "R305", "R311", "R329", "R510", "R-2", "R-5", "R-8")
@pytest.mark.parametrize("back", [ZERO, 60 * SECOND])
async def test_a_ven_is_told_under_its_request_that_we_make_no_reports(bench: Bench, back: timedelta) -> None:
    """Periodic or not, it is told once: there is nothing that could change (R510)."""
    ven, _ = await bench.add_party()
    answer = await ven.ask(wanted("theirs", back=back), m.CreatedReport)
    assert (answer.response.response_code, answer.pending_report_request_ids) == ("200", ("theirs",))
    told = await polled(ven)
    assert isinstance(told, m.RegisterReport)
    assert (told.report_request_id, told.reports) == ("theirs", ())
    said = m.EiResponse(response_code="200", request_id=told.request_id)
    await ven.say(m.RegisteredReport(response=said, ven_id=VEN))
    assert isinstance(await polled(ven), m.Response)


@pytest.mark.openadr20b("R304", "R336", "R-16", "R-24")
async def test_a_ven_can_end_what_it_asked_for_and_nothing_else(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    assert (await ven.ask(wanted("x", specifier_id="prices"), m.CreatedReport)).response.response_code == "452"
    await ven.ask(wanted("a", "b"), m.CreatedReport)
    cancel = m.CancelReport(request_id="c", report_request_ids=("a", "z"), report_to_follow=False, ven_id=VEN)
    answer = await ven.ask(cancel, m.CanceledReport)
    assert (answer.response.response_code, answer.response.request_id) == ("452", "c")
    assert answer.pending_report_request_ids == ("b",)
    answer = await ven.ask(replace(cancel, report_request_ids=("b",)), m.CanceledReport)
    assert (answer.response.response_code, answer.pending_report_request_ids) == ("200", ())
    assert isinstance(await polled(ven), m.Response)
