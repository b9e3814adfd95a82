"""Metrics: a registry per process, and what the shell itself puts there."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from openadr_core.shell.clock import ManualClock, SystemClock
from openadr_core.shell.metrics import EXPOSITION_HEADERS, CertificateGauge, ClockMetrics, exposition, new_registry
from openadr_core.shell.watchdog import Alarm
from tests.core.shell.lab import Lab


def samples(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text.decode())
    }


def test_registries_share_nothing() -> None:
    first, second = new_registry(), new_registry()
    ClockMetrics(first, SystemClock())
    ClockMetrics(second, SystemClock()).count(Alarm(kind="stalled", seconds=5.0))
    assert samples(exposition(first))["watchdog_alarms"] == {}
    assert samples(exposition(second))["watchdog_alarms"][("stalled",)] == 1
    assert EXPOSITION_HEADERS["Content-Type"].startswith("text/plain")


def test_the_process_and_its_clock_are_told() -> None:
    registry = new_registry()
    ClockMetrics(registry, SystemClock(wall_s=lambda: 1000.0, steady_s=lambda: 1.0))
    found = samples(exposition(registry))
    assert found["clock_drift_seconds"] == {(): 0.0}
    assert found["new_starts_frozen"] == {(): 0.0}
    assert found["process_open_fds"][()] > 0


def test_a_certificate_counts_down_and_gives_way_to_its_successor(lab: Lab) -> None:
    registry, clock = new_registry(), ManualClock(lab.now)
    gauge = CertificateGauge(registry, clock.now)
    gauge.watch("parties", lab.issued("openadr-ecc-vtn", days=2).certificate_pem)
    gauge.watch("devices", lab.issued("sep2-device").certificate_pem)
    clock.advance(timedelta(days=1).total_seconds())
    found = samples(exposition(registry))["cert_seconds_left"]
    assert {role for role, _ in found} == {"parties", "devices"}
    assert sorted(round(left) if left < 1e9 else left for left in found.values()) in (
        [86_400, float("inf")], [86_399, float("inf")],
    )  # fmt: skip
    gauge.watch("parties", lab.issued("openadr-ecc-vtn", days=30).certificate_pem)
    assert len(samples(exposition(registry))["cert_seconds_left"]) == 2
