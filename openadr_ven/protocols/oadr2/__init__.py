"""OpenADR 2.0b as a VEN: a core without sockets.

``session`` is the conversation, ``speech`` what it says, ``memory`` what it remembers; ``events`` and
``reports`` tell what a payload means for that memory, ``pushed`` how one comes that we did not ask for.
"""

from openadr_ven.protocols.oadr2.memory import Memory
from openadr_ven.protocols.oadr2.session import Oadr2Session
from openadr_ven.protocols.oadr2.speech import Pushed, SessionSettings

__all__ = ["Memory", "Oadr2Session", "Pushed", "SessionSettings"]
