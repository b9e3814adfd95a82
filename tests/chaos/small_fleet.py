"""A fleet of batteries that is small enough to start in a second: what is tested is not its size."""

import csv
from pathlib import Path

from openadr_ven.adapters.fleet_header import FLEET_COLUMNS

GATEWAYS = 3
BATTERIES_EACH = 20
POWER_W = 5_000.0


def write_small_fleet(path: Path) -> Path:
    """``GATEWAYS`` gateways of one vendor each, a transformer for every four homes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name, _, _ in FLEET_COLUMNS])
        writer.writeheader()
        for gateway in range(GATEWAYS):
            for slot in range(BATTERIES_EACH):
                number = gateway * BATTERIES_EACH + slot
                writer.writerow(
                    {
                        "device_id": f"battery-{number}",
                        "device_class": "battery",
                        "vendor": f"vendor-{gateway}",
                        "gateway": f"gateway-{gateway}",
                        "site": f"home-{number}",
                        "transformer": f"transformer-{number // 4}",
                        "feeder": "feeder-1",
                        "slot": slot,
                        "transformer_limit_w": 50_000,
                        "feeder_limit_w": 5_000_000,
                        "import_max_w": POWER_W,
                        "export_max_w": POWER_W,
                        "energy_wh": 13_500,
                        "charge_efficiency": 0.95,
                        "discharge_efficiency": 0.95,
                        "reserve": 0.2,
                    }
                )
    return path
