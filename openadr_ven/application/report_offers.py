"""What this agent can report: the fleet's power and energy now and in the past, and how its resources stand."""

from datetime import timedelta

import numpy as np

from openadr_core.model.report import DataPoint, DataSource, Measurand, ReportOffer
from openadr_core.units import WATT, WATT_HOUR
from openadr_ven.application.observation import SUMS_S
from openadr_ven.fleet.columns import DeviceClass, Fleet
from openadr_ven.fleet.naming import class_resource

SECOND = timedelta(seconds=1)
MAX_PERIOD = timedelta(minutes=15)
BUFFERED = timedelta(seconds=SUMS_S)
STATUS_PERIOD = timedelta(seconds=10)
"""How often the resources are looked at: 360 times in what is buffered."""
HISTORY_STEP = timedelta(minutes=5)
"""288 values a day for each point: R510 asks for 100."""

POWER_POINT, ENERGY_POINT, BASELINE_POINT = "power", "energy", "baseline"
AVAILABLE_POINT, MORE_POINT, SHED_POINT, FEED_POINT = "available", "more", "shed", "feed"
"""Watts that could be held for a quarter of an hour: relief, extra load; and of the relief, what is load not drawn,
and what is fed."""
SETPOINT_POINT = "setpoint"
STORE_POINT, CHARGE_POINT, FEED_MAX_POINT, DRAW_MAX_POINT = "store", "charge", "feed_max", "draw_max"
"""Of all storage that can be asked: usable watt-hours when full, the share that is in it, the most power out and in."""
USAGE, STATUS, HISTORY = "fleet_usage", "fleet_status", "fleet_history"
"""Specifiers."""

_USAGE_POINTS = (
    (POWER_POINT, Measurand.USAGE, WATT),
    (ENERGY_POINT, Measurand.USAGE, WATT_HOUR),
    (BASELINE_POINT, Measurand.BASELINE, WATT),
)

_AVAILABLE = (AVAILABLE_POINT, Measurand.UP_REGULATION, WATT)
"""The relief that the fleet could hold for a quarter of an hour; of the past nobody asks it."""

USAGE_OFFER = ReportOffer(
    specifier_id=USAGE,
    report_name="TELEMETRY_USAGE",
    data_points=tuple(
        DataPoint(r_id=r_id, measurand=measurand, unit=unit, min_period=SECOND, max_period=MAX_PERIOD, on_change=True)
        for r_id, measurand, unit in (*_USAGE_POINTS, _AVAILABLE)
    ),
    buffered=BUFFERED,
)
"""The fleet's power and energy, what its power would be without the event, and what it could be asked for."""


def history_offer(kept: timedelta) -> ReportOffer:
    """The same of the past, for as long as it is kept."""
    return ReportOffer(
        specifier_id=HISTORY,
        report_name="HISTORY_USAGE",
        data_points=tuple(
            DataPoint(r_id=r_id, measurand=measurand, unit=unit, min_period=HISTORY_STEP, max_period=HISTORY_STEP)
            for r_id, measurand, unit in _USAGE_POINTS
        ),
        buffered=kept,
    )


def status_offer(resources: tuple[str, ...]) -> ReportOffer:
    """How each resource stands, under its own name."""
    return ReportOffer(
        specifier_id=STATUS,
        report_name="TELEMETRY_STATUS",
        data_points=tuple(
            DataPoint(
                r_id=resource,
                measurand=Measurand.STATUS,
                unit="",
                source=DataSource(names=(resource,)),
                min_period=STATUS_PERIOD,
                max_period=MAX_PERIOD,
                on_change=True,
            )
            for resource in resources
        ),
        buffered=BUFFERED,
    )


def offers_of(resources: tuple[str, ...], history_kept: timedelta) -> tuple[ReportOffer, ...]:
    """Everything; ``resources`` as :func:`resources_of` names them."""
    return (USAGE_OFFER, status_offer(resources), history_offer(history_kept))


def resources_of(fleet: Fleet, name: str) -> tuple[str, ...]:
    """What the fleet is called, and each class of devices in it: ``fleet``, ``fleet-battery``."""
    present = [DeviceClass(code) for code in np.unique(fleet.device_class)]
    return (name, *(class_resource(name, one) for one in present))
