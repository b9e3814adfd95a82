"""Fleets for tests: any size, all classes, drawn by seed."""

import numpy as np

from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, in_network_order, texts
from openadr_ven.fleet.model import Tick
from openadr_ven.fleet.physics import evening_state, released, step
from openadr_ven.fleet.terms import Terms

EVENING_S = 1_784_140_200.0
"""18:30 UTC on 15 July 2026."""
OUTDOOR_C = 35.0
NAN = float("nan")

MIX = (0.35, 0.05, 0.10, 0.30, 0.10, 0.10, 0.0)
"""By DeviceClass."""


def fleet_of(size: int, *, seed: int = 0, mix: tuple[float, ...] = MIX, vendors: int = 4) -> Fleet:
    """Two devices a site, five a transformer, ten of them a feeder, eight of them a substation; forty a gateway."""
    rng = np.random.default_rng(seed)
    device_class = rng.choice(len(mix), size, p=mix).astype(np.uint8)
    transformer = np.sort(rng.integers(0, max(1, size // 5), size)).astype(np.uint32)
    transformers = int(transformer[-1]) + 1
    feeders = transformers // 10 + 1

    def by_class(*values: float, centre: float = NAN) -> Floats:
        return np.array([*values, centre])[device_class] * np.where(rng.random(size) < 0.5, 1.0, 1.01)

    order = np.arange(size)
    site = np.cumsum((order - np.searchsorted(transformer, transformer)) % 2 == 0) - 1
    return in_network_order(
        Fleet(
            device_id=texts([f"device-{number:05d}" for number in range(size)]),
            device_class=device_class,
            vendor=rng.integers(0, vendors, size).astype(np.uint32),
            gateway=(order // 40).astype(np.uint32),
            slot=(order % 40).astype(np.uint16),
            site=site.astype(np.uint32),
            transformer=transformer,
            feeder=(transformer // 10).astype(np.uint32),
            latency_s=rng.choice([5.0, 30.0, 240.0], size).astype(np.float32),
            import_max_w=by_class(5e3, 7.2e3, 7.2e3, 3.5e3, 0.0, 4.5e3, centre=60e3),
            export_max_w=by_class(5e3, 7.2e3, 0.0, 0.0, 6e3, 0.0, centre=0.0),
            energy_wh=by_class(13.5e3, 75e3, 60e3, NAN, NAN, NAN, centre=100e3),
            charge_efficiency=np.minimum(by_class(0.95, 0.92, 0.92, NAN, NAN, NAN, centre=0.9), 1.0),
            discharge_efficiency=np.minimum(by_class(0.95, 0.92, NAN, NAN, NAN, NAN), 1.0),
            reserve=by_class(0.2, 0.3, NAN, NAN, NAN, NAN, centre=0.1),
            departure_s=by_class(NAN, 7 * 3600.0, 7 * 3600.0, NAN, NAN, NAN),
            target_soc=by_class(NAN, 0.8, 0.8, NAN, NAN, NAN),
            resistance_c_per_w=by_class(NAN, NAN, NAN, 2e-3, NAN, 0.5),
            capacity_wh_per_c=by_class(NAN, NAN, NAN, 6e3, NAN, 220.0),
            cop=by_class(NAN, NAN, NAN, 3.2, NAN, 1.0),
            gain_w=by_class(NAN, NAN, NAN, 700.0, NAN, -300.0, centre=40e3),
            setpoint_c=by_class(NAN, NAN, NAN, 24.0, NAN, 52.0),
            deadband_c=by_class(NAN, NAN, NAN, 0.5, NAN, 3.0),
            comfort_c=by_class(NAN, NAN, NAN, 2.0, NAN, 8.0),
            ask_per_kwh=rng.gamma(2.0, 0.03, size),
            terms=Terms.none(size),
            vendor_names=tuple(f"vendor-{number}" for number in range(vendors)),
            gateway_names=tuple(f"gateway-{number:03d}" for number in range(size // 40 + 1)),
            site_names=texts([f"site-{number:05d}" for number in range(int(site[-1]) + 1)]),
            transformer_names=texts([f"transformer-{number:04d}" for number in range(transformers)]),
            feeder_names=tuple(f"feeder-{number:03d}" for number in range(feeders)),
            substation_names=tuple(f"substation-{number:02d}" for number in range(feeders // 8 + 1)),
            feeder_substation=(np.arange(feeders) // 8).astype(np.uint32),
            site_limit_w=np.full(int(site[-1]) + 1, np.inf),
            transformer_limit_w=rng.choice([10e3, 15e3, 25e3, 50e3], transformers),
            feeder_limit_w=np.full(feeders, 400e3),
            substation_limit_w=np.full(feeders // 8 + 1, np.inf),
            vendor_limit_w=np.full(vendors, np.inf),
        )
    )


def evening(fleet: Fleet, *, seed: int = 1, minutes: int = 1) -> tuple[FleetState, Floats]:
    """The fleet after some minutes on its own from 18:30, and each device's mean power over them."""
    rng = np.random.default_rng(seed)
    state = evening_state(fleet, now_s=EVENING_S, outdoor_c=OUTDOOR_C, rng=rng)
    mode, setpoint_w = released(fleet.size)
    total_w = np.zeros(fleet.size)
    for second in range(60 * minutes):
        tick = Tick(now_s=EVENING_S + second + 1, dt_s=1.0, outdoor_c=OUTDOOR_C, sunlight=0.15, rng=rng)
        state = step(fleet, state, mode=mode, setpoint_w=setpoint_w, tick=tick)
        total_w += state.power_w
    return state, total_w / (60 * minutes)


def only_class(size: int, device_class: DeviceClass, *, seed: int = 0) -> Fleet:
    return fleet_of(size, seed=seed, mix=tuple(float(one is device_class) for one in DeviceClass))
