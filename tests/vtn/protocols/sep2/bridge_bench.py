"""An operator who writes events of OpenADR, and what devices of IEEE 2030.5 read of them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.sep2.controls import DERControl, DERControlList, DERProgram, DERProgramList
from openadr_vtn.application.handlers import programs
from openadr_vtn.application.handlers.events import cancel_events, create_event, replace_event
from openadr_vtn.domain.delivery import Delivery, newest
from openadr_vtn.domain.guard_rails import GuardRails
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Client, Sep2Bench

RAILS = GuardRails(event_max_w=1e9, step_max_w=1e9)
PROGRAM = "solar"
_numbers = count(1)


@dataclass(slots=True)
class Operator:
    bench: Sep2Bench

    async def program(self, name: str = PROGRAM, **members: Any) -> None:
        body = json.dumps({"programName": name, **members}).encode()
        await programs.create_program(
            self.bench.store, decode_program(body), actor=ACTOR, program_id=name, now=self.bench.now
        )

    def body(self, payload: str, *values: float, each_s: int = 300, start_s: int = 60, **members: Any) -> bytes:
        start = (self.bench.now + timedelta(seconds=start_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = {
            "programID": PROGRAM,
            "intervalPeriod": {"start": start, "duration": f"PT{each_s}S"},
            "payloadDescriptors": [
                {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": payload, "units": "KW"}
            ],
            "intervals": [
                {"id": number, "payloads": [{"type": payload, "values": [value]}]}
                for number, value in enumerate(values)
            ],
        }  # fmt: skip
        return json.dumps(said | members).encode()

    async def event(self, payload: str, *values: float, **said: Any) -> str:
        event_id = f"e{next(_numbers)}"
        await create_event(
            self.bench.store, decode_event(self.body(payload, *values, **said)), actor=ACTOR, event_id=event_id,
            rails=RAILS, now=self.bench.now, maker=self.bench.maker,
        )  # fmt: skip
        return event_id

    async def change(self, event_id: str, payload: str, *values: float, **said: Any) -> None:
        await replace_event(
            self.bench.store, event_id, decode_event(self.body(payload, *values, **said)), actor=ACTOR,
            rails=RAILS, now=self.bench.now, maker=self.bench.maker,
        )  # fmt: skip

    async def cancel(self, event_id: str) -> None:
        await cancel_events(self.bench.store, [event_id], actor=ACTOR, reason="", now=self.bench.now)

    async def row(self, event_id: str, party_id: str = "id-one") -> Delivery:
        """The newest news of the event to the party."""
        async with self.bench.store.view() as view:
            return newest(await view.deliveries.of_parties([party_id], [event_id]))[event_id, party_id]

    async def owed(self, event_id: str) -> dict[str, tuple[int, bool]]:
        """By party: the newest version and whether it was taken back."""
        async with self.bench.store.view() as view:
            rows = newest(await view.deliveries.of_event(event_id))
        return {party_id: (row.version, row.withdrawn) for (_, party_id), row in rows.items()}


async def programs_of(client: Client, device: int = 1) -> list[DERProgram]:
    listed = await client.get(f"/edev/{device}/fsa/1/derp?l=10", DERProgramList)
    return list(listed.der_program)


async def controls_of(client: Client, device: int = 1) -> list[DERControl]:
    found: list[DERControl] = []
    for program in await programs_of(client, device):
        assert program.der_control_list_link is not None
        listed = await client.get(f"{program.der_control_list_link.href}?l=100", DERControlList)
        found += listed.der_control
    return found
