"""A small fleet whose rows can be counted: nine devices behind each of four gateways."""

import numpy as np

from openadr_ven.fleet.columns import DeviceClass, Fleet, texts
from openadr_ven.fleet.terms import Terms

COUNT_BY_CLASS = {
    DeviceClass.BATTERY: 12,
    DeviceClass.EV_BIDIRECTIONAL: 4,
    DeviceClass.EV_CHARGER: 4,
    DeviceClass.THERMOSTAT: 8,
    DeviceClass.SOLAR_INVERTER: 4,
    DeviceClass.WATER_HEATER: 4,
}


def small_fleet() -> Fleet:
    """Two vendors with two gateways each, nine devices of every kind behind a gateway."""
    device_class = np.repeat(
        np.array(list(COUNT_BY_CLASS), dtype=np.uint8), list(COUNT_BY_CLASS.values())
    )  # fmt: skip
    size = device_class.size
    rows = np.arange(size)
    gateway = (rows % 4).astype(np.uint32)
    storage = np.isin(device_class, (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER))
    exports = np.isin(
        device_class, (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.SOLAR_INVERTER)
    )  # fmt: skip
    house = device_class == DeviceClass.THERMOSTAT
    thermal = house | (device_class == DeviceClass.WATER_HEATER)
    return Fleet(
        device_id=texts([f"d{row:03}" for row in rows]),
        device_class=device_class,
        vendor=(gateway // 2).astype(np.uint32),
        gateway=gateway,
        slot=(rows // 4).astype(np.uint16),
        site=rows.astype(np.uint32),
        transformer=(rows // 6).astype(np.uint32),
        feeder=np.zeros(size, dtype=np.uint32),
        latency_s=np.full(size, 10.0, dtype=np.float32),
        import_max_w=np.where(device_class == DeviceClass.SOLAR_INVERTER, 0.0, 5_000.0),
        export_max_w=np.where(exports, 5_000.0, 0.0),
        energy_wh=np.where(storage, 13_500.0, np.nan),
        charge_efficiency=np.where(storage, 0.95, np.nan),
        discharge_efficiency=np.where(storage, 0.95, np.nan),
        reserve=np.where(storage, 0.2, np.nan),
        departure_s=np.where(storage, 7 * 3_600.0, np.nan),
        target_soc=np.where(storage, 0.9, np.nan),
        resistance_c_per_w=np.where(house, 0.002, np.where(thermal, 0.7, np.nan)),
        capacity_wh_per_c=np.where(house, 2_500.0, np.where(thermal, 230.0, np.nan)),
        cop=np.where(house, 3.0, np.where(thermal, 1.0, np.nan)),
        gain_w=np.where(house, 800.0, np.where(thermal, -150.0, np.nan)),
        setpoint_c=np.where(house, 24.0, np.where(thermal, 52.0, np.nan)),
        deadband_c=np.where(house, 1.0, np.where(thermal, 4.0, np.nan)),
        comfort_c=np.where(house, 2.0, np.where(thermal, 8.0, np.nan)),
        ask_per_kwh=np.zeros(size),
        terms=Terms.none(size),
        vendor_names=("Acme", "Bolt"),
        gateway_names=("acme-1", "acme-2", "bolt-1", "bolt-2"),
        site_names=texts([f"s{row}" for row in rows]),
        transformer_names=texts([f"t{row}" for row in range(size // 6 + 1)]),
        feeder_names=("head",),
        substation_names=("yard",),
        feeder_substation=np.zeros(1, dtype=np.uint32),
        site_limit_w=np.full(size, np.inf),
        substation_limit_w=np.full(1, np.inf),
        vendor_limit_w=np.full(2, np.inf),
        transformer_limit_w=np.full(size // 6 + 1, 50_000.0),
        feeder_limit_w=np.array([1e6]),
    )
