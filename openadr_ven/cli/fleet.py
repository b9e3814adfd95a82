"""``fleet``: devices in, and what is in."""

from pathlib import Path

import click
import numpy as np

from openadr_ven.adapters.fleet_files import FLEET_COLUMNS, OnBadRow, load_fleet, write_fleet
from openadr_ven.cli.run import config_option
from openadr_ven.cli.tables import print_table
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.settings import load

COLUMNS_HELP = "\n".join(f"  {name:<20} {unit:<6} {meaning}" for name, unit, meaning in FLEET_COLUMNS)


@click.group(short_help="Load and show the devices.")
def fleet() -> None:
    """Load the fleet's devices from a file, and show them."""


@fleet.command(
    "load",
    short_help="Load the fleet from a CSV or Parquet file.",
    help="Load the fleet from a CSV or Parquet FILE, in place of the one before.\n\n"
    "One row is one device. A bad row is reported with its line; then nothing is loaded, unless "
    "--skip-bad-rows leaves such rows out. The agent takes the new fleet when it is started again.\n\n"
    "\b\nColumns:\n" + COLUMNS_HELP,
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--skip-bad-rows", is_flag=True, help="Load the rest; default is all or nothing.")
@config_option
def load_(file: Path, config: Path, *, skip_bad_rows: bool) -> None:
    settings = load(config)
    loaded = load_fleet(file, on_bad_row=OnBadRow.SKIP if skip_bad_rows else OnBadRow.REFUSE)
    for row in loaded.bad_rows:
        click.echo(f"{file}: {row}", err=True)
    target = settings.fleet.file
    target.parent.mkdir(parents=True, exist_ok=True)
    write_fleet(loaded.fleet, target)
    left_out = f", {len(loaded.bad_rows)} rows left out" if loaded.bad_rows else ""
    click.echo(f"{loaded.fleet.size} devices loaded into {target}{left_out}")
    _show(loaded.fleet)


@fleet.command()
@config_option
def show(config: Path) -> None:
    """Show the fleet by class."""
    _show(load_fleet(load(config).fleet.file).fleet)


def _show(fleet: Fleet) -> None:
    rows = []
    for device_class in DeviceClass:
        behind = fleet.rows_of(device_class)
        rated_kw = float(np.nansum(fleet.power_max_w[behind])) / 1e3
        stored_kwh = float(np.nansum(fleet.energy_wh[behind])) / 1e3
        rows.append((device_class.name.lower(), behind.size, f"{rated_kw:,.0f}", f"{stored_kwh:,.0f}"))
    print_table(("class", "devices", "rated kW", "storage kWh"), rows)
    click.echo(
        f"{fleet.size} devices, {len(fleet.vendor_names)} vendors, {len(fleet.gateway_names)} gateways, "
        f"{len(fleet.transformer_names)} transformers, {len(fleet.feeder_names)} feeders"
    )
