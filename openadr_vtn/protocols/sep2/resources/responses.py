"""What devices answer to controls (1.3, Table 27)."""

from dataclasses import replace

from openadr_core.sep2.encode import encode
from openadr_core.sep2.responses import DERControlResponse, DrResponse, Response
from openadr_vtn.application.sep2_ports import StoredResponse
from openadr_vtn.protocols.sep2.http_rules import ErrorReason, HttpRefusal, Reply, created
from openadr_vtn.protocols.sep2.scene import Scene

STATUSES = frozenset({*range(1, 15), 252, 253, 254})


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
    is_its = control is not None and control.group_id == int(group_id)
    if not is_its or message.status is None or message.status not in STATUSES:
        raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
    await scene.check_member(int(group_id))
    added = await scene.uow.mirrors.add_response(
        StoredResponse(
            id=0, subject=message.subject.upper(), party_id=scene.party.id, lfdi=lfdi, status=message.status,
            created_at=message.created_date_time or scene.now, body=encode(replace(message, href=None), csipaus=None),
        )
    )  # fmt: skip
    return created(scene.href(f"/rsps/{group_id}/rsp/{added}"))
