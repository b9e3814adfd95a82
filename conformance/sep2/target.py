"""The server under test, and the devices that the harness may be."""

from dataclasses import dataclass

from conformance.client.address import Address
from conformance.sep2.hearing import Subscriber
from openadr_core.pki import Authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Sep2Target(Address):
    """Its URL is the server's entry point: ``https://host[:port]/dcap``."""

    authority: Authority | None = None
    """A laboratory's root that the server trusts, with its key; None if nobody has it."""
    hook: str = ""
    """What asks the server's operator; empty for none."""
    pin: str = ""
    """The enrolled device's, as its operator was told; empty if nobody knows it."""
    pen: str = ""
    """Eight digits: the Private Enterprise Number in the mRIDs that the harness gives."""
    notification_uri: str = ""
    """An address of the harness that the server may tell of changes; empty if there is none."""
    subscriber: Subscriber | None = None
    """Who listens there; None: nobody."""
    operator_s: float = 5.0
    """What the server's operator takes for each thing that is asked; what must begin soon begins so much later."""
    latency_s: float = 0.0
