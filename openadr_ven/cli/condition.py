"""``condition``: what the operator of a fleet says of the world."""

from datetime import UTC, datetime
from pathlib import Path

import click

from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.stored import stored
from openadr_ven.cli.tables import print_table
from openadr_ven.domain.held import Condition
from openadr_ven.settings import Settings, load

NAMES = click.Choice([one.value for one in Condition])


@click.group(short_help="Say what no telemetry tells: a storm is coming.")
def condition() -> None:
    """Say of the world what no telemetry tells. The running agent heeds it from its next round on.

    \b
    storm   batteries whose owners keep them for storms (storm_hold) stay full, whatever is asked
    outage  the grid is back after it was away: capacity limits told before hold no more, the subscription does
    """  # noqa: D301  # click reads the backspace


@condition.command()
@click.argument("name", type=NAMES)
@config_option
def begin(name: str, config: Path) -> None:
    """Say that NAME holds from now on."""
    run_async(_set(load(config), Condition(name), datetime.now(UTC)))
    click.echo(f"{name}: from now on")


@condition.command()
@click.argument("name", type=NAMES)
@config_option
def end(name: str, config: Path) -> None:
    """Say that NAME is over."""
    run_async(_set(load(config), Condition(name), None))
    click.echo(f"{name}: over")


@condition.command()
@config_option
def show(config: Path) -> None:
    """Show what holds, and since when."""
    held = run_async(_held(load(config)))
    rows = [(one.value, f"{held[one]:%Y-%m-%d %H:%M:%S}" if one in held else "no") for one in Condition]
    print_table(("condition", "since (UTC)"), rows)


async def _set(settings: Settings, name: Condition, since: datetime | None) -> None:
    async with stored(settings) as unit:
        await unit.set_condition(name, since)


async def _held(settings: Settings) -> dict[Condition, datetime]:
    async with stored(settings) as unit:
        return await unit.conditions()
