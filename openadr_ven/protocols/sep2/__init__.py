"""IEEE 2030.5 as a client of a utility server (CSIP, CSIP-AUS): a core without sockets.

``session`` is the conversation; ``calls`` carry one exchange, ``discovery`` walks from link to link; ``taking`` reads
controls, ``schedule`` says which of them rules when, ``meaning`` what they ask, ``telling`` what the agent hears of
it, ``answering`` what the server is owed; ``presence`` says how we are, by ``standing``, ``alarms`` and ``mirroring``;
``subscribing`` has the server tell us of changes; ``memory`` is what outlives the process.
"""

from openadr_ven.protocols.sep2.calls import Speech
from openadr_ven.protocols.sep2.identity import Identity
from openadr_ven.protocols.sep2.meaning import Ratings
from openadr_ven.protocols.sep2.memory import Memory
from openadr_ven.protocols.sep2.session import Sep2Session
from openadr_ven.protocols.sep2.settings import WHOLE_FLEET, ManagedDevice, Sep2Settings

__all__ = ["WHOLE_FLEET", "Identity", "ManagedDevice", "Memory", "Ratings", "Sep2Session", "Sep2Settings", "Speech"]
