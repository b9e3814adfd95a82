"""What a station says besides charging: authorisation, firmware, logs, certificates. It is answered, and goes on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.exceptions import NotImplementedError as NoSuchAction
from ocpp.messages import CallResult, validate_payload

from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.ocpp.courtesies import COURTESIES
from openadr_ven.gateways.ocpp.profiles import Version
from tests.core.shell.lab import Lab
from tests.ven.gateways.charge_points import PACKAGES, connected
from tests.ven.gateways.test_ocpp import DIGEST, PASSWORD, order, serving

VERSIONS = pytest.mark.parametrize("version", list(Version), ids=[one.value for one in Version])
NOW = datetime.now(UTC).isoformat()
SAYS: dict[Version, list[tuple[str, dict[str, Any], str | None]]] = {
    Version.V16: [
        ("Authorize", {"id_tag": "tag"}, "Accepted"),
        ("FirmwareStatusNotification", {"status": "Installing"}, None),
        ("DiagnosticsStatusNotification", {"status": "Idle"}, None),
        ("DataTransfer", {"vendor_id": "acme", "data": "x" * 200}, "UnknownVendorId"),
        ("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": NOW, "tech_info": ""}, None),
        ("LogStatusNotification", {"status": "Uploaded", "request_id": 1}, None),
        ("SignedFirmwareStatusNotification", {"status": "Downloaded", "request_id": 1}, None),
        ("SignCertificate", {"csr": "-----BEGIN"}, "Rejected"),
    ],
    Version.V201: [
        ("Authorize", {"id_token": {"id_token": "t", "type": "ISO14443"}}, "Accepted"),
        ("FirmwareStatusNotification", {"status": "Installed"}, None),
        ("DataTransfer", {"vendor_id": "acme"}, "UnknownVendorId"),
        ("SecurityEventNotification", {"type": "SettingSystemTime", "timestamp": NOW}, None),
        ("LogStatusNotification", {"status": "Idle"}, None),
        ("NotifyReport", {"request_id": 1, "generated_at": NOW, "seq_no": 0}, None),
        ("SignCertificate", {"csr": "-----BEGIN"}, "Rejected"),
        ("ClearedChargingLimit", {"charging_limit_source": "EMS"}, None),
    ],
}
SAYS[Version.V21] = [
    *SAYS[Version.V201],
    ("NotifyDERStartStop", {"control_id": "c", "started": True, "timestamp": NOW}, None),
    ("OpenPeriodicEventStream",
     {"constant_stream_data": {"id": 1, "params": {}, "variable_monitoring_id": 1}}, "Rejected"),
]  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder: Path = tmp_path_factory.mktemp("lab")
    return Lab(folder=folder, now=datetime.now(UTC))


@VERSIONS
async def test_a_station_that_boots_updates_and_authorises_is_never_left_waiting(lab: Lab, version: Version) -> None:
    calls = PACKAGES[version].call
    async with (
        serving(lab, password_sha256=DIGEST) as running,
        connected(version, running.central.port, running.tls, password=PASSWORD) as station,
    ):
        await station.boot()
        for action, said, status in SAYS[version]:
            answer = await station.call(getattr(calls, action)(**said), suppress=False)
            told = getattr(answer, "id_tag_info", None) or getattr(answer, "id_token_info", None) or vars(answer)
            assert told.get("status") == status, action
        await station.begin()
        assert await running.tell(order(Mode.SHED)) is Reason.NONE, "and it is dispatched as any other"


@VERSIONS
async def test_what_nobody_here_knows_is_said_to_be_so(lab: Lab, version: Version) -> None:
    """A station that is told so does not send it again; one that gets no answer does."""
    async with (
        serving(lab, password_sha256=DIGEST) as running,
        connected(version, running.central.port, running.tls, password=PASSWORD) as station,
    ):
        # An action that only a central system sends.
        reset = {"type": "Soft"} if version is Version.V16 else {"type": "Immediate"}
        with pytest.raises(NoSuchAction):
            await station.call(PACKAGES[version].call.Reset(**reset), suppress=False)
        await station.status("Available")


@VERSIONS
async def test_every_courtesy_is_what_the_schemas_want(version: Version) -> None:
    known = [action for action in COURTESIES if hasattr(PACKAGES[version].call_result, action)]
    assert len(known) >= 7
    for action in known:
        answer = getattr(PACKAGES[version].call_result, action)(**COURTESIES[action])
        payload = snake_to_camel_case(remove_nones(serialize_as_dict(answer)))
        await validate_payload(CallResult("1", payload, action), version.value.removeprefix("ocpp"))
