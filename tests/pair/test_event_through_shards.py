"""An event through shards, end to end: VTN, agent, two shards over NATS with TLS and users of their own, devices.

Real processes all. A shard is killed in the midst of it and comes back; nothing is lost, nothing is done or written
twice, and the VTN hears of it all.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.lab import FLEET, VEN_NAME, Lab, Ports
from openadr_ven.adapters.command_ledger import ask
from openadr_ven.bootstrap.shard import rights
from openadr_ven.gateways.broker import HOST, free_port, nats_server
from openadr_ven.settings import load
from openadr_ven.simulator.device_log import applied_twice, read_device_log
from openadr_ven.simulator.meter import read_meter
from tests.rig import BATTERIES_EACH, GATEWAYS, POWER_W, VEN_SETTINGS, VTN_SETTINGS, enrol, write_small_fleet

SHARDS = 2
TARGET_KW = 60

ENGINE = """\
server_name: engine
listen: "{host}:{port}"
jetstream {{ store_dir: "{store}" }}
tls {{ cert_file: "{certificate}", key_file: "{key}" }}
mqtt {{ listen: "{host}:{mqtt_port}", no_auth_user: devices, ack_wait: "10s", max_ack_pending: 1000 }}
authorization {{ users: [
  {{ user: devices, password: "of nobody" }},
  {users}
] }}
"""

SETTINGS = """
[shards]
engine = "tls://localhost:{port}"
trust = "{trust}"
cell_rows = {rows}
"""


class ShardedLab(Lab):
    """A lab whose agent has shards."""

    engine_port: int
    ready: dict[int, int]
    """How often each shard was, by its log."""

    def start_engine(self) -> None:
        """The broker, and NATS beside it with TLS and a user for the agent and for each shard."""
        data = self.folder / "engine"
        data.mkdir(parents=True)
        users = ",\n  ".join(self._user(number) for number in range(SHARDS + 1))
        configuration = data / "nats.conf"
        certificate = self.vtn / "certs" / "vtn-ecc.pem"
        configuration.write_text(
            ENGINE.format(
                host=HOST, port=self.engine_port, mqtt_port=self.ports.broker, store=data, certificate=certificate,
                key=certificate.with_suffix(".key"), users=users,
            )
        )  # fmt: skip
        with (self.processes.logs / "broker.log").open("ab") as log:
            self.processes.running["broker"] = subprocess.Popen(
                [str(nats_server()), "--config", str(configuration)], stdout=log, stderr=log
            )

    def start_shards(self, *numbers: int) -> None:
        for number in numbers:
            self._start_shard(number)
        for number in numbers:
            self.ready[number] = self.ready.get(number, 0) + 1
            self.processes.wait_until(f"shard {number}", partial(self._is_ready, number))

    def _is_ready(self, number: int) -> bool:
        return self.said(f"shard-{number}").count("shard ready") == self.ready[number]

    def said(self, name: str) -> str:
        return (self.processes.logs / f"{name}.log").read_text()

    def written(self, folder: str) -> list[str]:
        """Rounds' parcels in the ledger of a shard, or the agent's own."""
        return [file.stem for file in (self.ven / "ledger" / folder / "commands").glob("*.parquet")]

    def _start_shard(self, number: int) -> None:
        self.processes.start(
            f"shard-{number}", "openadr_ven", "shard", "--config", self.ven / "ven.toml", "--number", str(number),
            "--of", str(SHARDS), environment={**os.environ, **self._ven_environment(), **user_of(number)},
        )  # fmt: skip

    def _user(self, number: int) -> str:
        name = user_of(number)["OPENADR_VEN_SHARDS__USERNAME"]
        settings = load(self.ven / "ven.toml")
        assert settings.shards is not None
        named = settings.model_copy(update={
            "fleet": settings.fleet.model_copy(update={"name": FLEET}),
            "shards": settings.shards.model_copy(update={"username": name}),
        })  # fmt: skip
        permissions = rights(named, number=number, of=SHARDS)
        return f'{{ user: "{name}", password: "secret of {name}", permissions: {permissions} }}'

    def ledger(self, sql: str) -> list[dict[str, Any]]:
        names, rows = ask(self.ven / "ledger", sql)
        return [dict(zip(names, one, strict=True)) for one in rows]


def user_of(number: int) -> dict[str, str]:
    name = f"shard-{number}" if number else "agent"
    return {"OPENADR_VEN_SHARDS__USERNAME": name, "OPENADR_VEN_SHARDS__PASSWORD": f"secret of {name}"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ShardedLab]:
    port = free_port()
    made = ShardedLab(folder=tmp_path / "lab", ports=Ports.free(), vtn_settings=VTN_SETTINGS, ven_settings=VEN_SETTINGS)
    made.engine_port, made.ready = port, {}
    try:
        fleet = write_small_fleet(tmp_path / "fleet.csv", feeders=GATEWAYS)
        made.make_vtn()
        made.start_vtn()
        made.make_ven(fleet)
        with (made.ven / "ven.toml").open("a") as file:
            file.write(SETTINGS.format(port=port, trust=made.authority, rows=BATTERIES_EACH))
        made.start_engine()
        made.start_simulator("--fleet", fleet)
        made.start_shards(1, 2)
        made.ven_settings = {**VEN_SETTINGS, **user_of(0)}
        made.start_ven()
        enrol(made)
        yield made
    finally:
        made.processes.stop_all()


def relief_kw(lab: Lab) -> float:
    return -float(read_meter(lab.meter).device_w[-2:].mean(axis=0).sum()) / 1000.0


@pytest.mark.timeout(240)
def test_a_shard_dies_in_the_midst_of_an_event(lab: ShardedLab) -> None:
    event_id = lab.operator_json(
        "event", "create", "--program", "relief", "--payload-type", "DISPATCH_SETPOINT_RELATIVE",
        "--value", str(TARGET_KW), "--duration", "10m", "--target", VEN_NAME,
    )["id"]  # fmt: skip
    lab.processes.wait_until("relief", lambda: relief_kw(lab) > 0.9 * TARGET_KW)
    there = json.loads(lab.ven_command("shards", "--json"))
    assert [one["shard"] for one in there] == ["1 of 2", "2 of 2"]
    assert sum(one["devices"] for one in there) == GATEWAYS * BATTERIES_EACH

    lab.processes.kill("shard-2")
    lab.processes.wait_until("the agent to stand in", lambda: bool(lab.written("")))
    lab.processes.wait_until("an alarm", lambda: '"shard silent"' in lab.said("ven"))
    stood_in = max(lab.written(""))
    lab.processes.wait_until("renewals", lambda: max(lab.written("")) > stood_in)
    lab.processes.wait_until("relief without it", lambda: relief_kw(lab) > 0.9 * TARGET_KW)
    lab.start_shards(2)
    lab.processes.wait_until("the shard to carry again", lambda: max(lab.written("shard-2")) > max(lab.written("")))
    lab.processes.wait_until("word of it", lambda: '"shard back"' in lab.said("ven"))
    lab.processes.wait_until("relief with it again", lambda: relief_kw(lab) > 0.9 * TARGET_KW)

    lab.operator_command("event", "cancel", event_id)
    lab.processes.wait_until("all to be let go", lambda: abs(relief_kw(lab)) < POWER_W / 1000.0)
    lab.processes.wait_until("the event's account", lambda: any((lab.ven / "ledger" / "outcomes").iterdir()))

    log = read_device_log(lab.meter)
    assert {one.gateway for one in log if one.event == event_id and one.applied} == {
        f"gateway-{number}" for number in range(GATEWAYS)
    }
    assert not applied_twice(log)
    told = {one.command for one in log if one.event == event_id}

    shown = lab.ven_command("ledger", "SELECT count(*) AS rows FROM commands", "--json")
    assert json.loads(shown)[0]["rows"] > 0
    commands = lab.ledger(
        "SELECT sequence, row, count(*) AS times FROM commands GROUP BY ALL"
    )  # fmt: skip
    assert {one["times"] for one in commands} == {1}, "no row twice"
    frames = lab.ledger("SELECT DISTINCT gateway, sequence FROM commands JOIN devices USING (fleet, row)")
    assert len(frames) >= len(told) > 0, "what a device was told is in the ledger"
    sent = lab.ledger("SELECT gateway, sequence, count(*) AS times FROM sent GROUP BY ALL")
    assert {one["times"] for one in sent} == {1}
    acknowledged = lab.ledger(
        "SELECT count(DISTINCT row) AS rows FROM acknowledgements WHERE state = 'STARTED'"
    )  # fmt: skip
    assert acknowledged[0]["rows"] > 0
    delivered = lab.ledger("SELECT sum(delivered_wh) AS wh FROM outcomes")
    assert delivered[0]["wh"] > 0.0
    assert sorted(one.name for one in (lab.ven / "ledger").glob("shard-*")) == ["shard-1", "shard-2"]

    readings = lab.operator_json("report", "readings", VEN_NAME, "--measurand", "usage")
    assert min(one["value"] for one in readings if one["unit"] == "W") < -0.8 * TARGET_KW * 1000
