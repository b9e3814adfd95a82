"""The programs of the settings, as protocol cores know them."""

from openadr_core.model.program import ReliefSign
from openadr_core.oadr2.market_context import normalised
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.settings import Settings


def enrolled(settings: Settings) -> Enrolled:
    signs = {
        normalised(context): None if program.relief_sign is None else ReliefSign(program.relief_sign)
        for context, program in settings.programs.items()
    }
    return Enrolled(relief_signs=signs)
