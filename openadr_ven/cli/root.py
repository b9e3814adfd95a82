"""``openadr-ven``: the agent of a fleet, from its first settings to what it delivered."""

import sys
from collections.abc import Mapping, Sequence
from typing import ClassVar

import click

from openadr_core.errors import OpenAdrError
from openadr_core.shell.late_commands import LateGroup

FAILED = 1
WRONG_USE = 2


class Commands(LateGroup):
    package = "openadr_ven.cli"
    late: ClassVar[Mapping[str, tuple[str, str]]] = {
        "init": ("init", "Write settings that say what they mean."),
        "run": ("run", "Run the agent until it is told to stop."),
        "check": ("run", "Try the settings and all that they name."),
        "fingerprint": ("run", "Show the fingerprints of a certificate (PEM)."),
        "fleet": ("fleet", "Load, generate and show the devices."),
        "event": ("event", "Show events and what came of them."),
        "opt": ("opt", "Say when the fleet, or some of it, is in or out."),
        "registration": ("registration", "Show, end or begin the registration at the VTN."),
        "condition": ("condition", "Say what no telemetry tells: a storm is coming."),
        "gateway": ("gateway", "Stand between the agent's broker and real devices."),
        "shard": ("shard", "Compute and carry a part of the agent's fleet beside it."),
        "shards": ("shard", "Show which shards are there."),
        "simulate": ("simulate", "Simulate devices and an independent meter."),
        "capability": ("capability", "Show how many megawatts, for how long, how soon, how surely."),
        "earned": ("earned", "Show what owners earned, and why."),
        "ledger": ("ledger", "Ask the command ledger in SQL."),
    }


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
