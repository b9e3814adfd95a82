"""The VTN under test."""

from dataclasses import dataclass

from conformance.client.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Address):
    ven_name: str = "conformance"
    latency_s: float = 0.0
    hook: str = ""
    """A shell command that asks the VTN's operator for something."""
    push_address: str = ""
    """Where the harness is a VEN that is pushed to: ``https://host[:port]/[prefix/]``; empty if it is none."""
    given: frozenset[str] = frozenset()
    """Options that procedures may need, without their dashes."""
    patience_s: float = 20.0
    """For anything that the VTN pushes."""
