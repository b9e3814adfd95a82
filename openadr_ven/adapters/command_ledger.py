"""The command ledger: what each device was told and what came of it, as columns that SQL can ask.

    ledger/devices/<fleet>.parquet      who the rows of a fleet are: one file for each that was in use
    ledger/commands/<sequence>.parquet  one row per device that a round told something: written before it is sent
    ledger/outcomes/<event>.parquet     one row per device that took part in an event: written when it is let go

Where shards carry the commands, each has such a ledger of its own, and more in it:

    …/commands/<sequence>-<parcel>.parquet   the same, of the gateways of one parcel
    …/sent/<sequence>-<parcel>.parquet       one row per frame that a broker has taken
    …/acknowledgements/<life>-<n>.parquet    one row per device and state that its gateway told of

Files are only ever added, and named by what they hold: whoever does something again, after a crash or for another who
has died, writes the same file. ``ask`` reads all ledgers as one, each file once, as tables in DuckDB, and ``earned``,
which is derived.
"""

import hashlib
import importlib
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.domain.held import Round
from openadr_ven.domain.outcome import DeviceOutcomes
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats, Gateways, Mode, Rows, gateways
from openadr_ven.gateways.contract import AckFrame, AckState, CommandFrame, Reason

VARYING = frozenset({
    "row", "setpoint_w", "relief_w", "seconds", "commanded_wh", "acknowledged_wh", "delivered_wh", "device_id", "site",
})  # fmt: skip
FLEET_DIGITS = 16
"""Of a fleet's SHA-256, by which the ledger knows whose rows it is about."""
DEVICES, COMMANDS, OUTCOMES, SENT, ACKNOWLEDGEMENTS = "devices", "commands", "outcomes", "sent", "acknowledgements"
OF_A_SHARD = "shard-{number}"
"""The folder of a shard's ledger, in the agent's."""
MOMENT = pa.timestamp("us", tz="UTC")
NAME = pa.dictionary(pa.int32(), pa.string())
"""Texts that repeat: a file has each once, and SQL sees a text."""


def _schema(columns: Sequence[tuple[str, Any]]) -> Any:
    """Every column has a value in every row: to write down where one is missing takes as long as the values."""
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


SCHEMAS: Mapping[str, Any] = {
    COMMANDS: _schema(
        [
            ("fleet", NAME), ("row", pa.uint32()), ("event_id", NAME), ("event_version", pa.int64()),
            ("sequence", pa.int64()), ("made_at", MOMENT), ("ends_at", MOMENT), ("mode", NAME),
            ("setpoint_w", pa.float32()), ("relief_w", pa.float32()),
        ]
    ),
    OUTCOMES: _schema(
        [
            ("fleet", NAME), ("row", pa.uint32()), ("event_id", NAME), ("since", MOMENT), ("until", MOMENT),
            ("seconds", pa.float32()), ("commanded_wh", pa.float32()), ("acknowledged_wh", pa.float32()),
            ("delivered_wh", pa.float32()), ("state", NAME),
        ]
    ),
    SENT: _schema(
        [("fleet", NAME), ("gateway", NAME), ("event_id", NAME), ("sequence", pa.int64()), ("devices", pa.uint32()),
         ("sent_at", MOMENT)]
    ),
    ACKNOWLEDGEMENTS: _schema(
        [("fleet", NAME), ("row", pa.uint32()), ("sequence", pa.int64()), ("state", NAME), ("reason", NAME),
         ("told_at", MOMENT)]
    ),
    DEVICES: _schema(
        [("fleet", NAME), ("row", pa.uint32()), ("device_id", pa.string()), *((name, NAME) for name in (
            "device_class", "vendor", "gateway", "site", "transformer", "feeder",
        ))]
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A file that is whole and on disk, under a name that nobody asks."""

    draft: Path
    path: Path

    def keep(self) -> None:
        """What is in the ledger already stays as it was: a round that is sent again is told the same."""
        if self.path.is_file():
            self.drop()
        else:
            self.draft.replace(self.path)

    def drop(self) -> None:
        self.draft.unlink(missing_ok=True)


class CommandLedger:
    """Writes; one process at a time."""

    def __init__(self, folder: Path, fleet: Fleet, *, fleet_sha256: str) -> None:
        self._folder = folder
        self._fleet = fleet_sha256[:FLEET_DIGITS]
        self._of = fleet
        self._code = {name: code for code, name in enumerate(fleet.gateway_names)}
        self._life = uuid.uuid4().hex
        self._told = 0
        for name in SCHEMAS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        devices = folder / DEVICES / f"{self._fleet}.parquet"
        if not devices.is_file():
            _page(devices, _devices(fleet, self._fleet)).keep()

    def commanded(self, made: Round, relief_w: Floats) -> Page:
        """What a round is about to tell whom: to be kept before it does."""
        mode = np.frombuffer(made.mode, dtype=np.uint8)
        sent = np.flatnonzero(np.unpackbits(np.frombuffer(made.sent, dtype=np.uint8), count=mode.size).view(np.bool_))
        columns = {
            "fleet": _same(self._fleet, sent.size),
            "row": sent.astype(np.uint32),
            "event_id": _same(made.event_id, sent.size),
            "event_version": np.full(sent.size, made.event_version),
            "sequence": np.full(sent.size, made.sequence),
            "made_at": _moments(made.made_at, sent.size),
            "ends_at": _moments(made.ends_at, sent.size),
            "mode": _named([one.name for one in Mode], mode[sent]),
            "setpoint_w": np.frombuffer(made.setpoint_w, dtype=np.float32)[sent],
            "relief_w": relief_w[sent].astype(np.float32),
        }
        return _page(self._folder / COMMANDS / f"{made.sequence:016d}.parquet", _table(COMMANDS, columns))

    def carried(self, parcel: int, frames: Sequence[CommandFrame], relief_w: NDArray[np.float32]) -> None:
        """The same of one parcel, from its frames, and the relief of each of their rows; LookupError for a stranger's.

        All of one round.
        """
        path = self._of_parcel(COMMANDS, parcel, frames)
        if path.is_file():
            return
        rows = np.concatenate([self.rows(one.gateway, one.rows["slot"]) for one in frames])
        order, first = np.argsort(rows), frames[0]
        columns = {
            "fleet": _same(self._fleet, rows.size),
            "row": rows[order].astype(np.uint32),
            "event_id": _same(first.event_id, rows.size),
            "event_version": np.full(rows.size, first.event_version),
            "sequence": np.full(rows.size, first.sequence),
            "made_at": _moments(first.issued_at, rows.size),
            "ends_at": _moments(first.end, rows.size),
            "mode": _named([one.name for one in Mode], np.concatenate([one.rows["mode"] for one in frames])[order]),
            "setpoint_w": np.concatenate([one.rows["setpoint_w"] for one in frames])[order],
            "relief_w": relief_w[order],
        }
        _page(path, _table(COMMANDS, columns)).keep()

    def sent(self, parcel: int, frames: Sequence[CommandFrame], at: datetime) -> None:
        """The broker of a parcel's gateways has these."""
        path, first, size = self._of_parcel(SENT, parcel, frames), frames[0], len(frames)
        if path.is_file():
            return
        columns = {
            "fleet": _same(self._fleet, size),
            "gateway": pa.array([one.gateway for one in frames], type=NAME),
            "event_id": _same(first.event_id, size),
            "sequence": np.full(size, first.sequence),
            "devices": np.array([one.rows.size for one in frames], dtype=np.uint32),
            "sent_at": _moments(at, size),
        }
        _page(path, _table(SENT, columns)).keep()

    def acknowledged(self, acks: Sequence[AckFrame]) -> None:
        """What gateways said of commands. They may say it again: ``ask`` counts the first time."""
        rows = [self.rows(one.gateway, one.slots) for one in acks]
        each = np.repeat(np.arange(len(acks)), [one.size for one in rows])
        states, reasons = list(AckState), list(Reason)
        columns = {
            "fleet": _same(self._fleet, each.size),
            "row": np.concatenate(rows).astype(np.uint32),
            "sequence": np.array([one.sequence for one in acks])[each],
            "state": _named([one.name for one in states], np.array([states.index(one.state) for one in acks])[each]),
            "reason": _named(
                [one.name for one in reasons], np.array([reasons.index(one.reason) for one in acks])[each]
            ),
            "told_at": pa.array(np.array([_micros(one.at) for one in acks])[each], type=pa.int64()).cast(MOMENT),
        }
        self._told += 1
        name = f"{self._life}-{self._told:08d}.parquet"
        _page(self._folder / ACKNOWLEDGEMENTS / name, _table(ACKNOWLEDGEMENTS, columns)).keep()

    @cached_property
    def _gateways(self) -> Gateways:
        """Of who writes frames; for millions of devices it is large."""
        return gateways(self._of)

    def rows(self, gateway: str, slots: NDArray[Any]) -> Rows:
        """The fleet's rows at these slots; LookupError if it has none of them."""
        found = self._gateways.at(self._code[gateway], slots)
        if (found < 0).any():
            raise LookupError(f"{gateway} has no slot {int(slots[found < 0][0])}")
        return found

    def _of_parcel(self, table: str, parcel: int, frames: Sequence[CommandFrame]) -> Path:
        return self._folder / table / f"{frames[0].sequence:016d}-{parcel:05d}.parquet"

    def came_to(self, outcomes: DeviceOutcomes) -> None:
        """What an event came to, device by device, since we began to count."""
        rows = np.flatnonzero(outcomes.seconds > 0.0)
        columns = {
            "fleet": _same(self._fleet, rows.size),
            "row": rows.astype(np.uint32),
            "event_id": _same(outcomes.event_id, rows.size),
            "since": _moments(outcomes.since, rows.size),
            "until": _moments(outcomes.until, rows.size),
            **{
                name: getattr(outcomes, name)[rows].astype(np.float32)
                for name in ("seconds", "commanded_wh", "acknowledged_wh", "delivered_wh")
            },
            "state": _named(outcomes.state_names, outcomes.state[rows]),
        }
        name = f"{hashlib.sha256(outcomes.event_id.encode()).hexdigest()[:16]}-{outcomes.since:%Y%m%dT%H%M%S%f}"
        _page(self._folder / OUTCOMES / f"{name}.parquet", _table(OUTCOMES, columns)).keep()


EARNED = """
CREATE VIEW earned AS
WITH lines AS (
    SELECT device_id, event_id, min(since) AS since, max(until) AS until, sum(seconds) AS seconds,
           sum(commanded_wh) / 1000 AS asked_kwh, sum(acknowledged_wh) / 1000 AS confirmed_kwh,
           sum(delivered_wh) / 1000 AS gave_kwh, arg_max(state, until) AS state,
           arg_max(site, until) AS site, arg_max(device_class, until) AS device_class
    FROM outcomes JOIN devices USING (fleet, row) GROUP BY device_id, event_id
)
SELECT site, device_id, device_class, event_id, since, until, seconds, asked_kwh, confirmed_kwh, gave_kwh, state,
       coalesce(least(greatest(gave_kwh / nullif(asked_kwh, 0), 0), 1) * abs(asked_kwh), 0) AS paid_kwh,
       per_kwh, cast(round(paid_kwh * per_kwh * 100) AS BIGINT) AS cents
FROM lines LEFT JOIN rates USING (event_id)
"""
"""By the device's own id: rows are numbers within one fleet, and another fleet may have come since.

Interpretation: paid is what was given of what was asked, not beyond it and not against it, rounded to the
hundredth by device and event, so that the sums of a statement are the sums of its lines."""


ACKNOWLEDGED = """
CREATE VIEW acknowledgements AS
SELECT fleet, row, sequence, state, reason, min(told_at) AS told_at FROM told GROUP BY ALL
"""
"""A broker that was not answered tells again."""


def ask(
    folder: Path,
    sql: str,
    *,
    others: Sequence[Path] = (),
    parameters: Sequence[object] = (),
    rates: Mapping[str, float] | None = None,
) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """The answer's columns and rows. ConfigError if there is no ledger, or the question is none.

    ``others`` are ledgers of shards that are not in the agent's folder; ``parameters`` stand where the question has
    ``?``; ``rates`` are what owners are paid for a kWh, by event.
    """
    if not (folder / COMMANDS).is_dir():
        raise ConfigError(f"{folder}: no ledger is there; the running agent writes it")
    folders = (folder, *sorted(folder.glob(OF_A_SHARD.format(number="*"))), *others)
    duckdb = importlib.import_module("duckdb")  # a database engine: the agent, which only writes, need not load it
    with duckdb.connect(":memory:") as base:
        base.execute("SET TimeZone = 'UTC'")
        for name, schema in SCHEMAS.items():
            shown = "told" if name == ACKNOWLEDGEMENTS else name
            if files := _files(folders, name):
                base.read_parquet([str(file) for file in files], union_by_name=True).create_view(shown)
            else:
                base.register(shown, schema.empty_table())
        told = rates or {}
        base.register("rates", pa.table({
            "event_id": pa.array(list(told), type=pa.string()),
            "per_kwh": pa.array(list(told.values()), type=pa.float64()),
        }))  # fmt: skip
        base.execute(EARNED)
        base.execute(ACKNOWLEDGED)
        try:
            found = base.execute(sql, list(parameters))
            names = [column[0] for column in found.description or ()]
            return names, found.fetchall()
        except duckdb.Error as problem:
            raise ConfigError(f"ledger: {problem}") from None


def _files(folders: Sequence[Path], table: str) -> list[Path]:
    """Each file once, whoever wrote it; of a round that is written whole, none of its parcels."""
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted((folder / table).glob("*.parquet")):
            found.setdefault(file.stem, file)
    return [
        file for stem, file in sorted(found.items()) if table != COMMANDS or stem[:16] == stem or stem[:16] not in found
    ]


def _devices(fleet: Fleet, name: str) -> pa.Table:
    columns = {
        "fleet": _same(name, fleet.size),
        "row": np.arange(fleet.size, dtype=np.uint32),
        "device_id": pa.array(fleet.device_id.tolist(), type=pa.string()),
        "device_class": _named([one.name.lower() for one in DeviceClass], fleet.device_class),
        **{
            node: _named(list(getattr(fleet, f"{node}_names")), getattr(fleet, node))
            for node in ("vendor", "gateway", "site", "transformer", "feeder")
        },
    }
    return _table(DEVICES, columns)


def _table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    schema = SCHEMAS[name]
    return pa.table({field.name: pa.array(columns[field.name], type=field.type) for field in schema}, schema=schema)


def _named(names: Sequence[str], codes: Any) -> Any:  # pyarrow has no types
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, type=pa.string()))


def _same(text: str, size: int) -> Any:
    return _named([text], np.zeros(size, dtype=np.int32))


def _moments(moment: datetime, size: int) -> Any:
    return pa.array(np.full(size, _micros(moment)), type=pa.int64()).cast(MOMENT)


def _micros(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1e6)


def _page(path: Path, table: pa.Table) -> Page:
    draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    with draft.open("wb") as file:
        # What differs from row to row makes no dictionary and skips no file: to try takes longer than to write it.
        same = [field.name for field in table.schema if field.name not in VARYING]
        pa_parquet.write_table(table, file, compression="snappy", use_dictionary=same, write_statistics=same)
        file.flush()
        os.fsync(file.fileno())
    return Page(draft=draft, path=path)
