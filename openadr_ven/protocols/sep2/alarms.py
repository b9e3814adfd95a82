"""Alarms of devices as LogEvents (CSIP): one when something goes wrong, and one when it is over."""

from collections.abc import Iterator

from openadr_core.sep2.devices import EndDevice, LogEvent
from openadr_ven.protocols.sep2.calls import Call, Script

DER_FUNCTION_SET, SMART_ENERGY_PROFILE = 11, 2
ALARMS = 11
"""alarmStatus has bits for so many."""
LOG_IDS = 1 << 16


def log_alarms(device: EndDevice, *, before: int, now: int, moment: int, pen: int) -> Script[None]:
    """Post what differs between the bits of ``before`` and ``now``; ``moment`` is the server's.

    Interpretation: the codes of the DER function set go in pairs in the order of alarmStatus, raised and over; the
    numbers of events of one device grow with the time.
    """
    if device.log_event_list_link is None:
        return
    for place, code in enumerate(_codes(before, now)):
        event = LogEvent(
            created_date_time=moment, function_set=DER_FUNCTION_SET, log_event_code=code,
            log_event_id=(moment + place) % LOG_IDS, log_event_pen=pen, profile_id=SMART_ENERGY_PROFILE,
        )  # fmt: skip
        yield Call(method="POST", href=device.log_event_list_link.href, message=event)


def _codes(before: int, now: int) -> Iterator[int]:
    for bit in range(ALARMS):
        was, is_now = before >> bit & 1, now >> bit & 1
        if was != is_now:
            yield 2 * bit + was
