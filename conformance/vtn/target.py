"""The VTN under test."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    prepared: Mapping[str, str] = field(default_factory=dict)
    """What the tester has agreed on with the VTN's operator, by variable: ``resource``, ``group`` …."""
