"""`openadr-vtn report`: what parties can measure, what is asked of them, and what they measured."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from openadr_core.oadr3.times import moment_text, parse_fixed_length
from openadr_vtn.cli.csv_file import write_csv
from openadr_vtn.cli.event_body import duration_text, start_text
from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table

PAGE = 1_000
SHOWN = timedelta(hours=1)
"""As the VTN tells where no beginning is asked for."""
CSV_COLUMNS = (
    "starts_at", "duration_s", "measurand", "source", "point", "value", "unit", "quality", "cause", "confidence",
    "accuracy", "received_at",
)  # fmt: skip


@click.group(cls=PlainGroup)
def report() -> None:
    """Reports: what parties measure.

    A party says what it can report (its offers). We ask for some of it when the party registers;
    ask for more here. A PARTY is named by its name, its id or its fingerprint.
    """


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


@report.command()
@click.argument("event_id", metavar="EVENT")
@click.option("--all", "show_all", is_flag=True, help="Reports that came in time too.")
@json_option
@operator_option
def compliance(api: OperatorApi, event_id: str, *, show_all: bool, as_json: bool) -> None:
    """Show who owes reports on an event.

    What its report descriptors ask of VENs of OpenADR 3, and what is asked of parties of 2.0b beside it: what is
    late, missing, or says itself that it is no good.
    """
    found = api.admin(f"events/{event_id}/compliance")
    if as_json:
        show_json(found)
        return
    rows = [
        [
            one["party"], f"{owed['payload_type']} {owed['number']}", clock_text(owed["due_at"]), owed["standing"],
            f"{owed['covered']}/{owed['intervals']}", owed["poor"] or None, _late(owed["late_by_s"]),
        ]
        for one in found
        for owed in one["reports"]
        if show_all or owed["standing"] not in {"met", "pending"}
    ]  # fmt: skip
    rows += [
        [one["party"], "readings", clock_text(start), "missing", None, None, f"until {clock_text(end)}"]
        for one in found
        for start, end in one["missing"]
    ]
    rows += [
        [one["party"], "readings", None, "late", None, None, _late(one["late_by_s"])]
        for one in found
        if one["late_by_s"] and not one["reports"]
    ]
    show_table(
        ["PARTY", "REPORT", "DUE", "STANDING", "INTERVALS", "POOR", "LATE"], rows,
        empty="Nothing is owed: every report came, whole and in time.",
    )  # fmt: skip


def _late(seconds: int) -> str | None:
    return f"by {seconds} s" if seconds else None


@report.command()
@click.argument("named", metavar="PARTY")
@json_option
@operator_option
def offers(api: OperatorApi, named: str, *, as_json: bool) -> None:
    """List what a party can report, point by point."""
    found = api.admin(f"parties/{named}/report-offers")
    if as_json:
        show_json(found)
        return
    show_table(
        ["SPECIFIER", "REPORT", "POINT", "MEASURES", "UNIT", "OF", "EVERY", "KEPT"],
        [
            [
                offer["specifier"], offer["name"], point["id"], point["measurand"], point["unit"] or None,
                point["source"] or "all", _rates(point), _span(offer["buffered_s"]),
            ]
            for offer in found
            for point in offer["points"]
        ],
        empty="It has offered nothing yet; `openadr-vtn report ask-metadata` asks it.",
    )  # fmt: skip


@report.command("ask-metadata")
@click.argument("named", metavar="PARTY")
@operator_option
def ask_metadata(api: OperatorApi, named: str) -> None:
    """Ask a party what it can report.

    It then offers its reports anew; what runs of them ends, and is asked for again.
    """
    told = api.command(f"parties/{named}/request-metadata", {})
    click.echo(f"{told['party']} is asked when it next asks, or at once if it is pushed to.")


@report.command("request")
@click.argument("named", metavar="PARTY")
@click.argument("specifiers", metavar="SPECIFIER...", nargs=-1, required=True)
@click.option("--point", "points", multiple=True, help="A point of it; repeat for more. All are meant if left out.")
@click.option("--granularity", default="0s", help="Length of an interval, as 60s or 15m; 0s: a value when it changes.")
@click.option("--back", default="0s", help="How often a report comes; 0s: one only.")
@click.option("--start", default="now", show_default=True, help="now, or a moment (RFC 3339); in the past: history.")
@click.option("--duration", default="0s", help="How long; 0s: until it is cancelled.")
@json_option
@operator_option
def request_report(
    api: OperatorApi,
    *,
    named: str,
    specifiers: tuple[str, ...],
    points: tuple[str, ...],
    granularity: str,
    back: str,
    start: str,
    duration: str,
    as_json: bool,
) -> None:
    """Ask a party for reports that it offers.

    Several SPECIFIERs are asked for in one message.

    Examples:
      openadr-vtn report request acme USAGE --granularity 1m --back 5m
      openadr-vtn report request acme USAGE STATUS --granularity 1m --back 5m
      openadr-vtn report request acme HISTORY --start 2030-07-01T18:00:00Z --duration 2h
    """
    wish = {
        "points": list(points),
        "granularity_s": _seconds(granularity, "--granularity"),
        "report_back_s": _seconds(back, "--back"),
        "starts_at": None if start == "now" else start_text(start),
        "duration_s": _seconds(duration, "--duration"),
    }
    address = f"parties/{named}/report-requests"
    made: Any
    if len(specifiers) == 1:
        made = api.command(address, {"specifier": specifiers[0], **wish})
    else:
        made = api.command(f"{address}/together", {"requests": [{"specifier": one, **wish} for one in specifiers]})
    if as_json:
        show_json(made)
        return
    for one in made if isinstance(made, list) else [made]:
        click.echo(f"{one['id']} is asked for; `openadr-vtn report requests` says how far that is.")


@report.command()
@click.argument("named", metavar="PARTY")
@json_option
@operator_option
def requests(api: OperatorApi, named: str, *, as_json: bool) -> None:
    """List what was asked of a party, and how it is met."""
    found = api.admin(f"parties/{named}/report-requests")
    if as_json:
        show_json(found)
        return
    show_table(
        ["ID", "SPECIFIER", "STATE", "EVERY", "BACK", "DATA UNTIL", "QUALITY", "LATE", "REFUSED"],
        [
            [
                one["id"], one["specifier"], one["state"], _span(one["granularity_s"]), _span(one["report_back_s"]),
                clock_text(one["covered_until"]), one["quality"], _span(one["late_by_s"]), one["refusal"],
            ]
            for one in found
        ],
        empty="Nothing was asked of it.",
    )  # fmt: skip


@report.command()
@click.argument("named", metavar="PARTY")
@click.argument("request_id", metavar="ID")
@click.option("--one-more", is_flag=True, help="Let it send one more report, with what it has.")
@operator_option
def cancel(api: OperatorApi, named: str, request_id: str, *, one_more: bool) -> None:
    """Cancel a report that runs."""
    ended = api.command(f"parties/{named}/report-requests/{request_id}/cancel", {"to_follow": one_more})
    click.echo(f"{ended['id']}: {ended['state']}; it ends when the party has confirmed.")


@report.command()
@click.argument("named", metavar="PARTY")
@click.option("--measurand", help="Only this, as `usage` or `baseline`.")
@click.option("--source", help="Only of this, as `openadr-vtn report offers` names it.")
@click.option("--since", help="From this moment (RFC 3339); an hour ago if left out.")
@click.option("--until", help="To this moment (RFC 3339); now if left out.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all to this file.")
@json_option
@operator_option
def readings(
    api: OperatorApi,
    *,
    named: str,
    measurand: str | None,
    source: str | None,
    since: str | None,
    until: str | None,
    csv_file: Path | None,
    as_json: bool,
) -> None:
    """Show what a party measured, the newest first.

    A table shows the last hundred; --json a thousand; --csv writes all, whole, the newest first.
    """
    query = {"measurand": measurand, "source": source, "since": _moment(since), "until": _moment(until)}
    asked = {name: value for name, value in query.items() if value is not None}
    if csv_file is not None:
        click.echo(f"{write_csv(csv_file, CSV_COLUMNS, _all_readings(api, named, asked))} readings are in {csv_file}.")
        return
    found = api.admin(f"parties/{named}/readings", **asked, limit=str(PAGE if as_json else 100))
    if as_json:
        show_json(found)
        return
    show_table(
        ["FROM", "FOR", "MEASURES", "OF", "VALUE", "UNIT", "QUALITY", "WHY"],
        [
            [
                clock_text(one["starts_at"]), _span(one["duration_s"]), one["measurand"], one["source"] or "all",
                one["value"], one["unit"], one["quality"], one["cause"] or None,
            ]
            for one in found
        ],
        empty="It has reported nothing of that in that time.",
    )  # fmt: skip


@report.command()
@click.argument("named", metavar="PARTY")
@click.option("--since", help="From this moment (RFC 3339); an hour ago if left out.")
@click.option("--until", help="To this moment (RFC 3339); now if left out.")
@json_option
@operator_option
def status(api: OperatorApi, named: str, *, since: str | None, until: str | None, as_json: bool) -> None:
    """Show how a party's resources stand.

    Whether each is online and overridden, and its load control.
    """
    query = {"since": _moment(since), "until": _moment(until)}
    asked = {name: value for name, value in query.items() if value is not None}
    found = api.admin(f"parties/{named}/statuses", **asked)
    if as_json:
        show_json(found)
        return
    show_table(
        ["AT", "RESOURCE", "ONLINE", "OVERRIDDEN", "CONTROL", "QUALITY", "WHY"],
        [
            [
                clock_text(one["at"]), one["source"] or "all", _yes(one["online"]), _yes(one["manual_override"]),
                " ".join(f"{name} {value['current']:g}" for name, value in one["controls"].items()) or None,
                one["quality"], one["cause"] or None,
            ]
            for one in found
        ],
        empty="It has told nothing of its resources in that time.",
    )  # fmt: skip


def _all_readings(api: OperatorApi, named: str, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Page by page. A page is cut between two moments, so that the next begins where it ended."""
    until = datetime.fromisoformat(asked["until"]) if "until" in asked else datetime.now(UTC)
    asked = {"since": moment_text(until - SHOWN), **asked}
    while True:
        page = api.admin(f"parties/{named}/readings", **asked, limit=str(PAGE))
        if len(page) < PAGE:
            yield from page
            return
        oldest = page[-1]["starts_at"]
        whole = [one for one in page if one["starts_at"] != oldest]
        if not whole:
            raise click.ClickException(f"too many readings start at {oldest}: name a --measurand or a --source")
        yield from whole
        asked = {**asked, "until": moment_text(datetime.fromisoformat(oldest) + timedelta(microseconds=1))}


def _seconds(text: str, option: str) -> int:
    try:
        length = parse_fixed_length(duration_text(text))
    except ValueError:
        raise click.BadParameter("must be a duration such as 60s, 15m, 4h or PT90S", param_hint=option) from None
    seconds = length.total_seconds() if isinstance(length, timedelta) else -1.0
    if seconds < 0 or seconds % 1:
        raise click.BadParameter("must be whole seconds, and none below zero", param_hint=option)
    return int(seconds)


def _moment(text: str | None) -> str | None:
    return None if text is None else start_text(text)


def _rates(point: dict[str, Any]) -> str:
    shortest, longest = point["min_period_s"], point["max_period_s"]
    rates = _span(shortest) or "-"
    if longest != shortest:
        rates += f" to {_span(longest)}"
    return f"{rates}, or on change" if point["on_change"] else rates


def _span(seconds: float | None) -> str | None:
    """The largest unit that says it whole; None where there is nothing to say."""
    if not seconds:
        return None
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s"


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _count(report: dict[str, list[dict[str, list[dict[str, list[dict[str, str]]]]]]], kind: str) -> str:
    intervals = [one for resource in report["resources"] for one in resource["intervals"]]
    return f"{sum(one['payloads'][0]['type'] == kind for one in intervals)} intervals"
