"""What breaks a guard rail is said so that a person can read it, however large it was typed."""

import pytest

from openadr_core.errors import GuardTripped
from openadr_vtn.domain.guard_rails import GuardRails, check_powers

RAILS = GuardRails(event_max_w=10e6, step_max_w=6e6)


@pytest.mark.parametrize(
    ("watts", "said"),
    [
        (12_345_678.0, "asks for 12,346 kW; guard.event_max_kw is 10,000"),
        (1e308, "asks for 1e+305 kW; "),
        (float("inf"), "asks for more kW than can be counted; "),
    ],
)
def test_a_power_beyond_the_rail(watts: float, said: str) -> None:
    with pytest.raises(GuardTripped, match="interval 0 of x " + said.replace("+", r"\+")):
        check_powers("x", [(0, watts)], RAILS)
