"""``simulate``: devices that are not there, behind the same broker and contract as real ones."""

from pathlib import Path

import click

from openadr_core.shell.logs import configure_logs
from openadr_ven.cli.looping import run_async
from openadr_ven.simulator.run import SimulatorSettings
from openadr_ven.simulator.run import run as run_simulator


@click.command(short_help="Simulate devices and an independent meter.")
@click.option(
    "--fleet",
    "fleet_file",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="The fleet (a store, CSV or Parquet): the same that the agent has loaded.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for its records.")
@click.option(
    "--site-loads",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV of what is on the feeder besides the devices.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The MQTT broker.")
@click.option("--port", default=1883, show_default=True, type=click.IntRange(1, 65535))
@click.option("--fleet-name", default="fleet", show_default=True, help="The fleet's name in topics (fleet.name).")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same devices.")
@click.option("--fault", "faults", multiple=True, help="A fault, e.g. 'silent:VendorX@+40'; may be repeated.")
def simulate(
    *,
    fleet_file: Path,
    out: Path,
    site_loads: Path | None,
    host: str,
    port: int,
    fleet_name: str,
    seed: int,
    faults: tuple[str, ...],
) -> None:
    """Simulate every device of a fleet, and an independent meter, until stopped.

    The devices speak the gateway contract (docs/gateway-contract.md) over the broker. The meter's and the
    devices' own records are written to --out, for whoever wants to check what the agent says.
    """
    configure_logs()
    settings = SimulatorSettings(
        fleet_file=fleet_file,
        out=out,
        site_loads=site_loads,
        host=host,
        port=port,
        fleet=fleet_name,
        seed=seed,
        faults=faults,
    )
    run_async(run_simulator(settings))
