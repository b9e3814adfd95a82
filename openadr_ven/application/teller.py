"""What gateways are told: a round that is stored, its price, and again what nobody has confirmed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from openadr_core.errors import DeviceError, LocalProtocolError
from openadr_ven.application.commands import Commands
from openadr_ven.application.observation import Observation
from openadr_ven.application.ports import Gateways, Journal
from openadr_ven.application.supporting import Supporting
from openadr_ven.dispatch.bulletin import bulletins
from openadr_ven.dispatch.plan import Plan
from openadr_ven.domain.held import HeldEvent, Round
from openadr_ven.fleet.columns import Floats, Mode
from openadr_ven.gateways.contract import CommandFrame


class Teller:
    """The agent's voice towards its gateways. What a broker does not take is in the journal, and is due again."""

    def __init__(
        self, gateways: Gateways, commands: Commands, seen: Observation, *, journal: Journal, fleet_sha256: str
    ) -> None:
        self._gateways = gateways
        self._commands = commands
        self._seen = seen
        self._journal = journal
        self._fleet_sha256 = fleet_sha256

    async def send(self, made: Round, frames: Sequence[CommandFrame], now: datetime) -> None:
        """A round, which these are the frames of."""
        try:
            await self._gateways.send(frames)
        except (DeviceError, LocalProtocolError) as error:
            self._journal("commands not sent", event_id=made.event_id, sequence=made.sequence, error=str(error))
            return
        self._commands.sent(made)
        self._seen.told(frames, now=now)
        self._journal(
            "commands sent",
            event_id=made.event_id,
            sequence=made.sequence,
            devices=int(np.unpackbits(np.frombuffer(made.sent, dtype=np.uint8)).sum()),
            allowed_w=round(made.allowed_w),
        )

    async def send_again(self, now: datetime) -> None:
        """Releases that nobody has confirmed, ever less often, under the ids that they had."""
        frames = list(self._commands.again())
        if not frames:
            return
        try:
            await self._gateways.send(frames)
        except (DeviceError, LocalProtocolError) as error:
            self._journal("releases not told again", gateways=len(frames), error=str(error))
            return
        self._commands.sent_again(frames, now)
        self._seen.told(frames, now=now, again=True)

    async def support(self, supporting: Supporting, held: Mapping[str, HeldEvent], now: datetime) -> None:
        """Curves and the like: what is to be set now, or held for longer; the events that say so are stored."""
        frames = supporting.frames(held, now)
        if not frames:
            return
        try:
            await self._gateways.send(frames)
        except (DeviceError, LocalProtocolError) as error:
            supporting.unsent(frames)
            self._journal("grid support not sent", frames=len(frames), error=str(error))
            return
        self._journal("grid support sent", frames=len(frames), devices=sum(frame.slots.size for frame in frames))

    async def announce(self, made: Round, plan: Plan, baseline_w: Floats) -> None:
        """The price of a round, for devices that can follow one; the frames say the same, so nothing hangs on it."""
        if plan.following is None:
            return
        sent = np.unpackbits(np.frombuffer(made.sent, dtype=np.uint8), count=plan.mode.size).astype(np.bool_)
        told = bulletins(
            self._seen.fleet, plan.following, sent & (plan.mode == Mode.SETPOINT), baseline_w,
            self._seen.measured_at(), fleet_sha256=self._fleet_sha256, event_id=made.event_id,
            event_version=made.event_version, sequence=made.sequence, issued_at=made.made_at, ends_at=made.ends_at,
        )  # fmt: skip
        try:
            await self._gateways.announce(told)
        except (DeviceError, LocalProtocolError) as error:
            self._journal("price not told", event_id=made.event_id, sequence=made.sequence, error=str(error))

    def tell_of_silence(self) -> None:
        """Gateways that are planned without from this round on, and those that count again."""
        names, patience = self._seen.fleet.gateway_names, self._seen.patience
        for text, which in (("gateways silent", patience.fell), ("gateways back", patience.back)):
            if which.any():
                self._journal(text, gateways=int(which.sum()), first=names[int(which.argmax())])
