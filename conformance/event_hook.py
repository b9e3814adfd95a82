"""The event hook: how a procedure asks a stranger's operator for an event.

The hook is a shell command of the tester. It reads what is wanted from its environment, makes it happen by whatever
means the VTN has, prints the eventID as its last line and exits with 0. A hook may well ask a human.

``CONFORMANCE_EVENT_ACTION``
    ``create`` or ``cancel``.
``CONFORMANCE_EVENT_ID``
    The event to cancel; empty for ``create``.
``CONFORMANCE_VEN_ID``, ``CONFORMANCE_VEN_NAME``
    Whom the event is for.
``CONFORMANCE_EVENT_SIGNAL_NAME``, ``CONFORMANCE_EVENT_SIGNAL_TYPE``
    As the standard names them: ``SIMPLE`` and ``level``.
``CONFORMANCE_EVENT_START``
    UTC, ``2026-07-15T18:30:00Z``.
``CONFORMANCE_EVENT_DURATIONS_S``, ``CONFORMANCE_EVENT_VALUES``
    One number per interval, separated by blanks.

The event answers always (oadrResponseRequired).
"""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from conformance.procedure import MakeEvent

HOOK_TIMEOUT_S = 300.0
"""Long enough for a human at a console."""

WIRE_TIME = "%Y-%m-%dT%H:%M:%SZ"


class HookFailed(Exception):
    """The operator's side did not do as asked."""


def run_hook(command: str, wish: MakeEvent, variables: Mapping[str, str]) -> str:
    """The eventID of the event made, or ended, by the tester's command."""
    environment = {**os.environ, **wanted(wish, variables, now=datetime.now(UTC))}
    try:
        done = subprocess.run(  # noqa: S602 it is the tester's own command
            command, shell=True, env=environment, capture_output=True, text=True, timeout=HOOK_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise HookFailed(f"the event hook took longer than {HOOK_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
        raise HookFailed(f"the event hook ended with {done.returncode}: {said[0]}")
    printed = done.stdout.strip().splitlines()
    if not printed:
        raise HookFailed("the event hook printed no eventID")
    return printed[-1].strip()


def wanted(wish: MakeEvent, variables: Mapping[str, str], *, now: datetime) -> dict[str, str]:
    """What the hook is told, as environment variables."""
    start = (now + timedelta(seconds=wish.starts_in_s)).replace(microsecond=0)
    return {
        "CONFORMANCE_EVENT_ACTION": wish.action,
        "CONFORMANCE_EVENT_ID": variables.get(wish.variable, ""),
        "CONFORMANCE_VEN_ID": variables.get("ven_id", ""),
        "CONFORMANCE_VEN_NAME": variables.get("ven_name", ""),
        "CONFORMANCE_EVENT_SIGNAL_NAME": wish.signal_name,
        "CONFORMANCE_EVENT_SIGNAL_TYPE": wish.signal_type,
        "CONFORMANCE_EVENT_START": start.strftime(WIRE_TIME),
        "CONFORMANCE_EVENT_DURATIONS_S": " ".join(str(duration) for duration in wish.durations_s),
        "CONFORMANCE_EVENT_VALUES": " ".join(f"{value:g}" for value in wish.values),
    }
