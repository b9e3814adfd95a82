"""The command `openadr-vtn`: its groups, and how errors are told."""

from typing import Any

import click

from openadr_core.errors import ConfigError, OpenAdrError
from openadr_vtn.cli.certificate import certificate
from openadr_vtn.cli.client import client
from openadr_vtn.cli.control import control
from openadr_vtn.cli.device import device
from openadr_vtn.cli.event import event
from openadr_vtn.cli.init import init
from openadr_vtn.cli.mqtt import mqtt
from openadr_vtn.cli.opt import opt
from openadr_vtn.cli.party import party
from openadr_vtn.cli.plain_help import PlainGroup
from openadr_vtn.cli.program import program
from openadr_vtn.cli.report import report
from openadr_vtn.cli.run import check, run
from openadr_vtn.cli.stop import stop
from openadr_vtn.cli.subscription import subscription
from openadr_vtn.cli.ven import ven

CONFIG_STATUS = 2


class Commands(PlainGroup):
    """Turns errors of ours into one line and an exit status: 2 for a setting, 1 for anything else."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (OpenAdrError, OSError) as error:
            click.secho(f"Error: {error}", fg="red", err=True)
            ctx.exit(CONFIG_STATUS if isinstance(error, ConfigError) else 1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="openadr-der")
def main() -> None:
    r"""The utility's side of a virtual power plant: an OpenADR VTN.

    Begin here:
      openadr-vtn init utility                  certificates, settings, an operator's access
      openadr-vtn run --config utility/vtn.toml
      cd utility
      openadr-vtn party list                    who knocked
      openadr-vtn party approve NAME
      openadr-vtn program create peak --relief-sign POSITIVE
      openadr-vtn event create --program peak --payload-type DISPATCH_SETPOINT_RELATIVE \
          --value 5000 --units KW --start now --duration 120s
      openadr-vtn event show ID
      openadr-vtn opt availability              who is in and who is out
      openadr-vtn stop

    Commands other than init, run, check, certificate and client talk to a running VTN over TLS, with
    the access in operator.toml.
    """


for command in (
    init,
    run,
    check,
    certificate,
    client,
    party,
    program,
    event,
    opt,
    ven,
    report,
    device,
    control,
    subscription,
    mqtt,
    stop,
):
    main.add_command(command)
