"""`openadr-vtn report`: what parties measured."""

import click

from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table


@click.group(cls=PlainGroup)
def report() -> None:
    """Reports: what parties measured during events."""


@report.command("list")
@click.option("--event", "event_id", help="Only of this event.")
@json_option
@operator_option
def list_reports(api: OperatorApi, event_id: str | None, *, as_json: bool) -> None:
    """List reports, one for each event and party. With --json, every interval is in it."""
    reports = api.list("reports", **({"eventID": event_id} if event_id else {}))
    if as_json:
        show_json(reports)
        return
    show_table(
        ["EVENT", "PARTY", "DEMAND", "BASELINE", "UNTIL"],
        [
            [one["eventID"], one["clientName"], _count(one, "DEMAND"), _count(one, "BASELINE"),
             clock_text(one["modificationDateTime"])]
            for one in reports
        ],
        empty="No party has reported on an event yet.",
    )  # fmt: skip


def _count(report: dict[str, list[dict[str, list[dict[str, list[dict[str, str]]]]]]], kind: str) -> str:
    intervals = [one for resource in report["resources"] for one in resource["intervals"]]
    return f"{sum(one['payloads'][0]['type'] == kind for one in intervals)} intervals"
