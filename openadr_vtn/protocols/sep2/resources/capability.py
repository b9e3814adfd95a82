"""DeviceCapability and Time, and what is spoken where: what every client may read."""

import json

from openadr_core.sep2.server import DeviceCapability, SelfDevice, Time
from openadr_vtn.protocols.sep2.http_rules import Holds, Reply
from openadr_vtn.protocols.sep2.scene import Scene, Sep2Desk

SERVER_CATEGORY = "00"


async def capability(scene: Scene) -> Reply:
    """CSIP: programs are found through the function set assignments of a device, and not here."""
    devices = await scene.uow.registry.count_devices(scene.party.id, enabled=True)
    mirrors = await scene.uow.mirrors.count_mirrors(scene.party.id)
    message = DeviceCapability(
        href=scene.href("/dcap"),
        poll_rate=await scene.own_rate("DeviceCapability"),
        response_set_list_link=None,
        time_link=scene.link("/tm"),
        end_device_list_link=scene.list_link("/edev", devices),
        usage_point_list_link=scene.list_link("/upt", mirrors),
        mirror_usage_point_list_link=scene.list_link("/mup", mirrors),
        self_device_link=scene.link("/sdev"),
    )
    return Reply(message=message, holds=Holds(party_id=scene.party.id))


def versions(desk: Sep2Desk) -> bytes:
    """``/.well-known/csipaus`` (1.8): where each version of CSIP-AUS begins, by its namespace.

    Interpretation: JSON, as the clients of version 1.3 that their test procedures describe read it. What is spoken
    without a prefix comes first: who knows of no prefixes begins there.
    """
    begins: dict[str, dict[str, list[str]]] = {}
    for speech in reversed(desk.speeches):
        if speech.csipaus is not None:
            begins.setdefault(speech.csipaus.value, {"dcap": []})["dcap"].append(f"{speech.prefix}/dcap")
    return json.dumps({"supportedSchemaVersions": begins}).encode()


async def time(scene: Scene) -> Reply:
    """Interpretation: one answer for all who ask in a second, and so one pollRate."""
    tz_offset, dst_offset, dst_start, dst_end = scene.desk.time_zone(scene.now)
    is_summer = dst_start <= scene.now < dst_end
    message = Time(
        href=scene.href("/tm"),
        poll_rate=scene.common_rate("Time"),
        current_time=scene.now,
        dst_end_time=dst_end,
        dst_offset=dst_offset,
        dst_start_time=dst_start,
        local_time=scene.now + tz_offset + (dst_offset if is_summer else 0),
        quality=scene.desk.time_quality,
        tz_offset=tz_offset,
    )
    return Reply(message=message, holds=Holds(until=scene.now + 1))


async def self_device(scene: Scene) -> Reply:
    own = scene.desk.own
    message = SelfDevice(
        href=scene.href("/sdev"), poll_rate=await scene.own_rate("SelfDevice"), lfdi=own.lfdi, sfdi=own.sfdi,
    )  # fmt: skip
    return Reply(message=message, holds=Holds(party_id=scene.party.id))
