"""Who we are to a 2030.5 server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """By our certificate, and by what the utility told us of it."""

    lfdi: str
    sfdi: int
    pin: int | None = None
    """Told out of band; None: not checked."""
    registers: bool = False
    """Whether we register ourselves where the server does not know us yet."""
    category: int = 0
    """Bits of deviceCategory."""
    pen: int = 0
    """Our Private Enterprise Number: what mRIDs that we make end in."""
