"""Which rows of a fleet file can be believed, and why the others cannot: whole columns at a time."""

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from openadr_ven.adapters.fleet_header import NUMBER_COLUMNS, SLOTS_MAX, TEXT_COLUMNS, Column
from openadr_ven.fleet.columns import DeviceClass, Floats, Mask

GATEWAY_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A gateway's name is part of its topics (docs/gateway-contract.md)."""


class CheckedRows:
    """A table's columns as NumPy, and for each row the first reason not to believe it."""

    def __init__(self, table: pa.Table) -> None:
        self.size = table.num_rows
        self._reason: dict[int, str] = {}
        self.text = {name: self._text(table, name) for name in TEXT_COLUMNS}
        known = {one.name.lower(): int(one) for one in DeviceClass}
        codes, classes = self.text["device_class"]
        self.device_class = np.array([known.get(name, -1) for name in classes], dtype=np.int8)[codes]
        self._refuse(self.device_class < 0, lambda row: f"device_class {classes[codes[row]]!r} is none of ours")
        gateway_codes, gateways = self.text["gateway"]
        unusable = np.array([GATEWAY_NAME.fullmatch(name) is None for name in gateways], dtype=np.bool_)[gateway_codes]
        self._refuse(
            unusable,
            lambda row: f"gateway {gateways[gateway_codes[row]]!r} is no name on the wire: 1 to 64 of A-Z a-z 0-9 _ -",
        )
        self.number = {column.name: self._number(table, column) for column in NUMBER_COLUMNS}
        self._refuse_repeated("device_id", self.text["device_id"][0].astype(np.int64))
        slot = np.nan_to_num(self.number["slot"], nan=-1.0)
        self._refuse(slot % 1 != 0, lambda row: f"slot {slot[row]} is not a whole number")
        self._refuse_repeated(
            "gateway and slot", self.text["gateway"][0].astype(np.int64) * SLOTS_MAX + slot.astype(np.int64)
        )
        self._refuse_contradicting("transformer", "transformer_limit_w")
        self._refuse_contradicting("feeder", "feeder_limit_w")
        self._refuse_transformer_of_two_feeders()

    def good(self) -> Mask:
        mask = np.ones(self.size, dtype=np.bool_)
        mask[list(self._reason)] = False
        return mask

    def refused(self) -> dict[int, str]:
        """The rows that cannot be believed, each with the first reason."""
        return dict(self._reason)

    def _text(self, table: pa.Table, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        column = pc.utf8_trim_whitespace(table[name].cast(pa.string()).fill_null(""))
        encoded = column.combine_chunks().dictionary_encode()
        names = encoded.dictionary.to_pylist()
        order = sorted(range(len(names)), key=names.__getitem__)
        rank = np.empty(len(names), dtype=np.int32)
        rank[order] = np.arange(len(names), dtype=np.int32)
        codes = rank[encoded.indices.to_numpy()]
        ranked = tuple(names[place] for place in order)
        if "" in ranked:
            self._refuse(codes == ranked.index(""), lambda _row: f"{name} is empty")
        return codes, ranked

    def _number(self, table: pa.Table, column: Column) -> Floats:
        if column.name not in table.column_names:
            values = np.full(self.size, np.nan)
        else:
            values = self._parsed(table[column.name], column.name)
        needed = np.isin(self.device_class, column.needed_by)
        self._refuse(needed & np.isnan(values), lambda _row: f"{column.name} is missing")
        outside = (values < column.lowest) | (values > column.highest)
        span = f"{column.lowest:g} to {column.highest:g} {column.unit}".rstrip()
        self._refuse(outside, lambda row: f"{column.name} {values[row]:g} is not within {span}")
        return values

    def _parsed(self, column: pa.ChunkedArray, name: str) -> Floats:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.utf8_trim_whitespace(column)
            column = pc.if_else(pc.equal(column, ""), None, column)
        try:
            cast = column.cast(pa.float64())
        except pa.ArrowInvalid:
            texts_ = column.to_pylist()
            parsed = [_float(text) for text in texts_]
            strange = np.array([text is not None and value is None for text, value in zip(texts_, parsed, strict=True)])
            self._refuse(strange, lambda row: f"{name} {texts_[row]!r} is not a number")
            cast = pa.chunked_array([pa.array(parsed, type=pa.float64())])
        values: Floats = cast.to_numpy(zero_copy_only=False).astype(np.float64)
        self._refuse(np.isinf(values), lambda row: f"{name} {values[row]} is not a number")
        return values

    def _refuse(self, rows: Mask, reason: Callable[[int], str]) -> None:
        for row in np.flatnonzero(rows):
            self._reason.setdefault(int(row), reason(int(row)))

    def _refuse_repeated(self, what: str, key: NDArray[np.int64]) -> None:
        _, first = np.unique(key, return_index=True)
        repeated = np.ones(self.size, dtype=np.bool_)
        repeated[first] = False
        self._refuse(repeated, lambda _row: f"{what} is there already, in an earlier row")

    def _refuse_contradicting(self, owner: str, limit: str) -> None:
        code, names = self.text[owner]
        values = self.number[limit]
        _, first = np.unique(code, return_index=True)
        expected = values[first][code]
        differs = ~((values == expected) | (np.isnan(values) & np.isnan(expected)))
        self._refuse(differs, lambda row: f"{limit} of {names[code[row]]} is not what an earlier row says")

    def _refuse_transformer_of_two_feeders(self) -> None:
        transformer, names = self.text["transformer"]
        feeder, _ = self.text["feeder"]
        _, first = np.unique(transformer, return_index=True)
        self._refuse(
            feeder[first][transformer] != feeder,
            lambda row: f"transformer {names[transformer[row]]} is below another feeder in an earlier row",
        )


def _float(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
