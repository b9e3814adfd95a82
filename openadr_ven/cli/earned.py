"""``earned``: what owners earned, by device and event, and why."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from openadr_core.oadr2.market_context import normalised, of_program
from openadr_ven.adapters.command_ledger import ask
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.stored import stored
from openadr_ven.cli.tables import print_table
from openadr_ven.domain.earned import why
from openadr_ven.settings import Settings, load

LINES_MAX = 1_000
GROUPS = {"site": "site", "device": "device_id", "event": "event_id", "class": "device_class"}


@click.command(short_help="Show what owners earned, and why.")
@config_option
@click.option("--site", help="Of one household.")
@click.option("--device", help="Of one device.")
@click.option("--event", "event_id", help="In one event.")
@click.option(
    "--by",
    type=click.Choice(list(GROUPS)),
    help="Sums, the largest first, instead of a line for each device and event.",
)
@click.option("--limit", default=LINES_MAX, show_default=True, type=click.IntRange(1), help="No more lines than this.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def earned(
    config: Path,
    *,
    site: str | None,
    device: str | None,
    event_id: str | None,
    by: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show what owners earned, by device and event, from the command ledger.

    Paid is what a device gave of what it was asked for, at its program's owners_earn_per_kwh, rounded to the hundredth
    by device and event. The same ledger and rates give the same sums.
    """
    settings = load(config)
    wanted = {"site": site, "device_id": device, "event_id": event_id}
    given = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(f"{name} = ?" for name in given) or "true"
    rates = run_async(_rates(settings))
    select = _sums(GROUPS[by], where) if by else _lines(where)
    names, rows = ask(settings.agent.ledger, select, parameters=[*given.values(), limit], rates=rates)
    lines = [_shown(names, row) for row in rows]
    if as_json:
        click.echo(json.dumps(lines, indent=2, default=str))
        return
    if not lines:
        click.echo("nothing is in the ledger of that")
        return
    print_table(list(lines[0]), [[*line.values()] for line in lines])
    if not by:
        click.echo(f"earned together: {sum(float(line['earned']) for line in lines):,.2f}")


async def _rates(settings: Settings) -> dict[str, float]:
    """By event, what its program pays; events whose program pays nothing are left out."""
    paid = {
        normalised(context): program.owners_earn_per_kwh
        for context, program in settings.programs.items()
        if program.owners_earn_per_kwh is not None
    }
    async with stored(settings) as unit:
        held = await unit.held_events()
    found = {one.event.id: of_program(paid, one.event.market_context) for one in held}
    return {event_id: rate for event_id, rate in found.items() if rate is not None}


def _lines(where: str) -> str:
    return f"""
        SELECT event_id AS event, site, device_id AS device, since, seconds, asked_kwh, confirmed_kwh, gave_kwh,
               paid_kwh, per_kwh, coalesce(cents, 0) AS cents, state
        FROM earned WHERE {where} ORDER BY since, event, site, device LIMIT ?
    """  # noqa: S608  (names of columns; what was typed is a parameter)


def _sums(column: str, where: str) -> str:
    return f"""
        SELECT {column}, count(DISTINCT device_id) AS devices, count(DISTINCT event_id) AS events,
               sum(asked_kwh) AS asked_kwh, sum(gave_kwh) AS gave_kwh, sum(paid_kwh) AS paid_kwh,
               sum(coalesce(cents, 0)) AS cents
        FROM earned WHERE {where} GROUP BY {column} ORDER BY cents DESC, {column} LIMIT ?
    """  # noqa: S608


def _shown(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    line = dict(zip(names, row, strict=True))
    reason = None
    if "state" in line:
        reason = why(
            asked_kwh=line["asked_kwh"], confirmed_kwh=line["confirmed_kwh"], gave_kwh=line["gave_kwh"],
            state=line.pop("state"), per_kwh=line["per_kwh"],
        )  # fmt: skip
        line["per_kwh"] = "-" if line["per_kwh"] is None else line["per_kwh"]
        line["since"] = f"{line['since']:%Y-%m-%d %H:%M:%S}"
        line["seconds"] = round(line["seconds"])
    cents = int(line.pop("cents"))
    line |= {
        name: round(value, 3) for name, value in line.items() if name.endswith("_kwh") and isinstance(value, float)
    }
    line["earned"] = f"{cents / 100:.2f}"
    return line if reason is None else line | {"why": reason}
