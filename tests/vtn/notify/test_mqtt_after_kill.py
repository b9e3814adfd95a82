"""A VTN that is killed while it tells a broker tells it all when it is back: at least once, in order."""

import asyncio
import json
from pathlib import Path

import aiomqtt
import pytest

from demo.lab import Lab, Ports
from openadr_core.shell.tls import Chain, client_context
from tests.mosquitto import MOSQUITTO, running_mosquitto
from tests.pair.tcp_proxy import line_to
from tests.vtn.notify.events_written import writing_events

EVENTS = 12
WAIT_S = 40.0


@pytest.mark.openadr3("R9.4", "R10.2")
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
@pytest.mark.timeout(120)
async def test_every_event_is_published_over_a_kill(tmp_path: Path) -> None:
    lab = Lab(folder=tmp_path / "lab", ports=Ports.free())
    lab.make_vtn()
    chain = Chain(certificate=lab.vtn / "certs" / "operator.pem", key=lab.vtn / "certs" / "operator.key")
    trusted = client_context("oadr3", None, [lab.authority])
    try:
        async with (
            running_mosquitto(tmp_path, chain=chain) as broker,
            line_to(broker) as line,
            aiomqtt.Client("localhost", broker, tls_context=trusted) as listener,
        ):
            await listener.subscribe("events/create", qos=1)
            lab.vtn_settings = {
                "OPENADR_VTN_MQTT__URL": f"mqtts://localhost:{line.port}",
                "OPENADR_VTN_MQTT__TRUST": f'["{lab.authority}"]',
            }
            lab.start_vtn()
            async with writing_events(lab) as writer:
                made = [await writer.event() for _ in range(EVENTS // 2)]
                told = [await _told(listener) for _ in made]
                line.answers_lost = 1.0
                made += [await writer.event() for _ in range(EVENTS // 2)]
                async with asyncio.timeout(WAIT_S):
                    while line.connections == 1:  # noqa: ASYNC110  # until an acknowledgement was lost
                        await asyncio.sleep(0.02)
                lab.processes.kill("vtn")
            assert set(told) < set(made), "killed in the midst"
            line.answers_lost = 0.0
            lab.start_vtn()
            while set(told) != set(made):
                told.append(await _told(listener))
    finally:
        lab.processes.stop_all()
    assert list(dict.fromkeys(told)) == made, "in order, and none lost"
    assert len(told) > len(made), "what was not acknowledged is told again"


async def _told(listener: aiomqtt.Client) -> str:
    """The next event that is told of."""
    async with asyncio.timeout(WAIT_S):
        message = await anext(aiter(listener.messages))
    assert isinstance(message.payload, bytes)
    return str(json.loads(message.payload)["object"]["id"])
