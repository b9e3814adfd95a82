"""Prometheus metrics: a registry per process that the composition root makes and hands on.

Nothing here is global, so tests and several servers in one process do not share counts.
"""

from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from openadr_core.pki import NEVER
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.watchdog import Alarm

EXPOSITION_HEADERS = {"Content-Type": CONTENT_TYPE_LATEST}


def new_registry() -> CollectorRegistry:
    """A registry that already tells of the process and the interpreter."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """What ``/metrics`` answers, with EXPOSITION_HEADERS."""
    return generate_latest(registry)


class CertificateGauge:
    """``cert_seconds_left{role,serial}``: alert on it, a certificate's end stops everything."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], datetime]) -> None:
        self._now = now
        self._gauge = Gauge(
            "cert_seconds_left", "Seconds until our certificate expires", ["role", "serial"], registry=registry
        )
        self._serials: dict[str, str] = {}

    def watch(self, role: str, certificate_pem: bytes) -> None:
        """Tell the time left of this certificate, in place of an earlier one in the same role."""
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        if (former := self._serials.pop(role, None)) is not None:
            self._gauge.remove(role, former)
        serial = self._serials[role] = f"{certificate.serial_number:x}"
        end = certificate.not_valid_after_utc
        self._gauge.labels(role, serial).set_function(
            lambda: float("inf") if end == NEVER else (end - self._now()).total_seconds()
        )


class ClockMetrics:
    """What the clock and the watchdog have to tell. Give `count` to the watchdog."""

    def __init__(self, registry: CollectorRegistry, clock: SystemClock) -> None:
        Gauge("clock_drift_seconds", "Wall clock ahead of counted seconds", registry=registry).set_function(
            lambda: clock.drift_s
        )
        Gauge("new_starts_frozen", "1 while the time is in doubt", registry=registry).set_function(
            lambda: float(clock.new_starts_frozen)
        )
        self._alarms = Counter("watchdog_alarms", "Alarms of the watchdog", ["kind"], registry=registry)

    def count(self, alarm: Alarm) -> None:
        self._alarms.labels(alarm.kind).inc()
