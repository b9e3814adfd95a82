"""Values that VTN tests begin with."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from openadr_core.identity import Peer, peer_of
from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.party import Certificate, Party, PartyState, Registration
from openadr_core.model.program import Program, ReliefSign
from openadr_core.model.report import (
    Control,
    ControlValue,
    DataPoint,
    DataSource,
    Measurand,
    ReportOffer,
    ResourceStatus,
    StatusReading,
)
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import Watch
from openadr_core.oadr3.webhook_signature import secret_text
from openadr_vtn.application.ports import StoredEvent, StoredProgram
from openadr_vtn.domain.reporting import OfferedReport
from openadr_vtn.domain.subscription import Subscription

HOUR = timedelta(hours=1)
TOKEN = "t0ken"  # noqa: S105  # a receiver's own


def a_peer(name: str = "ven-one") -> Peer:
    return peer_of(name.encode(), subject=f"CN={name},O=Test")


def a_program(now: datetime, *, number: int = 1) -> StoredProgram:
    program = Program(
        id=f"program-{number}",
        name=f"Program {number}",
        market_context=f"http://utility.example/program-{number}",
        relief_sign=ReliefSign.POSITIVE,
        targets=("zone-a",),
    )
    return StoredProgram(program=program, document='{"programName":"Program"}', created_at=now, modified_at=now)


def an_event(now: datetime, *, event_id: str = "event-1", **changes: object) -> DrEvent:
    values: dict[str, object] = {
        "id": event_id,
        "program_id": "program-1",
        "market_context": "http://utility.example/program-1",
        "version": 0,
        "starts_at": now,
        "duration": HOUR,
        "signals": (
            Signal(
                id="s-0",
                kind=SignalKind.RELIEF,
                intervals=(
                    SignalInterval(duration=HOUR / 2, value=5e6),
                    SignalInterval(duration=HOUR / 2, value=2.5e6),
                ),
                device_classes=("Storage",),
            ),
        ),
        "created_at": now,
        "modified_at": now,
        "priority": 3,
        "relief_sign": ReliefSign.POSITIVE,
    }
    return DrEvent(**(values | changes))  # type: ignore[arg-type]


def a_stored_event(now: datetime, **changes: object) -> StoredEvent:
    return StoredEvent(event=an_event(now, **changes), document='{"duration": "P9999Y", "n": 1.50}')  # type: ignore[arg-type]


def a_certificate(now: datetime, name: str = "ven-one") -> Certificate:
    peer = a_peer(name)
    return Certificate(
        sha256=peer.certificate_sha256,
        fingerprint_20b=peer.fingerprint_20b,
        lfdi=peer.lfdi,
        subject=peer.subject,
        first_seen_at=now,
    )


def a_party(now: datetime, name: str = "ven-one", *, registered: bool = True, **changes: object) -> Party:
    values: dict[str, object] = {
        "id": f"id-{name}",
        "name": name,
        "state": PartyState.APPROVED,
        "certificates": (a_certificate(now, name),),
        "first_seen_at": now,
        "targets": ("zone-a",),
        "registration": a_registration(now, name) if registered else None,
    }
    return Party(**(values | changes))  # type: ignore[arg-type]


def a_registration(now: datetime, name: str = "ven-one") -> Registration:
    return Registration(
        registration_id=hashlib.sha256(name.encode()).hexdigest()[:12],
        profile="2.0b",
        transport="simpleHttp",
        pull=True,
        report_only=False,
        xml_signature=False,
        registered_at=now,
    )


def an_offer(*, specifier_id: str = "telemetry") -> OfferedReport:
    points = tuple(
        DataPoint(r_id=r_id, measurand=measurand, min_period=timedelta(seconds=1), max_period=timedelta(minutes=5))
        for r_id, measurand in (("power", Measurand.USAGE), ("baseline", Measurand.BASELINE))
    )
    offer = ReportOffer(
        specifier_id=specifier_id, report_name="TELEMETRY_USAGE", data_points=points, buffered=timedelta(hours=2)
    )
    return OfferedReport(offer=offer, factors={"power": 1000.0, "baseline": 1000.0})


STATUS_POINT = DataPoint(
    r_id="stands",
    measurand=Measurand.STATUS,
    unit="",
    source=DataSource(names=("fleet",)),
    min_period=timedelta(seconds=1),
    max_period=HOUR,
    on_change=True,
)


def a_status(at: datetime, *, online: bool = True) -> StatusReading:
    controls = {Control.CAPACITY: ControlValue(current=0.5, minimum=0.0, maximum=1.0, normal=None)}
    return StatusReading(
        r_id="stands", at=at, status=ResourceStatus(online=online, manual_override=False, controls=controls)
    )


def a_subscription(
    now: datetime,
    name: str = "sub-1",
    *,
    kinds: tuple[ObjectKind, ...] = (ObjectKind.PROGRAM, ObjectKind.EVENT),
    operations: tuple[Operation, ...] = (Operation.CREATE, Operation.UPDATE, Operation.DELETE),
    url: str = "https://hook.example/",
    **changes: Any,
) -> Subscription:
    """Of business logic, which hears everything, unless a change says otherwise."""
    watch = {"objects": list(kinds), "operations": list(operations), "callbackUrl": url, "bearerToken": TOKEN}
    return replace(
        Subscription(
            id=name,
            client_id=f"client-{name}",
            is_business=True,
            client_name=name,
            watches=(
                Watch(kinds=frozenset(kinds), operations=frozenset(operations), callback_url=url, bearer_token=TOKEN),
            ),
            document=json.dumps({"clientName": name, "objectOperations": [watch]}),
            secret=secret_text(b"k" * 32),
            created_at=now,
            modified_at=now,
        ),
        **changes,
    )
