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
# price_key = "price.pub"     # follow the price of its feeders: openssl pkey -in price.key -pubout -out price.pub
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
    "cloud": """
[cloud]                       # a vendor's HTTP API; here the shape of one whose batteries have modes, and no watts
url = "https://fleet-api.vendor.example"
requests_per_minute = 60
burst = 5
pace_s = 60                   # a device is told another setpoint no more often than this
read_every_s = 60

[cloud.token]                 # OAuth 2.0 client credentials; without url and client_id the file holds the token
url = "https://auth.vendor.example/oauth2/v3/token"
client_id = "…"
secret_file = "vendor.secret"
# scope = "energy_device_data energy_cmds"

[cloud.devices]               # device of the fleet = its name at the vendor
"battery-1" = "1234567890"

[cloud.read]
path = "/api/1/energy_sites/{device}/live_status"
power_w = "/response/battery_power"       # JSON pointers
power_scale = -1                          # the vendor counts feeding as positive
soc = "/response/percentage_charged"
soc_scale = 0.01
online = "/response/grid_status"
truths = ["Active"]

[[cloud.orders.SETPOINT]]     # {setpoint_w}, {draw_w}, {feed_w}, {until}, {seconds}, {device}
when = "feeds"                # feeding: let it go down to its reserve, and onto the grid
path = "/api/1/energy_sites/{device}/backup"
body = { backup_reserve_percent = 20 }

[[cloud.orders.SETPOINT]]
when = "feeds"
path = "/api/1/energy_sites/{device}/grid_import_export"
body = { customer_preferred_export_rule = "battery_ok" }

[[cloud.orders.SETPOINT]]     # drawing, or nothing: keep what is in it
when = "draws"
path = "/api/1/energy_sites/{device}/backup"
body = { backup_reserve_percent = 100 }

[[cloud.orders.RELEASE]]
path = "/api/1/energy_sites/{device}/backup"
body = { backup_reserve_percent = 30 }

# An API that takes many devices at once has each:
#   [[cloud.orders.SETPOINT]]
#   path = "/v2/commands"
#   each = { id = "{device}", watts = "{setpoint_w}", seconds = "{seconds}" }
#   body = { commands = "{each}" }
#   refused = "/refused"      # in the answer, the list of those that did not take it
""",
    "sunspec": """
[sunspec]                     # inverters and batteries on this gateway's own network
read_every_s = 1

[sunspec.devices."battery-1"]
host = "192.168.178.40"
port = 502
unit = 1
""",
    "sep2": """
[sep2]                        # inverters and chargers call https://this-host:8446/dcap (IEEE 2030.5, CSIP, CSIP-AUS)
host = "0.0.0.0"
port = 8446
certificate = "gateway.pem"   # with its authorities, without the root
key = "gateway.key"
trust = ["serca.pem"]         # who signs the devices' certificates
pen = 28547                   # our Private Enterprise Number
csipaus = "1.2"               # none, 1.2 or 1.3
store = "depot-1.db"
poll_rate_s = 60              # how often devices are to look
post_rate_s = 60              # and to tell what they measure
answer_wait_s = 180           # an order that a device has not answered by then is taken back

# [sep2.default]              # what holds where nothing is told (DefaultDERControl); without it the device's own ways
# opModExpLimW = 1500

[sep2.devices."inverter-1"]   # openadr-ven fingerprint inverter.pem
certificate_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
pin = 111115                  # five digits, and the last one of their sum
""",
    "topics": """
[topics]                      # a broker at which devices have topics of their own; here one charger of evcc
host = "127.0.0.1"
port = 1883

[topics.devices."charger-1"]
alive = "evcc/updated"        # whatever is said there says that what was told before still holds
power_w = { topic = "evcc/loadpoints/1/chargePower" }
soc = { topic = "evcc/loadpoints/1/vehicleSoc", scale = 0.01 }
plugged = { topic = "evcc/loadpoints/1/connected", truths = ["true"] }
online = { topic = "evcc/status", truths = ["online"] }

[[topics.devices."charger-1".orders.SHED]]
topic = "evcc/loadpoints/1/mode/set"
payload = "off"
echo = { topic = "evcc/loadpoints/1/mode", value = "off" }     # what it tells when it has taken it

[[topics.devices."charger-1".orders.LOAD_UP]]
topic = "evcc/loadpoints/1/mode/set"
payload = "now"
echo = { topic = "evcc/loadpoints/1/mode", value = "now" }

[[topics.devices."charger-1".orders.RELEASE]]
topic = "evcc/loadpoints/1/mode/set"
payload = "pv"                # what this household has it at
echo = { topic = "evcc/loadpoints/1/mode", value = "pv" }
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
