"""``fleet``: devices in, and what is in."""

import time
from pathlib import Path

import click
import numpy as np

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_files import FLEET_COLUMNS, OnBadRow, load_fleet, write_fleet
from openadr_ven.adapters.fleet_source import is_file, keep_fleet, open_fleet
from openadr_ven.adapters.fleet_store import FleetStore
from openadr_ven.cli.run import config_option
from openadr_ven.cli.tables import print_table
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.fleet.population import SMALLEST, nameplate_w, populate
from openadr_ven.settings import load

COLUMNS_HELP = "\n".join(f"  {name:<20} {unit:<6} {meaning}" for name, unit, meaning in FLEET_COLUMNS)


@click.group(short_help="Load, generate and show the devices.")
def fleet() -> None:
    """Load the fleet's devices from a file, or draw some, and show them."""


@fleet.command(
    "load",
    short_help="Load the fleet from a CSV or Parquet file.",
    help="Load the fleet from a CSV or Parquet FILE, in place of the one before.\n\n"
    "One row is one device. A bad row is reported with its line and column; then nothing is loaded, unless "
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
    keep_fleet(loaded.fleet, target, note=f"loaded from {file.name}")
    left_out = f", {len(loaded.bad_rows)} rows left out" if loaded.bad_rows else ""
    click.echo(f"{loaded.fleet.size} devices loaded into {target}{left_out}")
    _show(loaded.fleet)


@fleet.command(short_help="Draw a fleet from published statistics.")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--devices", default=9_000_000, show_default=True, type=click.IntRange(SMALLEST, 50_000_000))
@click.option("--seed", default=7, show_default=True, help="The same seed draws the same fleet.")
def generate(out: Path, *, devices: int, seed: int) -> None:
    """Draw a fleet and keep it at OUT: a store's folder, or a .csv or .parquet file.

    Nine million devices are the industry's headline fleet of 16.8 GW: eight million thermostats, and batteries,
    vehicles, inverters and water heaters, with their homes, transformers, feeders, vendors and owners' terms.
    openadr_ven/fleet/statistics.py says where each number is from.
    """
    begun = time.monotonic()

    def tell(stage: str) -> None:
        click.echo(f"{time.monotonic() - begun:6.1f} s  {stage}", err=True)

    drawn = populate(devices, rng=np.random.default_rng(seed), progress=tell)
    tell(f"writing {out}")
    keep_fleet(drawn, out, note=f"generated with seed {seed}")
    tell("done")
    _show(drawn)


@fleet.command()
@config_option
def show(config: Path) -> None:
    """Show the fleet by class."""
    _show(open_fleet(load(config).fleet.file).fleet)


@fleet.command(short_help="Write the fleet to a CSV or Parquet file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
def export(file: Path, config: Path) -> None:
    """Write the fleet in use to FILE: Parquet, or CSV if the name ends so."""
    write_fleet(open_fleet(load(config).fleet.file).fleet, file)
    click.echo(f"{file} written")


@fleet.command()
@config_option
def versions(config: Path) -> None:
    """Show the fleet's versions, oldest first."""
    store = _store(config)
    used = store.current().number
    rows = [
        (one.number, f"{one.saved_at:%Y-%m-%d %H:%M:%S}", one.devices, one.note, "in use" if one.number == used else "")
        for one in store.versions()
    ]
    print_table(("version", "saved (UTC)", "devices", "note", ""), rows)


@fleet.command()
@click.argument("version", type=int)
@config_option
def use(version: int, config: Path) -> None:
    """Go back, or forth, to VERSION. The agent takes it when it is started again."""
    used = _store(config).use(version)
    click.echo(f"version {used.number}: {used.devices} devices")


def _store(config: Path) -> FleetStore:
    path = load(config).fleet.file
    if is_file(path):
        raise ConfigError(f"fleet.file: {path} is one file, which has no versions; name a folder instead")
    return FleetStore(path)


def _show(fleet: Fleet) -> None:
    rows = []
    for device_class in DeviceClass:
        behind = fleet.rows_of(device_class)
        rated_kw = float(np.nansum(fleet.power_max_w[behind])) / 1e3
        stored_kwh = float(np.nansum(fleet.energy_wh[behind])) / 1e3
        rows.append((device_class.name.lower(), f"{behind.size:,}", f"{rated_kw:,.0f}", f"{stored_kwh:,.0f}"))
    print_table(("class", "devices", "rated kW", "storage kWh"), rows)
    click.echo(
        f"{fleet.size:,} devices, {len(fleet.vendor_names)} vendors, {len(fleet.gateway_names):,} gateways, "
        f"{len(fleet.transformer_names):,} transformers, {len(fleet.feeder_names):,} feeders; "
        f"nameplate {nameplate_w(fleet) / 1e6:,.1f} MW"
    )
