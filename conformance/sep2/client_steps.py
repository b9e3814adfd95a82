"""What a client of IEEE 2030.5 is judged by besides documents that come and go: its server's clock, rates and loss."""

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
