"""What can go wrong with a vendor, and how to ask for it.

A fault is written ``KIND:VENDOR[:VALUE][@SECONDS]``; seconds count from the simulator's start, or
from when the line is read.

    silent:Acme@40      its cloud is down: no telemetry, no answers, and its devices are at their default
    isolated:Acme@40    its line to us is cut: nothing comes or goes, and its devices follow what they hold to its end
    late:Acme:5         its telemetry comes five seconds late
    lying:Acme:0.3@20   three in ten of its devices report what they were told, and do not do it
    healed:Acme@90      all of that is over
"""

import re
from dataclasses import dataclass
from enum import Enum

from openadr_core.errors import ConfigError


class FaultKind(Enum):
    SILENT = "silent"
    ISOLATED = "isolated"
    LATE = "late"
    LYING = "lying"
    HEALED = "healed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: FaultKind
    vendor: str
    value: float
    """LATE: seconds. LYING: share of the vendor's devices. Otherwise nothing."""
    after_s: float


WRITTEN = re.compile(r"(?P<kind>[a-z]+):(?P<vendor>[^:@]+)(?::(?P<value>[0-9.]+))?(?:@\+?(?P<after>[0-9.]+))?")
HIGHEST = {FaultKind.LATE: 3_600.0, FaultKind.LYING: 1.0}


def parse_fault(text: str) -> Fault:
    """The fault that a line asks for; ConfigError says how to write one."""
    match = WRITTEN.fullmatch(text.strip())
    kinds = {kind.value: kind for kind in FaultKind}
    if match is None or match["kind"] not in kinds:
        raise ConfigError(
            f"fault {text.strip()!r}: write KIND:VENDOR[:VALUE][@SECONDS], KIND one of {', '.join(kinds)}"
        )
    kind = kinds[match["kind"]]
    try:
        value, after_s = float(match["value"] or 0.0), float(match["after"] or 0.0)
    except ValueError:
        raise ConfigError(f"fault {text.strip()!r}: not a number") from None
    if (kind in HIGHEST) != (match["value"] is not None) or value > HIGHEST.get(kind, 0.0):
        raise ConfigError(f"fault {text.strip()!r}: late takes seconds, lying a share up to 1, the others no value")
    return Fault(kind=kind, vendor=match["vendor"], value=value, after_s=after_s)
