"""A VTN that is killed while it tells a webhook tells it all when it is back: at least once, in order."""

from pathlib import Path

import pytest

from demo.lab import Lab, Ports
from openadr_core.shell.tls import Chain
from tests.vtn.notify.events_written import created, writing_events
from tests.vtn.notify.receiver import Receiver, receiving

EVENTS = 12


@pytest.mark.timeout(90)
async def test_every_event_is_told_over_a_kill(tmp_path: Path) -> None:
    lab = Lab(folder=tmp_path / "lab", ports=Ports.free())
    lab.make_vtn()
    certificates = lab.vtn / "certs"
    chain = Chain(certificate=certificates / "operator.pem", key=certificates / "operator.key")
    try:
        async with receiving(chain) as receiver:
            lab.vtn_settings = {
                "OPENADR_VTN_WEBHOOKS__NETWORKS": '["127.0.0.0/8", "::1/128"]',
                "OPENADR_VTN_WEBHOOKS__PORTS": f"[{receiver.port}]",
                "OPENADR_VTN_WEBHOOKS__TRUST": f'["{lab.authority}"]',
                "OPENADR_VTN_WEBHOOKS__RETRY_MAX_S": "1",
            }
            lab.start_vtn()
            made = await _kill_while_events_are_told(lab, receiver)
            lab.start_vtn()
            told = await _told_of_all(receiver, made)
    finally:
        lab.processes.stop_all()
    first_times = list(dict.fromkeys(told))
    assert first_times == made, "in order, and none lost"


async def _kill_while_events_are_told(lab: Lab, receiver: Receiver) -> list[str]:
    """The ids of events that were accepted; the receiver was down for the later half of them."""
    async with writing_events(lab) as writer:
        watch = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": receiver.url}
        await created(writer.http, "subscriptions", {"clientName": "x", "objectOperations": [watch]})
        made = [await writer.event() for _ in range(EVENTS // 2)]
        await receiver.until(EVENTS // 2)
        receiver.status = 503
        made += [await writer.event() for _ in range(EVENTS // 2)]
        await receiver.until(EVENTS // 2 + 1)
        lab.processes.kill("vtn")
    receiver.status = 200
    return made


async def _told_of_all(receiver: Receiver, made: list[str]) -> list[str]:
    """The events that were told of, until each was; those that were answered 503 not counted."""
    heard = len(receiver.told)
    kept = [told.said["object"]["id"] for told in receiver.told[: EVENTS // 2]]
    while set(kept) != set(made):
        await receiver.until(heard + 1)
        heard += 1
        kept.append(receiver.told[heard - 1].said["object"]["id"])
    return kept
