"""What stations tell a central system and no dispatch needs: it is answered, so that no station waits for it.

A station's firmware, logs, certificates and reports are its operator's: nothing of them is begun from here, and what
would need a decision is declined in the message's own words. What else nobody knows is NotImplemented.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import structlog
from ocpp.routing import on

COURTESIES: Mapping[str, Mapping[str, str]] = {
    "BatterySwap": {},
    "ClearedChargingLimit": {},
    "ClosePeriodicEventStream": {},
    "DataTransfer": {"status": "UnknownVendorId"},
    "DiagnosticsStatusNotification": {},
    "FirmwareStatusNotification": {},
    "Get15118EVCertificate": {"status": "Failed", "exi_response": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "LogStatusNotification": {},
    "NotifyChargingLimit": {},
    "NotifyCustomerInformation": {},
    "NotifyDERAlarm": {},
    "NotifyDERStartStop": {},
    "NotifyDisplayMessages": {},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "NotifyEvent": {},
    "NotifyMonitoringReport": {},
    "NotifyPriorityCharging": {},
    "NotifyReport": {},
    "NotifySettlement": {},
    "NotifyWebPaymentStarted": {},
    "OpenPeriodicEventStream": {"status": "Rejected"},
    "PublishFirmwareStatusNotification": {},
    "PullDynamicScheduleUpdate": {"status": "Rejected"},
    "ReportChargingProfiles": {},
    "ReportDERControl": {},
    "ReservationStatusUpdate": {},
    "SecurityEventNotification": {},
    "SignCertificate": {"status": "Rejected"},
    "SignedFirmwareStatusNotification": {},
}
"""By action, the answer; each version has some of them."""
TELLING = ("status", "type", "event_type", "vendor_id")
"""What of such a message goes to the log: words of the standard, and a vendor's name."""
TOLD_MAX_CHARS = 60
S = TypeVar("S", bound=type)
log = structlog.get_logger(__name__)


def with_courtesies(session: S) -> S:
    """A class of sessions with a handler for each of these that its version (``results``) knows."""
    results: Any = session.results  # type: ignore[attr-defined]
    for action, answer in COURTESIES.items():
        if hasattr(results, action):
            handler = _handler(action, getattr(results, action), answer)
            handler.__name__ = f"on_{action}"  # by which the package finds it
            setattr(session, handler.__name__, on(action)(handler))
    return session


def _handler(action: str, result: Any, answer: Mapping[str, str]) -> Any:
    def handle(session: Any, **said: Any) -> Any:
        told = {name: str(said[name])[:TOLD_MAX_CHARS] for name in TELLING if name in said}
        log.info("station told", station=session.station.identity, action=action, **told)
        return result(**answer)

    return handle
