"""What a client of IEEE 2030.5 is judged by besides documents: its server's clock, rates, word and loss."""

from dataclasses import dataclass

from conformance.procedure import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Leap(Step):
    """The server's clock goes forward at once (Time.quality 7): what lasts an hour is over in a moment."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Step):
    """Nobody hears from the server for so long; the step lasts as long."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRate(Step):
    """From now on the server wants readings so often, whatever the client would like."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(Step):
    """The server tells a subscriber that a resource has changed; what it answers is judged."""

    uri: str
    """Where it wants to be told; a template, as the next."""
    body: str
