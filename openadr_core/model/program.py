"""A program: the agreement that events belong to, and what their numbers mean under it."""

from dataclasses import dataclass
from enum import Enum

from openadr_core.model.availability import OptRules


class ReliefSign(Enum):
    """What a positive relative setpoint asks for under a program.

    Interpretation: neither OpenADR 2.0b (LOAD_DISPATCH ``delta``) nor 3.1
    (DISPATCH_SETPOINT_RELATIVE) says whether a positive number means more load or more
    relief, and utilities differ. A program declares it by the private attribute
    ``RELIEF_SIGN``; without it a relative event is refused with that reason.
    """

    POSITIVE = "POSITIVE"
    """A positive number asks for relief."""
    NEGATIVE = "NEGATIVE"
    """A negative number asks for relief."""

    @property
    def factor(self) -> int:
        """Multiplies a wire number into relief, and relief into a wire number."""
        return 1 if self is ReliefSign.POSITIVE else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    id: str
    name: str
    market_context: str
    """The URI that names this program to 2.0b parties (EiMarketContext)."""
    relief_sign: ReliefSign | None = None
    """None where the program declares none: relative events are refused then."""
    targets: tuple[str, ...] = ()
    opt_rules: OptRules | None = None
    """None where the program declares none: the VTN's own hold."""
    overlap_allowed: bool = True
    """Whether two of its events may run at once for the same party, as 2.0b R18 allows."""
