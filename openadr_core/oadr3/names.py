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


class Operation(StrEnum):
    """What a client does to an object; 3.1 calls its reading one too."""

    CREATE = "CREATE"
    READ = "READ"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
