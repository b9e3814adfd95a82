"""OpenADR 3 as a VEN: a core without sockets.

``session`` is the conversation, ``asking`` what it says, ``memory`` what it remembers; ``lists`` reads
pages, ``events`` and ``reports`` tell what they mean; ``hearing`` has the VTN tell us of changes, and ``notices``
judges what then comes.
"""

from openadr_ven.protocols.oadr3.asking import Oadr3Settings
from openadr_ven.protocols.oadr3.bids import Bid, Bids
from openadr_ven.protocols.oadr3.hearing import BrokerPlace
from openadr_ven.protocols.oadr3.memory import Memory
from openadr_ven.protocols.oadr3.notices import Webhook, is_hint
from openadr_ven.protocols.oadr3.session import Oadr3Session

__all__ = ["Bid", "Bids", "BrokerPlace", "Memory", "Oadr3Session", "Oadr3Settings", "Webhook", "is_hint"]
