"""OpenADR 2.0b as a pull VEN: a core without sockets.

``session`` is the conversation, ``speech`` what it says, ``memory`` what it remembers; ``events`` and
``reports`` tell what a payload means for that memory.
"""

from openadr_ven.protocols.oadr2.memory import Memory
from openadr_ven.protocols.oadr2.session import Oadr2Session
from openadr_ven.protocols.oadr2.speech import SessionSettings

__all__ = ["Memory", "Oadr2Session", "SessionSettings"]
