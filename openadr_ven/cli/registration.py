"""``registration``: whether the fleet is at the utility's disposal at all."""

from datetime import UTC, datetime
from pathlib import Path

import click

from openadr_ven.application.agent import UPSTREAM
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.run import config_option
from openadr_ven.cli.stored import stored
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory
from openadr_ven.settings import Settings, load


@click.group(short_help="Show, end or begin the registration at the VTN.")
def registration() -> None:
    """Show, end or begin the registration at the VTN. A running agent registers by itself, and keeps at it."""


@registration.command(short_help="Show as whom the agent is registered.")
@config_option
def show(config: Path) -> None:
    """Show as whom the agent was registered when it last spoke to the VTN."""
    memory, away = run_async(_read(load(config)))
    state = "registered" if memory.registered else "not registered"
    click.echo(f"state           {state}" + (f", to stay away since {away:%Y-%m-%d %H:%M:%S} UTC" if away else ""))
    click.echo(f"venID           {memory.ven_id or '-'}")
    click.echo(f"vtnID           {memory.vtn_id or '-'}")
    click.echo(f"registrationID  {memory.registration_id or '-'}")
    click.echo(
        f"asked to poll   every {memory.poll_freq.total_seconds():g} s" if memory.poll_freq else "asked to poll   -"
    )


@registration.command(short_help="End the registration, and stay away.")
@config_option
def leave(config: Path) -> None:
    """End the registration, let the fleet go from every event, and stay away until `openadr-ven registration join`.

    The running agent does so at once; one that is started later does not register.
    """
    run_async(_wish(load(config), datetime.now(UTC)))
    click.echo("to stay away")


@registration.command(short_help="Register again.")
@config_option
def join(config: Path) -> None:
    """Stay away no more: the running agent registers at once."""
    run_async(_wish(load(config), None))
    click.echo("to be registered")


async def _wish(settings: Settings, away_since: datetime | None) -> None:
    async with stored(settings) as unit:
        await unit.set_away(UPSTREAM, away_since)


async def _read(settings: Settings) -> tuple[Memory, datetime | None]:
    async with stored(settings) as unit:
        record = await unit.session_record(UPSTREAM)
        away = await unit.away_since(UPSTREAM)
    return Memory() if record is None else from_record(Memory, record), away
