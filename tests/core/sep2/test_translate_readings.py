"""Whose readings a mirrored meter's are, and what is not taken for the power of the whole."""

from typing import Any

import pytest

from openadr_core.model.report import DataPoint, DataSource, Measurand, Reading
from openadr_core.sep2.metering import MirrorMeterReading, MirrorUsagePoint, ReadingType
from openadr_core.sep2.metering import Reading as MeterReading
from openadr_core.sep2.translate_readings import readings_of, source_of

LFDI = "AB" * 20
SITE = DataSource(names=(LFDI,))


def a_point(role_flags: str) -> MirrorUsagePoint:
    return MirrorUsagePoint(mrid="01" * 16, role_flags=role_flags, service_category_kind=0, status=1, device_lfdi=LFDI)


def read_as(source: DataSource = SITE, **kind: Any) -> tuple[DataPoint, Reading]:
    """What becomes of the value 5 in a series of this type, which ended at the second 1000."""
    values: dict[str, Any] = {"uom": 38, "interval_length": 300, **kind}
    said = ReadingType(**values)
    series = MirrorMeterReading(
        mrid="02" * 16, reading_type=said, last_update_time=1000, reading=MeterReading(value=5)
    )  # fmt: skip
    ((point, reading),) = readings_of([series], source=source, received_at=2000)
    return point, reading


@pytest.mark.parametrize(
    ("role_flags", "is_whole_party", "label"),
    [
        ("03", True, ""), ("0003", False, LFDI), ("49", True, f"{LFDI},DER"), ("49", False, f"{LFDI},DER"),
        ("", True, ""),
    ],
)  # fmt: skip
def test_the_site_of_the_partys_own_device_is_all_that_it_has(
    role_flags: str, is_whole_party: bool, label: str
) -> None:
    assert source_of(a_point(role_flags), LFDI, is_whole_party=is_whole_party).label == label


def test_a_phase_is_not_the_whole() -> None:
    point, _ = read_as(phase=128)
    assert point.source.label == f"{LFDI},phase A"
    assert read_as(phase=224)[0].source == read_as()[0].source == SITE
    assert read_as(DataSource(), phase=32)[0].source.label == "phase C"


def test_a_register_is_not_what_an_interval_used() -> None:
    assert read_as(uom=72, accumulation_behaviour=9)[0].measurand is Measurand.OTHER
    assert read_as(uom=72, accumulation_behaviour=4)[0].measurand is Measurand.USAGE
    assert read_as(data_qualifier=8)[0].measurand is Measurand.PEAK


def test_values_have_their_sign_and_scale_and_end_when_they_were_updated() -> None:
    _, reading = read_as(flow_direction=19, power_of_ten_multiplier=2)
    assert (reading.value, int(reading.starts_at.timestamp())) == (-500.0, 700)
