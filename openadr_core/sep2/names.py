"""How the names of our fields are spelt on the wire, and what numbers there are called."""

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType

SEP = "urn:ieee:std:2030.5:ns"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


class CsipAus(Enum):
    """The Australian profile's versions, by their namespaces."""

    V1_2 = "https://csipaus.org/ns"
    V1_3 = "https://csipaus.org/ns/v1.3"


class Status(IntEnum):
    """EventStatus.currentStatus."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_WITH_RANDOMISATION = 3
    SUPERSEDED = 4


ATTRIBUTES = frozenset({"href", "all", "results", "subscribable", "poll_rate", "reply_to", "response_required"})
"""These are attributes wherever they occur; all else is elements."""

SINCE_1_2 = frozenset({
    "connection_point_link", "op_mod_imp_lim_w", "op_mod_exp_lim_w", "op_mod_gen_lim_w", "op_mod_load_lim_w",
    "doe_modes_enabled", "doe_modes_supported", "connection_point_id",
})  # fmt: skip
SINCE_1_3 = frozenset({"op_mod_storage_target_w", "vpp_modes_enabled", "vpp_modes_supported", "set_min_wh"})
"""Elements of CSIP-AUS. A client of an earlier version must never see them (1.8)."""

CURVES: Mapping[str, int] = MappingProxyType({
    "opModFreqWatt": 0, "opModHFRTMayTrip": 1, "opModHFRTMustTrip": 2, "opModHVRTMayTrip": 3,
    "opModHVRTMomentaryCessation": 4, "opModHVRTMustTrip": 5, "opModLFRTMayTrip": 6, "opModLFRTMustTrip": 7,
    "opModLVRTMayTrip": 8, "opModLVRTMomentaryCessation": 9, "opModLVRTMustTrip": 10, "opModVoltVar": 11,
    "opModVoltWatt": 12, "opModWattPF": 13, "opModWattVar": 14,
})  # fmt: skip
"""The modes that refer to a curve, and the curveType that each wants."""

_IRREGULAR = {
    "lfdi": "lFDI", "sfdi": "sFDI", "pin": "pIN", "mrid": "mRID", "d_bof": "dBOF", "d_buf": "dBUF", "k_of": "kOF",
    "k_uf": "kUF", "x_value": "xvalue", "y_value": "yvalue", "connection_point_id": "connectionPointId",
}  # fmt: skip
_ACRONYMS = {
    word: word.upper()
    for word in (
        "der", "lfdi", "va", "pf", "es", "hfrt", "hvrt", "lfrt", "lvrt", "id", "pen", "uri", "pev", "ip", "pt1",
    )
}  # fmt: skip


def wire_name(field: str, complex_type: str = "") -> str:
    """The element or attribute of a field; ``complex_type`` is the class of its value, if it has parts.

    A value of a class is called by it, where the field is (``event_status: EventStatus``), and so
    are links by what they lead to; all else begins with a small letter.
    """
    if field in _IRREGULAR:
        return _IRREGULAR[field]
    if complex_type.lower() == field.replace("_", ""):
        return complex_type
    words = field.split("_")
    first = "" if field.endswith("_link") else words.pop(0)
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in words)


def versions_of(field: str) -> frozenset[CsipAus] | None:
    """In which versions of CSIP-AUS the element exists; None for the standard's own."""
    if field in SINCE_1_3:
        return frozenset({CsipAus.V1_3})
    return frozenset(CsipAus) if field in SINCE_1_2 else None
