"""What a poll brings besides events: one operation at a time, in order, until it is answered or given up."""

from datetime import timedelta

import pytest

from openadr_core.limits import DELIVERY_RESEND_MAX_S, ERRANDS_MAX, UNANSWERED_SENDS_MAX
from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers import errands
from openadr_vtn.domain.errand import Errand, ErrandKind
from tests.vtn.protocols.speech import WISH, answer, polled
from tests.vtn.protocols.vtn_bench import Bench, Ven

pytestmark = pytest.mark.openadr20b("Q1", "Q3", "R500")

METADATA_REQUEST = m.CreateReport(
    request_id="q",
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
    ven_id="id-ven-one",
)


async def owe(bench: Bench, *ids: str) -> None:
    async with bench.store.unit_of_work() as uow:
        for one in ids:
            await errands.owe(
                uow,
                "id-ven-one",
                ErrandKind.REGISTER_REPORT,
                content=f"for {one}",
                new_id=lambda one=one: one,  # type: ignore[misc]
                now=bench.now,
            )


async def waiting(bench: Bench) -> list[Errand]:
    async with bench.store.view() as view:
        return await view.errands.of_parties(["id-ven-one"])


def registered(told: m.Message, code: str = "200") -> m.RegisteredReport:
    assert isinstance(told, m.RegisterReport)
    said = m.EiResponse(response_code=code, request_id=told.request_id)
    return m.RegisteredReport(response=said, ven_id="id-ven-one")


async def heard(ven: Ven) -> list[str]:
    """What polls bring until there is nothing: the requestIDs, and the names of what is no RegisterReport."""
    found = []
    while not isinstance(told := await polled(ven), m.Response):
        found.append(told.request_id if isinstance(told, m.RegisterReport) else type(told).__name__)
    return found


async def test_answer_then_poll(bench: Bench) -> None:
    """The first order of Annex C."""
    ven, _ = await bench.add_party()
    await owe(bench, "e1", "e2")
    for one in ("e1", "e2"):
        told = await polled(ven)
        assert isinstance(told, m.RegisterReport)
        assert told.request_id == one
        await ven.say(registered(told))
    assert await heard(ven) == []
    assert await waiting(bench) == []


async def test_the_next_item_before_the_earlier_answer(bench: Bench) -> None:
    """The others of Annex C: a VEN that drains first and answers later, in whatever order."""
    ven, _ = await bench.add_party()
    await owe(bench, "e1", "e2", "e3")
    told = [await polled(ven) for _ in range(3)]
    assert [getattr(one, "request_id", None) for one in told] == ["e1", "e2", "e3"]
    assert await heard(ven) == []
    for one in reversed(told):
        await ven.say(registered(one))
    assert await waiting(bench) == []


async def test_a_lost_answer_holds_back_what_comes_after_it(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await owe(bench, "e1", "e2")
    await polled(ven)
    ven = ven.reconnected()
    assert await heard(ven) == []
    bench.pass_time(2)
    assert await heard(ven.reconnected()) == ["e1", "e2"]


async def test_the_queue_survives_a_restart(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await owe(bench, "e1", "e2")
    told = await polled(ven)
    bench.restart()
    ven = ven.reconnected()
    await ven.say(registered(told))
    assert await heard(ven) == ["e2"]
    assert [(errand.id, errand.attempts) for errand in await waiting(bench)] == [("e2", 1)]


async def test_what_is_never_answered_is_given_up_with_a_notice_and_holds_up_nothing(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await owe(bench, "e1")
    for _ in range(UNANSWERED_SENDS_MAX):
        assert await heard(ven) == ["e1"]
        bench.pass_time(DELIVERY_RESEND_MAX_S)
    await owe(bench, "e2")
    assert await heard(ven) == ["e2"]
    assert [(one.kind, one.detail) for one in bench.notices if one.kind.startswith("errand")] == [
        ("errand given up", "RegisterReport")
    ]


async def test_what_is_refused_is_done_with_and_told_to_the_operator(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await owe(bench, "e1")
    told = await polled(ven)
    said = await ven.say(registered(told, "459"))
    assert isinstance(said, m.Response)
    assert said.response.response_code == "200"
    assert await waiting(bench) == []
    assert [(one.kind, one.detail) for one in bench.notices] == [("errand refused", "RegisterReport: 459")]
    # The same answer again, because ours was lost, finds nothing to settle.
    await ven.reconnected().say(registered(told, "459"))
    assert len(bench.notices) == 1


async def test_the_same_errand_twice_is_one_and_a_queue_has_an_end(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await owe(bench, "e1", "e1")
    assert len(await waiting(bench)) == 1
    await owe(bench, *(f"e{number}" for number in range(2, ERRANDS_MAX + 1)))
    said = await ven.say(METADATA_REQUEST)
    assert isinstance(said, m.CreatedReport)
    assert said.response.response_code == "469"
    assert len(await waiting(bench)) == ERRANDS_MAX


async def test_a_new_registration_begins_with_an_empty_queue_and_our_reports(bench: Bench) -> None:
    ven, _ = await bench.add_party()
    await bench.write_event()
    await owe(bench, "e1", "e2")
    await ven.say(WISH)
    told = await polled(ven)
    assert isinstance(told, m.RegisterReport)
    assert (told.request_id not in {"e1", "e2"}, told.reports) == (True, ())
    events = await polled(ven)
    assert isinstance(events, m.DistributeEvent)
    await ven.say(answer(events))
    await ven.say(registered(told))
    assert await heard(ven) == []
