"""A small fleet for the gateways' tests."""

import pytest

from openadr_ven.fleet.columns import Fleet
from tests.ven.fleet.small import small_fleet


@pytest.fixture
def fleet() -> Fleet:
    return small_fleet()
