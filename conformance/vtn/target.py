"""The VTN under test."""

from dataclasses import dataclass

from conformance.client.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Address):
    ven_name: str = "conformance"
    latency_s: float = 0.0
    hook: str = ""
    """A shell command that asks the VTN's operator for something."""
