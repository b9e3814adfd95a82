"""What a program declares levels to be."""

import json
from typing import Any

import pytest

from openadr_core.errors import RuleBroken
from openadr_core.oadr3.decode import decode_program
from openadr_core.oadr3.levels import SIMPLE_DUTY_CYCLE, duty_cycles_of
from openadr_core.oadr3.messages import ProgramRequest
from openadr_core.oadr3.translate import program_of


def a_program(*attributes: dict[str, Any]) -> ProgramRequest:
    return decode_program(json.dumps({"programName": "heaters", "attributes": attributes}).encode())


def test_three_numbers_or_none() -> None:
    assert duty_cycles_of(a_program({"type": SIMPLE_DUTY_CYCLE, "values": [75, 50, 0]})) == (75, 50, 0)
    assert duty_cycles_of(a_program()) is None


@pytest.mark.parametrize(
    "values", [[75, 50], [75, 50, 25, 0], [75, 50, 101], [75, 50, -1], [75, 50.5, 0], [True, 1, 1]]
)
def test_a_wrong_declaration_is_refused_with_the_program(values: list[Any]) -> None:
    with pytest.raises(RuleBroken, match="SIMPLE_DUTY_CYCLE: needs 3 whole numbers from 0 to 100"):
        program_of(a_program({"type": SIMPLE_DUTY_CYCLE, "values": values}), "p1")
