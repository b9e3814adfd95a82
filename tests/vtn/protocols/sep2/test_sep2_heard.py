"""What devices of IEEE 2030.5 read, answer and measure, where it is read of everybody: ledger, opts and reports."""

from datetime import timedelta

import pytest

from openadr_core.model.opt import OptType
from openadr_core.sep2.controls import DERControl
from openadr_core.sep2.metering import MirrorMeterReading, MirrorUsagePoint, Reading, ReadingType
from openadr_core.sep2.responses import DERControlResponse
from openadr_vtn.application.handlers.observe import event_detail, event_reports
from openadr_vtn.application.handlers.report_objects import reports_seen
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.viewers import Viewer
from tests.vtn.protocols.sep2.bridge_bench import Operator, controls_of, programs_of
from tests.vtn.protocols.sep2.sep2_bench import Client, Sep2Bench, a_lfdi

RECEIVED, STARTED, COMPLETED, OPT_OUT, OPT_IN, CANCELLED = range(1, 7)
MANAGED = a_lfdi(1)
BUSINESS = Viewer(client_id="chief", actor="client:chief", is_business=True, party=None)


async def respond(client: Client, control: DERControl, status: int, lfdi: str | None = None) -> None:
    assert control.reply_to is not None
    response = DERControlResponse(
        created_date_time=client.bench.moment, end_device_lfdi=lfdi or client.peer.lfdi, status=status,
        subject=control.mrid,
    )  # fmt: skip
    assert await client.status("POST", control.reply_to, response) == 201


async def test_who_has_read_the_control_has_the_event(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    two = await sep2.enrol("two")
    await sep2.device("two")
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    await programs_of(told)
    assert (await operator.row(event_id)).fetched_at is None
    for _ in range(2):
        await controls_of(told)
    row = await operator.row(event_id)
    assert (row.notified_at, row.fetched_at, row.attempts, row.answered_at) == (sep2.now, sep2.now, 1, None)
    assert (await operator.row(event_id, "id-two")).fetched_at is None
    await controls_of(two, 2)
    assert (await operator.row(event_id, "id-two")).fetched_at == sep2.now


async def test_responses_of_the_partys_own_device_are_its_opts(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    (control,) = await controls_of(told)
    await respond(told, control, RECEIVED)
    assert (await operator.row(event_id)).answered_at == sep2.now
    assert await said(sep2, event_id) == []
    sep2.later(60)
    await respond(told, control, STARTED)
    await respond(told, control, STARTED)
    sep2.later(30)
    await respond(told, control, OPT_OUT)
    assert await said(sep2, event_id) == [(OptType.IN, "started", "200"), (OptType.OUT, "opted out", "200")]
    async with sep2.store.view() as view:
        detail = await event_detail(view, event_id, sep2.now)
        (report,) = await event_reports(view, sep2.now, event_id=event_id)
    assert (detail.view.entitled, detail.view.fetched, detail.view.opted_out) == (1, 1, 1)
    assert report.opt is not None
    assert report.opt.opt_type is OptType.OUT
    listed = await reports_seen(sep2.store, BUSINESS, Page(), now=sep2.now, event_id=event_id)
    (text,) = listed.items
    assert "OPTED_OUT" in text


async def said(sep2: Sep2Bench, event_id: str) -> list[tuple[OptType, str, str]]:
    async with sep2.store.view() as view:
        return [(opt.opt_type, opt.reason, opt.code) for _, opt in await view.opts.history(event_id)]


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [(7, "superseded", "200"), (10, "completed without taking part", "200"),
     (252, "a parameter is not supported", "460"), (253, "a parameter is not valid", "454"),
     (254, "it came too late", "451")],
)  # fmt: skip
async def test_who_cannot_or_does_not_follow_is_out(
    sep2: Sep2Bench, operator: Operator, told: Client, status: int, reason: str, code: str
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    (control,) = await controls_of(told)
    await respond(told, control, status)
    assert await said(sep2, event_id) == [(OptType.OUT, reason, code)]


async def test_a_managed_device_speaks_for_itself(sep2: Sep2Bench, operator: Operator) -> None:
    aggregator = await sep2.enrol("agg")
    await sep2.device("agg", lfdi=MANAGED)
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    (control,) = await controls_of(aggregator)
    for status in (RECEIVED, STARTED, OPT_OUT, OPT_OUT):
        await respond(aggregator, control, status, MANAGED)
    sep2.later(5)
    await respond(aggregator, control, OPT_IN, MANAGED)
    assert await said(sep2, event_id) == []
    async with sep2.store.view() as view:
        qualifications = (await view.availability.qualifications(event_id))["id-agg"]
    assert [(one.opt_type, one.scope.names) for one in qualifications] == [
        (OptType.OUT, frozenset({MANAGED})), (OptType.IN, frozenset({MANAGED})),
    ]  # fmt: skip
    assert (await operator.row(event_id, "id-agg")).answered_at is not None


async def test_a_response_answers_the_version_that_it_is_to(sep2: Sep2Bench, operator: Operator, told: Client) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5)
    (control,) = await controls_of(told)
    await operator.cancel(event_id)
    await respond(told, control, RECEIVED)
    row = await operator.row(event_id)
    assert (row.version, row.answered_at) == (1, None)
    await controls_of(told)
    await respond(told, control, CANCELLED)
    row = await operator.row(event_id)
    assert (row.version, row.fetched_at, row.answered_at) == (1, sep2.now, sep2.now)
    async with sep2.store.view() as view:
        assert all(one.answered_at for one in await view.deliveries.of_event(event_id))


async def test_readings_from_inside_the_event_are_its_reports(
    sep2: Sep2Bench, operator: Operator, told: Client
) -> None:
    event_id = await operator.event("EXPORT_CAPACITY_LIMIT", 5, each_s=600)
    kind = ReadingType(uom=38, kind=37, flow_direction=19, power_of_ten_multiplier=3, interval_length=60)
    series = MirrorMeterReading(
        mrid="AB" * 16, reading_type=kind, last_update_time=sep2.moment, reading=Reading(value=2)
    )
    point = MirrorUsagePoint(
        mrid="CD" * 16, role_flags="03", service_category_kind=0, status=1, device_lfdi=told.peer.lfdi,
        mirror_meter_reading=(series,),
    )  # fmt: skip
    assert await told.status("POST", "/mup", point) == 201
    assert (await operator.row(event_id)).reported_at is None
    sep2.later(200)
    again = MirrorMeterReading(mrid="AB" * 16, last_update_time=sep2.moment, reading=Reading(value=4))
    assert await told.status("POST", "/mup/1", again) == 201
    assert (await operator.row(event_id)).reported_at == sep2.now
    sep2.later(60)
    async with sep2.store.view() as view:
        (report,) = await event_reports(view, sep2.now, event_id=event_id)
        detail = await event_detail(view, event_id, sep2.now)
    ((reading,),) = [found for found in report.series.values() if found]
    assert (reading.value, reading.duration) == (-4000, timedelta(seconds=60))
    assert len(detail.parties) == 1
