"""XML signatures as OpenADR 2.0b wants them (10.6, R514): one fixed shape, made and verified.

The signature stands beside the signed object and refers to two things: that object, and what keeps
the message from being sent twice. Any other shape is refused, so that there is nothing to wrap.
Bytes and keys go in; whose certificate may sign, and how old a message may be, is decided in
:mod:`openadr_core.oadr2.signed`.
"""

from openadr_core.oadr2.xmldsig.keys import KeyKind, Signer, signer_of
from openadr_core.oadr2.xmldsig.making import Prepared, prepare, signed
from openadr_core.oadr2.xmldsig.verifying import ReplayProtect, Verified, is_signed, verify

__all__ = [
    "KeyKind",
    "Prepared",
    "ReplayProtect",
    "Signer",
    "Verified",
    "is_signed",
    "prepare",
    "signed",
    "signer_of",
    "verify",
]
