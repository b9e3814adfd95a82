"""A utility's store of IEEE 2030.5: devices of their own and of an aggregator, and what is asked of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from openadr_core.identity import sfdi_of
from openadr_core.model.party import Certificate
from openadr_core.sep2.base import DateTimeInterval, EventStatus
from openadr_core.sep2.controls import DERControl, DERControlBase
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.power import active_power
from openadr_vtn.adapters.sql import sep2_tables as t
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.migrate import migrate_with
from openadr_vtn.adapters.sql.rows import certificate_rows, party_row
from tests.bench.lab import Ven
from tests.vtn.samples import a_party

LASTS_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    devices: int
    controls: int

    @property
    def name(self) -> str:
        return f"{self.devices:,} devices, {self.controls:,} controls"


async def populate_sep2(url: str, own: Sequence[Ven], size: Size) -> None:
    """The first of ``own`` manages all devices but one each of the others.

    There are as many service points as devices, with controls of their own each; ``own`` are all at the first.
    """
    now = datetime.now(UTC)
    moment = int(now.timestamp())
    parties = [_party(now, one) for one in own]
    managed = size.devices - len(own)
    lfdis = [one.peer.lfdi for one in own] + [f"{number:032X}{28547:08d}" for number in range(managed)]
    devices: list[dict[str, Any]] = [
        {
            "number": number, "party_id": own[number - 1].ven_id if number <= len(own) else own[0].ven_id,
            "lfdi": lfdi, "sfdi": sfdi_of(bytes.fromhex(lfdi)), "registered_at": moment, "changed_at": moment,
            "category": "", "pin": None, "post_rate_s": None, "enabled": True, "rates": {},
        }
        for number, lfdi in enumerate(lfdis, start=1)
    ]  # fmt: skip
    groups: list[dict[str, Any]] = [
        {
            "id": number, "name": f"point-{number}", "mrid": f"{number:032X}", "parent_id": None, "primacy": 1,
            "version": 0, "audience": "", "rates": {},
        }
        for number in range(1, size.devices + 1)
    ]  # fmt: skip
    members = [
        {"number": number, "group_id": 1 if number <= len(own) else 1 + number % size.devices}
        for number in range(1, size.devices + 1)
    ]
    rows: dict[type[tables.Row], list[dict[str, Any]]] = {
        tables.PartyRow: [party_row(party) for party in parties],
        tables.CertificateRow: [row for party in parties for row in certificate_rows(party)],
        t.GroupRow: groups, t.DeviceRow: devices, t.MemberRow: members,
        t.ControlRow: [_control(number, 1 + number % size.devices, moment) for number in range(size.controls)],
    }  # fmt: skip
    engines = engines_of(url)
    await migrate_with(engines)
    async with engines.writer.begin() as connection:
        for table, its in rows.items():
            await connection.execute(insert(tables.table_of(table)), its)
    await engines.close()


def _party(now: datetime, one: Ven) -> Any:
    certificate = Certificate(
        sha256=one.peer.certificate_sha256, fingerprint_20b=one.peer.fingerprint_20b, lfdi=one.peer.lfdi, subject="",
        first_seen_at=now,
    )  # fmt: skip
    return a_party(now, one.name, certificates=(certificate,), registration=None)


def _control(number: int, group_id: int, moment: int) -> dict[str, Any]:
    """One after the other, five minutes each, from an hour from now on."""
    start = moment + 3600 + LASTS_S * number
    message = DERControl(
        mrid=f"{number:024X}{28547:08d}", response_required="03", creation_time=moment,
        event_status=EventStatus(current_status=0, date_time=0, potentially_superseded=False),
        interval=DateTimeInterval(duration=LASTS_S, start=start),
        der_control_base=DERControlBase(op_mod_exp_lim_w=active_power(5000)),
    )  # fmt: skip
    return {
        "group_id": group_id, "kind": "DERControl", "mrid": message.mrid, "creation_time": moment, "start": start,
        "duration_s": LASTS_S, "randomize_start_s": 0, "randomize_duration_s": 0, "latest_end": start + LASTS_S,
        "asks": ["opModExpLimW"], "categories": [], "cancelled_at": None, "cancelled_randomly": False,
        "body": encode(message, csipaus=CsipAus.V1_3), "event_id": None, "event_version": 0,
    }  # fmt: skip
