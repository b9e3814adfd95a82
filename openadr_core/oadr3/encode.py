"""Values to the JSON text of OpenADR 3.1 objects. A stored document goes out as it came in."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import Party
from openadr_core.model.report import Measurand, Reading
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.target_types import with_shown
from openadr_core.oadr3.times import length_text, moment_text

OPERATING_STATE = "OPERATING_STATE"
OPT_STATES = {OptType.IN: "NORMAL", OptType.OUT: "IDLE_OPTED_OUT"}
"""Interpretation: 3.1 has no word for an opt; its operating states have one for being out, and all others are in."""
NOTHING: Mapping[str, Any] = {}
REPORT_TYPES = {Measurand.USAGE: "DEMAND", Measurand.BASELINE: "BASELINE"}
"""Our measurands by the standard's report payload types."""


def object_text(
    kind: str,
    object_id: str,
    created_at: datetime,
    modified_at: datetime,
    document: str,
    *,
    members: Mapping[str, Any] = NOTHING,
) -> str:
    """A stored document with the members that are the VTN's to set; ``kind`` is ``EVENT``, ``PROGRAM``…

    ``members`` are others of ours, which the document must not have.
    """
    ours = json.dumps(
        {
            "id": object_id,
            "createdDateTime": moment_text(created_at),
            "modificationDateTime": moment_text(modified_at),
            "objectType": kind,
            **members,
        }
    )
    theirs = document.strip().removeprefix("{").removesuffix("}").strip()
    return f"{ours[:-1]}, {theirs}}}" if theirs else ours


def shown_text(
    kind: str,
    object_id: str,
    created_at: datetime,
    modified_at: datetime,
    document: str,
    *,
    targets: Sequence[str],
    shown: Sequence[str],
) -> str:
    """An object with targets, as it is told to one that may know these of them: verbatim, if that is all."""
    if len(shown) == len(targets):
        return object_text(kind, object_id, created_at, modified_at, document)
    return object_text(kind, object_id, created_at, modified_at, with_shown(document, shown))


def list_text(objects: Iterable[str]) -> str:
    """A list of objects that are JSON texts already."""
    return "[" + ", ".join(objects) + "]"


def ven_text(party: Party) -> str:
    """A party as a 3.1 ven."""
    members = {"clientID": client_id_of(party), "venName": party.name, "targets": list(party.targets)}
    modified_at = party.modified_at or party.first_seen_at
    return object_text(ObjectKind.VEN, party.id, party.first_seen_at, modified_at, party.document, members=members)


def resource_text(
    resource_id: str,
    created_at: datetime,
    modified_at: datetime,
    document: str,
    *,
    name: str,
    targets: Sequence[str],
    party: Party,
) -> str:
    """Something behind this party, as a 3.1 resource."""
    members = {
        "clientID": client_id_of(party), "venID": party.id, "resourceName": name, "targets": list(targets),
    }  # fmt: skip
    return object_text(ObjectKind.RESOURCE, resource_id, created_at, modified_at, document, members=members)


def report_text(
    report_id: str,
    event_id: str,
    modified_at: datetime,
    *,
    party: Party,
    opt: Opt | None,
    series: Mapping[Measurand, list[Reading]],
) -> str:
    """What a party said of an event in another protocol, as a 3.1 report.

    Its answer is an operating state from when it was given on; then comes one interval for each reading, in kW.
    """
    intervals: list[dict[str, Any]] = []
    if opt is not None:
        state = {"type": OPERATING_STATE, "values": [OPT_STATES[opt.opt_type]]}
        intervals.append({"id": 0, "intervalPeriod": {"start": moment_text(opt.at)}, "payloads": [state]})
    for measurand, readings in series.items():
        for reading in readings:
            intervals.append(
                {
                    "id": len(intervals),
                    "intervalPeriod": {
                        "start": moment_text(reading.starts_at),
                        "duration": length_text(reading.duration),
                    },
                    "payloads": [{"type": REPORT_TYPES[measurand], "values": [reading.value / 1000]}],
                }
            )
    document = {
        "eventID": event_id,
        "clientName": party.name,
        "clientID": client_id_of(party),
        "payloadDescriptors": [
            {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": REPORT_TYPES[measurand], "units": "KW"}
            for measurand in series
        ],
        "resources": [{"resourceName": "AGGREGATED_REPORT", "intervals": intervals}],
    }
    return object_text("REPORT", report_id, modified_at, modified_at, json.dumps(document))


def client_id_of(party: Party) -> str:
    """A 2.0b party that is no OAuth client is known by its certificate."""
    if party.client_id is not None:
        return party.client_id
    return party.certificates[-1].lfdi if party.certificates else party.id
