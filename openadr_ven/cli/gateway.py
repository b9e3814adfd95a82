"""``gateway``: what stands between the agent's broker and real devices."""

from pathlib import Path

import click

from openadr_core.shell.clock import SystemClock
from openadr_core.shell.logs import configure_logs
from openadr_ven.bootstrap import gateway as gateway_parts
from openadr_ven.cli.looping import run_async
from openadr_ven.gateways.settings import KINDS, load

COMMON = """\
# A gateway of the fleet: openadr-ven gateway run --config this-file

gateway = "depot-1"           # as the fleet's file names it; it stands before the devices that name it
fleet = "fleet.store"         # what the agent has loaded, or a copy of it
fleet_name = "fleet"          # fleet.name of the agent
record = "depot-1.npz"        # what devices were told, for after a restart

[broker]                      # the agent's
host = "127.0.0.1"
port = 1883
# trust = "broker-ca.pem"     # with it the broker is spoken to over TLS
# username = "depot-1"
# password = "…"
"""
EXAMPLES = {
    "ocpp": """
[ocpp]                        # stations call wss://this-host:8887/<identity>
host = "0.0.0.0"
port = 8887
certificate = "gateway.pem"   # with its authorities, without the root
key = "gateway.key"
# trust = "stations-ca.pem"   # security profile 3: who signs the stations' certificates
stack_level = 1               # above the household's own profiles

[ocpp.stations."CP-0001"]     # security profile 2: printf %s PASSWORD | sha256sum
password_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
evses = { 1 = "charger-17", 2 = "charger-18" }   # connector (1.6) or EVSE (2.x) = device of the fleet

# [ocpp.stations."CP-0002"]   # profile 3; its one place is the device of the same name
# certificate_sha256 = "…"    # openadr-ven fingerprint station.pem
# volts = 230                 # for stations that take limits in amperes only
# phases = 3
""",
}


@click.group(short_help="Stand between the agent's broker and real devices.")
def gateway() -> None:
    """Run a gateway: the contract of docs/gateway-contract.md on one side, devices on the other."""


config_option = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), default=Path("gateway.toml"), show_default=True,
    help="Settings; `openadr-ven gateway example` prints some.",
)  # fmt: skip


@gateway.command(short_help="Run the gateway until it is told to stop.")
@config_option
def run(config: Path) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. Devices keep what they were told until it ends by itself."""
    configure_logs()
    run_async(gateway_parts.run(load(config)))


@gateway.command(short_help="Try the settings and all that they name.")
@config_option
def check(config: Path) -> None:
    """Read the settings, the fleet, certificates and the record; connect to nobody."""
    settings = load(config)
    gateway_parts.build(settings, SystemClock().now)
    click.echo(f"{config}: gateway {settings.gateway} is in order")


@gateway.command(short_help="Print settings with comments.")
@click.argument("kind", type=click.Choice(KINDS))
def example(kind: str) -> None:
    """Print the settings of a gateway of this KIND, to be changed."""
    click.echo(COMMON + EXAMPLES[kind], nl=False)
