"""A fleet drawn from published statistics: as large as asked, the same for the same dice.

Nine million devices take about twenty seconds: everything is drawn by column, in the network's order.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet import statistics as known
from openadr_ven.fleet.columns import Codes, DeviceClass, Fleet, Floats, Rows, Texts
from openadr_ven.fleet.model import DAY_S, HOT_DAY_C, HOUR_S
from openadr_ven.fleet.terms import Terms
from openadr_ven.fleet.thermostat import answer

Progress = Callable[[str], None]
"""Told what is being drawn."""
SMALLEST = 100


def populate(size: int, *, rng: np.random.Generator, progress: Progress = lambda _stage: None) -> Fleet:
    """A fleet of ``size`` devices (a hundred at least) with its homes, transformers, feeders and substations."""
    progress("homes and their devices")
    device_class, site = _devices(size, rng)
    progress("transformers, feeders, substations")
    homes = int(site[-1]) + 1
    transformer_of, rating_w = _transformers(homes, rng)
    feeder_of = (np.arange(homes, dtype=np.uint32) // known.FEEDER_HOMES).astype(np.uint32)
    # A transformer is below one feeder: the first home's.
    first_home = np.searchsorted(transformer_of, np.arange(rating_w.size))
    feeder_of = feeder_of[first_home][transformer_of]
    feeders = int(feeder_of[-1]) + 1
    feeder_substation = (np.arange(feeders) // known.SUBSTATION_FEEDERS).astype(np.uint32)
    progress("vendors and gateways")
    vendor, latency_s = _vendors(device_class, rng)
    gateway, slot, gateway_names = _gateways(vendor)
    columns = {name: np.full(size, np.nan) for name in FLOAT_COLUMNS}
    columns["import_max_w"][:] = columns["export_max_w"][:] = columns["ask_per_kwh"][:] = 0.0
    for one, draw in DRAWS.items():
        progress(one.name.lower().replace("_", " "))
        rows = np.flatnonzero(device_class == one)
        for name, values in draw(rows.size, rng).items():
            columns[name][rows] = values
    progress("names and terms")
    return Fleet(
        device_id=_names("d", size),
        device_class=device_class,
        vendor=vendor,
        gateway=gateway,
        slot=slot,
        site=site,
        transformer=transformer_of[site],
        feeder=feeder_of[site],
        latency_s=latency_s,
        **columns,
        terms=_terms(device_class, rng),
        vendor_names=tuple(one.name for one in known.VENDORS),
        gateway_names=gateway_names,
        site_names=_names("h", homes),
        transformer_names=_names("t", rating_w.size),
        feeder_names=tuple(_names("f", feeders).tolist()),
        substation_names=tuple(_names("s", int(feeder_substation[-1]) + 1).tolist()),
        feeder_substation=feeder_substation,
        site_limit_w=np.full(homes, np.inf),
        transformer_limit_w=rating_w,
        feeder_limit_w=np.full(feeders, known.FEEDER_VA),
        substation_limit_w=np.full(int(feeder_substation[-1]) + 1, known.SUBSTATION_VA),
        vendor_limit_w=np.full(len(known.VENDORS), np.inf),
    )


def nameplate_w(fleet: Fleet) -> float:
    """As the industry adds it up: installed storage, and what thermostats draw on a hot day."""
    houses = fleet.rows_of(DeviceClass.THERMOSTAT)
    stores = np.isin(fleet.device_class, (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL))
    return float(fleet.export_max_w[stores].sum() + answer(fleet, houses, HOT_DAY_C).draw_w.sum())


FLOAT_COLUMNS = (
    "import_max_w", "export_max_w", "energy_wh", "charge_efficiency", "discharge_efficiency", "reserve", "departure_s",
    "target_soc", "resistance_c_per_w", "capacity_wh_per_c", "cop", "gain_w", "setpoint_c", "deadband_c", "comfort_c",
    "ask_per_kwh",
)  # fmt: skip


def _devices(size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Codes]:
    """Each device's class and home, by home: every home has a thermostat, the rest is where it falls."""
    counts = {one: round(share * size) for one, share in known.MIX.items()}
    thermostats = size - sum(counts.values())
    homes = max(1, round(thermostats / known.THERMOSTATS_PER_HOME))
    classes = np.repeat(
        np.array([DeviceClass.THERMOSTAT, *counts], dtype=np.uint8), [thermostats, *counts.values()]
    )  # fmt: skip
    second = rng.integers(0, homes, size - homes, dtype=np.uint32)
    site = np.concatenate((np.arange(homes, dtype=np.uint32), second))
    order = np.argsort(site, kind="stable")
    return classes[order], site[order]


def _transformers(homes: int, rng: np.random.Generator) -> tuple[Codes, Floats]:
    """For each home its transformer, and each transformer's rating."""
    ratings, shares = (np.array(column) for column in zip(*known.TRANSFORMERS_VA, strict=True))
    below = np.maximum(1, np.round(ratings / known.HOME_VA)).astype(np.intp)
    drawn = rng.choice(ratings.size, size=homes, p=shares)  # enough: each has one home at least
    ends = np.cumsum(below[drawn])
    used = int(np.searchsorted(ends, homes)) + 1
    transformer = np.repeat(np.arange(used, dtype=np.uint32), below[drawn[:used]])[:homes]
    return transformer, ratings[drawn[:used]]


def _vendors(device_class: NDArray[np.uint8], rng: np.random.Generator) -> tuple[Codes, NDArray[np.float32]]:
    vendor = np.zeros(device_class.size, dtype=np.uint32)
    for one in DRAWS:
        makers = [place for place, maker in enumerate(known.VENDORS) if maker.device_class is one]
        rows = np.flatnonzero(device_class == one)
        vendor[rows] = rng.choice(makers, size=rows.size, p=[known.VENDORS[place].share for place in makers])
    latency_s = np.array([maker.latency_s for maker in known.VENDORS], dtype=np.float32)
    return vendor, latency_s[vendor]


def _gateways(vendor: Codes) -> tuple[Codes, NDArray[np.uint16], tuple[str, ...]]:
    """Neighbours of one vendor share a gateway."""
    gateway, slot = np.zeros(vendor.size, dtype=np.uint32), np.zeros(vendor.size, dtype=np.uint16)
    names: list[str] = []
    for code, maker in enumerate(known.VENDORS):
        rows = np.flatnonzero(vendor == code)
        place = np.arange(rows.size)
        gateway[rows] = len(names) + place // known.GATEWAY_DEVICES
        slot[rows] = place % known.GATEWAY_DEVICES
        names += [f"{maker.name.lower()}-{number:05d}" for number in range(-(-rows.size // known.GATEWAY_DEVICES))]
    return gateway, slot, tuple(names)


def _battery(size: int, rng: np.random.Generator) -> dict[str, Floats]:
    place = rng.choice(len(known.BATTERIES), size=size, p=[share for *_, share in known.BATTERIES])
    power_w = np.array([power for power, _, _ in known.BATTERIES])[place]
    vehicles_w = known.MIX[DeviceClass.EV_BIDIRECTIONAL] * known.HEADLINE_DEVICES * known.TWO_WAY_W
    batteries = known.MIX[DeviceClass.BATTERY] * known.HEADLINE_DEVICES
    # So that storage adds up to what is announced, whatever the mix of products.
    power_w *= (known.HEADLINE_STORAGE_W - vehicles_w) / batteries / max(float(power_w.mean()) if size else 1.0, 1.0)
    efficiency = np.full(size, known.BATTERY_EFFICIENCY)
    return {
        "import_max_w": power_w,
        "export_max_w": power_w,
        "energy_wh": np.array([energy for _, energy, _ in known.BATTERIES])[place],
        "charge_efficiency": efficiency,
        "discharge_efficiency": efficiency,
        "reserve": _drawn(known.RESERVES, size, rng),
        "ask_per_kwh": rng.gamma(2.0, 0.05, size),
    }


def _ev_charger(size: int, rng: np.random.Generator) -> dict[str, Floats]:
    local_s = rng.normal(known.LEAVES_H, known.LEAVES_SPREAD_H, size) * HOUR_S
    return {
        "import_max_w": np.full(size, known.CHARGER_W),
        "energy_wh": _drawn(known.VEHICLES_WH, size, rng),
        "charge_efficiency": np.full(size, 0.92),
        "departure_s": np.floor(np.mod(local_s + _drawn(known.BEHIND_UTC_H, size, rng) * HOUR_S, DAY_S)),
        "target_soc": np.where(rng.random(size) < 0.5, 0.8, 0.9),
        "ask_per_kwh": rng.gamma(2.0, 0.02, size),
    }


def _ev_bidirectional(size: int, rng: np.random.Generator) -> dict[str, Floats]:
    return _ev_charger(size, rng) | {
        "import_max_w": np.full(size, known.TWO_WAY_W),
        "export_max_w": np.full(size, known.TWO_WAY_W),
        "discharge_efficiency": np.full(size, 0.92),
        "reserve": np.full(size, 0.3),
    }


def _thermostat(size: int, rng: np.random.Generator) -> dict[str, Floats]:
    resistance = rng.lognormal(np.log(known.RESISTANCE_C_PER_W), known.RESISTANCE_SPREAD, size)
    cop, gain_w = rng.uniform(*known.COP, size), rng.uniform(*known.GAIN_W, size)
    setpoint_c = rng.normal(known.SETPOINT_C, known.SETPOINT_SPREAD_C, size)
    # A house draws its gain and what flows in through its walls: their resistance makes the mean what is announced.
    through_w = float(((HOT_DAY_C - setpoint_c) / resistance / cop).mean()) if size else 1.0
    inside_w = float((gain_w / cop).mean()) if size else 0.0
    resistance *= through_w / (known.HEADLINE_THERMOSTAT_W / known.HEADLINE_THERMOSTATS - inside_w)
    return {
        "import_max_w": rng.lognormal(np.log(known.COOLING_W), known.COOLING_SPREAD, size),
        "resistance_c_per_w": resistance,
        "capacity_wh_per_c": rng.lognormal(np.log(known.CAPACITY_WH_PER_C), known.CAPACITY_SPREAD, size),
        "cop": cop,
        "gain_w": gain_w,
        "setpoint_c": setpoint_c,
        "deadband_c": np.full(size, 0.5),
        "comfort_c": _drawn(known.COMFORT_C, size, rng),
        "ask_per_kwh": rng.gamma(2.0, 0.08, size),
    }


def _solar_inverter(size: int, rng: np.random.Generator) -> dict[str, Floats]:
    return {"export_max_w": _drawn(known.INVERTERS_W, size, rng)}


def _water_heater(size: int, rng: np.random.Generator) -> dict[str, Floats]:
    return {
        "import_max_w": np.full(size, known.HEATER_W),
        "resistance_c_per_w": np.full(size, 0.5),
        "capacity_wh_per_c": _drawn(known.TANKS_WH_PER_C, size, rng),
        "cop": np.ones(size),
        "gain_w": -rng.gamma(4.0, 75.0, size),
        "setpoint_c": np.full(size, 52.0),
        "deadband_c": np.full(size, 3.0),
        "comfort_c": np.full(size, 8.0),
        "ask_per_kwh": rng.gamma(2.0, 0.02, size),
    }


DRAWS: dict[DeviceClass, Callable[[int, np.random.Generator], dict[str, Floats]]] = {
    DeviceClass.THERMOSTAT: _thermostat,
    DeviceClass.BATTERY: _battery,
    DeviceClass.EV_BIDIRECTIONAL: _ev_bidirectional,
    DeviceClass.EV_CHARGER: _ev_charger,
    DeviceClass.SOLAR_INVERTER: _solar_inverter,
    DeviceClass.WATER_HEATER: _water_heater,
}


def _terms(device_class: NDArray[np.uint8], rng: np.random.Generator) -> Terms:
    size = device_class.size
    free = Terms.none(size)
    free.consent[:] = rng.random(size) < known.CONSENT
    free.storm_hold[:] = (device_class == DeviceClass.BATTERY) & (rng.random(size) < known.STORM_HOLD)
    free.season_events_max[:] = _drawn(known.EVENTS_MAX, size, rng)
    return free


def _drawn(table: tuple[tuple[float, float], ...], size: int, rng: np.random.Generator) -> Floats:
    values, shares = (np.array(column) for column in zip(*table, strict=True))
    return values[rng.choice(values.size, size=size, p=shares)]


def _names(letter: str, size: int) -> Texts:
    numbers: Rows = np.arange(size)
    return np.strings.add(letter, np.strings.zfill(numbers.astype(np.dtypes.StringDType()), len(str(size))))
