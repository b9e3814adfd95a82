"""The MQTT broker that clients of OpenADR 3.1 are told of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    publisher: str
    """Who we are there."""
    uris: tuple[str, ...]
    admission: Callable[[str], Mapping[str, str]]
    """What a client of this id authenticates with there: 3.1's ``authentication``, with its method."""
