"""Words of OpenADR 3 that both sides use."""

from enum import StrEnum


class ObjectKind(StrEnum):
    """objectType of what is stored at a VTN."""

    PROGRAM = "PROGRAM"
    EVENT = "EVENT"
    REPORT = "REPORT"
    SUBSCRIPTION = "SUBSCRIPTION"
    VEN = "VEN"
    RESOURCE = "RESOURCE"
