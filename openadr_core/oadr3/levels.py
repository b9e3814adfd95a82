"""What a program declares the levels of SIMPLE to be, for those who know no levels."""

from openadr_core.oadr3.attributes import Attributes
from openadr_core.oadr3.messages import ProgramRequest

SIMPLE_DUTY_CYCLE = "SIMPLE_DUTY_CYCLE"
"""Private attribute: for which part of the time loads may run at level 1, 2 and 3, in per cent."""
LEVELS = 3
MOST = 100


def duty_cycles_of(program: ProgramRequest) -> tuple[int, int, int] | None:
    """None where it declares none; RuleBroken if they are not three whole numbers."""
    numbers = Attributes(program.attributes).whole_numbers(SIMPLE_DUTY_CYCLE, LEVELS, most=MOST)
    if numbers is None:
        return None
    first, second, third = numbers
    return first, second, third
