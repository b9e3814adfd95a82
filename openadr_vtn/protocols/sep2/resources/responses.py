"""What devices answer to controls (1.3, Table 27)."""

from dataclasses import replace
from datetime import UTC, datetime

from openadr_core.sep2.encode import encode
from openadr_core.sep2.responses import DERControlResponse, DrResponse, Response
from openadr_vtn.application.sep2_hearing import Heard, hear_response
from openadr_vtn.application.sep2_ports import StoredResponse
from openadr_vtn.domain.sep2.answers import ANSWERS
from openadr_vtn.protocols.sep2.http_rules import ErrorReason, HttpRefusal, Reply, created
from openadr_vtn.protocols.sep2.scene import Scene


async def answer(scene: Scene, group_id: str) -> Reply:
    """To a control of this group, for a device of the one who sends it; anything else is refused."""
    message = scene.message(Response)
    if not isinstance(message, DERControlResponse | DrResponse):
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    lfdi = message.end_device_lfdi.upper()
    device = await scene.uow.registry.device_by_lfdi(lfdi)
    if device is None or device.party_id != scene.party.id or not device.enabled:
        raise HttpRefusal(403)
    control = await scene.uow.controls.control(message.subject.upper())
    if control is None or control.group_id != int(group_id):
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    if message.status is None or message.status not in ANSWERS:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    await scene.check_member(int(group_id))
    said_at = min(message.created_date_time or scene.now, scene.now)
    added = await scene.uow.mirrors.add_response(
        StoredResponse(
            id=0, subject=message.subject.upper(), party_id=scene.party.id, lfdi=lfdi, status=message.status,
            created_at=message.created_date_time or scene.now, body=encode(replace(message, href=None), csipaus=None),
        )
    )  # fmt: skip
    heard = Heard(lfdi=lfdi, status=message.status, at=datetime.fromtimestamp(said_at, UTC))
    await hear_response(scene.uow, scene.party, control, heard, datetime.fromtimestamp(scene.now, UTC))
    return created(scene.href(f"/rsps/{group_id}/rsp/{added}"))
