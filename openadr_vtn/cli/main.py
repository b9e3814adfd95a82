"""The command `openadr-vtn`: its groups, and how errors are told."""

from collections.abc import Mapping
from typing import Any, ClassVar

import click

from openadr_core.errors import ConfigError, OpenAdrError
from openadr_core.shell.late_commands import LateGroup
from openadr_vtn.cli.plain_help import PlainGroup

CONFIG_STATUS = 2


class Commands(LateGroup, PlainGroup):
    """Errors of ours become one line and an exit status: 2 for a setting, 1 for anything else."""

    package = "openadr_vtn.cli"
    late: ClassVar[Mapping[str, tuple[str, str]]] = {
        "init": ("init", "Make a folder with all that a VTN needs."),
        "run": ("run", "Serve until SIGTERM or Ctrl-C."),
        "check": ("run", "Say which setting is wrong, if any."),
        "certificate": ("certificate", "Certificates of a laboratory: mint them, look at them."),
        "client": ("client", "Clients of both APIs, and what each may do."),
        "party": ("party", "Parties: VENs, by their certificates."),
        "program": ("program", "Programs: what events belong to, and what their numbers mean."),
        "event": ("event", "Events: what is asked of parties, and what came of it."),
        "opt": ("opt", "Availability: opt schedules of parties."),
        "ven": ("ven", "VENs of OpenADR 3, and their resources."),
        "report": ("report", "Reports: what parties measure."),
        "device": ("device", "Devices of IEEE 2030.5 (CSIP), and their groups."),
        "control": ("control", "Controls of IEEE 2030.5 devices, group by group."),
        "subscription": ("subscription", "Subscriptions: the webhooks of OpenADR 3 clients."),
        "mqtt": ("mqtt", "The broker on which clients of OpenADR 3 are told of changes."),
        "store": ("store", "The store, and the keys that seal the secrets in it."),
        "stop": ("stop", "Cancel all events, or those named, at once."),
    }

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

    Commands other than init, run, check, certificate, client and store talk to a running VTN over TLS, with
    the access in operator.toml.
    """
