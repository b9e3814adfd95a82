"""A whole deployment with a fleet small enough to start in a second: what is tested with it is not its size."""

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from demo.lab import MARKET_CONTEXT, VEN_NAME, Lab, Ports
from openadr_ven.adapters.fleet_header import FLEET_COLUMNS

PROGRAM = "relief"
BASELINE_S = 5
VTN_SETTINGS = {
    "OPENADR_VTN_PARTIES__POLL_INTERVAL_S": "1",
    "OPENADR_VTN_REPORTS__GRANULARITY_S": "1",
    "OPENADR_VTN_REPORTS__REPORT_BACK_S": "2",
}
VEN_SETTINGS = {
    "OPENADR_VEN_VTN__POLL_INTERVAL_S": "1",
    "OPENADR_VEN_AGENT__BASELINE_S": str(BASELINE_S),
    "OPENADR_VEN_ENVELOPE__EVENT_MAX_W": "1000000",
    "OPENADR_VEN_ENVELOPE__RAMP_W_PER_S": "100000",
    "OPENADR_VEN_ENVELOPE__RELEASE_RAMP_W_PER_S": "100000",
    "OPENADR_VEN_ENVELOPE__STEP_MAX_W": "1000000",
    "OPENADR_VEN_ENVELOPE__NOTICE_MIN_S": "0",
    "OPENADR_VEN_ENVELOPE__REVERSALS_PER_HOUR": "1000",
    "OPENADR_VEN_ENVELOPE__SOC_FLOOR": "0.2",
}

GATEWAYS = 3
BATTERIES_EACH = 20
POWER_W = 5_000.0


@contextmanager
def running_lab(folder: Path, vtn_settings: Mapping[str, str] | None = None, init: Sequence[str] = ()) -> Iterator[Lab]:
    """VTN, VEN, broker and simulated devices, enrolled and registered, with a baseline's worth of telemetry.

    ``init`` are options for how the VTN is set up.
    """
    of_vtn = {**VTN_SETTINGS, **(vtn_settings or {})}
    lab = Lab(folder=folder / "lab", ports=Ports.free(), vtn_settings=of_vtn, ven_settings=VEN_SETTINGS)
    try:
        fleet = write_small_fleet(folder / "fleet.csv")
        lab.make_vtn(*init)
        lab.start_vtn()
        lab.start_broker()
        lab.start_simulator("--fleet", fleet)
        lab.make_ven(fleet)
        lab.start_ven()
        enrol(lab)
        yield lab
    finally:
        lab.processes.stop_all()


def enrol(lab: Lab) -> None:
    """Until the running VEN is registered, and has a baseline's worth of telemetry."""
    lab.processes.wait_until("the VEN to knock", lambda: bool(lab.operator_json("party", "list")))
    lab.operator_command("party", "approve", VEN_NAME)
    lab.operator_command("program", "create", PROGRAM, "--relief-sign", "POSITIVE", "--market-context", MARKET_CONTEXT)
    lab.processes.wait_until(
        "the VEN to register", lambda: bool(lab.operator_json("party", "list")[0]["registered_at"])
    )
    time.sleep(BASELINE_S + 1)


def write_small_fleet(path: Path, *, feeders: int = 1) -> Path:
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
                        "feeder": f"feeder-{gateway % feeders + 1}",
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
