"""`openadr-vtn opt`: what parties say of their availability."""

from typing import Any

import click

from openadr_vtn.cli.operator_api import OperatorApi, json_option, operator_option
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.tables import clock_text, show_json, show_table


@click.group(cls=PlainGroup)
def opt() -> None:
    """Availability: opt schedules of parties.

    A party says by them when it, or some of what it has, is in or out (OpenADR 2.0b EiOpt). What it says
    to single events is shown with the events.
    """


@opt.command("list")
@click.option("--party", help="Only this one's.")
@json_option
@operator_option
def list_opts(api: OperatorApi, party: str | None, *, as_json: bool) -> None:
    """List opt schedules, the newest first."""
    found = api.admin("opts", **({"party": party} if party else {}))
    if as_json:
        show_json(found)
        return
    show_table(
        ["PARTY", "SAYS", "FOR", "WHEN", "REASON", "STATUS", "OPT ID"],
        [
            [
                one["party"], one["type"], scope_text(one["scope"]), _spans_text(one["spans"]), one["reason"],
                one["status"], one["opt_id"],
            ]
            for one in found
        ],
        empty="No party has made an opt schedule.",
    )  # fmt: skip


@opt.command()
@click.option("--party", help="Only this one.")
@click.option("--resource", "resources", multiple=True, help="Ask about this behind it; repeat for its groups.")
@click.option("--device-class", help="Ask about devices of this class, as OpenADR 2.0b names it.")
@click.option("--program", help="Under this program.")
@click.option("--at", help="From this moment (RFC 3339) instead of now.")
@click.option("--hours", type=click.IntRange(1, 9600), default=24, show_default=True, help="So far ahead.")
@json_option
@operator_option
def availability(
    api: OperatorApi,
    *,
    party: str | None,
    resources: tuple[str, ...],
    device_class: str | None,
    program: str | None,
    at: str | None,
    hours: int,
    as_json: bool,
) -> None:
    """Show who is in and who is out, and when that changes.

    Examples:
      openadr-vtn opt availability
      openadr-vtn opt availability --party acme --resource feeder-7 --program peak --hours 72
    """
    query = {
        "party": party, "resource": ",".join(resources), "device_class": device_class, "program": program, "at": at,
        "hours": str(hours),
    }  # fmt: skip
    found = api.admin("availability", **{name: value for name, value in query.items() if value})
    if as_json:
        show_json(found)
        return
    show_table(
        ["PARTY", "FROM", "IS", "BY", "REASON"],
        [
            [one["party"] if first else "", clock_text(step["starts_at"]), step["type"], step["opt_id"], step["reason"]]
            for one in found
            for first, step in ((index == 0, step) for index, step in enumerate(one["steps"]))
        ],
        empty="No party is approved.",
    )


def scope_text(scope: dict[str, Any]) -> str:
    """Whom an opt speaks for, in a few words."""
    names = " ".join(name for _, name in scope["targets"]) or "all"
    classes = f" ({', '.join(scope['device_classes'])})" if scope["device_classes"] else ""
    return f"{names}{classes}" + (f" under {scope['market_context']}" if scope["market_context"] else "")


def _spans_text(spans: list[dict[str, str | None]]) -> str:
    if not spans:
        return "never"
    first = f"{clock_text(spans[0]['starts_at'])} to {clock_text(spans[0]['ends_at']) or 'for ever'}"
    return first if len(spans) == 1 else f"{first} and {len(spans) - 1} more"
