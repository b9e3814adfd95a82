"""``openadr-ven``: the agent of a fleet, from its first settings to what it delivered."""

import sys
from collections.abc import Sequence

import click

from openadr_core.errors import OpenAdrError
from openadr_ven.cli.capability import capability
from openadr_ven.cli.condition import condition
from openadr_ven.cli.event import event
from openadr_ven.cli.fleet import fleet
from openadr_ven.cli.init import init
from openadr_ven.cli.ledger import ledger
from openadr_ven.cli.opt import opt
from openadr_ven.cli.registration import registration
from openadr_ven.cli.run import check, fingerprint, run
from openadr_ven.cli.simulate import simulate

FAILED = 1
WRONG_USE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="openadr-der")
def cli() -> None:
    """The agent (VEN) of a fleet of devices: it takes a utility's events over OpenADR and commands the devices.

    \b
    A fleet, from nothing:
      openadr-ven init my-ven --vtn-url https://vtn.example.org --vtn-fingerprint …
      openadr-ven fleet load devices.csv --config my-ven/ven.toml
      openadr-ven check --config my-ven/ven.toml
      openadr-ven run --config my-ven/ven.toml
    """  # noqa: D301  # click reads the backspace


for command in (
    init,
    run,
    check,
    fingerprint,
    fleet,
    event,
    opt,
    registration,
    condition,
    simulate,
    capability,
    ledger,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what goes wrong is one line on stderr, and the exit status."""
    try:
        cli.main(arguments, prog_name="openadr-ven", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OpenAdrError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(WRONG_USE)
