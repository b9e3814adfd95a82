"""The devices' own log: every delivery of a command and what it did, and every lease that ran out.

``devices.jsonl`` has one JSON object a line. It is what tests of crashes believe: a command that is
lost is not in it, and one that is applied twice has more devices applied than it has rows.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from openadr_ven.gateways.contract import AckFrame, AckState
from openadr_ven.gateways.edge.leases import Receipt

FILE = "devices.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: a delivery (``rows`` > 0), or the end of leases (``ended`` > 0)."""

    at: str
    """ISO 8601."""
    gateway: str
    command: str
    """The command id in hex."""
    sequence: int
    event: str = ""
    version: int = 0
    rows: int = 0
    """Devices that the frame named."""
    applied: int = 0
    """Devices that took the command with this delivery."""
    repeated: int = 0
    """Devices that had taken it before."""
    refused: dict[str, int] = field(default_factory=dict)
    """Devices that did not take it, by reason."""
    ended: int = 0
    """Devices that went back to their default as the command said: at its end, or at the start of a RELEASE."""


class DeviceLog:
    """Appends; what is written is visible to readers after ``flush``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / FILE).open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def delivered(self, receipt: Receipt, now: datetime) -> None:
        frame = receipt.frame
        refused = {
            ack.reason.name if ack.state is AckState.REJECTED else ack.state.name: ack.slots.size
            for ack in receipt.acks
            if ack.state in {AckState.REJECTED, AckState.OPTED_OUT}
        }
        self._write(
            Entry(
                at=now.isoformat(),
                gateway=frame.gateway,
                command=frame.command_id.hex(),
                sequence=frame.sequence,
                event=frame.event_id,
                version=frame.event_version,
                rows=frame.rows.size,
                applied=receipt.applied,
                repeated=receipt.repeated,
                refused=refused,
            )
        )

    def ended(self, ack: AckFrame) -> None:
        self._write(
            Entry(
                at=ack.at.isoformat(),
                gateway=ack.gateway,
                command=ack.command_id.hex(),
                sequence=ack.sequence,
                ended=ack.slots.size,
            )
        )

    def flush(self) -> None:
        self._file.flush()

    def _write(self, entry: Entry) -> None:
        self._file.write(json.dumps(asdict(entry), separators=(",", ":")) + "\n")


def read_device_log(folder: Path) -> list[Entry]:
    """Every whole line so far."""
    lines = (folder / FILE).read_text(encoding="utf-8").split("\n")[:-1]
    return [Entry(**json.loads(line)) for line in lines]


def applied_twice(entries: list[Entry]) -> list[Entry]:
    """Deliveries with which more devices had taken a command than it names; there must be none.

    A delivery that comes again may well apply to devices that were out of reach the first time.
    """
    taken: dict[str, int] = {}
    wrong = []
    for entry in entries:
        taken[entry.command] = taken.get(entry.command, 0) + entry.applied
        if entry.rows and taken[entry.command] > entry.rows:
            wrong.append(entry)
    return wrong
