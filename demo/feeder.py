"""The demo's fleet: the homes of the IEEE 9500-node feeder, with devices drawn by seed.

    python demo/feeder.py --out DIR --seed 7

writes ``fleet.csv`` (columns as in ``openadr_ven.adapters.fleet_header``) and ``site_loads.csv`` (what
each home draws besides its devices), and prints the table of classes. Sizes are those of products on
the market; vendors are made up.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from demo.network import SUBSTATION_W, Home, Network, feeder_folder, read_network
from openadr_ven.adapters.fleet_files import load_fleet
from openadr_ven.adapters.fleet_header import FLEET_COLUMNS
from openadr_ven.fleet.columns import DeviceClass, Fleet

Row = dict[str, str | float]

BACKGROUND = 0.45
"""Of a home's nominal load: the rest of it is cooling, hot water and charging, which are devices here."""

SHARES = {"battery": 0.60, "ev_bidirectional": 0.05, "ev_charger": 0.15, "thermostat": 0.50, "solar_inverter": 0.30,
          "water_heater": 0.20}  # fmt: skip
"""Of homes that have one."""

VENDORS: dict[str, dict[str, float]] = {
    "battery": {"Aldebaran": 0.32, "Brightwall": 0.26, "Cellhaus": 0.20, "Deneb": 0.12, "Eastwind": 0.10},
    "ev_bidirectional": {"Fjordvolt": 1.0},
    "ev_charger": {"Fjordvolt": 0.4, "Gridleaf": 0.6},
    "thermostat": {"Hearthly": 0.55, "Isotherm": 0.45},
    "solar_inverter": {"Aldebaran": 0.5, "Cellhaus": 0.5},
    "water_heater": {"Junowater": 1.0},
}
"""Ten vendors. Eastwind makes a tenth of the batteries and nothing else: the one that will fall silent."""

CONNECTED_W = {"ev_bidirectional": 7_200.0, "ev_charger": 7_200.0, "thermostat": 5_000.0, "water_heater": 4_500.0}
"""What a utility counts on when it connects one."""
CONNECTED_SHARE = 0.90
"""Of a transformer's rating, all devices drawing at once."""

GATEWAY_DEVICES = 250
"""The most behind one gateway; a gateway is one vendor's."""
BATTERIES = ((5_000.0, 13_500.0), (3_840.0, 10_000.0), (7_600.0, 16_000.0), (11_500.0, 13_500.0))
BATTERY_SHARES = (0.45, 0.20, 0.20, 0.15)
AWAY_AFTER_S = (11 * 3600.0, 14 * 3600.0)
"""From half past six in the evening to when vehicles leave in the morning."""


def draw_devices(network: Network, *, rng: np.random.Generator, at_s: float) -> list[Row]:
    """Rows of a fleet file; ``at_s`` is the moment of the clock that stands for half past six in the evening."""
    rows = []
    for device_class, homes in _placed(network, rng).items():
        for home, vendor in zip(homes, _vendors(device_class, len(homes), rng), strict=True):
            rows.append(_device(device_class, vendor, home, network) | SIZES[device_class](rng, at_s))
    _put_behind_gateways(rows)
    return rows


def class_table(fleet: Fleet) -> str:
    """How many devices of each class, what they can feed, draw and store, and who made them."""
    lines = [f"{'class':<18}{'devices':>8}{'feeds MW':>10}{'draws MW':>10}{'stores MWh':>12}  vendors"]
    for kind in DeviceClass:
        rows = fleet.rows_of(kind)
        feeds, draws = fleet.export_max_w[rows].sum() / 1e6, fleet.import_max_w[rows].sum() / 1e6
        stores = np.nansum(fleet.energy_wh[rows]) / 1e6
        vendors = ", ".join(fleet.vendor_names[code] for code in np.unique(fleet.vendor[rows]))
        lines.append(f"{kind.name.lower():<18}{rows.size:>8}{feeds:>10.2f}{draws:>10.2f}{stores:>12.2f}  {vendors}")
    lines.append(
        f"{fleet.size} devices at {len(fleet.site_names)} homes, behind {len(fleet.gateway_names)} gateways"
        f" and {len(fleet.transformer_names)} service transformers"
    )
    return "\n".join(lines)


def write_demo_fleet(folder: Path, *, seed: int, at_s: float) -> Fleet:
    """Write both files and read the fleet back, as the VEN will."""
    network = read_network(feeder_folder())
    folder.mkdir(parents=True, exist_ok=True)
    devices = draw_devices(network, rng=np.random.default_rng(seed), at_s=at_s)
    _write(folder / "fleet.csv", [name for name, _, _ in FLEET_COLUMNS], devices)
    _write(folder / "site_loads.csv", ("site", "transformer", "feeder", "load_w"), map(_site_load, network.homes))
    return load_fleet(folder / "fleet.csv").fleet


def _placed(network: Network, rng: np.random.Generator) -> dict[str, list[Home]]:
    """Which homes have which device: what draws comes only where its transformer carries it with all else running."""
    spare_w = {name: CONNECTED_SHARE * rating_w for name, rating_w in network.rating_w.items()}
    for home in network.homes:
        spare_w[home.transformer] -= BACKGROUND * home.nominal_w
    placed: dict[str, list[Home]] = {}
    for device_class, share in SHARES.items():
        homes = placed[device_class] = []
        for row in rng.permutation(len(network.homes)):
            home, draws_w = network.homes[row], CONNECTED_W.get(device_class, 0.0)
            if draws_w and spare_w[home.transformer] < draws_w:
                continue
            spare_w[home.transformer] -= draws_w
            homes.append(home)
            if len(homes) == round(share * len(network.homes)):
                break
    return placed


def _vendors(device_class: str, size: int, rng: np.random.Generator) -> Sequence[str]:
    """A vendor for each device: shares are exact, who has what is drawn."""
    shares = VENDORS[device_class]
    ends = np.round(np.cumsum([0.0, *shares.values()]) * size).astype(int)
    names: Sequence[str] = rng.permutation(np.repeat(list(shares), np.diff(ends))).tolist()
    return names


def _device(device_class: str, vendor: str, home: Home, network: Network) -> Row:
    return {
        "device_id": f"{device_class}-{home.name}",
        "device_class": device_class,
        "vendor": vendor,
        "site": home.name,
        "transformer": home.transformer,
        "feeder": home.feeder,
        "transformer_limit_w": network.rating_w[home.transformer],
        "feeder_limit_w": SUBSTATION_W,
    }


def _put_behind_gateways(rows: list[Row]) -> None:
    """Give each device a gateway and a slot: neighbours share a gateway."""
    by_vendor: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["feeder"], row["transformer"], row["device_id"])):
        by_vendor.setdefault(str(row["vendor"]), []).append(row)
    for vendor, devices in by_vendor.items():
        gateways = -(-len(devices) // GATEWAY_DEVICES)
        each = -(-len(devices) // gateways)
        for place, row in enumerate(devices):
            row["gateway"], row["slot"] = f"{vendor.lower()}-{place // each + 1:02d}", place % each


def _battery(rng: np.random.Generator, _at_s: float) -> Row:
    power_w, energy_wh = BATTERIES[rng.choice(len(BATTERIES), p=BATTERY_SHARES)]
    return {
        "import_max_w": power_w,
        "export_max_w": power_w,
        "energy_wh": energy_wh,
        "charge_efficiency": 0.95,
        "discharge_efficiency": 0.95,
        "reserve": float(rng.choice([0.2, 0.3, 0.5], p=[0.7, 0.2, 0.1])),
        "ask_per_kwh": round(rng.gamma(2.0, 0.05), 4),
    }


def _ev_charger(rng: np.random.Generator, at_s: float) -> Row:
    return {
        "import_max_w": CONNECTED_W["ev_charger"],
        "energy_wh": float(rng.choice([58e3, 66e3, 77e3, 82e3])),
        "charge_efficiency": 0.92,
        "departure_s": (at_s + rng.uniform(*AWAY_AFTER_S)) % 86_400.0 // 1.0,
        "target_soc": float(rng.choice([0.8, 0.9])),
        "ask_per_kwh": round(rng.gamma(2.0, 0.02), 4),
    }


def _ev_bidirectional(rng: np.random.Generator, at_s: float) -> Row:
    return _ev_charger(rng, at_s) | {
        "export_max_w": CONNECTED_W["ev_bidirectional"],
        "discharge_efficiency": 0.92,
        "reserve": 0.3,
    }


def _thermostat(rng: np.random.Generator, _at_s: float) -> Row:
    return {
        "import_max_w": round(float(np.clip(rng.lognormal(np.log(3_500.0), 0.2), 2_000.0, 5_000.0))),
        "resistance_c_per_w": round(rng.lognormal(np.log(0.002), 0.2), 6),
        "capacity_wh_per_c": round(rng.lognormal(np.log(6_000.0), 0.25)),
        "cop": round(rng.uniform(2.8, 4.0), 2),
        "gain_w": round(rng.uniform(300.0, 1_200.0)),
        "setpoint_c": round(rng.normal(23.9, 1.0), 1),
        "deadband_c": 0.5,
        "comfort_c": 2.0,
        "ask_per_kwh": round(rng.gamma(2.0, 0.08), 4),
    }


def _solar_inverter(rng: np.random.Generator, _at_s: float) -> Row:
    return {"export_max_w": float(rng.choice([3_800.0, 5_000.0, 6_000.0, 7_600.0]))}


def _water_heater(rng: np.random.Generator, _at_s: float) -> Row:
    return {
        "import_max_w": 4_500.0,
        "resistance_c_per_w": 0.5,
        "capacity_wh_per_c": float(rng.choice([175.0, 220.0, 290.0])),
        "cop": 1.0,
        "gain_w": round(-rng.gamma(4.0, 75.0)),
        "setpoint_c": 52.0,
        "deadband_c": 3.0,
        "comfort_c": 8.0,
        "ask_per_kwh": round(rng.gamma(2.0, 0.03), 4),
    }


SIZES: dict[str, Callable[[np.random.Generator, float], Row]] = {
    "battery": _battery,
    "ev_bidirectional": _ev_bidirectional,
    "ev_charger": _ev_charger,
    "thermostat": _thermostat,
    "solar_inverter": _solar_inverter,
    "water_heater": _water_heater,
}


def _site_load(home: Home) -> Row:
    return {
        "site": home.name,
        "transformer": home.transformer,
        "feeder": home.feeder,
        "load_w": round(BACKGROUND * home.nominal_w, 1),
    }


def _write(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, str | float]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the demo's fleet on the IEEE 9500-node feeder.")
    parser.add_argument("--out", type=Path, required=True, help="folder for fleet.csv and site_loads.csv")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--at", type=float, help="seconds since 1970 that stand for 18:30 in July; now if not given")
    arguments = parser.parse_args()
    at_s = time.time() if arguments.at is None else arguments.at
    print(class_table(write_demo_fleet(arguments.out, seed=arguments.seed, at_s=at_s)))


if __name__ == "__main__":
    main()
