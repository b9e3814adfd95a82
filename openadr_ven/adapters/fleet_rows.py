"""Which rows of a fleet file can be believed, and why the others cannot: whole columns at a time."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from openadr_ven.adapters.fleet_header import (
    ASSUMED_TEXT,
    LIMITED,
    NUMBER_COLUMNS,
    PARENTS,
    SLOTS_MAX,
    TEXT_COLUMNS,
    Column,
)
from openadr_ven.fleet.columns import DeviceClass, Floats, Mask, Texts, texts

GATEWAY_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A gateway's name is part of its topics (docs/gateway-contract.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a row cannot be believed."""

    column: str
    reason: str


class CheckedRows:
    """A table's columns as NumPy, and for each row the first reason not to believe it."""

    def __init__(self, table: pa.Table) -> None:
        self.size = table.num_rows
        self._refusals: dict[int, Refusal] = {}
        self.text = {name: self._text(table, name) for name in TEXT_COLUMNS}
        known = {one.name.lower(): int(one) for one in DeviceClass}
        codes, classes = self.text["device_class"]
        self.device_class = np.array([known.get(name, -1) for name in classes.tolist()], dtype=np.int8)[codes]
        self._refuse(self.device_class < 0, "device_class", lambda row: f"{classes[codes[row]]!r} is none of ours")
        gateway_codes, gateways = self.text["gateway"]
        unusable = np.array([GATEWAY_NAME.fullmatch(name) is None for name in gateways.tolist()], dtype=np.bool_)
        self._refuse(
            unusable[gateway_codes],
            "gateway",
            lambda row: f"{gateways[gateway_codes[row]]!r} is no name on the wire: 1 to 64 of A-Z a-z 0-9 _ -",
        )
        self.number = {column.name: self._number(table, column) for column in NUMBER_COLUMNS}
        self._refuse_repeated("device_id", "is there already, in an earlier row", self.text["device_id"][0])
        slot = np.nan_to_num(self.number["slot"], nan=-1.0)
        self._refuse(slot % 1 != 0, "slot", lambda row: f"{slot[row]} is not a whole number")
        address = self.text["gateway"][0].astype(np.int64) * SLOTS_MAX + slot.astype(np.int64)
        self._refuse_repeated("slot", "of this gateway is there already, in an earlier row", address)
        for owner in LIMITED:
            self._refuse_contradicting(owner, f"{owner}_limit_w")
        for child, parent in PARENTS:
            self._refuse_two_parents(child, parent)

    def good(self) -> Mask:
        mask = np.ones(self.size, dtype=np.bool_)
        mask[list(self._refusals)] = False
        return mask

    def refused(self) -> dict[int, Refusal]:
        """The rows that cannot be believed, each with the first reason."""
        return dict(self._refusals)

    def _text(self, table: pa.Table, name: str) -> tuple[NDArray[np.int32], Texts]:
        """By row, an index into the column's names, which are in order."""
        assumed = ASSUMED_TEXT.get(name, "")
        if name not in table.column_names:
            return np.zeros(self.size, dtype=np.int32), texts([assumed])
        column = pc.utf8_trim_whitespace(table[name].cast(pa.string()).fill_null(""))
        column = pc.if_else(pc.equal(column, ""), assumed, column) if assumed else column
        encoded = column.combine_chunks().dictionary_encode()
        order = pc.array_sort_indices(encoded.dictionary).to_numpy()
        rank = np.empty(order.size, dtype=np.int32)
        rank[order] = np.arange(order.size, dtype=np.int32)
        codes: NDArray[np.int32] = rank[encoded.indices.to_numpy()]
        names = encoded.dictionary.take(pa.array(order)).to_numpy(zero_copy_only=False).astype(np.dtypes.StringDType())
        if names.size and names[0] == "":
            self._refuse(codes == 0, name, lambda _row: "is empty")
        return codes, names

    def _number(self, table: pa.Table, column: Column) -> Floats:
        if column.name not in table.column_names:
            values = np.full(self.size, np.nan)
        else:
            values = self._parsed(table[column.name], column.name)
        needed = np.isin(self.device_class, column.needed_by)
        self._refuse(needed & np.isnan(values), column.name, lambda _row: "is missing")
        outside = (values < column.lowest) | (values > column.highest)
        span = f"{column.lowest:g} to {column.highest:g} {column.unit}".rstrip()
        self._refuse(outside, column.name, lambda row: f"{values[row]:g} is not within {span}")
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
            self._refuse(strange, name, lambda row: f"{texts_[row]!r} is not a number")
            cast = pa.chunked_array([pa.array(parsed, type=pa.float64())])
        values: Floats = cast.to_numpy(zero_copy_only=False).astype(np.float64)
        self._refuse(np.isinf(values), name, lambda row: f"{values[row]} is not a number")
        return values

    def _refuse(self, rows: Mask, column: str, reason: Callable[[int], str]) -> None:
        for row in np.flatnonzero(rows):
            self._refusals.setdefault(int(row), Refusal(column=column, reason=reason(int(row))))

    def _refuse_repeated(self, column: str, reason: str, key: NDArray[np.integer]) -> None:
        _, first = np.unique(key, return_index=True)
        if first.size < self.size:
            repeated = np.ones(self.size, dtype=np.bool_)
            repeated[first] = False
            self._refuse(repeated, column, lambda _row: reason)

    def _refuse_contradicting(self, owner: str, limit: str) -> None:
        code, names = self.text[owner]
        values = self.number[limit]
        expected = values[_first_rows(code, names.size)][code]
        differs = ~((values == expected) | (np.isnan(values) & np.isnan(expected)))
        self._refuse(differs, limit, lambda row: f"of {owner} {names[code[row]]} is not what an earlier row says")

    def _refuse_two_parents(self, child: str, parent: str) -> None:
        """A tree that is none is found out row by row: the first one to name a child's parent is believed."""
        code, names = self.text[child]
        above, _ = self.text[parent]
        self._refuse(
            above[_first_rows(code, names.size)][code] != above,
            parent,
            lambda row: f"is not the one that {child} {names[code[row]]} is below in an earlier row",
        )


def _first_rows(codes: NDArray[np.int32], size: int) -> NDArray[np.intp]:
    """The first row of each code; all codes are used."""
    first = np.empty(size, dtype=np.intp)
    first[codes[::-1]] = np.arange(codes.size - 1, -1, -1)
    return first


def _float(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
