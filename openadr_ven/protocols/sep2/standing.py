"""What a device says of itself under its DER: what it can and is set to, and how it stands (DER function set)."""

from dataclasses import dataclass

from openadr_core.model.report import Quality
from openadr_core.sep2 import der as d
from openadr_core.sep2.devices import ConnectionPoint, EndDevice
from openadr_core.sep2.power import active_power, watt_hours
from openadr_ven.application.device_metering import DeviceNow
from openadr_ven.application.report_offers import AVAILABLE_POINT, CHARGE_POINT, POWER_POINT
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.sep2.calls import Call, Script, whole_list
from openadr_ven.protocols.sep2.meaning import Ratings
from openadr_ven.protocols.sep2.memory import Gradient

MODE_BITS = (0, 1, 2, 3, 7, 20, 22)
"""DERControlType: charge, discharge, opModConnect, opModEnergize, opModFixedW, opModMaxLimW, opModTargetW."""
MODES = sum(1 << bit for bit in MODE_BITS)
DOE_MODES = "0F"
"""CSIP-AUS: export, import, generation and load limits."""
VPP_MODES = "01"
"""CSIP-AUS 1.3: a target for storage."""
OPERATING = f"{1 << 0 | 1 << 1 | 1 << 2:02X}"
"""Connected, available and operating."""
OPERATIONAL = 2
LOCAL, REMOTE = 0, 1
"""Of LocalControlModeStatus."""
NO_RAMP_LIMIT = 0
WHOLE = 10_000
"""PerCent counts hundredths."""
AVAILABLE_S = 900
"""What is offered could be held for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the fleet was at a moment."""

    at: int
    available_w: float | None
    """None where nobody had looked."""
    charge: float | None = None
    """Share of full of all storage, from 0 to 1; None where nobody had looked, or nothing is stored."""
    overridden: bool = False
    """Its owner's hand is on it."""
    alarms: int = 0
    """Bits of alarmStatus."""


def standing_of(batch: Batch, offset_s: int) -> Standing | None:
    """The newest that a report tells, by the server's clock; None where nothing was measured."""
    power = [one for one in batch.readings if one.r_id == POWER_POINT and one.quality.is_usable]
    if not power:
        return None
    newest = max(power, key=lambda one: one.starts_at)
    seen = {
        one.r_id: one.value
        for one in batch.readings
        if one.starts_at == newest.starts_at and one.quality is Quality.GOOD
    }
    return Standing(
        at=int((newest.starts_at + newest.duration).timestamp()) + offset_s,
        available_w=seen.get(AVAILABLE_POINT),
        charge=seen.get(CHARGE_POINT),
    )


def standing_now(now: DeviceNow, at: int) -> Standing | None:
    """Of a device by itself. Interpretation: of one that cannot be reached nothing is said: what it told holds."""
    if not now.online:
        return None
    return Standing(
        at=at, available_w=now.available_w, charge=now.charge, overridden=now.overridden, alarms=now.alarms
    )  # fmt: skip


def describe(
    device: EndDevice, ratings: Ratings, functions: int, gradient: Gradient | None, now: int
) -> Script[d.DER | None]:
    """Put what the device can and is set to; where its DER is, None where it has none. ``now`` is the server's.

    ``functions`` are bits of DERControlType that it follows besides ``MODES``. What a default says of the gradient is
    what the device is set to (DefaultDERControl.setGradW).
    """
    if device.der_list_link is None:
        return None
    _, found = yield from whole_list(device.der_list_link.href, d.DERList, "der")
    if not found:
        return None
    der: d.DER = found[0]
    if der.der_capability_link is not None:
        yield Call(method="PUT", href=der.der_capability_link.href, message=capability_of(ratings, functions))
    if der.der_settings_link is not None:
        yield Call(
            method="PUT", href=der.der_settings_link.href, message=settings_of(ratings, functions, gradient, now)
        )
    return der


def connect(device: EndDevice, nmi: str) -> Script[None]:
    """Say at which connection point it is (CSIP-AUS): some utilities send no controls before that."""
    if device.connection_point_link is not None:
        point = ConnectionPoint(connection_point_id=nmi)
        yield Call(method="PUT", href=device.connection_point_link.href, message=point)


def tell(der: d.DER, standing: Standing) -> Script[None]:
    """Put how it stands, and what it could do."""
    if der.der_status_link is not None:
        mode = LOCAL if standing.overridden else REMOTE
        status = d.DERStatus(
            alarm_status=_hex(standing.alarms),
            local_control_mode_status=d.LocalControlModeStatusType(date_time=standing.at, value=mode),
            reading_time=standing.at,
            gen_connect_status=d.ConnectStatusType(date_time=standing.at, value=OPERATING),
            operational_mode_status=d.OperationalModeStatusType(date_time=standing.at, value=OPERATIONAL),
            state_of_charge_status=None
            if standing.charge is None
            else d.StateOfChargeStatusType(date_time=standing.at, value=round(standing.charge * WHOLE)),
        )
        yield Call(method="PUT", href=der.der_status_link.href, message=status)
    if der.der_availability_link is not None and standing.available_w is not None:
        availability = d.DERAvailability(
            availability_duration=AVAILABLE_S, reading_time=standing.at,
            stat_w_avail=active_power(standing.available_w),
        )  # fmt: skip
        yield Call(method="PUT", href=der.der_availability_link.href, message=availability)


def capability_of(ratings: Ratings, functions: int) -> d.DERCapability:
    return d.DERCapability(
        modes_supported=f"{MODES | functions:08X}",
        rtg_max_charge_rate_w=active_power(ratings.charge_max_w) if ratings.charge_max_w else None,
        rtg_max_discharge_rate_w=active_power(ratings.discharge_max_w) if ratings.discharge_max_w else None,
        rtg_max_w=active_power(ratings.max_w),
        rtg_max_wh=watt_hours(ratings.energy_wh) if ratings.energy_wh else None,
        type=ratings.der_type,
        doe_modes_supported=DOE_MODES,
        vpp_modes_supported=VPP_MODES,
    )


def settings_of(ratings: Ratings, functions: int, gradient: Gradient | None, now: int) -> d.DERSettings:
    return d.DERSettings(
        modes_enabled=f"{MODES | functions:08X}",
        set_grad_w=NO_RAMP_LIMIT if gradient is None else gradient.set_grad_w,
        set_max_charge_rate_w=active_power(ratings.charge_max_w) if ratings.charge_max_w else None,
        set_max_discharge_rate_w=active_power(ratings.discharge_max_w) if ratings.discharge_max_w else None,
        set_max_w=active_power(ratings.max_w),
        set_max_wh=watt_hours(ratings.energy_wh) if ratings.energy_wh else None,
        set_soft_grad_w=None if gradient is None else gradient.set_soft_grad_w,
        updated_time=now,
        doe_modes_enabled=DOE_MODES,
        vpp_modes_enabled=VPP_MODES,
    )


def _hex(bits: int) -> str:
    """Two digits for each byte, and no more bytes than it takes."""
    text = f"{bits:X}"
    return text if len(text) % 2 == 0 else f"0{text}"
