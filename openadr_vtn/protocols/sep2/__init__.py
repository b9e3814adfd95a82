"""The server's side of IEEE 2030.5 (CSIP, CSIP-AUS), without a socket."""

from openadr_vtn.protocols.sep2.scene import Sep2Desk
from openadr_vtn.protocols.sep2.server import Sep2Server

__all__ = ["Sep2Desk", "Sep2Server"]
