"""What the tests' VEN says."""

from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.signals import KILOWATTS
from tests.vtn.protocols.vtn_bench import Ven

SECOND = timedelta(seconds=1)
OK = m.EiResponse(response_code="200", request_id="")
WISH = m.CreatePartyRegistration(
    request_id="q1",
    profile_name="2.0b",
    transport_name="simpleHttp",
    report_only=False,
    xml_signature=False,
    http_pull_model=True,
)


def answer(told: m.DistributeEvent, opt_type: str = "optIn", *, ven_id: str = "id-ven-one") -> m.CreatedEvent:
    return m.CreatedEvent(
        response=OK,
        ven_id=ven_id,
        event_responses=tuple(
            m.EventResponse(
                response_code="200",
                request_id=told.request_id,
                event_id=event.descriptor.event_id,
                modification_number=event.descriptor.modification_number,
                opt_type=opt_type,
            )
            for event in told.events
        ),
    )


async def polled(ven: Ven) -> m.Message:
    return await ven.say(m.Poll(ven_id="id-ven-one"))


def metadata(*, specifier_id: str = "telemetry", least: int = 1, most: int = 60) -> m.RegisterReport:
    rate = m.SamplingRate(min_period=least * SECOND, max_period=most * SECOND, on_change=False)
    report = m.Report(
        report_request_id="0",
        report_specifier_id=specifier_id,
        created_date_time=datetime.fromisoformat("2026-07-15T18:30:00Z"),
        report_name="METADATA_TELEMETRY_USAGE",
        duration=timedelta(hours=2),
        descriptions=tuple(
            m.ReportDescription(
                r_id=r_id,
                report_type=report_type,
                reading_type="Direct Read",
                item_base=KILOWATTS,
                sampling_rate=rate,
            )
            for r_id, report_type in (("power", "usage"), ("usual", "baseline"))
        ),
    )
    return m.RegisterReport(request_id="q", reports=(report,), ven_id="id-ven-one")


def data(request_id: str, start: datetime, *values: float, **changes: object) -> m.UpdateReport:
    intervals = tuple(
        m.ReportInterval(
            dtstart=start + number * SECOND,
            duration=SECOND,
            payloads=(m.ReportPayload(r_id="power", value=value), m.ReportPayload(r_id="usual", value=7000.0)),
        )
        for number, value in enumerate(values)
    )
    report = m.Report(
        report_request_id=request_id,
        report_specifier_id="telemetry",
        created_date_time=start,
        report_name="TELEMETRY_USAGE",
        dtstart=start,
        intervals=intervals,
    )
    return m.UpdateReport(request_id="q", reports=(replace(report, **changes),), ven_id="id-ven-one")  # type: ignore[arg-type]


def status_metadata(ven_id: str = "id-ven-one") -> m.Report:
    return m.Report(
        report_request_id="0",
        report_specifier_id="stands",
        created_date_time=datetime.fromisoformat("2026-07-15T18:30:00Z"),
        report_name="METADATA_TELEMETRY_STATUS",
        duration=timedelta(hours=1),
        descriptions=(
            m.ReportDescription(
                r_id="fleet",
                report_type="x-resourceStatus",
                reading_type="x-notApplicable",
                report_data_source=m.Target(resource_ids=("fleet",)),
                sampling_rate=m.SamplingRate(min_period=SECOND, max_period=60 * SECOND, on_change=True),
            ),
        ),
    )


async def registered_reports(ven: Ven) -> str:
    """The id of the request that was piggy-backed."""
    registered = await ven.ask(metadata(), m.RegisteredReport)
    (request,) = registered.report_requests
    return request.report_request_id
