"""`openadr-vtn stop`."""

import click

from openadr_vtn.cli.operator_api import OperatorApi, operator_option
from openadr_vtn.cli.plain_help import PlainCommand


@click.command(cls=PlainCommand)
@click.argument("events", metavar="[EVENT]...", nargs=-1)
@click.option("--reason", default="", help="For the audit trail.")
@operator_option
def stop(api: OperatorApi, events: tuple[str, ...], reason: str) -> None:
    """Cancel all events, or those named, at once.

    What runs and what is to come ends in one go. One person is enough. Parties let go at their next poll, ramped.
    """
    named = {"events": list(events)} if events else {}
    stopped = api.command("stop", {**named, "reason": reason})["stopped"]
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running or to come.")
